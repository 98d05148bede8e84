"""The cases of interoperation, by number: in every format where they make sense, each has a test.

`ROWS` says where; what stands here are those formats that no other module's tests have.
"""

import ast
import base64
import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from nixsecrets.age.identity import Identity
from nixsecrets.age.recipient import parse_recipient
from nixsecrets.age.sshidentity import parse_private_key
from nixsecrets.errors import IntegrityError, NoIdentityError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import changing, document, sealing
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.rules import parse_selection
from nixsecrets.sops.sealing import Terms
from nixsecrets.sops.stores import formats
from nixsecrets.sops.stores.formats import Format
from nixsecrets.sops.tree import KeyPath, Leaf, LeafType, leaves
from tests.sops.real import RealSops, make_identity
from tests.tools import require_tool

ROOT = Path(__file__).parents[2]
LEAF_IV = re.compile(rb"iv:([^,]+),")
TEXTS = {
    Format.YAML: b"a: x\nb: y\nc_unencrypted: 1\n",
    Format.JSON: b'{\n\t"a": "x",\n\t"b": "y",\n\t"c_unencrypted": 1\n}\n',
    Format.DOTENV: b"a=x\nb=y\nc_unencrypted=1\n",
    Format.INI: b"[s]\na               = x\nb               = y\nc_unencrypted = 1\n",
    Format.BINARY: b"x\x00\xff",
}
EACH = list(TEXTS)
NESTED = [Format.YAML, Format.JSON]
FLAT = [Format.DOTENV, Format.INI]
IN_CLEAR = [*NESTED, *FLAT]


def _formats(*forms: Format) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("form", forms, ids=[form.value for form in forms])


def _cases(*cases: tuple[Format, bytes]) -> pytest.MarkDecorator:
    ids = [f"{form.value} {text[:20]!r}" for form, text in cases]
    return pytest.mark.parametrize(("form", "text"), cases, ids=ids)


@_cases(
    (Format.JSON, b'{"s": "x", "i": 42, "f": 1.5, "t": true, "o": false, "n": null}'),
    (Format.DOTENV, b"S=x\nI=42\nF=1.5\nT=true\n"),
    (Format.INI, b"s = x\n[n]\ni = 42\nf = 1.5\nt = true\n"),
)
def test_row_01_scalar_types(form: Format, text: bytes, real_sops: RealSops, now: datetime) -> None:
    ours, theirs = _both_ways(form, text, real_sops, now)
    for sealed in (ours, theirs):
        assert {len(base64.b64decode(iv)) for iv in LEAF_IV.findall(sealed)} == {32}


def test_row_03_lists(real_sops: RealSops, now: datetime) -> None:
    _both_ways(Format.JSON, b'{"a": ["x", ["y", {"k": "z"}]]}', real_sops, now)


@_cases(
    (Format.JSON, b'{"a": "", "b": null, "c": {}, "d": [], "e": {"f": "", "g": [{}, [], null]}}'),
    (Format.DOTENV, b"A=\nB=x\n"),
    (Format.INI, b"a =\n[s]\nb =\n[t]\n"),
    (Format.BINARY, b""),
)
def test_row_04_empties(form: Format, text: bytes, real_sops: RealSops, now: datetime) -> None:
    for sealed in _both_ways(form, text, real_sops, now):
        states = document.parse(sealed, form).leaf_states()
        assert [one.sealed_as for one in states if one.empty and one.sealed_as] == []


def test_row_05_floats(real_sops: RealSops, now: datetime) -> None:
    text = b'{"a": [1.0, 1e21, 1e-7, 5e-324, 0.1, -1.5e300], "b_unencrypted": [1e21, 1e-7, 0.5]}'
    _both_ways(Format.JSON, text, real_sops, now)


def test_row_06_integers(real_sops: RealSops, now: datetime) -> None:
    numbers = [2**63 - 1, -(2**63), 2**63, 2**64, 0, -1]
    text = json.dumps({"a": numbers}).encode()
    ours = _both_ways(Format.JSON, text, real_sops, now)[0]
    kinds = [one.kind for one in _open(ours, Format.JSON, real_sops.identity).items]
    wide = [LeafType.INT, LeafType.INT, LeafType.FLOAT, LeafType.FLOAT, LeafType.INT, LeafType.INT]
    assert kinds == wide


@_cases(
    (Format.JSON, json.dumps({"when": "2024-05-06T07:08:09Z"}).encode()),
    (Format.DOTENV, b"WHEN=2024-05-06\n"),
    (Format.INI, b"when = 2024-05-06 07:08:09\n"),
)
def test_row_07_times_are_strings_without_yaml(
    form: Format, text: bytes, real_sops: RealSops, now: datetime
) -> None:
    for sealed in _both_ways(form, text, real_sops, now):
        assert [one.sealed_as for one in document.parse(sealed, form).leaf_states()] == ["str"]


@_cases(
    (
        Format.JSON,
        json.dumps(dict.fromkeys(("", "1", "a:b", "a\nb", "#", "ünï 😀", '"q"'), "x")).encode(),
    ),
    (Format.DOTENV, "=x\n1=x\na:b=x\n b =x\nünï😀=x\nexport A=x\n".encode()),
    (Format.INI, "1 = x\n`a:b` = x\n`a=b` = x\nünï 😀 = x\n[a b]\na.b = x\n".encode()),
)
def test_row_08_names(form: Format, text: bytes, real_sops: RealSops, now: datetime) -> None:
    _both_ways(form, text, real_sops, now)


LINES = ("a\n", "a\nb", "\n\na\n\n", " lead\n", "x\n\ttab", "a\rb", "a\r\nb", "trail ")


@pytest.mark.parametrize("value", LINES, ids=repr)
@_formats(*IN_CLEAR)
def test_row_15_lines(form: Format, value: str, real_sops: RealSops, now: datetime) -> None:
    _value_goes_both_ways(form, value, real_sops, now)


ODD = (
    "\x01\x1b\x7f",
    "\ufeff",
    "😀",
    "\u2028",
    "ENC[AES256_GCM,data:QQ==,iv:QQ==,tag:QQ==,type:str]",
)


@pytest.mark.parametrize("value", ODD, ids=["control", "mark", "emoji", "separator", "sealed"])
@_formats(*IN_CLEAR)
def test_row_16_characters(form: Format, value: str, real_sops: RealSops, now: datetime) -> None:
    _value_goes_both_ways(form, value, real_sops, now)


@_cases(
    (Format.JSON, b'{\r\n  "a": "x"\r\n}\r\n'),
    (Format.INI, b"a = x\r\n[s]\r\nb = y\r\n"),
    (Format.INI, b"\xef\xbb\xbfa = x\n"),
)
def test_row_17_line_ends_and_marks(
    form: Format, text: bytes, real_sops: RealSops, now: datetime
) -> None:
    _both_ways(form, text, real_sops, now)


RULES = (
    ("unencrypted_suffix", "_x"),
    ("encrypted_suffix", "_x"),
    ("unencrypted_regex", "^b"),
    ("encrypted_regex", "x$|^s$"),
)
RULED = {
    Format.JSON: b'{"a": "1", "b": {"c_x": "2", "d": "3"}, "e_x": ["4", {"f": "5"}], "s": "6"}',
    Format.DOTENV: b"a=1\nb=2\ne_x=3\ns=4\n",
    Format.INI: b"a = 1\n[b]\nc_x = 2\nd = 3\n[s]\na = 4\n[e_x]\nf = 5\n",
}


@pytest.mark.parametrize("rule", RULES, ids=[field for field, _ in RULES])
@_formats(*RULED)
def test_row_18_rules(
    form: Format, rule: tuple[str, str], real_sops: RealSops, now: datetime
) -> None:
    ours, theirs = _both_ways(form, RULED[form], real_sops, now, rule=rule)
    sealed = [
        [(one.path, one.sealed_as) for one in document.parse(content, form).leaf_states()]
        for content in (ours, theirs)
    ]
    assert sealed[0] == sealed[1]
    assert len({kind for _, kind in sealed[0]}) == 2


@_formats(*IN_CLEAR, Format.BINARY)
def test_row_18_the_default_suffix_missing(form: Format, real_sops: RealSops) -> None:
    theirs = _encrypted(form, TEXTS[form], real_sops)
    without = re.sub(rb".*unencrypted_suffix.*\n", b"", theirs)
    assert _shown(without, form, real_sops.identity) == _shown(theirs, form, real_sops.identity)
    assert _decrypted(form, without, real_sops) == _decrypted(form, theirs, real_sops)


@_cases(
    (Format.JSON, b'{"a_unencrypted": [1.0, 1e3, 1e21, true, null, "x", 9007199254740992, ""]}'),
    (Format.DOTENV, b"A_unencrypted=1.0\nB_unencrypted=2024-05-06\nC_unencrypted=a\\nb\n"),
    (Format.INI, b"a_unencrypted = 1.0\nb_unencrypted = `a#b`\nc_unencrypted = a b\n"),
)
def test_row_19_values_in_clear(
    form: Format, text: bytes, real_sops: RealSops, now: datetime
) -> None:
    _both_ways(form, text, real_sops, now)


@pytest.mark.parametrize("only", [True, False], ids=["mac_only_encrypted", "whole mac"])
@_formats(*IN_CLEAR)
def test_row_20_a_value_in_clear_changed_by_hand(
    form: Format, real_sops: RealSops, now: datetime, *, only: bool
) -> None:
    terms = Terms(form, mac_only_encrypted=only)
    ours = sealing.seal(Plaintext(TEXTS[form]), [real_sops.recipient], now, terms)
    theirs = _encrypted(form, TEXTS[form], real_sops, *(["--mac-only-encrypted"] if only else []))
    for sealed in (ours, theirs):
        changed = re.sub(rb"(c_unencrypted\W+)1", rb"\g<1>2", sealed)
        assert changed != sealed
        done = real_sops.run("decrypt", *_types(form), real_sops.file.name, content=changed)
        assert done.returncode == (0 if only else 51)
        if only:
            assert _shown(changed, form, real_sops.identity)[-1][1] == b"2"
        else:
            with pytest.raises(IntegrityError):
                _open(changed, form, real_sops.identity)


@_cases(
    (Format.DOTENV, b"A=1\n# says\nB=2\n# other\nC=3\n"),
    (Format.INI, b"[s]\n; first\na = 1\n; says\nb = 2\nc = 3\n; other\nd = 4\n"),
)
@pytest.mark.parametrize("field", ["unencrypted_comment_regex", "encrypted_comment_regex"])
def test_row_21_comment_rules(
    form: Format, text: bytes, field: str, real_sops: RealSops, now: datetime
) -> None:
    ours, theirs = _both_ways(form, text, real_sops, now, rule=(field, "says"))
    states = [
        [one.sealed_as for one in document.parse(content, form).leaf_states()]
        for content in (ours, theirs)
    ]
    assert states[0] == states[1]
    assert set(states[0]) == {"str", None}


@pytest.mark.parametrize("count", [2, 3])
@_formats(*EACH)
def test_row_23_each_identity_alone(
    form: Format, count: int, real_sops: RealSops, now: datetime
) -> None:
    people = [make_identity() for _ in range(count)]
    recipients = [identity.recipient for identity, _secret in people]
    ours = sealing.seal(Plaintext(TEXTS[form]), recipients, now, Terms(form))
    labels = ",".join(one.text for one in recipients)
    theirs = real_sops.encrypt(TEXTS[form], *_types(form), to=labels)
    for identity, secret in people:
        assert _shown(ours, form, identity) == _shown(theirs, form, identity)
        assert real_sops.decrypt(ours, *_types(form), secret=secret) == (
            real_sops.decrypt(theirs, *_types(form), secret=secret)
        )


@_formats(*EACH)
def test_row_25_ssh_recipients(
    form: Format, real_sops: RealSops, now: datetime, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    command = [require_tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "me@here"]
    subprocess.run([*command, "-f", file], check=True)
    recipient = parse_recipient(file.with_suffix(".pub").read_text())
    (identity, *_) = parse_private_key(Plaintext(file.read_bytes()), "the test")
    theirs = real_sops.encrypt(TEXTS[form], *_types(form), to=recipient.label)
    ours = sealing.seal(Plaintext(TEXTS[form]), [recipient], now, Terms(form))
    assert _shown(ours, form, identity) == _shown(theirs, form, identity)
    arguments = ("decrypt", *_types(form), real_sops.file.name)
    done = real_sops.run(*arguments, content=ours, secret=Plaintext(b""), ssh=file)
    assert (done.returncode, done.stderr) == (0, b"")


@_formats(*EACH)
def test_row_26_setting_one_value_changes_its_line_and_the_stamps(
    form: Format, real_sops: RealSops, now: datetime
) -> None:
    theirs = _encrypted(form, TEXTS[form], real_sops)
    opened = _open(theirs, form, real_sops.identity)
    path = next(path for path, _ in _shown(theirs, form, real_sops.identity))
    changed = changing.set_value(opened, path, Plaintext(b"new"), now)
    assert _decrypted(form, changed, real_sops)[0] == (path, b"new")
    pairs = zip(theirs.splitlines(), changed.splitlines(), strict=True)
    names = [re.sub(rb"\W*(sops_)?(\w+).*", rb"\2", new) for old, new in pairs if old != new]
    assert sorted(names) == sorted([str(path[-1]).encode(), b"lastmodified", b"mac"])


@_formats(*EACH)
def test_row_27_the_same_text_again_keeps_every_ciphertext(
    form: Format, real_sops: RealSops, now: datetime
) -> None:
    numbers = b'{"a": 4711, "b": [1, 1.0, -0.0, 0.5, 1e21], "c": true}'
    text = numbers if form is Format.JSON else TEXTS[form]
    theirs = _encrypted(form, text, real_sops)
    opened = _open(theirs, form, real_sops.identity)
    again = changing.replace_text(opened, document.plain_text(opened), now)
    assert _sealed_leaves(again, form) == _sealed_leaves(theirs, form)
    assert _decrypted(form, again, real_sops) == _decrypted(form, theirs, real_sops)


@_formats(*NESTED)
def test_row_28_equal_values_of_a_list_keep_their_own_ciphertexts(
    form: Format, real_sops: RealSops, now: datetime
) -> None:
    text = {
        Format.YAML: b"a:\n    - x\n    - x\n    - x\nb: y\n",
        Format.JSON: b'{\n\t"a": [\n\t\t"x",\n\t\t"x",\n\t\t"x"\n\t],\n\t"b": "y"\n}\n',
    }[form]
    for sealed in _both_ways(form, text, real_sops, now):
        opened = _open(sealed, form, real_sops.identity)
        clear = document.plain_text(opened).reveal()
        edited = changing.replace_text(opened, Plaintext(clear.replace(b"y", b"z")), now)
        before, after = (_sealed_leaves(one, form) for one in (sealed, edited))
        assert before[:3] == after[:3]
        assert before[3] != after[3]
        assert [value for _, value in _decrypted(form, edited, real_sops)] == [b"x"] * 3 + [b"z"]


@_formats(*EACH)
def test_row_29_rotation(form: Format, real_sops: RealSops, now: datetime) -> None:
    bob, bobs = make_identity()
    ours = sealing.seal(Plaintext(TEXTS[form]), [real_sops.recipient], now, Terms(form))
    name = real_sops.file.name
    rotated = real_sops.edit(
        ours, "rotate", "-i", *_types(form), "--add-age", bob.recipient.text, name
    )
    opened = _open(rotated, form, bob)
    assert opened.data_key != _open(ours, form, real_sops.identity).data_key
    assert _shown(rotated, form, bob) == _shown(ours, form, real_sops.identity)

    renewed = sealing.new_data_key(opened, [bob.recipient], now)
    assert _open(renewed, form, bob).data_key != opened.data_key
    own = real_sops.decrypt(renewed, *_types(form), secret=bobs)
    assert own == real_sops.decrypt(rotated, *_types(form))
    assert real_sops.run("decrypt", *_types(form), name, content=renewed).returncode == 128
    with pytest.raises(NoIdentityError):
        _open(renewed, form, real_sops.identity)


@_formats(*EACH)
def test_row_30_recipients_change_and_the_mac_stays(
    form: Format, real_sops: RealSops, now: datetime, tmp_path: Path
) -> None:
    bob, bobs = make_identity()
    theirs = _encrypted(form, TEXTS[form], real_sops)
    opened = _open(theirs, form, real_sops.identity)
    ours = sealing.rewrap(opened.document, opened.data_key, [bob.recipient, real_sops.recipient])
    own = real_sops.decrypt(ours, *_types(form), secret=bobs)
    assert own == real_sops.decrypt(theirs, *_types(form))
    alone = sealing.rewrap(document.parse(ours, form), opened.data_key, [bob.recipient])
    assert real_sops.run("decrypt", *_types(form), "document.yaml", content=alone).returncode == 128

    rules = f"creation_rules: [{{age: '{bob.recipient.text},{real_sops.recipient.text}'}}]\n"
    (tmp_path / ".sops.yaml").write_text(rules)
    governed = RealSops(real_sops.program, tmp_path, real_sops.identity, real_sops.secret)
    sealed = sealing.seal(Plaintext(TEXTS[form]), [real_sops.recipient], now, Terms(form))
    flag = ("--input-type", form.value)
    updated = governed.edit(sealed, "updatekeys", "-y", *flag, governed.file.name)
    assert _shown(updated, form, bob) == _shown(sealed, form, real_sops.identity)
    for before, after in ((theirs, ours), (ours, alone), (sealed, updated)):
        first, second = (document.parse(one, form).metadata for one in (before, after))
        assert (first.mac, first.lastmodified) == (second.mac, second.lastmodified)
        assert _sealed_leaves(before, form) == _sealed_leaves(after, form)


@pytest.mark.parametrize("written", ["9007199254740993", "-9223372036854775807"])
def test_row_33_a_large_integer_in_clear_that_older_releases_rounded_is_read_and_kept(
    written: str, real_sops: RealSops, now: datetime
) -> None:
    sealed = _encrypted(
        Format.JSON, f'{{"a": "x", "b_unencrypted": {written}}}'.encode(), real_sops
    )
    rounded = json.loads(sealed)["b_unencrypted"]
    exact = re.sub(rb'(b_unencrypted": )[-\d.e+]+', rb"\g<1>" + written.encode(), sealed)
    assert rounded != int(written)
    assert _decrypted(Format.JSON, exact, real_sops)[0] == (("a",), b"x")
    opened = _open(exact, Format.JSON, real_sops.identity)
    assert opened.items[1].value == Plaintext(written.encode())
    alone = document.open_value(opened.document, opened.data_key, ("b_unencrypted",))
    assert alone == opened.items[1]

    ours = changing.set_value(opened, ("a",), Plaintext(b"y"), now)
    again = _open(ours, Format.JSON, real_sops.identity)
    assert again.items[1].value == Plaintext(written.encode())
    done = real_sops.run("decrypt", *_types(Format.JSON), "document.yaml", content=ours)
    assert done.returncode == 51  # releases before 3.13.2, of which the one here is


@pytest.mark.parametrize("change", ["unknown", "empty lists"])
@_formats(*EACH)
def test_row_37_other_metadata(form: Format, change: str, real_sops: RealSops) -> None:
    theirs = _encrypted(form, TEXTS[form], real_sops)
    line = {
        Format.YAML: (b"    future: x\n", b"    kms: []\n    pgp: null\n"),
        Format.JSON: (b'\t\t"future": "x",\n', b'\t\t"kms": null,\n\t\t"pgp": [],\n'),
        Format.BINARY: (b'\t\t"future": "x",\n', b'\t\t"kms": null,\n\t\t"pgp": [],\n'),
        Format.DOTENV: (b"sops_future=x\n", b""),
        Format.INI: (b"future = x\n", b""),
    }[form][change == "empty lists"]
    other = re.sub(rb"(?m)^([\t ]*\"?(?:sops_)?mac\b)", line + rb"\1", theirs)
    assert (other != theirs) == bool(line)
    assert _shown(other, form, real_sops.identity) == _shown(theirs, form, real_sops.identity)
    assert _decrypted(form, other, real_sops) == _decrypted(form, theirs, real_sops)


@_formats(*EACH)
def test_row_38_without_mac_or_with_another_identity(form: Format, real_sops: RealSops) -> None:
    theirs = _encrypted(form, TEXTS[form], real_sops)
    nothing = b'""' if form is Format.YAML else b""
    emptied = re.sub(rb"(\bmac\W+|sops_mac=)ENC\[[^\]]*\]", rb"\1" + nothing, theirs)
    assert emptied != theirs
    done = real_sops.run("decrypt", *_types(form), real_sops.file.name, content=emptied)
    assert done.returncode == 51
    with pytest.raises(IntegrityError):
        _open(emptied, form, real_sops.identity)
    bob, bobs = make_identity()
    name = real_sops.file.name
    done = real_sops.run("decrypt", *_types(form), name, content=theirs, secret=bobs)
    assert done.returncode == 128
    with pytest.raises(NoIdentityError):
        _open(theirs, form, bob)


LARGE = "x" * 100_000
MANY = range(2000)
BIG = {
    Format.YAML: "".join(f"k{one}: v{one}\n" for one in MANY) + f"large: {LARGE}\n",
    Format.JSON: json.dumps({f"k{one}": f"v{one}" for one in MANY} | {"large": LARGE}),
    Format.DOTENV: "".join(f"k{one}=v{one}\n" for one in MANY) + f"large={LARGE}\n",
    Format.INI: "[s]\n" + "".join(f"k{one} = v{one}\n" for one in MANY) + f"large = {LARGE}\n",
    Format.BINARY: LARGE,
}


@_formats(*EACH)
def test_row_44_thousands_of_values_and_a_large_one(
    form: Format, real_sops: RealSops, now: datetime
) -> None:
    for sealed in _both_ways(form, BIG[form].encode(), real_sops, now):
        assert max(map(len, sealed.splitlines())) > len(LARGE)


ROWS: Mapping[int, Sequence[str]] = {
    1: ["sops/test_vectors.py:01-scalar-types", "sops/test_rows.py:test_row_01_scalar_types"],
    2: [
        "sops/test_vectors.py:02-plain-scalars",
        "sops/test_yaml_scalars.py:test_types_and_values_are_those_of_the_real_sops",
    ],
    3: ["sops/test_vectors.py:03-lists", "sops/test_rows.py:test_row_03_lists"],
    4: ["sops/test_vectors.py:04-empties", "sops/test_rows.py:test_row_04_empties"],
    5: ["sops/test_vectors.py:05-floats", "sops/test_rows.py:test_row_05_floats"],
    6: [
        "sops/test_vectors.py:06-integers",
        "sops/test_vectors.py:06-too-large",
        "sops/test_rows.py:test_row_06_integers",
    ],
    7: [
        "sops/test_vectors.py:07-times",
        "sops/test_rows.py:test_row_07_times_are_strings_without_yaml",
    ],
    8: ["sops/test_vectors.py:08-keys", "sops/test_rows.py:test_row_08_names"],
    9: [
        "sops/test_vectors.py:09-boolean-key",
        "sops/test_vectors.py:09-integer-key",
        "sops/test_vectors.py:09-null-key",
    ],
    10: [
        "sops/test_vectors.py:10-comments",
        "sops/test_interop.py:test_every_comment_comes_back",
        "sops/test_dotenv.py:test_what_sops_seals_is_opened_here",
        "sops/test_ini.py:test_what_sops_seals_is_opened_here",
        "sops/test_json.py:test_json_has_no_comments",
    ],
    11: [
        "sops/test_better.py:test_better_04_comments_of_lists_are_lines",
        "sops/test_document.py:test_comments_that_sops_wrote_as_items_of_a_list_are_comments",
    ],
    12: [
        "sops/test_yaml_streams.py:test_sops_and_we_open_a_stream_that_we_sealed",
        "sops/test_yaml_streams.py:test_a_stream_that_sops_sealed_opens_and_gets_a_new_data_key",
    ],
    13: [
        "sops/test_yaml_expansion.py:test_sops_and_we_open_what_the_other_sealed",
        "sops/test_yaml_expansion.py:test_a_merged_leaf_is_bound_to_the_merge_key",
    ],
    14: [
        "sops/test_yaml.py:test_a_key_twice_is_refused_in_every_document",
        (
            "sops/test_yaml_streams.py:"
            "test_a_mapping_key_twice_in_a_later_document_that_sops_sealed_stays"
        ),
        "sops/test_json.py:test_names_twice_that_sops_sealed_are_read_and_stay",
    ],
    15: ["sops/test_vectors.py:15-lines", "sops/test_rows.py:test_row_15_lines"],
    16: ["sops/test_vectors.py:16-characters", "sops/test_rows.py:test_row_16_characters"],
    17: [
        "sops/test_interop.py:test_variants_of_metadata_open_here_and_there",
        "sops/test_yaml_streams.py:test_a_text_in_utf_16_is_sealed_as_utf_8",
        "sops/test_yaml_streams.py:test_a_sealed_document_in_utf_16_opens",
        "sops/test_ini.py:test_other_encodings_are_refused",
        "sops/test_rows.py:test_row_17_line_ends_and_marks",
    ],
    18: [
        "sops/test_vectors.py:18-default-rule",
        "sops/test_vectors.py:18-no-rule-stored",
        "sops/test_interop.py:test_rules_choose_the_same_leaves",
        "sops/test_rows.py:test_row_18_rules",
        "sops/test_rows.py:test_row_18_the_default_suffix_missing",
    ],
    19: ["sops/test_vectors.py:19-in-clear", "sops/test_rows.py:test_row_19_values_in_clear"],
    20: ["sops/test_rows.py:test_row_20_a_value_in_clear_changed_by_hand"],
    21: [
        "sops/test_vectors.py:18-encrypted-comment-regex",
        "sops/test_vectors.py:18-unencrypted-comment-regex",
        "sops/test_interop.py:test_rules_choose_the_same_leaves",
        "sops/test_rows.py:test_row_21_comment_rules",
    ],
    22: [
        "sops/test_rules.py:test_invalid_regex_is_refused_and_not_ignored",
        "sops/test_better.py:test_better_01_an_expression_that_is_none_is_refused",
    ],
    23: [
        "sops/test_vectors.py:23-identity-1-of-2",
        "sops/test_rows.py:test_row_23_each_identity_alone",
    ],
    24: [
        "sops/test_keygroups.py:test_sops_opens_what_is_split_here",
        "sops/test_keygroups.py:test_what_sops_split_is_opened",
        "sops/test_keygroups.py:test_shares_stand_in_any_order",
        "sops/test_keygroups.py:test_a_failure_names_the_groups_that_opened",
    ],
    25: [
        "sops/test_interop.py:test_ssh_recipients_work_both_ways",
        "sops/test_rows.py:test_row_25_ssh_recipients",
    ],
    26: [
        "sops/test_vectors.py:26-set",
        "sops/test_rows.py:test_row_26_setting_one_value_changes_its_line_and_the_stamps",
    ],
    27: ["sops/test_rows.py:test_row_27_the_same_text_again_keeps_every_ciphertext"],
    28: ["sops/test_rows.py:test_row_28_equal_values_of_a_list_keep_their_own_ciphertexts"],
    29: ["sops/test_vectors.py:29-rotate-removed", "sops/test_rows.py:test_row_29_rotation"],
    30: [
        "sops/test_vectors.py:30-updatekeys-first",
        "sops/test_rows.py:test_row_30_recipients_change_and_the_mac_stays",
    ],
    31: [
        "sops/test_keygroups.py:test_several_groups_get_new_shares",
        "plans/test_shamir.py:test_sops_opens_a_document_whose_groups_were_added_and_deleted_here",
        "plans/test_shamir.py:test_a_document_whose_groups_sops_added_and_deleted_is_opened",
    ],
    32: [
        "sops/test_json.py:test_values_are_typed_as_by_sops_since_3_13_2",
        "sops/test_json.py:test_names_twice_that_sops_sealed_are_read_and_stay",
        "sops/test_json.py:test_what_is_sealed_there_opens_here_and_prints_the_same",
    ],
    33: [
        (
            "sops/test_rows.py:"
            "test_row_33_a_large_integer_in_clear_that_older_releases_rounded_is_read_and_kept"
        )
    ],
    34: [
        "sops/test_ini.py:test_a_text_is_read_by_the_rules_of_go_ini",
        "sops/test_ini.py:test_metadata_are_read_as_every_release_writes_them",
        "sops/test_keygroups.py:test_ini_of_sops_3_13_0_has_real_line_breaks_in_its_shares",
    ],
    35: [
        "sops/test_dotenv.py:test_sops_opens_what_is_sealed_here",
        "sops/test_dotenv.py:test_what_sops_seals_is_opened_here",
    ],
    36: ["sops/test_binary.py:test_a_file_goes_both_ways"],
    37: [
        "sops/test_metadata.py:test_every_form_that_sops_writes_is_read",
        "sops/test_interop.py:test_variants_of_metadata_open_here_and_there",
        "sops/test_keygroups.py:test_a_single_group_below_key_groups_is_read_and_written_flat",
        "sops/test_rows.py:test_row_37_other_metadata",
    ],
    38: [
        "sops/test_vectors.py:38-bit-flipped",
        "sops/test_tampering.py:test_nothing_that_is_tampered_with_opens_but_by_a_known_hole",
        "sops/test_rows.py:test_row_38_without_mac_or_with_another_identity",
    ],
    39: [
        "sops/test_tampering.py:test_nothing_that_is_tampered_with_opens_but_by_a_known_hole",
        (
            "sops/test_tampering.py:"
            "test_items_of_one_list_change_places_where_their_bytes_in_a_row_stay"
        ),
        "test_format_examples.py:test_the_mac_does_not_cover",
    ],
    40: [
        "fleet/test_policy.py:test_the_real_sops_takes_the_same_rule",
        "fleet/test_policy.py:test_the_real_sops_reads_the_same_recipients",
        "fleet/test_policy_many.py:test_the_governing_rule_is_the_first_that_matches",
        "plans/test_secrets.py:test_a_file_without_a_rule_is_refused",
    ],
    41: [
        "system/test_identities.py:test_every_source_is_read_and_all_are_combined",
        "system/test_identities.py:test_a_bad_line_is_named_with_its_source_and_the_rest_is_used",
        (
            "system/test_identities.py:"
            "test_a_source_that_cannot_be_used_is_named_and_the_others_are_read"
        ),
        "system/test_identities.py:test_the_default_file_lies_where_sops_has_it",
    ],
    42: [
        "sops/test_environment.py:test_every_type_becomes_the_text_that_sops_makes_of_it",
        "sops/test_environment.py:test_null_is_no_variable_where_sops_spells_it",
        "sops/test_conversion.py:test_values_become_the_texts_that_sops_makes_of_them",
    ],
    43: [
        "sops/test_conversion.py:test_sops_opens_what_is_sealed_in_another_format",
        "sops/test_conversion.py:test_generated_documents_are_converted_as_sops_does",
        "sops/test_conversion.py:test_comments_of_generated_documents_leave_the_values_alone",
    ],
    44: ["sops/test_rows.py:test_row_44_thousands_of_values_and_a_large_one"],
}


def test_every_row_has_its_tests() -> None:
    assert list(ROWS) == list(range(1, 45))
    assert [row for row, named in ROWS.items() if not named] == []


def test_what_the_rows_name_exists() -> None:
    assert missing_tests(one for named in ROWS.values() for one in named) == []


def missing_tests(named: Iterable[str]) -> list[str]:
    """Return which of tests, `file:name` below tests/, do not exist; a name may be a vector's."""
    return [one for one in named if not _exists(*one.split(":"))]


def _exists(file: str, name: str) -> bool:
    if name[0].isdigit():
        return (ROOT / "tests" / "vectors" / f"{name}.json").is_file()
    tree = ast.parse((ROOT / "tests" / file).read_text())
    return name == "*" or any(
        isinstance(node, ast.FunctionDef) and node.name == name for node in ast.walk(tree)
    )


def _both_ways(
    form: Format,
    text: bytes,
    sops: RealSops,
    now: datetime,
    *,
    rule: tuple[str, str] | None = None,
) -> tuple[bytes, bytes]:
    """Seal a text here and there, open each on both sides, change it, and return both."""
    field, pattern = rule or ("unencrypted_suffix", "_unencrypted")
    terms = Terms(form, parse_selection({field: pattern}))
    expected = _plain(text, form)
    ours = sealing.seal(Plaintext(text), [sops.recipient], now, terms)
    options = (f"--{field.replace('_', '-')}", pattern) if rule else ()
    theirs = _encrypted(form, text, sops, *options)
    for sealed in (ours, theirs):
        assert _rounded(_shown(sealed, form, sops.identity)) == _rounded(expected)
        assert _rounded(_decrypted(form, sealed, sops)) == _rounded(expected)
    opened = _open(theirs, form, sops.identity)
    path, _value = expected[0]
    changed = changing.set_value(opened, path, Plaintext(b"v"), now)
    found = _decrypted(form, changed, sops)
    assert _rounded(found) == [(path, b"v"), *_rounded(expected)[1:]]
    return ours, theirs


def _value_goes_both_ways(form: Format, value: str, sops: RealSops, now: datetime) -> None:
    path: KeyPath = ("s", "a") if form is Format.INI else ("a",)
    content = Plaintext(value.encode())
    theirs = _encrypted(form, TEXTS[form], sops)
    ours = changing.set_value(_open(theirs, form, sops.identity), path, content, now)
    assert _decrypted(form, ours, sops)[0] == (path, value.encode())
    index = "".join(f'["{step}"]' for step in path)
    name = sops.file.name
    again = sops.edit(theirs, "set", *_types(form), name, index, json.dumps(value))
    assert _shown(again, form, sops.identity)[0] == (path, value.encode())


def _types(form: Format) -> Sequence[str]:
    return ("--input-type", form.value, "--output-type", form.value)


def _encrypted(form: Format, text: bytes, sops: RealSops, *options: str) -> bytes:
    """Return what sops seals, by its old command, which takes every option."""
    rest = ("--age", sops.recipient.text, *options, "-e", sops.file.name)
    return sops.output(*_types(form), *rest, content=text)


def _decrypted(form: Format, sealed: bytes, sops: RealSops) -> list[tuple[KeyPath, bytes]]:
    """Return what sops opens; of INI as JSON, in which it prints every value as it is."""
    if form is not Format.INI:
        return _plain(sops.decrypt(sealed, *_types(form)), form)
    shown = sops.decrypt(sealed, "--input-type", "ini", "--output-type", "json")
    return [one for one in _plain(shown, Format.JSON) if len(one[0]) > 1]


def _plain(text: bytes, form: Format) -> list[tuple[KeyPath, bytes]]:
    return [(leaf.path, leaf.content) for leaf in leaves(formats.parse_plain(text, form).tree)]


def _open(content: bytes, form: Format, identity: Identity) -> OpenDocument:
    parsed = document.parse(content, form)
    return document.open_document(parsed, document.open_data_key(parsed, [identity]))


def _shown(content: bytes, form: Format, identity: Identity) -> list[tuple[KeyPath, bytes]]:
    return [
        (one.item.path, (one.value or Plaintext(b"")).reveal())
        for one in _open(content, form, identity).items
        if isinstance(one.item, Leaf)
    ]


def _sealed_leaves(content: bytes, form: Format) -> list[bytes]:
    return [leaf.content for leaf in leaves(document.parse(content, form).text.tree)]


def _rounded(values: Sequence[tuple[KeyPath, bytes]]) -> list[tuple[KeyPath, object]]:
    """Return values with large numbers as the floats for which sops takes them in JSON."""
    large = re.compile(rb"-?\d{16,}")
    return [(path, float(value) if large.fullmatch(value) else value) for path, value in values]
