"""Anchors, aliases and merge keys: written out, sealed, and opened by the real sops and by us."""

from datetime import datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nixsecrets.errors import RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import document, sealing
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.stores import yaml as store
from nixsecrets.sops.stores.yaml_expansion import expand
from nixsecrets.sops.tree import Leaf, keys_of, leaves
from tests.sops.real import RealSops

Typed = tuple[int, tuple[str, ...], str, bytes]
"""Document, mapping keys (sops counts a comment in a list as an item), type, bytes."""

_COMMENTED = """\
a: &x # behind the key
  # above b
  b: 1 # at b
  # at the end
d: *x # at the alias
e:
  - *x # at the item
  # between
  - 5
"""
_COMMENTED_EXPANDED = """\
a: # behind the key
  # above b
  b: 1 # at b
  # at the end
d: # at the alias
  # above b
  b: 1 # at b
  # at the end
e:
  - # at the item
    # above b
    b: 1 # at b
    # at the end
  # between
  - 5
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("a: &x 1\nb: *x\n", "a: 1\nb: 1\n", id="scalar"),
        pytest.param("a: &x !!str 1\nb: *x\n", "a: !!str 1\nb: !!str 1\n", id="tag"),
        pytest.param("a: !!str &x 1\nb: [*x]\n", "a: !!str 1\nb: [!!str 1]\n", id="tag first"),
        pytest.param("a: &x\nb: *x\n", "a: null\nb: null\n", id="no text"),
        pytest.param("a: [&x , *x]\n", "a: [null , null]\n", id="no text in brackets"),
        pytest.param("a: !!str &x\nb: *x\n", 'a: !!str\nb: !!str ""\n', id="a tag alone"),
        pytest.param("a: &x 'it''s'\nb: *x\n", "a: 'it''s'\nb: 'it''s'\n", id="quotes"),
        pytest.param('a: &x "b\n  c"\nd: *x\n', 'a: "b\n  c"\nd: "b c"\n', id="two lines"),
        pytest.param("a: &x b, c\nd: [*x]\n", 'a: b, c\nd: ["b, c"]\n', id="comma in brackets"),
        pytest.param(
            "a: &x |\n  b\n  c\nd:\n  - e: *x # f\n",
            "a: |\n  b\n  c\nd:\n  - e: | # f\n      b\n      c\n",
            id="block scalar",
        ),
        pytest.param("a: &x |\n  b\nc: [*x]\n", 'a: |\n  b\nc: ["b\\n"]\n', id="one in brackets"),
        pytest.param("a: &x |+\n  b\n\nc: *x\n", 'a: |+\n  b\n\nc: "b\\n\\n"\n', id="kept ends"),
        pytest.param(
            "a: &x\n  b: 1\nc: *x\n", "a:\n  b: 1\nc:\n  b: 1\n", id="mapping below a mapping key"
        ),
        pytest.param(
            "a: &x\n    b: 1\nc:\n    d:\n        - *x\n",
            "a:\n    b: 1\nc:\n    d:\n        - b: 1\n",
            id="mapping as item",
        ),
        pytest.param(
            "a: &x\n- 1\n- 2\nb:\n  c: *x\n  d:\n  - *x\n",
            "a:\n- 1\n- 2\nb:\n  c:\n  - 1\n  - 2\n  d:\n  - - 1\n    - 2\n",
            id="list at its key",
        ),
        pytest.param(
            "a: &x\n  b: [1]\n  c: |\n    d, e\nf: {g: *x}\n",
            'a:\n  b: [1]\n  c: |\n    d, e\nf: {g: {b: [1], c: "d, e\\n"}}\n',
            id="block in braces",
        ),
        pytest.param(
            "a: &x {b: 1,\n   c: 2}\nd:\n  e: *x\n",
            "a: {b: 1,\n   c: 2}\nd:\n  e: {b: 1,\n     c: 2}\n",
            id="braces on two lines",
        ),
        pytest.param("a: &x k\n*x : 1\n", "a: k\nk : 1\n", id="mapping key"),
        pytest.param("&x a: 1\nb: *x\n", "a: 1\nb: a\n", id="anchor of a mapping key"),
        pytest.param(
            "a: &x\n  b: &y 1\n  c: *y\nd: *x\ne: *y\n",
            "a:\n  b: 1\n  c: 1\nd:\n  b: 1\n  c: 1\ne: 1\n",
            id="anchor within an anchor",
        ),
        pytest.param("a: &x 1\nb: &x 2\nc: *x\n", "a: 1\nb: 2\nc: 2\n", id="the latest counts"),
        pytest.param("a: &x 1\n---\nb: *x\n", "a: 1\n---\nb: 1\n", id="of an earlier document"),
        pytest.param(
            "--- &x\na: 1\n---\nb: *x\n", "---\na: 1\n---\nb:\n    a: 1\n", id="a whole document"
        ),
        pytest.param("a: &x\r\n  b: 1\r\nc: *x\r\n", "a:\r\n  b: 1\r\nc:\r\n  b: 1\r\n", id="CRLF"),
        pytest.param("a: &x {}\nb: *x", "a: {}\nb: {}", id="without line end"),
        pytest.param("a: '&x'\nb: \"*x\" # &x *x\n", None, id="quotes and comments"),
        pytest.param(_COMMENTED, _COMMENTED_EXPANDED, id="comments"),
    ],
)
def test_aliases_become_copies(before: str, after: str | None) -> None:
    assert expand(before) == (before if after is None else after)


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("a: 1\nb: *x\n", 2, 4, "the alias *x names no anchor before it"),
        ("a: *x\nb: &x 1\n", 1, 4, "the alias *x names no anchor before it"),
        ("a: &x {b: *x}\n", 1, 11, "the alias *x stands within what it names"),
        ("a: &x 1\nb: &x [*x]\n", 2, 8, "the alias *x stands within what it names"),
        ("a: &x [1]\n*x : 1\n", 2, 1, "a mapping key that is no string is not allowed"),
        ("a: &x [1]\n--- *x\n", 2, 5, "an alias at top level is no document of secrets"),
        ("a: &x 1\nb: 1\nb: *x\n", 3, 1, "the mapping key 'b' stands here twice"),
    ],
    ids=repr,
)
def test_an_alias_that_sops_would_not_take_is_refused_with_its_place(
    text: str, line: int, column: int, problem: str
) -> None:
    with pytest.raises(RepositoryError) as caught:
        store.parse(text.encode())
    assert (caught.value.line, caught.value.column, caught.value.problem) == (line, column, problem)


def test_a_small_text_that_grows_without_end_is_refused() -> None:
    lines = ["a0: &a0 " + "x" * 100]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(RepositoryError, match="grow out of all proportion") as caught:
        store.parse("\n".join(lines).encode())
    assert caught.value.line == 6


@given(st.data())
def test_an_expanded_text_stands_for_the_same_values(data: st.DataObject) -> None:
    text = _Writer(data.draw).document()
    assert _composed(expand(text)) == _composed(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: &x 1\nb: *x\n", id="scalar"),
        pytest.param(_COMMENTED.replace(" # at the item", ""), id="comments"),
        pytest.param("base: &b\n  x: 1\nd:\n  <<: *b\n  y: 2\n", id="merge of one"),
        pytest.param("base: &b\n  x: 1\nd:\n  <<: [*b, {z: a}]\n  y: 2\n", id="merge of a list"),
        pytest.param("b: &b {x: 1}\nd:\n  <<:\n    - *b\n    - *b\n", id="merge of a block list"),
        pytest.param("<<: {x: 1}\nx: 2\n", id="merge at top"),
        pytest.param("b: &b {x: &c {y: 1}}\nd: {<<: *b, x: *c}\n", id="merge in braces"),
        pytest.param("d:\n  !!merge <<: {x: 1}\n", id="merge by tag"),
        pytest.param("d:\n  <<: {}\ne: {<<: []}\n", id="nothing to merge"),
        pytest.param("x: &x\n  <<: {q: 1}\nb: *x\nc:\n  <<: *x\n", id="merge within a merge"),
        pytest.param("a: &x |\n  p\n  q\nb_unencrypted: *x\nc: [*x]\n", id="in clear"),
        pytest.param("a: &x k\nm:\n  *x : {q: *x}\n", id="mapping key"),
        pytest.param("a: &x 1\n---\nb: *x\n", id="stream"),
        pytest.param("d: <<\ne: [<<]\n", id="the merge mark as a value"),
    ],
)
def test_sops_and_we_open_what_the_other_sealed(
    text: str, real_sops: RealSops, now: datetime
) -> None:
    sealed = sealing.seal(Plaintext(text.encode()), [real_sops.recipient], now)
    foreign = real_sops.encrypt(text.encode())
    expected = _values(text.encode())
    assert _values(real_sops.decrypt(sealed)) == expected
    assert _opened_values(_open(sealed, real_sops)) == expected
    assert _opened_values(_open(foreign, real_sops)) == expected
    assert _values(document.plain_text(_open(foreign, real_sops)).reveal()) == expected


def test_a_merged_leaf_is_bound_to_the_merge_key(real_sops: RealSops, now: datetime) -> None:
    text = b"base: &b\n  x: 1\nd:\n  <<: *b\n"
    for sealed in (
        sealing.seal(Plaintext(text), [real_sops.recipient], now),
        real_sops.encrypt(text),
    ):
        paths = [leaf.path for leaf in leaves(store.parse(sealed).tree)]
        assert paths == [("base", "x"), ("d", "<<", "x")]


def test_an_anchor_put_into_a_sealed_document_by_hand_is_read(
    real_sops: RealSops, now: datetime
) -> None:
    sealed = sealing.seal(Plaintext(b"a_unencrypted: 1\nb: x\n"), [real_sops.recipient], now)
    changed = sealed.replace(b"a_unencrypted: 1", b"a_unencrypted: &x 1")
    opened = _open(changed, real_sops)
    assert document.plain_text(opened).reveal() == b"a_unencrypted: 1\nb: x\n"


@pytest.mark.parametrize(
    "text",
    ["d:\n  <<: 5\n", "d:\n  <<: [1]\n", "d: {<<: [[]]}\n", "<<: null\n", "a: &x 1\n<<: *x\n"],
    ids=repr,
)
def test_a_merge_key_takes_mappings_only(text: str, real_sops: RealSops) -> None:
    with pytest.raises(RepositoryError, match="takes a mapping or a list of mappings"):
        store.parse(text.encode())
    refused = real_sops.run(
        "encrypt", "--age", real_sops.recipient.text, real_sops.file.name, content=text.encode()
    )
    assert b"map merge requires map or sequence of maps" in refused.stderr


@pytest.mark.parametrize("text", ["'<<': {x: 1}\n", "!!str <<: {x: 1}\n"], ids=repr)
def test_a_quoted_merge_key_is_refused(text: str) -> None:
    with pytest.raises(RepositoryError, match="a quoted mapping key '<<'"):
        store.parse(text.encode())


class _Writer:
    """Writes a document in which every collection and scalar may be an anchor or an alias."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._lines: list[str] = []
        self._known: list[str] = []
        self._count = 0

    def document(self) -> str:
        self._mapping(0, 0)
        return "\n".join(self._lines) + self._pick("\n", "")

    def _pick(self, *choices: str) -> str:
        return self._draw(st.sampled_from(choices))

    def _number(self, below: int) -> int:
        return self._draw(st.integers(0, below - 1))

    def _anchor(self) -> str:
        """Return the properties of a node; its name is known once the node is written."""
        if self._number(2):
            return ""
        self._count += 1
        return f"&n{self._count} "

    def _close(self, anchor: str) -> None:
        if anchor:
            self._known.append(anchor[1:-1])

    def _mapping(self, column: int, depth: int, head: str = "") -> None:
        for number in range(1 + self._number(4)):
            self._comment(column)
            start = head or " " * column
            head = ""
            self._value(f"{start}k{number}:", column, depth)
        self._comment(column)

    def _list(self, column: int, depth: int) -> None:
        for _ in range(1 + self._number(3)):
            self._comment(column)
            self._value(" " * column + "-", column, depth)

    def _comment(self, column: int) -> None:
        if not self._number(6):
            self._lines.append(" " * column + self._pick("# c", "#", "# &n1 *n1"))

    def _value(self, head: str, column: int, depth: int) -> None:
        kind = self._number(4) if depth < 3 else 0
        if kind <= 1:
            self._leaf(head, column)
            return
        anchor, tail = self._anchor(), self._pick("", "", " # c")
        self._lines.append(f"{head} {anchor}".rstrip() + tail)
        step = 1 + self._number(4)
        if kind == 2:
            self._mapping(column + step, depth + 1)
        else:
            self._list(column + (step if head.endswith("-") else step - 1), depth + 1)
        self._close(anchor)

    def _leaf(self, head: str, column: int) -> None:
        if not self._number(4):
            anchor = self._anchor()
            block, blanks = self._pick("|", "|-", ">", "|2", "|+"), " " * (column + 2)
            self._lines.append(f"{head} {anchor}{block}")
            self._lines += [blanks + self._pick("x", "x: #y", "*n1"), blanks + self._pick("y", "z")]
            self._close(anchor)
            return
        self._lines.append(f"{head} {self._flow(0, column)}{self._pick('', '', ' # c')}")

    def _flow(self, depth: int, column: int) -> str:
        if self._known and not self._number(2):
            return f"*{self._draw(st.sampled_from(self._known))} "
        anchor, kind = self._anchor(), self._number(4) if depth < 2 else 0
        between = self._pick(", ", ",\n" + " " * (column + 3))
        if kind == 2:
            text = between.join(f"f{n}: {self._flow(depth + 1, column)}" for n in range(2))
            text = "{" + text + "}"
        elif kind == 3:
            text = "[" + between.join(self._flow(depth + 1, column) for _ in range(2)) + "]"
        else:
            plain = ("a b", "x:y", "2.50") if depth else ("a, b", "x]")
            text = self._pick("'q'", '"d\\n"', "!!str 7", "!!str", "true", "", *plain)
            text = text or ("" if anchor else "null")
        self._close(anchor)
        return f"{anchor}{text} "


def _composed(text: str) -> list[object]:
    return [_plain(node) for node in yaml.compose_all(text, Loader=yaml.CLoader)]


def _plain(node: yaml.Node) -> object:
    match node:
        case yaml.MappingNode():
            return {"map": [(_plain(key), _plain(value)) for key, value in node.value]}
        case yaml.SequenceNode():
            return [_plain(value) for value in node.value]
        case _:
            value = "" if node.tag.endswith(":null") else node.value
            return node.tag, value


def _values(content: bytes) -> list[Typed]:
    return [
        (leaf.document, keys_of(leaf.path), leaf.kind.value, leaf.content)
        for leaf in leaves(store.parse(content).tree)
    ]


def _open(sealed: bytes, real_sops: RealSops) -> OpenDocument:
    parsed = document.parse(sealed)
    data_key = document.open_data_key(parsed, [real_sops.identity])
    return document.open_document(parsed, data_key)


def _opened_values(opened: OpenDocument) -> list[Typed]:
    return [
        (
            one.item.document,
            keys_of(one.item.path),
            (one.kind or one.item.kind).value,
            one.value.reveal() if one.value is not None else b"",
        )
        for one in opened.items
        if isinstance(one.item, Leaf)
    ]
