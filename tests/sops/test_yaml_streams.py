"""Streams of several documents: one data key, one MAC, the metadata in every document."""

from collections.abc import Sequence
from datetime import datetime

import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import changing, document, sealing
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.stores import yaml
from nixsecrets.sops.stores.yaml_edit import apply
from nixsecrets.sops.stores.yaml_metadata import cut_metadata, write_metadata
from nixsecrets.sops.stores.yaml_seating import seat_comments
from nixsecrets.sops.tree import Comment, Leaf, leaves
from tests.sops.real import RealSops

Value = tuple[int, tuple[str | int, ...], str, bytes]

FIELDS = {"lastmodified": "2024-05-06T07:08:09Z", "version": "3.13.3"}
BLOCK = 'sops:\n    lastmodified: "2024-05-06T07:08:09Z"\n    version: 3.13.3\n'

STREAMS = [
    pytest.param("a: 1\n---\nb: 2\n", id="two"),
    pytest.param("a: 1\n---\n---\nb: 2\n", id="an empty one between"),
    pytest.param("{}\n---\na: 1\n", id="an empty one first"),
    pytest.param("a: 1\n---\n", id="an empty one last"),
    pytest.param("---\n---\n", id="empty ones only"),
    pytest.param("~\n---\nnull\n---\na: 1", id="nulls"),
    pytest.param("a: 1\n...\n---\nb: 1\n...\n", id="end marks"),
    pytest.param("{a: 1}\n---\n{b: [1, x]}\n", id="braces"),
    pytest.param("a: 1\r\n---\r\nb: |\r\n  x\r\n  y\r\n", id="CRLF"),
    pytest.param("a: 1\n---\n  b: 1\n  c: x\n", id="indented"),
    pytest.param("a: |+\n  x\n\n---\nb: |\n  y\n", id="block scalars"),
    pytest.param("a: x\n---\na: y\n---\na: z", id="the same mapping key in each"),
    pytest.param("# t\na: 1 # i\n# e\n---\n# t2\nb: 2\n# e2\n", id="comments"),
    pytest.param("---\n# only\n---\n# x\n{}\n# y\n---\na: 1\n", id="comments in empty ones"),
    pytest.param("--- # m\na: 1\n... # end\n--- # n\nb: 1\n", id="comments at marks"),
    pytest.param("a: 1\n...\n# between\n---\nb: 1\n", id="a comment between"),
    pytest.param("a:\n- 1\n# c\n---\n# d\nb:\n- 1\n# e\n", id="comments below lists"),
    pytest.param("{a: 1, # q\n b: 2} # w\n---\n{c: [1, # s\n 2]} # u\n", id="comments in braces"),
    pytest.param("a_unencrypted: x\n---\nb_unencrypted: 1\nc: x\n", id="in clear"),
]


@pytest.mark.parametrize("text", STREAMS)
def test_sops_and_we_open_a_stream_that_we_sealed(
    text: str, real_sops: RealSops, now: datetime
) -> None:
    content = text.encode()
    sealed = sealing.seal(Plaintext(content), [real_sops.recipient], now)
    assert [metadata is not None for metadata in _blocks(sealed)] == [True] * _count(content)
    shown, own = real_sops.decrypt(sealed), document.plain_text(_open(sealed, real_sops)).reveal()
    assert (_values(shown), _comments(shown)) == (_values(content), _comments(content))
    assert (_values(own), _comments(own)) == (_values(content), _comments(content))
    assert _count(own) == _count(content)


@pytest.mark.parametrize("text", [one for one in STREAMS if one.id != "comments in braces"])
def test_a_stream_that_sops_sealed_opens_and_gets_a_new_data_key(
    text: str, real_sops: RealSops, now: datetime
) -> None:
    expected = _values(text.encode())
    opened = _open(real_sops.encrypt(text.encode()), real_sops)
    assert _values(document.plain_text(opened).reveal()) == expected
    renewed = sealing.new_data_key(opened, [real_sops.recipient], now)
    assert _values(real_sops.decrypt(renewed)) == expected


def test_a_value_is_set_in_the_first_document(real_sops: RealSops, now: datetime) -> None:
    sealed = sealing.seal(Plaintext(b"a: 1\n---\na: 2\n"), [real_sops.recipient], now)
    changed = changing.set_value(_open(sealed, real_sops), ("a",), Plaintext(b"x"), now)
    assert real_sops.decrypt(changed) == b"a: x\n---\na: 2\n"


def test_a_document_without_metadata_gets_it_when_recipients_change(
    real_sops: RealSops, now: datetime
) -> None:
    sealed = sealing.seal(Plaintext(b"a: 1\n---\nb: 2\n"), [real_sops.recipient], now)
    cut = sealed[: sealed.rindex(b"sops:")]
    opened = _open(cut, real_sops)
    rewrapped = sealing.rewrap(opened.document, opened.data_key, [real_sops.recipient])
    assert [metadata is not None for metadata in _blocks(rewrapped)] == [True, True]
    assert real_sops.decrypt(rewrapped) == b"a: 1\n---\nb: 2\n"


def test_a_mapping_key_twice_in_a_later_document_that_sops_sealed_stays(
    real_sops: RealSops, now: datetime
) -> None:
    text = b"a: 1\n---\nb: x\nb:\n    c: 1\nb:\n    c: z\n"
    opened = _open(real_sops.encrypt(text), real_sops)
    assert [one.value.reveal() for one in opened.items if one.value] == [b"1", b"x", b"1", b"z"]
    assert document.plain_text(opened).reveal() == text
    renewed = sealing.new_data_key(opened, [real_sops.recipient], now)
    assert real_sops.decrypt(renewed) == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2\n", "the mapping key 'a' stands here twice"),
        ("a: 1\n---\nb: 1\nb: 2\n", "the mapping key 'b' stands here twice"),
        ("a: 1\n---\nsops: 1\n", "has a top-level `sops` already"),
        ("a: 1\n---\n- 1\n", "a list at top level is no document of secrets"),
        ("a: 1\n---\nx\n", "a scalar at top level is no document of secrets"),
        ("a: 1\n---\nd: {<<: 5}\n", "a merge key '<<' takes a mapping or a list of mappings"),
    ],
    ids=repr,
)
def test_what_cannot_be_sealed_is_refused_in_every_document(
    text: str, problem: str, real_sops: RealSops, now: datetime
) -> None:
    with pytest.raises(RepositoryError) as caught:
        sealing.seal(Plaintext(text.encode()), [real_sops.recipient], now)
    assert caught.value.problem.startswith(problem)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("a: 1\n---\nb: 1\n", f"a: 1\n{BLOCK}---\nb: 1\n{BLOCK}", id="two"),
        pytest.param("---\n---\nb: 1", f"---\n{BLOCK}---\nb: 1\n{BLOCK}", id="an empty one"),
        pytest.param("{}\n---\n~\n", f"{BLOCK}---\n{BLOCK}", id="braces and null"),
        pytest.param(
            "a: 1\n# c\n...\n# d\n---\nb: 1\n",
            f"a: 1\n# c\n{BLOCK}...\n# d\n---\nb: 1\n{BLOCK}",
            id="end mark",
        ),
        pytest.param(f"a: 1\n{BLOCK}---\nb: 1\n", f"a: 1\n{BLOCK}---\nb: 1\n{BLOCK}", id="one has"),
    ],
)
def test_every_document_gets_its_metadata_last(before: str, after: str) -> None:
    parsed = yaml.parse(before.encode())
    assert apply(parsed, write_metadata(parsed, FIELDS)).decode() == after


def test_no_document_is_lost_with_its_metadata() -> None:
    parsed = yaml.parse(f"{BLOCK}---\n{BLOCK}---\na: 1\n{BLOCK}".encode())
    assert apply(parsed, cut_metadata(parsed)) == b"{}\n---\n{}\n---\na: 1\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "a:\n  b: 1\n  # c\n---\nd: 1\n", "a:\n  b: 1\n# c\n---\nd: 1\n", id="end of the first"
        ),
        pytest.param(
            "a: 1\n---\n   # c\n  # d\n  e: 1\n",
            "a: 1\n---\n  # c\n  # d\n  e: 1\n",
            id="top of the second",
        ),
        pytest.param("a: 1\n--- # c\nb: 1\n", "a: 1\n---\n# c\nb: 1\n", id="behind the mark"),
        pytest.param(
            "a: 1\n... # c\n---\nb: 1\n", "a: 1\n...\n---\n# c\nb: 1\n", id="behind an end mark"
        ),
        pytest.param("a:\n- 1\n# c\n---\nb: 1\n", "a:\n- 1\n\n# c\n---\nb: 1\n", id="below a list"),
        pytest.param(
            "a: 1\n---\n{b: 1} # c\n", "a: 1\n---\n# c\n{b: 1}\n", id="behind a document in braces"
        ),
    ],
)
def test_a_comment_gets_its_seat_in_its_own_document(before: str, after: str) -> None:
    parsed = yaml.parse(before.encode())
    comments = [item for item in parsed.tree if isinstance(item, Comment)]
    seated = apply(parsed, seat_comments(parsed, comments))
    assert seated.decode() == after
    again = yaml.parse(seated)
    comments = [item for item in again.tree if isinstance(item, Comment)]
    assert list(seat_comments(again, comments)) == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_text_in_utf_16_is_sealed_as_utf_8(
    encoding: str, real_sops: RealSops, now: datetime
) -> None:
    text = "a: é\U0001f600 # ç\nb: |\n  x\n"
    content = f"\ufeff{text}".encode(encoding)
    sealed = sealing.seal(Plaintext(content), [real_sops.recipient], now)
    assert _values(document.plain_text(_open(sealed, real_sops)).reveal()) == _values(content)
    assert _values(real_sops.decrypt(sealed)) == _values(content)
    assert _values(real_sops.decrypt(real_sops.encrypt(content))) == _values(content)


def test_a_sealed_document_in_utf_16_opens(real_sops: RealSops) -> None:
    sealed = real_sops.encrypt(b"a: x\n").decode()
    opened = _open(f"\ufeff{sealed}".encode("utf-16-le"), real_sops)
    assert document.plain_text(opened).reveal() == b"a: x\n"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        pytest.param(b"\xff\xfe" + "a: 1\nb".encode("utf-16-le") + b"\x00", 2, id="half a unit"),
        pytest.param(b"\xfe\xff\xd8\x00\x00a", 1, id="half a pair"),
    ],
)
def test_what_is_no_utf_16_is_refused(content: bytes, line: int) -> None:
    with pytest.raises(RepositoryError, match="is not UTF-16 text") as caught:
        yaml.parse(content)
    assert caught.value.line == line


def _open(sealed: bytes, real_sops: RealSops) -> OpenDocument:
    parsed = document.parse(sealed)
    data_key = document.open_data_key(parsed, [real_sops.identity])
    return document.open_document(parsed, data_key)


def _count(content: bytes) -> int:
    return yaml.parse(content).documents


def _blocks(content: bytes) -> Sequence[object]:
    parsed = yaml.parse(content)
    return [parsed.places.get((number, ("sops",))) for number in range(parsed.documents)]


def _values(content: bytes) -> list[Value]:
    return [
        (leaf.document, leaf.path, leaf.kind.value, leaf.content)
        for leaf in leaves(yaml.parse(content).tree)
    ]


def _comments(content: bytes) -> list[str]:
    """Return the comments in any order: sops moves those behind a value above it."""
    tree = yaml.parse(content).tree
    return sorted(item.text.strip() for item in tree if not isinstance(item, Leaf))
