"""How values and mapping keys are spelled in YAML."""

import base64

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nixsecrets.sops.stores import yaml
from nixsecrets.sops.stores.yaml_spelling import (
    is_plain_string,
    is_string_in_yaml_1_1,
    quote,
    spell,
    spell_key,
)
from nixsecrets.sops.tree import Empty, Leaf, LeafType
from tests.sops.spellings import ODD_TEXTS, TYPED

texts = st.one_of(
    st.sampled_from((*ODD_TEXTS, "12:30:45", "2001-12-14 21:59:43 -5", "1_000.5", "+12:30")),
    st.text(st.characters(exclude_categories=("Cs",))),
)
stable = settings(derandomize=True, database=None, deadline=None)


@pytest.mark.parametrize("indent", [None, 2], ids=["one line", "block"])
@given(text=texts)
@stable
def test_a_string_reads_back_in_yaml_1_1_and_here(text: str, indent: int | None) -> None:
    spelled = spell(LeafType.STR, text.encode(), indent)

    document = f"key: {spelled}\nafter: 1\n"
    assert pyyaml.safe_load(document) == {"key": text, "after": 1}
    assert _read(document) == [("key", LeafType.STR, text.encode()), ("after", LeafType.INT, b"1")]
    if indent is None:
        assert "\n" not in spelled
        assert pyyaml.safe_load(f"[{spelled}, {{{spelled}: 1}}]")[0] == text


@given(key=texts)
@stable
def test_a_mapping_key_reads_back_as_this_string(key: str) -> None:
    document = f"{{? {spell_key(key)} : 1}}\n"
    assert pyyaml.safe_load(document) == {key: 1}
    if key != "<<":
        assert _read(document) == [(key, LeafType.INT, b"1")]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        *((LeafType(kind), content) for _spelled, kind, content in TYPED if kind != "null"),
        (LeafType.FLOAT, b"-0"),
        (LeafType.FLOAT, b"1" + b"0" * 300),
        (LeafType.TIME, b"2024-05-06T07:08:09.5+02:00"),
        (LeafType.STR, b"\xff\xfe"),
        (Empty.NULL, b""),
        (Empty.MAPPING, b""),
        (Empty.LIST, b""),
    ],
    ids=str,
)
def test_a_value_reads_back_with_its_type(kind: LeafType | Empty, content: bytes) -> None:
    assert _read(f"key: {spell(kind, content, 2)}\n") == [("key", kind, content)]


def test_bytes_that_are_no_text_are_tagged() -> None:
    assert spell(LeafType.STR, b"\xff", 2) == "!!binary " + base64.b64encode(b"\xff").decode()


def test_lines_stand_in_a_literal_block() -> None:
    assert spell(LeafType.STR, b"one\n  two\n\nthree\n", 2) == "|\n  one\n    two\n\n  three"
    assert spell(LeafType.STR, b"one\ntwo", 4) == "|-\n    one\n    two"


@pytest.mark.parametrize(
    "text", ["\ttab\nx", " lead\nx", "\nx", "a\n \nb", "a\rb\nc", "x\n\n", "a\x85\nb", "\u2028\nx"]
)
def test_lines_that_readers_disagree_about_are_quoted(text: str) -> None:
    assert spell(LeafType.STR, text.encode(), 2) == quote(text)


@pytest.mark.parametrize(
    "word",
    [
        "y",
        "N",
        "yes",
        "On",
        "off",
        "true",
        "~",
        "null",
        "1_000",
        "0b1",
        "1:30",
        "12:30:45",
        "=",
        "<<",
        "1.5",
        "0x1F",
        ".5",
        "2001-01-01",
    ],
)
def test_words_of_yaml_1_1_are_no_plain_strings(word: str) -> None:
    assert not is_string_in_yaml_1_1(word)
    assert not is_plain_string(word)
    assert spell_key(word) == f'"{word}"'


@pytest.mark.parametrize(
    "word", ["hello", "a b", "nextcloud/admin-password", "_x", "k8s", "yesterday"]
)
def test_ordinary_words_stay_plain(word: str) -> None:
    assert spell_key(word) == word


def _read(document: str) -> list[tuple[str, LeafType | Empty, bytes]]:
    leaves = [leaf for leaf in yaml.parse(document.encode()).tree if isinstance(leaf, Leaf)]
    return [(str(leaf.path[0]), leaf.kind, leaf.content) for leaf in leaves]
