"""A document in another format: the values that the real sops finds there."""

import json
from datetime import datetime

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from nixsecrets.errors import RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import document, sealing
from nixsecrets.sops.conversion import Converted, convert, extract
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.keypath import parse_key_path
from nixsecrets.sops.sealing import Terms
from nixsecrets.sops.stores import formats
from nixsecrets.sops.stores.formats import Format
from nixsecrets.sops.tree import Empty, Leaf, leaves
from tests.sops.documents import Generated, documents
from tests.sops.real import RealSops

NESTED = b"""\
# head
a:
  # first in a
  b: 1 # behind b
  l:
    # in the list
    - x
    - y: 1
      z: [1.5, 2]
    - - 1
      - {}
s:
  f: 1.0
  t: true
  d: 2024-05-06
  n:
  m: "two\\nlines\\n"
  u: "\xc3\xbc \xf0\x9f\x98\x80"
# end
"""
FLAT = b"""\
# head
I: 1
F: 1.0
# about the big one
E: 1.0e+21
B: true
D: 2024-05-06
M: "two\\nlines"
S: it's # behind
"""
SECTIONS = b"s:\n  # about a\n  a: 1\n  b: 1.0 # behind b\n# about t\nt:\n  x: true\n  y: ' x '\n"
OF_FORMAT = {
    Format.YAML: NESTED,
    Format.JSON: b'{"a": {"b": 1, "l": ["x", {"y": 1.5}, []]}, "n": null, "m": "two\\nlines"}',
    Format.DOTENV: b"# head\nA=x y\nB=two\\nlines\nC='quoted' # x\n",
    Format.INI: b'; first\ntop = 1\n\n[s]\n; about a\na = x\nb = "  x "\n',
}
sparing = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=100,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


def converted(content: bytes, source: Format, target: Format) -> str:
    return convert(Plaintext(content), source, target).plaintext.reveal().decode()


def values(content: bytes, form: Format) -> list[tuple[object, bytes]]:
    tree = formats.parse_plain(content, form).tree
    return [(leaf.path, leaf.content) for leaf in leaves(tree)]


def opened(real_sops: RealSops, sealed: bytes, form: Format) -> OpenDocument:
    known = document.parse(sealed, form)
    return document.open_document(known, document.open_data_key(known, [real_sops.identity]))


@pytest.mark.parametrize("target", [Format.YAML, Format.JSON], ids=lambda form: form.value)
@pytest.mark.parametrize("source", list(OF_FORMAT), ids=lambda form: form.value)
def test_sops_finds_the_same_values(
    real_sops: RealSops, now: datetime, source: Format, target: Format
) -> None:
    content = OF_FORMAT[source]
    sealed = sealing.seal(Plaintext(content), [real_sops.recipient], now, Terms(source))
    types = ("--input-type", source.value, "--output-type", target.value)
    theirs = real_sops.decrypt(sealed, *types)
    ours = converted(content, source, target).encode()
    assert values(ours, target) == values(theirs, target)


@pytest.mark.parametrize(
    ("content", "target"),
    [(FLAT, Format.DOTENV), (SECTIONS, Format.INI)],
    ids=["dotenv", "ini"],
)
def test_values_become_the_texts_that_sops_makes_of_them(
    real_sops: RealSops, content: bytes, target: Format
) -> None:
    theirs = real_sops.decrypt(real_sops.encrypt(content), "--output-type", target.value)
    ours = converted(content, Format.YAML, target).encode()
    assert values(ours, target) == values(theirs, target)


@pytest.mark.parametrize(
    ("content", "source", "target"),
    [
        (NESTED, Format.YAML, Format.JSON),
        (FLAT, Format.YAML, Format.DOTENV),
        (SECTIONS, Format.YAML, Format.INI),
        (OF_FORMAT[Format.JSON], Format.JSON, Format.YAML),
        (OF_FORMAT[Format.DOTENV], Format.DOTENV, Format.YAML),
        (OF_FORMAT[Format.INI], Format.INI, Format.JSON),
        (b"\x00binary\n", Format.BINARY, Format.YAML),
    ],
    ids=lambda value: value.value if isinstance(value, Format) else "",
)
def test_sops_opens_what_is_sealed_in_another_format(
    real_sops: RealSops, now: datetime, content: bytes, source: Format, target: Format
) -> None:
    made = convert(Plaintext(content), source, target).plaintext
    sealed = sealing.seal(made, [real_sops.recipient], now, Terms(target))
    types = ("--input-type", target.value, "--output-type", target.value)
    assert values(real_sops.decrypt(sealed, *types), target) == values(made.reveal(), target)


@given(generated=documents())
@sparing
def test_generated_documents_are_converted_as_sops_does(
    real_sops: RealSops, generated: Generated
) -> None:
    not_finite = (b"NaN", b"+Inf", b"-Inf")
    assume(not any(content in not_finite for _path, _kind, content in generated.leaves))
    assume("_unencrypted" not in generated.text)  # sops misprints some numbers that stay in clear
    content = generated.text.encode()
    assume(all(_is_utf_8(content) for _path, _kind, content in generated.leaves))
    ours = convert(Plaintext(content), Format.YAML, Format.JSON)
    theirs = real_sops.decrypt(real_sops.encrypt(content), "--output-type", "json")
    assert json.loads(ours.plaintext.reveal()) == json.loads(theirs)
    assert ours.dropped == len(generated.comments)
    back = convert(ours.plaintext, Format.JSON, Format.YAML).plaintext.reveal()
    assert values(back, Format.YAML) == values(ours.plaintext.reveal(), Format.JSON)


def _is_utf_8(content: bytes) -> bool:
    return content.decode("utf-8", "replace").encode() == content


@given(generated=documents())
@sparing
def test_comments_of_generated_documents_leave_the_values_alone(generated: Generated) -> None:
    content = generated.text.encode()
    tree = formats.parse_plain(content, Format.YAML).tree
    flat = [leaf for leaf in leaves(tree) if len(leaf.path) == 1]
    assume(len(flat) == len(list(leaves(tree))))
    assume(not any(leaf.kind in (Empty.MAPPING, Empty.LIST) for leaf in flat))
    try:
        made = convert(Plaintext(content), Format.YAML, Format.DOTENV)
    except RepositoryError:
        return
    names = [
        leaf.path for leaf in leaves(formats.parse(made.plaintext.reveal(), Format.DOTENV).tree)
    ]
    assert names == [leaf.path for leaf in flat]
    assert made.plaintext.reveal().count(b"#") >= len(generated.comments)


def test_the_layout_is_that_of_sops_and_comments_stand_above() -> None:
    assert converted(OF_FORMAT[Format.INI], Format.INI, Format.YAML) == (
        'DEFAULT:\n    # first\n    top: "1"\ns:\n    # about a\n    a: x\n    b: "  x "\n'
    )
    assert converted(FLAT, Format.YAML, Format.DOTENV) == (
        "# head\nI=1\nF=1.0\n# about the big one\nE=1E+21\nB=true\nD=2024-05-06T00:00:00Z\n"
        "M=two\\nlines\n# behind\nS=it's\n"
    )
    assert converted(SECTIONS, Format.YAML, Format.INI) == (
        '[s]\n; about a\na = 1\n; behind b\nb = 1.0\n\n[t]\n; about t\nx = true\ny = " x "\n'
    )
    assert converted(OF_FORMAT[Format.DOTENV], Format.DOTENV, Format.YAML) == (
        "# head\nA: x y\nB: |-\n    two\n    lines\nC: \"'quoted' # x\"\n"
    )


def test_an_empty_text_stays_one() -> None:
    assert converted(b"{}\n", Format.JSON, Format.YAML) == "{}\n"
    assert converted(b"{}\n", Format.YAML, Format.JSON) == "{}\n"
    assert converted(b"# c\n{}\n", Format.YAML, Format.DOTENV) == "# c\n"
    assert converted(b"{}\n", Format.JSON, Format.INI) == ""


def test_the_same_format_is_no_conversion() -> None:
    text = Plaintext(b"a:   1\n---\nb: 2\n")
    assert convert(text, Format.YAML, Format.YAML) == Converted(text)


@pytest.mark.parametrize(
    ("content", "source", "target", "problem"),
    [
        (b"a: {b: 1}\n", Format.YAML, Format.DOTENV, '["a"]["b"] has no place in dotenv'),
        (b"a: []\n", Format.YAML, Format.DOTENV, '["a"] is a mapping or a list'),
        (b"a: 1\n", Format.YAML, Format.INI, '["a"] has no place in INI'),
        (b"a: {b: {c: 1}}\n", Format.YAML, Format.INI, '["a"]["b"]["c"] has no place in INI'),
        (b"a: {b: []}\n", Format.YAML, Format.INI, '["a"]["b"] is a mapping or a list'),
        (b"a: [1]\n", Format.YAML, Format.INI, '["a"][0] has no place in INI'),
        (b"a: .nan\n", Format.YAML, Format.JSON, '["a"]: a value that is no finite number'),
        (b"a: !!binary /w==\n", Format.YAML, Format.JSON, '["a"]: a value that is not UTF-8'),
        (b"a: 'x\\ny'\n", Format.YAML, Format.DOTENV, '["a"]: a backslash before an `n`'),
        (b"A=1\nA=2\n", Format.DOTENV, Format.YAML, "cannot stand in yaml: "),
        (b"A=1\nA=2\n", Format.DOTENV, Format.JSON, "cannot stand in json: "),
        (b"a: 1\n---\nb: 2\n", Format.YAML, Format.JSON, "is a stream of 2 documents"),
        (b"a: 1\n", Format.YAML, Format.BINARY, "a binary file is one value"),
        (b"a: [", Format.YAML, Format.JSON, ""),
    ],
)
def test_what_has_no_place_is_refused_by_its_name(
    content: bytes, source: Format, target: Format, problem: str
) -> None:
    with pytest.raises(RepositoryError) as caught:
        convert(Plaintext(content), source, target)
    assert caught.value.problem.startswith(problem)


EXTRACTED = (
    '["a"]',
    '["a"]["b"]',
    '["a"]["l"]',
    '["a"]["l"][1]',
    '["a"]["l"][1]["z"]',
    '["a"]["l"][2]',
    '["a"]["l"][2][1]',
    "['s']",
    '["s"]["t"]',
    '["s"]["d"]',
    '["s"]["n"]',
    '["s"]["m"]',
    '["s"]["u"]',
)


@pytest.mark.parametrize("target", ["yaml", "json"])
@pytest.mark.parametrize("path", EXTRACTED)
def test_what_is_extracted_is_what_sops_extracts(
    real_sops: RealSops, path: str, target: str
) -> None:
    sealed = real_sops.encrypt(NESTED.replace(b"    # in the list\n", b""))
    theirs = real_sops.decrypt(sealed, "--extract", path, "--output-type", target)
    known = opened(real_sops, sealed, Format.YAML)
    ours = extract(known, parse_key_path(path), Format(target)).reveal()
    if target == "json" or path in EXTRACTED[8:]:
        assert ours.strip() == theirs.strip()
        assert ours.endswith(b"\n") == theirs.endswith(b"\n") or ours.startswith((b"{", b"["))
    else:
        assert _below_a_name(ours) == _below_a_name(theirs)


def _below_a_name(text: bytes) -> list[tuple[object, bytes]]:
    lines = b"".join(b"  " + line + b"\n" for line in text.splitlines())
    return values(b"x:\n" + lines, Format.YAML)


@pytest.mark.parametrize("path", ['["zz"]', '["a"]["l"][9]', '["a"]["b"]["c"]', '["a"]["l"]["x"]'])
def test_what_is_not_there_is_refused(real_sops: RealSops, path: str) -> None:
    known = opened(real_sops, real_sops.encrypt(NESTED), Format.YAML)
    with pytest.raises(RepositoryError) as caught:
        extract(known, parse_key_path(path), Format.YAML)
    assert caught.value.problem == f"{path} is not in the document"


def test_a_leaf_keeps_its_bytes() -> None:
    text = convert(Plaintext(b"A=\xff\n"), Format.DOTENV, Format.YAML).plaintext
    (leaf,) = leaves(formats.parse_plain(text.reveal(), Format.YAML).tree)
    assert isinstance(leaf, Leaf)
    assert leaf.content == b"\xff"
