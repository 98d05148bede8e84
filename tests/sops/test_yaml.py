"""YAML documents: text to leaves and comments, each with its place."""

import pytest
from hypothesis import given, settings

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.stores import yaml
from nixsecrets.sops.stores.yaml_text import YamlText
from nixsecrets.sops.tree import Comment, Empty, KeyPath, Leaf, LeafType
from tests.sops.documents import Generated, documents


@given(generated=documents())
@settings(derandomize=True, database=None, deadline=None, max_examples=200)
def test_a_document_in_any_layout_is_read_whole(generated: Generated) -> None:
    parsed = yaml.parse(generated.text.encode())
    leaves = [leaf for leaf in parsed.tree if isinstance(leaf, Leaf)]
    comments = [one for one in parsed.tree if isinstance(one, Comment)]

    assert tuple((one.path, one.kind.value, one.content) for one in leaves) == generated.leaves
    assert tuple(one.text for one in comments) == generated.comments
    lines = [parsed.text.count("\n", 0, one.span.start) + 1 for one in parsed.tree]
    assert [one.line for one in parsed.tree] == lines


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("- a\n", 1, 1, "a list at top level is no document of secrets"),
        ("hello\n", 1, 1, "a scalar at top level is no document of secrets"),
        ("a: 1\n1: 2\n", 2, 1, "the mapping key '1' is no string"),
        ("a:\n  true: 2\n", 2, 3, "the mapping key 'true' is no string"),
        ("~: 2\n", 1, 1, "the mapping key '~' is no string"),
        ("2024-01-02: 2\n", 1, 1, "the mapping key '2024-01-02' is no string"),
        ("? ! 1\n: 2\n", 1, 3, "the mapping key '1' is no string"),
        ("? !!int '1'\n: 2\n", 1, 3, "the mapping key '1' is no string"),
        ("? [a]\n: 2\n", 1, 3, "a mapping key that is no string is not allowed"),
        ('"<<": 1\n', 1, 1, "a quoted mapping key '<<' cannot be read by sops"),
        ("a: 1\nb: 2\na: 3\n", 3, 1, "the mapping key 'a' stands here twice"),
        ("a: *x\n", 1, 4, "the alias *x names no anchor before it"),
        ("%YAML 1.2\n---\na: 1\n", 1, 1, "a YAML version other than 1.1 is not taken by sops"),
        ("a: 18446744073709551615\n", 1, 4, "an integer from 2^63 up to 2^64-1 does not fit the"),
        ("a: !!int x\n", 1, 4, "a value tagged !!int is none"),
        ("a: [1\n", 2, 1, "did not find expected ',' or ']'"),
        ("a:\n\t- 1\n", 2, 1, "found character that cannot start any token"),
        ("a: \x01\n", None, None, "holds characters that YAML does not allow"),
    ],
    ids=repr,
)
def test_what_sops_would_not_take_is_refused_with_its_place(
    text: str, line: int | None, column: int | None, problem: str
) -> None:
    with pytest.raises(RepositoryError) as caught:
        yaml.parse(text.encode())
    assert caught.value.problem.startswith(problem)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_text_that_is_not_utf_8_is_refused_with_its_line() -> None:
    with pytest.raises(RepositoryError, match="is not UTF-8 text") as caught:
        yaml.parse(b"a: 1\nb: \xff\n")
    assert caught.value.line == 2


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "~\n", "{}\n", "--- null\n"])
def test_a_document_may_be_empty(text: str) -> None:
    assert [item for item in yaml.parse(text.encode()).tree if isinstance(item, Leaf)] == []


def test_a_stream_numbers_its_documents() -> None:
    parsed = yaml.parse(b"a: 1\n---\n---\na: 2\nsops: x\n")
    assert [(item.path, item.document) for item in parsed.tree if isinstance(item, Leaf)] == [
        (("a",), 0),
        (("a",), 2),
    ]
    assert parsed.documents == 3


def test_metadata_is_no_part_of_the_tree() -> None:
    parsed = yaml.parse(
        b"sops:\n  age:\n    - recipient: r\n      enc: |\n        x\n  kms: []\n  n: 2\n"
        b"  f: 2.5\n  t: true\n  x: null\n  m: {}\n  lastmodified: 2024-05-06T07:08:09Z\na: 1\n"
    )
    assert [item.path for item in parsed.tree if isinstance(item, Leaf)] == [("a",)]
    assert parsed.metadata == {
        "age": ({"recipient": "r", "enc": "x\n"},),
        "kms": (),
        "n": 2,
        "f": 2.5,
        "t": True,
        "x": None,
        "m": {},
        "lastmodified": "2024-05-06T07:08:09Z",
    }


@pytest.mark.parametrize("text", ["a: 1\n", "sops: 1\n", "sops: [a]\n", "a: {sops: {mac: x}}\n"])
def test_only_a_mapping_at_top_is_metadata(text: str) -> None:
    assert yaml.parse(text.encode()).metadata is None


def test_a_byte_order_mark_is_kept_apart() -> None:
    parsed = yaml.parse(b"\xef\xbb\xbfa: 1\n")
    assert (parsed.mark, parsed.text) == ("\ufeff", "a: 1\n")


@pytest.mark.parametrize(
    ("text", "indent"),
    [("a: 1\n", 4), ("a:\n  b: 1\n", 2), ("a:\n   - b:\n        c: 1\n", 3), ("a: {b: 1}\n", 4)],
)
def test_the_indentation_is_that_of_the_first_nested_mapping(text: str, indent: int) -> None:
    assert yaml.parse(text.encode()).indent == indent


def test_places_are_those_of_keys_dashes_and_values() -> None:
    text = "a:\n  - b: 1\n    ? c\n    : |\n      x\n  -\n  - {d: 2, e}\nf:\n"
    places = yaml.parse(text.encode()).places

    def shown(*path: str | int) -> tuple[str, str, int]:
        entry = places[0, path]
        return text[entry.start : entry.value], text[entry.value : entry.end], entry.column

    assert shown("a", 0, "b") == ("b: ", "1", 4)
    assert shown("a", 0, "c") == ("? c\n    : ", "|\n      x\n", 4)
    assert shown("a", 1) == ("-", "", 2)
    assert shown("a", 2) == ("- ", "{d: 2, e}", 2)
    assert shown("a", 2, "d") == ("d: ", "2", 4)
    assert shown("a", 2, "e") == ("e", "", 4)
    assert shown("f") == ("f:", "", 0)


CONTAINERS: tuple[tuple[str, tuple[KeyPath, ...]], ...] = (
    ("#x\na: 1\n#x\n", ((), ())),
    ("a:\n  #x\n  b: 1 #x\n", (("a",), ("a",))),
    ("a: #x\n  b: 1\n", ((),)),
    ("a:\n  - 1 #x\n  #x\n  - 2\n", (("a",), ("a",))),
    ("a:\n  - b: 1\n    #x\n    c: 2\n", (("a", 0),)),
    ("a:\n  b: 1\n#x\nc: 1\n", ((),)),
    ("a:\n  b: 1\n#x\n", ((),)),
    ("a:\n  b: 1\n  #x\nc: 1\n", (("a",),)),
)


@pytest.mark.parametrize(("text", "containers"), CONTAINERS, ids=repr)
def test_a_comment_belongs_to_the_container_at_its_place(
    text: str, containers: tuple[KeyPath, ...]
) -> None:
    assert [one.container for one in _comments(yaml.parse(text.encode()))] == list(containers)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 'x #y'\n", []),
        ("a: x#y\n", []),
        ("a: |\n  #x\n", []),
        ("a: | #y\n  #x\n", ["y"]),
        ('a: "x"#y\n', ["y"]),
        ("a: [b] #y\n", ["y"]),
        ("a: [b, #y\n  c]\n", ["y"]),
        ("#\n", [""]),
        ("a: 1 #x\r\n", ["x"]),
        ("--- #x\na: 1\n... #y\n", ["x", "y"]),
    ],
    ids=repr,
)
def test_comments_are_told_from_values(text: str, found: list[str]) -> None:
    assert [one.text for one in _comments(yaml.parse(text.encode()))] == found


def test_a_key_twice_is_refused_in_every_document() -> None:
    with pytest.raises(RepositoryError, match="twice"):
        yaml.parse(b"a: 1\n---\nb: 1\nb: 2\n")


def test_types_of_empties() -> None:
    parsed = yaml.parse(b"a: {}\nb: []\nc:\nd: ''\n")
    assert [item.kind for item in parsed.tree if isinstance(item, Leaf)] == [
        Empty.MAPPING,
        Empty.LIST,
        Empty.NULL,
        LeafType.STR,
    ]


def _comments(parsed: YamlText) -> list[Comment]:
    return [item for item in parsed.tree if isinstance(item, Comment)]


def test_metadata_nested_without_end_is_refused() -> None:
    content = b"a: x\nsops: " + b"{a: " * 5_000 + b"1" + b"}" * 5_000 + b"\n"
    with pytest.raises(RepositoryError, match="nested without end"):
        yaml.parse(content)
