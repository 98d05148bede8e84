"""The reader by lines finds what libyaml finds, or leaves the text to it."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import changing, document, sealing
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.stores import yaml, yaml_lines
from nixsecrets.sops.stores.text import Scalar
from nixsecrets.sops.stores.yaml_lines import LineText
from nixsecrets.sops.tree import LeafType
from nixsecrets.textedit import Edit
from tests.sops.real import make_identity

IDENTITY, _SECRET = make_identity()
BLOCK = "sops:\n    mac: x\n    age:\n        - enc: |\n            y\n"

VALUES = ("x", "1", "-1", "1.5", "0x1f", "1_0", "true", "null", "~", "[]", "{}", '""', '"a b"', "-")
VALUES += ("---", "...", ".", "+", "2024-01-01", "ENC[AES256_GCM,data:a,iv:b]", "''", "a b", "&a")
VALUES += ('"a\\n"', "*a", "- x", "a: b", "# c", "", "|", "ENC[AES256_GCM,a b]", "<<", "!!str x")
NAMES = ("a", "b", "c_d", "e.f", "g/h", "true", "null", "y", "sops", "-", '"q"', "1", "<<", "")


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Lines that are nearly those that sops writes."""
    count = draw(st.integers(0, 8))
    column, text = 0, ""
    for _ in range(count):
        steps = (0, 0, 0, 2, 4, -2, -4)
        column = max(0, column + draw(st.sampled_from(steps)))
        dash = draw(st.sampled_from(("", "", "", "- ", "-")))
        name = draw(st.sampled_from((*NAMES[:5], *NAMES)))
        glue = draw(st.sampled_from((": ", ": ", ":", " : ")))
        value = draw(st.sampled_from((*VALUES[:8], *VALUES)))
        text += " " * column + dash + (name + glue if name else "") + value + "\n"
    return text


@settings(max_examples=500)
@given(lines())
def test_both_readers_find_the_same(body: str) -> None:
    content = (body + BLOCK).encode()
    by_lines = yaml_lines.parse(content)
    if by_lines is None:
        return
    whole = yaml.parse(content)
    assert tuple(by_lines.tree) == whole.tree
    assert by_lines.metadata == whole.metadata


@pytest.mark.parametrize(
    "body",
    [
        "a: 1\nb:\n    c: x\n    d:\n        - y\n        - e: 1\n          f: 2\n        - z\n",
        "a:\n    - b:\n        c: 1\n      d: 2\n",
        "a: []\nb: {}\nc: null\nd: true\ne: 1.50\n",
    ],
)
def test_what_sops_writes_is_read_by_lines(body: str) -> None:
    content = (body + BLOCK).encode()
    by_lines = yaml_lines.parse(content)
    assert by_lines is not None
    assert tuple(by_lines.tree) == yaml.parse(content).tree


@pytest.mark.parametrize(
    "content",
    [
        "a: 1\n",
        "a: 1\nsops: {mac: x}\n",
        "sops:\n    mac: x\na: 1\n",
        "a: 1\nsops:\n    mac: x\n...\n",
        "a: 1\n---\nb: 1\nsops:\n    mac: x\n",
        "a: 1\nsops:\n" + 2000 * "            \n" + "x",
        "a:\n  x: 1\n y: 2\n" + BLOCK,
        "a:\n- x\n" + BLOCK,
        "a: 1\na: 2\n" + BLOCK,
        "a:\n" + BLOCK,
        "a: 1\r\n" + BLOCK,
        "# c\na: 1\n" + BLOCK,
        "\ufeffa: 1\n" + BLOCK,
    ],
)
def test_any_other_text_is_left_to_libyaml(content: str) -> None:
    assert yaml_lines.parse(content.encode()) is None


TEXT = b"""\
a: first
b:
    c: second
    list:
        - x
        - name: z
          port: 1
d_unencrypted: plain
"""


@pytest.fixture
def opened(now: datetime) -> OpenDocument:
    sealed = document.parse(sealing.seal(Plaintext(TEXT), [IDENTITY.recipient], now))
    assert isinstance(sealed.text, LineText)
    return document.open_document(sealed, document.open_data_key(sealed, [IDENTITY]))


def again(content: bytes, opened: OpenDocument) -> bytes:
    changed = document.open_document(document.parse(content), opened.data_key)
    return document.plain_text(changed).reveal()


def test_the_text_in_clear_comes_back(opened: OpenDocument) -> None:
    assert document.plain_text(opened).reveal() == TEXT


def test_values_of_several_lines_are_spelled_below_their_names(
    opened: OpenDocument, now: datetime
) -> None:
    value = Plaintext(b"one\ntwo\n")
    content = changing.set_value(opened, ("b", "list", 1, "name"), value, now)
    clear = again(content, opened)
    assert clear == TEXT.replace(b"name: z", b"name: |\n              one\n              two")
    assert again(changing.set_value(opened, ("b", "new"), value, now), opened) == TEXT.replace(
        b"port: 1\n", b"port: 1\n    new: |\n        one\n        two\n"
    )


def test_values_come_and_go(opened: OpenDocument, now: datetime) -> None:
    assert again(changing.remove_value(opened, ("a",), now), opened) == TEXT[9:]
    typed = changing.set_scalar(opened, ("a",), Scalar(LeafType.INT, b"5"), now)
    assert again(typed, opened) == TEXT.replace(b"first", b"5")
    with pytest.raises(RepositoryError):
        changing.set_value(opened, ("a", "below"), Plaintext(b"x"), now)


def test_a_document_without_values_is_an_empty_mapping(now: datetime) -> None:
    content = sealing.seal(Plaintext(b"a: 1\n"), [IDENTITY.recipient], now)
    sealed = document.parse(content)
    opened = document.open_document(sealed, document.open_data_key(sealed, [IDENTITY]))
    assert again(changing.remove_value(opened, ("a",), now), opened) == b"{}\n"


def test_the_metadata_alone_is_what_the_whole_document_has(opened: OpenDocument) -> None:
    content = opened.document.text.apply(())
    outline = document.parse_outline(content)
    assert isinstance(outline.text, LineText)
    assert outline.text.places is None
    assert outline.metadata == opened.document.metadata
    assert tuple(outline.text.tree) == tuple(opened.document.text.tree)


def test_a_merge_that_left_its_marks_is_refused_though_the_metadata_is_whole(
    opened: OpenDocument,
) -> None:
    content = b"<<<<<<< HEAD\n" + opened.document.text.apply(())
    with pytest.raises((RepositoryError, IntegrityError)):
        document.parse_outline(content)


@settings(max_examples=300)
@given(lines())
def test_whatever_the_lines_are_the_metadata_alone_agrees_with_the_whole(body: str) -> None:
    content = (body + BLOCK).encode()
    outline = yaml_lines.parse_outline(content)
    by_lines = yaml_lines.parse(content)
    if by_lines is not None:
        assert outline is not None
        assert outline.metadata == by_lines.metadata


def test_edits_that_overlap_or_come_out_of_order_are_refused(opened: OpenDocument) -> None:
    late, early = Edit(5, 6, "x"), Edit(1, 2, "y")
    with pytest.raises(ValueError, match="out of order"):
        opened.document.text.apply([late, early])
    with pytest.raises(ValueError, match="out of order"):
        opened.document.text.apply([late, late])
