"""Make the vectors with the real sops; run by hand: `python -m tests.vectors.make`."""

import base64
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from nixsecrets.plaintext import Plaintext
from tests.sops.real import RealSops, make_identity
from tests.tools import require_sops
from tests.vectors import formats

HERE = Path(__file__).parent
Step = str | int
Expected = tuple[tuple[Step, ...], str, bytes]
Row = tuple[str, str, bytes]


@dataclass(frozen=True)
class Vector:
    """One scenario; see README.md for what the fields mean."""

    name: str
    title: str
    text: str | None
    document: str | None
    identity: Plaintext
    leaves: tuple[Expected, ...] = ()
    comments: tuple[str, ...] = ()
    failure: str | None = None

    def fields(self, version: str) -> Mapping[str, object]:
        found = {
            "title": self.title,
            "made by": version,
            "format": "yaml",
            "input": self.text,
            "document": self.document,
            "test identity": re.sub(r"(?m)^#.*\n", "", self.identity.reveal().decode()),
            "failure": self.failure,
        }
        if self.failure:
            return found
        sealed = {path for path, _kind in _sealed_types(self.document or "")}
        leaves = [
            {
                "path": list(path),
                "type": kind,
                "sealed": path in sealed,
                "value": base64.b64encode(content).decode(),
            }
            for path, kind, content in self.leaves
        ]
        return found | {"leaves": leaves, "comments": list(self.comments)}


def _strings(*words: str) -> tuple[Row, ...]:
    return tuple((word, "str", word.encode()) for word in words)


SCALARS: tuple[Row, ...] = (
    *_strings("word", "two words"),
    ("'single'", "str", b"single"),
    ('"dou\\tble"', "str", b"dou\tble"),
    ("-12", "int", b"-12"),
    ("2.5", "float", b"2.5"),
    ("true", "bool", b"True"),
    ("False", "bool", b"False"),
    ("2024-05-06T07:08:09.5+02:00", "time", b"2024-05-06T07:08:09.5+02:00"),
    ("!!binary /wA=", "str", b"\xff\x00"),
)
PLAIN: tuple[Row, ...] = (
    ("~", "null", b""),
    ("Null", "null", b""),
    ("TRUE", "bool", b"True"),
    *_strings("yes", "No", "on", "y", "nULL", ".Nan", "<<", "1:30", "12:30:45", "=", "0o8"),
    *_strings("1_000x", "1e400", "2001-13-01", "2001-12-14T21:59:43", "1.2.3", "a:b"),
    (".5", "float", b"0.5"),
    (".5e3", "float", b"500"),
    (".5_0", "float", b"0.5"),
    ("017", "int", b"15"),
    ("0o17", "int", b"15"),
    ("0x1F", "int", b"31"),
    ("-0b11", "int", b"-3"),
    ("1_000", "int", b"1000"),
    ("+5", "int", b"5"),
    ("08", "float", b"8"),
    ("089", "float", b"89"),
    ("1.", "float", b"1"),
    ("1e3", "float", b"1000"),
    ("!!str 1", "str", b"1"),
    ("!!float 1", "float", b"1"),
    ("!!int '7'", "int", b"7"),
    ("!unknown 1", "str", b"1"),
)
FLOATS: tuple[Row, ...] = (
    ("1.0", "float", b"1"),
    ("1e21", "float", b"1" + b"0" * 21),
    ("1e-7", "float", b"0.0000001"),
    ("5e-324", "float", b"0." + b"0" * 323 + b"5"),
    (".inf", "float", b"+Inf"),
    ("-.inf", "float", b"-Inf"),
    (".nan", "float", b"NaN"),
    ("-0.0", "float", b"-0"),
)
INTEGERS: tuple[Row, ...] = (
    ("9223372036854775807", "int", b"9223372036854775807"),
    ("-9223372036854775808", "int", b"-9223372036854775808"),
    ("18446744073709551616", "float", b"18446744073709552000"),
)
TIMES: tuple[Row, ...] = (
    ("2024-05-06", "time", b"2024-05-06T00:00:00Z"),
    ("2024-5-6", "time", b"2024-05-06T00:00:00Z"),
    ("2024-05-06 7:8:9", "time", b"2024-05-06T07:08:09Z"),
    ("2024-05-06T07:08:09Z", "time", b"2024-05-06T07:08:09Z"),
    ("2024-05-06t07:08:09.120Z", "time", b"2024-05-06T07:08:09.12Z"),
    ("2024-05-06T07:08:09,123456789123+05:30", "time", b"2024-05-06T07:08:09.123456789+05:30"),
    ("2024-05-06T07:08:09+00:00", "time", b"2024-05-06T07:08:09Z"),
)
CLEAR: tuple[Row, ...] = (
    ("1.0", "int", b"1"),  # sops prints 1 for it, which is an integer when it is read again
    ("1e3", "int", b"1000"),
    ("1.5", "float", b"1.5"),
    (".inf", "float", b"+Inf"),
    ("9223372036854775807", "int", b"9223372036854775807"),
    ("2024-05-06", "time", b"2024-05-06T00:00:00Z"),
    ("true", "bool", b"True"),
    ("word", "str", b"word"),
    ("''", "str", b""),
)
LINES: tuple[tuple[str, bytes], ...] = (
    ("|\n  one\n  two\n", b"one\ntwo\n"),
    ("|-\n  one\n  two\n", b"one\ntwo"),
    ("|+\n  one\n\n\n", b"one\n\n\n"),
    ("|2\n   lead\n  more\n", b" lead\nmore\n"),
    ("|2-\n\n  after a blank line\n", b"\nafter a blank line"),
    (">\n  folded\n  over\n\n  lines\n", b"folded over\nlines\n"),
    ('"\\ttab\\nled"\n', b"\ttab\nled"),
    ('"carriage\\rreturn"\n', b"carriage\rreturn"),
    ('"windows\\r\\nline"\n', b"windows\r\nline"),
    ("plain\n  over lines\n", b"plain over lines"),
    ("'single\n\n  over lines'\n", b"single\nover lines"),
)
LOOKALIKE = "ENC[AES256_GCM,data:QQ==,iv:QQ==,tag:QQ==,type:str]"
ODD = (
    *(
        "\x00",
        "\x07\x1b[0m",
        "\x7f",
        "\x85",
        "\u2028",
        "a\ufeffb",
        "\ufffd",
        "\U0001f600",
        "日本語",
    ),
    *("e\u0301", "ENC[", LOOKALIKE, " ", "#", "- a", "a: b", "{}"),
)
KEYS = (
    *("", "1", "a:b", "line\nbreak", "#", "ключ", "\U0001f600", "true", "on", " blank ", '"'),
    *("\\", "sops2"),
)
COMMENTED = """\
# top
a: 1 # inline
# above
b:
    # within
    c: x
d:
    # of an item
    - x
    # of another
    - y
# end
"""
COMMENTED_LEAVES: tuple[Expected, ...] = (
    (("a",), "int", b"1"),
    (("b", "c"), "str", b"x"),
    (("d", 1), "str", b"x"),
    (("d", 3), "str", b"y"),
)
COMMENTS = (" top", " inline", " above", " within", " of an item", " of another", " end")
EMPTIES = "a: ''\nb: null\nc: {}\nd: []\ne: {f: '', g: [~, {}]}\n"
EMPTIES_LEAVES: tuple[Expected, ...] = (
    (("a",), "str", b""),
    (("b",), "null", b""),
    (("c",), "{}", b""),
    (("d",), "[]", b""),
    (("e", "f"), "str", b""),
    (("e", "g", 0), "null", b""),
    (("e", "g", 1), "{}", b""),
)
RULES = (
    ("unencrypted-suffix", "_x"),
    ("encrypted-suffix", "_x"),
    ("unencrypted-regex", "^[ad]$"),
    ("encrypted-regex", "_x$"),
    ("unencrypted-comment-regex", "clear"),
    ("encrypted-comment-regex", "clear"),
)
RULED = """\
a: 1
# clear
b_x:
    c: 2
d:
    # clear
    e_x: [3, {f: 4}]
    g: 5
h_unencrypted: 6
"""
RULED_LEAVES: tuple[Expected, ...] = (
    (("a",), "int", b"1"),
    (("b_x", "c"), "int", b"2"),
    (("d", "e_x", 0), "int", b"3"),
    (("d", "e_x", 1, "f"), "int", b"4"),
    (("d", "g"), "int", b"5"),
    (("h_unencrypted",), "int", b"6"),
)
SAMPLE = "a: one\nb: two\nc: [x, {k: y}]\nd_unencrypted: z\n"
SAMPLE_LEAVES: tuple[Expected, ...] = (
    (("a",), "str", b"one"),
    (("b",), "str", b"two"),
    (("c", 0), "str", b"x"),
    (("c", 1, "k"), "str", b"y"),
    (("d_unencrypted",), "str", b"z"),
)


@dataclass(frozen=True)
class Maker:
    """Runs sops, and stops where it differs from what is expected.

    Args:
        sops: the real program.
        folder: for files of its own.
    """

    sops: RealSops
    folder: Path

    def sealed(
        self,
        title: str,
        text: str,
        leaves: Iterable[Expected],
        comments: tuple[str, ...] = (),
        options: tuple[str, ...] = (),
    ) -> Vector:
        arguments = ("--age", self.sops.recipient.text, *options, "-e", self.sops.file.name)
        document = self.sops.output(*arguments, content=text.encode()).decode()
        self.sops.decrypt(document.encode())
        made = Vector("", title, text, document, self.sops.secret, tuple(leaves), comments)
        stated = {path: kind for path, kind, _content in made.leaves}
        for path, kind in _sealed_types(document):
            if stated[path] != kind:
                sys.exit(f"{title}: sops took {path} for {kind}, not for {stated[path]}")
        return made

    def listed(self, title: str, rows: Iterable[Row], suffix: str = "") -> Vector:
        named = [(f"k{number}{suffix}", *row) for number, row in enumerate(rows)]
        text = "".join(f"{key}: {spelled}\n" for key, spelled, _kind, _content in named)
        return self.sealed(title, text, [((key,), kind, value) for key, _, kind, value in named])

    def refused(self, title: str, text: str) -> Vector:
        arguments = ("--age", self.sops.recipient.text, "-e", self.sops.file.name)
        if self.sops.run(*arguments, content=text.encode()).returncode == 0:
            sys.exit(f"{title}: sops does not refuse it")
        return Vector("", title, text, None, self.sops.secret, failure="refused")

    def edited(self, vector: Vector, title: str, command: str, *arguments: str) -> Vector:
        content = (vector.document or "").encode()
        document = self.sops.edit(content, command, *arguments).decode()
        return replace(vector, title=title, text=None, document=document)

    def failing(self, vector: Vector, title: str, document: str, secret: Plaintext) -> Vector:
        name = self.sops.file.name
        done = self.sops.run("decrypt", name, content=document.encode(), secret=secret)
        failure = {25: "damaged", 51: "damaged", 128: "no identity"}.get(done.returncode)
        if failure is None:
            sys.exit(f"{title}: sops ends with {done.returncode}")
        failed = replace(vector, title=title, text=None, document=document, identity=secret)
        return replace(failed, failure=failure)


def _vectors(make: Maker) -> Iterator[Vector]:
    for name, vector in _of_values(make):
        yield replace(vector, name=name)
    for name, vector in _of_rules(make):
        yield replace(vector, name=name)
    for name, vector in _of_recipients(make):
        yield replace(vector, name=name)
    for name, vector in _of_changes(make):
        yield replace(vector, name=name)
    for name, vector in _of_damages(make):
        yield replace(vector, name=name)


def _of_values(make: Maker) -> Iterator[tuple[str, Vector]]:
    yield "01-scalar-types", make.listed("row 1: each scalar type", SCALARS)
    yield "02-plain-scalars", make.listed("row 2: how plain scalars are typed", PLAIN)
    paths: tuple[tuple[Step, ...], ...] = (("a", 0), ("a", 1, 0), ("a", 1, 1, "k"))
    nested = [(path, "str", b"v%d" % number) for number, path in enumerate(paths)]
    text = "a: [v0, [v1, {k: v2}]]\n"
    yield "03-lists", make.sealed("row 3: list positions bind nothing", text, nested)
    yield "04-empties", make.sealed("row 4: what is never encrypted", EMPTIES, EMPTIES_LEAVES)
    yield "05-floats", make.listed("row 5: floats have no exponent", FLOATS)
    yield "06-integers", make.listed("row 6: the ends of 64 bits", INTEGERS)
    yield "06-too-large", make.refused("row 6: 2^63 is refused", "a: 9223372036854775808\n")
    yield "07-times", make.listed("row 7: dates and times", TIMES)
    text = "".join(f"{_quoted(key)}: x{number}\n" for number, key in enumerate(KEYS))
    keyed = [((key,), "str", b"x%d" % number) for number, key in enumerate(KEYS)]
    yield "08-keys", make.sealed("row 8: odd mapping keys", text, keyed)
    for name, key in (("integer", "1"), ("boolean", "true"), ("null", "~")):
        refused = make.refused(f"row 9: a mapping key that is no string, {name}", f"{key}: x\n")
        yield f"09-{name}-key", refused
    title = "rows 10 and 11: comments at every place, those of lists as items of the list"
    yield "10-comments", make.sealed(title, COMMENTED, COMMENTED_LEAVES, COMMENTS)
    text = "".join(f"k{number}: {spelled}" for number, (spelled, _value) in enumerate(LINES))
    lines = [((f"k{number}",), "str", value) for number, (_, value) in enumerate(LINES)]
    yield "15-lines", make.sealed("row 15: strings of several lines in every style", text, lines)
    odd = [(_quoted(text), "str", text.encode()) for text in ODD]
    yield "16-characters", make.listed("row 16: characters out of the ordinary", odd)
    title = "row 19: values in clear are part of the MAC"
    yield "19-in-clear", make.listed(title, CLEAR, "_unencrypted")


def _of_rules(make: Maker) -> Iterator[tuple[str, Vector]]:
    said = (" clear", " clear")
    title = "row 18: the default rule"
    default = make.sealed(title, RULED, RULED_LEAVES, said)
    yield "18-default-rule", default
    for rule, text in RULES:
        title, options = f"row 18: {rule} {text}", (f"--{rule}", text)
        yield f"18-{rule}", make.sealed(title, RULED, RULED_LEAVES, said, options)
    document = (default.document or "").replace("    unencrypted_suffix: _unencrypted\n", "")
    make.sops.decrypt(document.encode())
    title = "row 18: no rule stored means the default"
    yield "18-no-rule-stored", replace(default, title=title, document=document)


def _of_recipients(make: Maker) -> Iterator[tuple[str, Vector]]:
    for count in (2, 3):
        made = [make_identity() for _ in range(count)]
        recipients = ",".join(identity.recipient.text for identity, _secret in made)
        document = make.sops.encrypt(SAMPLE.encode(), to=recipients).decode()
        for number, (_identity, secret) in enumerate(made, start=1):
            make.sops.decrypt(document.encode(), secret=secret)
            title = f"row 23: identity {number} of {count}"
            vector = Vector("", title, SAMPLE, document, secret, SAMPLE_LEAVES)
            yield f"23-identity-{number}-of-{count}", vector
    for kind, options in (("ed25519", ()), ("rsa", ("-b", "2048"))):
        file = make.folder / kind
        arguments = ("-q", "-t", kind, *options, "-N", "", "-C", "test", "-f", str(file))
        subprocess.run(["ssh-keygen", *arguments], check=True)
        recipient = file.with_suffix(".pub").read_text().strip()
        document = make.sops.encrypt(SAMPLE.encode(), to=recipient).decode()
        secret = Plaintext(file.read_bytes())
        title = f"row 25: an ssh-{kind} recipient"
        yield f"25-ssh-{kind}", Vector("", title, SAMPLE, document, secret, SAMPLE_LEAVES)


def _of_changes(make: Maker) -> Iterator[tuple[str, Vector]]:
    base = make.sealed("", SAMPLE, SAMPLE_LEAVES)
    name, own = make.sops.file.name, make.sops.recipient.text
    (bob, bobs), (carol, carols) = make_identity(), make_identity()

    changed = make.edited(base, "row 26: one value set", "set", name, '["a"]', '"new"')
    leaves = ((("a",), "str", b"new"), *SAMPLE_LEAVES[1:])
    yield "26-set", replace(changed, leaves=leaves)

    title, add = "row 29: rotated, a recipient added", ("--add-age", bob.recipient.text)
    added = make.edited(base, title, "rotate", "-i", *add, name)
    yield "29-rotate-added", replace(added, identity=bobs)
    title = "row 29: rotated, the first recipient removed"
    removed = make.edited(added, title, "rotate", "-i", "--rm-age", own, name)
    yield "29-rotate-removed", replace(removed, identity=bobs)
    title = "row 29: the removed identity opens nothing"
    document = removed.document or ""
    yield "29-rotate-removed-old", make.failing(removed, title, document, base.identity)

    config = make.sops.folder / ".sops.yaml"
    recipients = f"{carol.recipient.text},{bob.recipient.text}"
    config.write_text(f"creation_rules: [{{age: '{recipients}'}}]\n")
    title = "row 30: updatekeys with other recipients"
    updated = make.edited(base, title, "updatekeys", "-y", name)
    config.unlink()
    yield "30-updatekeys-first", replace(updated, identity=carols)
    yield "30-updatekeys-second", replace(updated, identity=bobs)
    title = "row 30: the removed identity opens nothing"
    document = updated.document or ""
    yield "30-updatekeys-old", make.failing(updated, title, document, base.identity)


def _of_damages(make: Maker) -> Iterator[tuple[str, Vector]]:
    base = make.sealed("", SAMPLE.replace("{k: y}", "y"), _flat_leaves())
    text = base.document or ""
    lines = text.splitlines(keepends=True)
    one, two = (line.partition(": ")[2] for line in lines[:2])
    mac = next(line for line in lines if line.startswith("    mac:"))
    data = one.partition("data:")[2].partition(",")[0]
    bits = bytearray(base64.b64decode(data))
    bits[0] ^= 1
    damages = {
        "bit-flipped": text.replace(data, base64.b64encode(bits).decode()),
        "values-swapped": text.replace(one, "\0").replace(two, one).replace("\0", two),
        "value-dropped": text.replace(lines[0], ""),
        "items-reordered": text.replace(lines[3] + lines[4], lines[4] + lines[3]),
        "clear-value-changed": text.replace("d_unencrypted: z", "d_unencrypted: q"),
        "lastmodified-changed": re.sub(r'(lastmodified: "\d)\d{3}', r"\g<1>001", text),
        "mac-dropped": text.replace(mac, ""),
        "mac-empty": text.replace(mac, '    mac: ""\n'),
    }
    for name, document in damages.items():
        title = f"row 38: {name.replace('-', ' ')}"
        yield f"38-{name}", make.failing(base, title, document, base.identity)
    _stranger, secret = make_identity()
    yield "38-wrong-identity", make.failing(base, "row 38: wrong identity", text, secret)


def _flat_leaves() -> tuple[Expected, ...]:
    return (*SAMPLE_LEAVES[:3], (("c", 1), "str", b"y"), SAMPLE_LEAVES[4])


def _sealed_types(document: str) -> Iterator[tuple[tuple[Step, ...], str]]:
    tree = yaml.safe_load(document)
    del tree["sops"]
    for path, value in _flat(tree):
        found = re.fullmatch(r"ENC\[AES256_GCM,data:.+,type:(\w+)\]", str(value))
        if found and found[1] != "comment":
            yield path, found[1]


def _flat(value: object, path: tuple[Step, ...] = ()) -> Iterator[tuple[tuple[Step, ...], object]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _flat(below, (*path, key))
    elif isinstance(value, list):
        for position, below in enumerate(value):
            yield from _flat(below, (*path, position))
    else:
        yield path, value


def _quoted(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    is_safe = character.isascii() and character.isprintable() and character not in '"\\'
    return character if is_safe else f"\\U{ord(character):08x}"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        work.mkdir()
        identity, secret = make_identity()
        sops = RealSops(require_sops(), work, identity, secret)
        said = sops.output("--version", "--disable-version-check", content=b"").decode()
        made = [*_vectors(Maker(sops, Path(folder))), *formats.vectors(sops)]
    for old in HERE.glob("*.json"):
        old.unlink()
    for vector in made:
        fields = vector.fields(said.splitlines()[0].strip())
        text = json.dumps(fields, indent=2, ensure_ascii=False)
        (HERE / f"{vector.name}.json").write_text(text + "\n")
    sys.stdout.write(f"{len(made)} vectors\n")


if __name__ == "__main__":
    main()
