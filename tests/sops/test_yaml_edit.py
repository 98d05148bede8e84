"""Edits of a YAML document: what changes is exactly this."""

import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.stores import yaml
from nixsecrets.sops.stores.yaml_edit import (
    Scalar,
    apply,
    insert_leaf,
    quote_keys,
    remove_leaf,
    respell_leaf,
)
from nixsecrets.sops.tree import KeyPath, Leaf, LeafType, leaves

SEALED = "ENC[AES256_GCM,data:QQ==,iv:QQ==,tag:QQ==,type:str]"


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        pytest.param("a: x\nb: y\n", ("a",), "z", "a: z\nb: y\n", id="plain"),
        pytest.param("a:   'x'  # c\n", ("a",), "z", "a:   z  # c\n", id="blanks and comment stay"),
        pytest.param("a: x # c\n", ("a",), "1\n2", 'a: "1\\n2" # c\n', id="lines before a comment"),
        pytest.param("a: x\n", ("a",), "1\n2", "a: |-\n    1\n    2\n", id="lines"),
        pytest.param("a: x", ("a",), "1\n2\n", "a: |\n    1\n    2\n", id="lines at the end"),
        pytest.param(
            "a:\n  b: x\n", ("a", "b"), "1\n2", "a:\n  b: |-\n    1\n    2\n", id="indent"
        ),
        pytest.param(
            "a: x\r\nb: y\r\n", ("a",), "1\n2", "a: |-\r\n    1\r\n    2\r\nb: y\r\n", id="CRLF"
        ),
        pytest.param(
            "a: |\n  x\n\n\nb: y\n", ("a",), "z", "a: z\n\n\nb: y\n", id="block, blank lines stay"
        ),
        pytest.param(
            "a: |+\n  x\n\n\nb: y\n", ("a",), "z", "a: z\nb: y\n", id="kept lines are the value's"
        ),
        pytest.param("a: >-\n  x\nb: y\n", ("a",), "z", "a: z\nb: y\n", id="folded"),
        pytest.param(
            "a: !!str >- # c\n  x\nb: y\n", ("a",), "z", "a: z # c\nb: y\n", id="header's comment"
        ),
        pytest.param(
            "a: |+ # c\n  x\n\nb: y\n",
            ("a",),
            "1\n2\n",
            "a: | # c\n    1\n    2\nb: y\n",
            id="a header's comment in the next header",
        ),
        pytest.param("a: |\n  x", ("a",), "z", "a: z", id="block at the end"),
        pytest.param(
            "a: |\n  x\n# c\nb: y\n", ("a",), "z", "a: z\n# c\nb: y\n", id="block above a comment"
        ),
        pytest.param("a: !!str 1\n", ("a",), "z", "a: z\n", id="tag goes"),
        pytest.param("a:\nb: y\n", ("a",), "z", "a: z\nb: y\n", id="nothing there"),
        pytest.param("a: # c\n", ("a",), "z", "a: z # c\n", id="nothing but a comment"),
        pytest.param("? a\n? b\n", ("a",), "z", "? a\n: z\n? b\n", id="key alone"),
        pytest.param(
            "x: {a, b: 1}\n", ("x", "a"), "z", "x: {a: z, b: 1}\n", id="key alone in braces"
        ),
        pytest.param("x: {a: , b: 1}\n", ("x", "a"), "z", "x: {a: z, b: 1}\n", id="null in braces"),
        pytest.param("x: {a: 1}\n", ("x", "a"), "1\n2", 'x: {a: "1\\n2"}\n', id="lines in braces"),
        pytest.param(
            "x: {a: 1}\n", ("x", "a"), SEALED, f'x: {{a: "{SEALED}"}}\n', id="sealed in braces"
        ),
        pytest.param("x: 1 # c\n", ("x",), SEALED, f"x: {SEALED} # c\n", id="sealed stays plain"),
        pytest.param(
            "x:\n  - 1\n  -\n", ("x", 1), "z", "x:\n  - 1\n  - z\n", id="item without text"
        ),
        pytest.param("x:\n- 1\n- 2\n", ("x", 0), "z", "x:\n- z\n- 2\n", id="item"),
        pytest.param("a:\n  x\n  y\nb: 1\n", ("a",), "z", "a:\n  z\nb: 1\n", id="plain over lines"),
        pytest.param("a: {}\n", ("a",), "z", "a: z\n", id="empty mapping"),
        pytest.param("\ufeffa: 1\n", ("a",), "z", "\ufeffa: z\n", id="byte order mark"),
    ],
)
def test_a_value_is_replaced_and_nothing_else(
    before: str, path: KeyPath, value: str, after: str
) -> None:
    parsed = yaml.parse(before.encode())
    (leaf,) = [item for item in parsed.tree if isinstance(item, Leaf) and item.path == path]
    edit = respell_leaf(parsed, leaf, Scalar(LeafType.STR, value.encode()))
    assert apply(parsed, [edit]).decode() == after


TAIL = "sops:\n  mac: x\n"


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        pytest.param("a: 1\n" + TAIL, ("b",), "a: 1\nb: z\n" + TAIL, id="top level"),
        pytest.param(TAIL, ("b",), "b: z\n" + TAIL, id="first leaf"),
        pytest.param("sops: {}", ("b",), "b: z\nsops: {}", id="without line end"),
        pytest.param(TAIL + "a: 1", ("b",), TAIL + "a: 1\nb: z\n", id="sops not last"),
        pytest.param(TAIL + "a: 1\r\n", ("b",), TAIL + "a: 1\r\nb: z\r\n", id="CRLF"),
        pytest.param(
            "  a: 1\n  sops: {}\n", ("b",), "  a: 1\n  b: z\n  sops: {}\n", id="indented root"
        ),
        pytest.param(
            "a:\n   b: 1 # c\nd: 2\n", ("a", "x"), "a:\n   b: 1 # c\n   x: z\nd: 2\n", id="nested"
        ),
        pytest.param(
            "a:\n  b:\n    c: 1\n",
            ("a", "x", "v"),
            "a:\n  b:\n    c: 1\n  x:\n    v: z\n",
            id="below",
        ),
        pytest.param("a: 1\n", ("b", "c"), "a: 1\nb:\n    c: z\n", id="new mapping"),
        pytest.param(
            "a: |\n  x\n\nb: 1\n", ("c",), "a: |\n  x\n\nb: 1\nc: z\n", id="after a block"
        ),
        pytest.param(
            "a:\n  b: |\n    x\n\nc: 1\n",
            ("a", "d"),
            "a:\n  b: |\n    x\n\n  d: z\nc: 1\n",
            id="behind a block",
        ),
        pytest.param("a: {}\n", ("a", "b"), "a:\n    b: z\n", id="empty mapping"),
        pytest.param("a: {} # c\n", ("a", "b"), "a: {b: z} # c\n", id="empty mapping, comment"),
        pytest.param("a:\nb: 1\n", ("a", "c"), "a:\n    c: z\nb: 1\n", id="null"),
        pytest.param("a: ~\n", ("a", "c", "d"), "a:\n    c:\n        d: z\n", id="spelled null"),
        pytest.param("a: # c\nb: 1\n", ("a", "x"), "a: {x: z} # c\nb: 1\n", id="null, comment"),
        pytest.param("a: {b: 1}\n", ("a", "c"), "a: {b: 1, c: z}\n", id="braces"),
        pytest.param(
            "a: {b: 1,}\n", ("a", "c", "d"), "a: {b: 1, c: {d: z},}\n", id="braces, below"
        ),
        pytest.param("a: {b: {}}\n", ("a", "b", "c"), "a: {b: {c: z}}\n", id="empty in braces"),
        pytest.param("a: {b}\n", ("a", "b", "c"), "a: {b: {c: z}}\n", id="null in braces"),
        pytest.param("{a: 1, sops: {}}\n", ("c",), "{a: 1, c: z, sops: {}}\n", id="root in braces"),
        pytest.param(
            "a:\n  - b: 1\n", ("a", 0, "c"), "a:\n  - b: 1\n    c: z\n", id="item of a list"
        ),
        pytest.param("a:\n  - {}\n", ("a", 0, "c"), "a:\n  -\n      c: z\n", id="empty item"),
        pytest.param(
            "? a\n: b: 1\n", ("a", "c"), "? a\n: b: 1\n  c: z\n", id="behind a question mark"
        ),
        pytest.param("? a\n", ("b",), "? a\nb: z\n", id="after a key alone"),
        pytest.param("a: 1\n# end\n", ("b",), "a: 1\nb: z\n# end\n", id="before trailing comments"),
        pytest.param("a: 1\n", ("on",), 'a: 1\n"on": z\n', id="word of YAML 1.1"),
        pytest.param("a: 1\n", ("x: y",), 'a: 1\n"x: y": z\n', id="key that needs quotes"),
        pytest.param("a: 1\n...\n", ("b",), "a: 1\nb: z\n...\n", id="end of document"),
        pytest.param(
            "a: 1\n---\na: 2\n", ("b",), "a: 1\nb: z\n---\na: 2\n", id="first of a stream"
        ),
    ],
)
def test_a_leaf_is_inserted_by_adding_lines(before: str, path: KeyPath, after: str) -> None:
    parsed = yaml.parse(before.encode())
    edit = insert_leaf(parsed, path, Scalar(LeafType.STR, b"z"))
    assert apply(parsed, [edit]).decode() == after


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        pytest.param("a:\n  - x\nb: 1\n", ("a", 1), "a:\n  - x\n  - z\nb: 1\n", id="block"),
        pytest.param("a:\n- x\nb: 1\n", ("a", 1), "a:\n- x\n- z\nb: 1\n", id="not indented"),
        pytest.param("a:\n- |\n  x\n", ("a", 1), "a:\n- |\n  x\n- z\n", id="behind a block scalar"),
        pytest.param("a: [x] # c\n", ("a", 1), "a: [x, z] # c\n", id="brackets"),
        pytest.param("a: [x]\n", ("a", 1, "b", 0), "a: [x, {b: [z]}]\n", id="more in brackets"),
        pytest.param("a: []\n", ("a", 0), "a:\n    - z\n", id="empty"),
        pytest.param("a: [] # c\n", ("a", 0), "a: [z] # c\n", id="empty, before a comment"),
        pytest.param("a:\n", ("a", 0), "a:\n    - z\n", id="null"),
        pytest.param("a: 1\n", ("b", 0), "a: 1\nb:\n    - z\n", id="new list"),
        pytest.param("a:\n  - b: 1\n", ("a", 1, "b"), "a:\n  - b: 1\n  - b: z\n", id="mapping"),
        pytest.param(
            "a:\n  - b: 1\n",
            ("a", 0, "c", "d"),
            "a:\n  - b: 1\n    c:\n        d: z\n",
            id="in an item",
        ),
        pytest.param("a:\n  - - 1\n", ("a", 0, 1), "a:\n  - - 1\n    - z\n", id="list in a list"),
        pytest.param("a:\n  - - 1\n", ("a", 1, 0, 0), "a:\n  - - 1\n  - - - z\n", id="lists"),
        pytest.param("a:\r\n- x\r\n", ("a", 1), "a:\r\n- x\r\n- z\r\n", id="CRLF"),
        pytest.param("{a: [x]}\n", ("b", 0), "{a: [x], b: [z]}\n", id="root in braces"),
    ],
)
def test_an_item_is_appended_to_a_list(before: str, path: KeyPath, after: str) -> None:
    parsed = yaml.parse(before.encode())
    edit = insert_leaf(parsed, path, Scalar(LeafType.STR, b"z"))
    assert apply(parsed, [edit]).decode() == after
    assert path in {leaf.path for leaf in leaves(yaml.parse(after.encode()).tree)}


@pytest.mark.parametrize(
    ("text", "path", "problem"),
    [
        ("a: 1\n", ("a", "b"), "a is a value: nothing can stand below it"),
        ("a: [1]\n", ("a", "b"), "a is a list: a/b cannot stand below it"),
        ("a: []\n", ("a", "b"), "a is a list: a/b cannot stand below it"),
        ("a: {}\n", ("a", 0), "a is a mapping: a/0 cannot stand below it"),
        ("a: {b: 1}\n", ("a", 0), "a is a mapping: a/0 cannot stand below it"),
        ("a: {b: 1}\n", ("a",), "a is a mapping or a list, not a value"),
        ("a: [1]\n", ("a", 0, "b"), "a/0 is a value: nothing can stand below it"),
        ("a: [1]\n", ("a", 2), "a/2 is not the next item of a list: 1 is"),
        ("a: 1\n", ("b", 1), "b/1 is not the next item of a list: 0 is"),
        ("a: 1\n", ("b", "c", 3, "d"), "b/c/3/d is not the next item of a list: 0 is"),
    ],
)
def test_a_leaf_that_has_no_place_is_refused(text: str, path: KeyPath, problem: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        insert_leaf(yaml.parse(text.encode()), path, Scalar(LeafType.STR, b"z"))
    assert caught.value.problem == problem


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        pytest.param("a: 1\nb: 2\n", ("a",), "b: 2\n", id="first"),
        pytest.param("a: 1\nb: 2 # c\n# d\n", ("b",), "a: 1\n# d\n", id="with its comment"),
        pytest.param("a: |\n  x\n\nb: 2\n", ("a",), "b: 2\n", id="block"),
        pytest.param("a: 1\nb: 2", ("b",), "a: 1\n", id="without line end"),
        pytest.param("a:\n  b:\n    c: 1\nd: 2\n", ("a", "b", "c"), "d: 2\n", id="last below"),
        pytest.param("a:\n  b: 1\n  c: 2\n", ("a", "b"), "a:\n  c: 2\n", id="nested"),
        pytest.param("a: {b: 1, c: 2}\n", ("a", "b"), "a: {c: 2}\n", id="first in braces"),
        pytest.param("a: {b: 1, c: 2}\n", ("a", "c"), "a: {b: 1}\n", id="last in braces"),
        pytest.param("a: {b: 1}\nc: 2\n", ("a", "b"), "c: 2\n", id="only in braces"),
        pytest.param("{a: 1, sops: {}}\n", ("a",), "{sops: {}}\n", id="root in braces"),
        pytest.param("a: [1, 2]\n", ("a", 1), "a: [1]\n", id="item in brackets"),
        pytest.param("a:\n  - 1\n  - 2\n", ("a", 0), "a:\n  - 2\n", id="item"),
        pytest.param(
            "a:\n  - b: 1\n    c: 2\n", ("a", 0, "b"), "a:\n  - c: 2\n", id="behind a dash"
        ),
        pytest.param(
            "a:\n  - b: 1\n    c: 2\n", ("a", 0, "c"), "a:\n  - b: 1\n", id="below a dash"
        ),
        pytest.param("a:\n  - b: 1\n  - c: 2\n", ("a", 0, "b"), "a:\n  - c: 2\n", id="item of one"),
        pytest.param("a:\n  - - 1\n    - 2\n", ("a", 0, 0), "a:\n  - - 2\n", id="dashes"),
        pytest.param("? a\n: 1\n? b\n: 2\n", ("a",), "? b\n: 2\n", id="behind a question mark"),
        pytest.param("a: 1\n? b\n: 2\n", ("b",), "a: 1\n", id="last, behind a question mark"),
        pytest.param("a: 1\r\nb: 2\r\n", ("a",), "b: 2\r\n", id="CRLF"),
    ],
)
def test_a_leaf_is_removed_with_its_lines(before: str, path: KeyPath, after: str) -> None:
    parsed = yaml.parse(before.encode())
    assert apply(parsed, [remove_leaf(parsed, path)]).decode() == after


def test_a_leaf_that_is_not_there_is_not_removed() -> None:
    with pytest.raises(RepositoryError, match="a/c is not in the document"):
        remove_leaf(yaml.parse(b"a:\n  b: 1\n"), ("a", "c"))


def test_keys_that_yaml_1_1_reads_otherwise_are_quoted() -> None:
    text = "on: 1\n'on ': 2\nx: {y: 1, 'n': 2}\n? 12:30:45\n: 3\n\"\": 4\nplain: 5\n<<: {}\n"
    parsed = yaml.parse(text.encode())
    assert apply(parsed, quote_keys(parsed)).decode() == (
        '"on": 1\n\'on \': 2\nx: {"y": 1, \'n\': 2}\n? "12:30:45"\n: 3\n"": 4\nplain: 5\n<<: {}\n'
    )
