"""Vectors of streams, anchors, key groups and of the formats other than YAML."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from nixsecrets.plaintext import Plaintext
from tests.sops.real import RealSops, make_identity

Expected = tuple[tuple[str | int, ...], str, bytes]


@dataclass(frozen=True)
class Made:
    """One scenario; see README.md for what the fields mean."""

    name: str
    title: str
    form: str
    text: bytes | None
    document: bytes
    identity: Plaintext
    leaves: tuple[Expected, ...] = ()
    comments: tuple[str, ...] = ()
    failure: str | None = None

    def fields(self, version: str) -> Mapping[str, object]:
        found: dict[str, object] = {
            "title": self.title,
            "made by": version,
            "format": self.form,
            "input": None,
            "document": self.document.decode(),
            "test identity": re.sub(r"(?m)^#.*\n", "", self.identity.reveal().decode()),
            "failure": self.failure,
        }
        if self.text is not None:
            found |= _texts(self.text)
        if self.failure:
            return found
        leaves = [
            {
                "path": list(path),
                "type": kind,
                "sealed": _is_sealed(path, kind, content),
                "value": base64.b64encode(content).decode(),
            }
            for path, kind, content in self.leaves
        ]
        return found | {"leaves": leaves, "comments": list(self.comments)}


def _texts(text: bytes) -> Mapping[str, str]:
    try:
        return {"input": text.decode()}
    except UnicodeDecodeError:
        return {"input in base64": base64.b64encode(text).decode()}


def _is_sealed(path: tuple[str | int, ...], kind: str, content: bytes) -> bool:
    if kind in ("null", "{}", "[]") or not content:
        return False
    return not any(str(step).endswith("_unencrypted") for step in path)


def _strings(*pairs: tuple[tuple[str | int, ...], str]) -> tuple[Expected, ...]:
    return tuple((path, "str", value.encode()) for path, value in pairs)


STREAM = b"# of the first\na: one\n---\n---\n# of the third\nb: [two, {c: 3}]\n"
STREAM_LEAVES: tuple[Expected, ...] = (
    (("a",), "str", b"one"),
    (("b", 0), "str", b"two"),
    (("b", 1, "c"), "int", b"3"),
)
ANCHORS = (
    b"base: &base {user: hq, port: 22}\ncopy: *base\nmerged:\n  <<: *base\n  port: 23\n"
    b"both:\n  <<: [*base, {x: y}]\nname: &name hq\nsame: *name\n"
)
ANCHORS_LEAVES: tuple[Expected, ...] = (
    (("base", "user"), "str", b"hq"),
    (("base", "port"), "int", b"22"),
    (("copy", "user"), "str", b"hq"),
    (("copy", "port"), "int", b"22"),
    (("merged", "<<", "user"), "str", b"hq"),
    (("merged", "<<", "port"), "int", b"22"),
    (("merged", "port"), "int", b"23"),
    (("both", "<<", 0, "user"), "str", b"hq"),
    (("both", "<<", 0, "port"), "int", b"22"),
    (("both", "<<", 1, "x"), "str", b"y"),
    (("name",), "str", b"hq"),
    (("same",), "str", b"hq"),
)
AGAIN = b"a: 1\n---\nb: one\nb: two\n"
AGAIN_LEAVES = (
    (("a",), "int", b"1"),
    (("b",), "str", b"one"),
    (("b",), "str", b"two"),
)
JSON = """\
{
	"text": "caf\\u00e9 <&> \U0001f600 \\u2028",
	"float": 2.50,
	"large": 1e21,
	"truth": true,
	"nothing": null,
	"empty": "",
	"list": [[], {}, "x", ["y", {"k": "z"}]],
	"": "no name",
	"in_clear_unencrypted": {"a": "b"},
	"twice": "one",
	"twice": "two"
}
""".encode()
JSON_LEAVES: tuple[Expected, ...] = (
    (("text",), "str", "café <&> \U0001f600 \u2028".encode()),
    (("float",), "float", b"2.5"),
    (("large",), "float", b"1" + b"0" * 21),
    (("truth",), "bool", b"True"),
    (("nothing",), "null", b""),
    (("empty",), "str", b""),
    (("list", 0), "[]", b""),
    (("list", 1), "{}", b""),
    (("list", 2), "str", b"x"),
    (("list", 3, 0), "str", b"y"),
    (("list", 3, 1, "k"), "str", b"z"),
    (("",), "str", b"no name"),
    (("in_clear_unencrypted", "a"), "str", b"b"),
    (("twice",), "str", b"one"),
    (("twice",), "str", b"two"),
)
INI = b"""\
before = every section

; of the section
[first]
; of the name
plain   = a value # of the value
colon   : b
quoted  = "  blanks  "
marks   = `a;b#c`
lines   = \"\"\"one
two\"\"\"
empty   =
again   = old
again   = new

[second]
plain = c
"""
INI_LEAVES = _strings(
    (("DEFAULT", "before"), "every section"),
    (("first", "plain"), "a value"),
    (("first", "colon"), "b"),
    (("first", "quoted"), "  blanks  "),
    (("first", "marks"), "a;b#c"),
    (("first", "lines"), "one\ntwo"),
    (("first", "empty"), ""),
    (("first", "again"), "new"),
    (("second", "plain"), "c"),
)
INI_COMMENTS = ("of the section", "of the name\n# of the value")
DOTENV = b"""\
# who reads this
PLAIN=value
QUOTED="kept as it is"
LINES=one\\ntwo
BLANKS =  around # and a mark
EQUALS=a=b=c
EMPTY=
export EXPORTED=x
CLEAR_unencrypted=y
PLAIN=again"""
DOTENV_LEAVES = _strings(
    (("PLAIN",), "value"),
    (("QUOTED",), '"kept as it is"'),
    (("LINES",), "one\ntwo"),
    (("BLANKS ",), "  around # and a mark"),
    (("EQUALS",), "a=b=c"),
    (("EMPTY",), ""),
    (("export EXPORTED",), "x"),
    (("CLEAR_unencrypted",), "y"),
    (("PLAIN",), "again"),
)
EVERY_BYTE = bytes(range(256))


def vectors(sops: RealSops) -> Iterator[Made]:
    yield from _values(sops)
    yield from _groups(sops)
    yield from _damages(sops)


def _values(sops: RealSops) -> Iterator[Made]:
    def sealed(name: str, title: str, form: str, text: bytes) -> Made:
        document = sops.encrypt(text, *_types(form))
        sops.decrypt(document, *_types(form))
        return Made(name, title, form, text, document, sops.secret)

    said = (" of the first", " of the third")
    stream = sealed("12-stream", "row 12: three documents, one empty", "yaml", STREAM)
    yield replace(stream, leaves=STREAM_LEAVES, comments=said)
    title = "row 13: aliases are copies, a merge key is a mapping key"
    yield replace(sealed("13-anchors", title, "yaml", ANCHORS), leaves=ANCHORS_LEAVES)
    title = "row 14: a mapping key twice in a later document"
    again = sealed("14-twice-later", title, "yaml", AGAIN)
    yield replace(again, text=None, leaves=AGAIN_LEAVES)
    title = "row 32: JSON with every type, odd characters, a name twice"
    yield replace(sealed("32-json", title, "json", JSON), text=None, leaves=JSON_LEAVES)
    title = "row 34: INI with comments, quotes, a name twice"
    ini = sealed("34-ini", title, "ini", INI)
    yield replace(ini, leaves=INI_LEAVES, comments=INI_COMMENTS)
    title = "row 35: dotenv with quotes, blanks, a name twice, no final newline"
    dotenv = sealed("35-dotenv", title, "dotenv", DOTENV)
    yield replace(dotenv, leaves=DOTENV_LEAVES, comments=(" who reads this",))
    every = sealed("36-binary", "row 36: every byte", "binary", EVERY_BYTE)
    yield replace(every, leaves=((("data",), "str", EVERY_BYTE),))
    nothing = sealed("36-binary-empty", "row 36: an empty file", "binary", b"")
    yield replace(nothing, leaves=((("data",), "str", b""),))


def _groups(sops: RealSops) -> Iterator[Made]:
    text, leaves = b"a: one\n", _strings((("a",), "one"))
    config = sops.folder / ".sops.yaml"
    for threshold, count in ((2, 2), (2, 3), (3, 3)):
        made = [make_identity() for _ in range(count)]
        groups = ", ".join(f"{{age: [{one.recipient.text}]}}" for one, _secret in made)
        rule = f"creation_rules: [{{key_groups: [{groups}], shamir_threshold: {threshold}}}]\n"
        config.write_text(rule)
        document = sops.output("encrypt", sops.file.name, content=text)
        config.unlink()
        secrets = [secret.reveal() for _identity, secret in made]
        enough = Plaintext(b"".join(secrets[-threshold:]))
        sops.decrypt(document, secret=enough)
        name, title = f"24-{threshold}-of-{count}", f"row 24: {threshold} of {count} key groups"
        yield Made(name, title, "yaml", None, document, enough, leaves)
        few = Plaintext(b"".join(secrets[: threshold - 1]))
        done = sops.run("decrypt", sops.file.name, content=document, secret=few)
        assert done.returncode == 128
        title = f"row 24: {threshold - 1} of {count} key groups are too few"
        yield Made(f"{name}-too-few", title, "yaml", None, document, few, failure="no identity")


def _damages(sops: RealSops) -> Iterator[Made]:
    texts = {"json": b'{"a": "x"}', "ini": b"[s]\na = x\n", "dotenv": b"A=x\n", "binary": b"x"}
    for form, text in texts.items():
        document = sops.encrypt(text, *_types(form)).decode()
        data = document.partition("data:")[2].partition(",")[0]
        other = base64.b64encode(bytes([base64.b64decode(data)[0] ^ 1])).decode()
        damages = {
            "bit-flipped": document.replace(data, other, 1),
            "lastmodified-changed": re.sub(r"(lastmodified\W+\d)\d{3}", r"\g<1>001", document),
        }
        for name, damaged in damages.items():
            options = ("decrypt", *_types(form), sops.file.name)
            done = sops.run(*options, content=damaged.encode())
            assert done.returncode in (25, 51), (form, name, done.returncode)
            title = f"row 38: {name.replace('-', ' ')} in {form}"
            made = Made(f"38-{form}-{name}", title, form, None, damaged.encode(), sops.secret)
            yield replace(made, failure="damaged")


def _types(form: str) -> tuple[str, ...]:
    return ("--input-type", form, "--output-type", form)
