"""dotenv documents: text to leaves, comments and metadata; edits; both directions with sops."""

from datetime import datetime

import pytest
from hypothesis import given, settings

from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.sops.stores import dotenv
from nixsecrets.sops.stores.text import Scalar
from nixsecrets.sops.tree import Comment, Leaf, LeafType
from tests.sops.dotenv_documents import documents, leaves_of
from tests.sops.flat_interop import open_text, plain, restamped, seal, sealed_scalar
from tests.sops.real import RealSops

_FROM = ("--input-type", "dotenv")
_TO = ("--output-type", "dotenv")
_interop = settings(max_examples=120)


@given(document=documents())
@_interop
def test_sops_opens_what_is_sealed_here(
    real_sops: RealSops, now: datetime, document: bytes
) -> None:
    sealed = seal(dotenv.parse(document), [real_sops.recipient], now)
    assert real_sops.decrypt(sealed, *_FROM, *_TO) == _as_sops_writes(document)


@given(document=documents())
@_interop
def test_what_sops_seals_is_opened_here(real_sops: RealSops, document: bytes) -> None:
    sealed = real_sops.encrypt(document, *_FROM, *_TO)
    opened = open_text(dotenv.parse(sealed), real_sops.identity)
    assert opened.leaves == leaves_of(document)
    assert plain(opened) == _as_sops_writes(document)


@given(document=documents())
def test_sealing_and_opening_keeps_every_byte(
    real_sops: RealSops, now: datetime, document: bytes
) -> None:
    sealed = seal(dotenv.parse(document), [real_sops.recipient], now)
    opened = open_text(dotenv.parse(sealed), real_sops.identity)
    end = b"" if document.endswith(b"\n") else b"\n"
    assert plain(opened) == document + end


def test_a_text_is_read_line_by_line() -> None:
    parsed = dotenv.parse(b'A=1\n\n# x\n B ="q" # y\n=\nA=a\\nb\\\\n\nC=\r')
    assert [
        (item.path, item.content, item.line) for item in parsed.tree if isinstance(item, Leaf)
    ] == [
        (("A",), b"1", 1),
        ((" B ",), b'"q" # y', 4),
        (("",), b"", 5),
        (("A",), b"a\nb\\\n", 6),
        (("C",), b"\r", 7),
    ]
    comments = [item for item in parsed.tree if isinstance(item, Comment)]
    assert [(one.container, one.text, one.line) for one in comments] == [((), " x", 3)]
    assert (parsed.metadata, parsed.reserved, parsed.documents) == (None, False, 1)
    assert parsed.apply([]) == parsed.text.encode()


@pytest.mark.parametrize("text", ["A=1\n\r\n", "A=1\nB\n", "A=1\n #x\n"], ids=repr)
def test_a_line_without_a_value_is_refused(text: str) -> None:
    with pytest.raises(RepositoryError, match="a line of a dotenv document has no `=`") as caught:
        dotenv.parse(text.encode())
    assert caught.value.line == 2


def test_conflict_marks_in_a_sealed_text_are_damage() -> None:
    with pytest.raises(IntegrityError) as caught:
        dotenv.parse(b"A=ENC[AES256_GCM,data:x]\n<<<<<<< HEAD\n")
    assert caught.value.line == 2


def test_metadata_may_stand_anywhere() -> None:
    parsed = dotenv.parse(
        b"sops_age__list_0__map_enc=a\\nb\\n\nA=1\nsops_x=\nsops=2\nSOPS_y=3\n"
        b"sops_age__list_0__map_recipient=r\n"
    )
    assert parsed.metadata == {"age": ({"enc": "a\nb\n", "recipient": "r"},), "x": ""}
    assert [item.path for item in parsed.tree if isinstance(item, Leaf)] == [
        ("A",),
        ("sops",),
        ("SOPS_y",),
    ]
    assert parsed.reserved


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("sops_mac=x\r\n", "its lines end as on Windows", 1),
        ("sops_mac=x\nsops_mac=y\n", "`mac` stands in the metadata twice", 2),
        ("sops_age__list_1=x\n", "an item of `age` is missing", None),
    ],
    ids=["windows", "twice", "gap"],
)
def test_metadata_that_sops_cannot_read_is_refused(
    text: str, problem: str, line: int | None
) -> None:
    with pytest.raises(RepositoryError, match=problem) as caught:
        dotenv.parse(text.encode())
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", "N=x\\ny\n"),
        ("A=1", "A=1\nN=x\\ny\n"),
        ("A=1\n# c\n\n", "A=1\n# c\nN=x\\ny\n\n"),
        ("A=1\n\nsops_mac=m\n", "A=1\nN=x\\ny\n\nsops_mac=m\n"),
        ("sops_mac=m\n", "N=x\\ny\nsops_mac=m\n"),
    ],
    ids=repr,
)
def test_a_new_line_stands_behind_the_last_one(text: str, after: str) -> None:
    parsed = dotenv.parse(text.encode())
    edit = parsed.insert_leaf(("N",), Scalar(LeafType.STR, b"x\ny"))
    assert parsed.apply([edit]) == after.encode()


@pytest.mark.parametrize(
    "path", [("a=b",), ("#a",), ("a\nb",), ("sops_x",), ("a", "b"), (0,), ()], ids=repr
)
def test_a_place_that_does_not_read_back_is_refused(path: tuple[str | int, ...]) -> None:
    with pytest.raises(RepositoryError):
        dotenv.parse(b"A=1\n").insert_leaf(path, Scalar(LeafType.STR, b"x"))


def test_a_value_that_has_no_spelling_is_refused() -> None:
    parsed = dotenv.parse(b"A=1\n")
    (leaf,) = (item for item in parsed.tree if isinstance(item, Leaf))
    with pytest.raises(RepositoryError, match="a backslash before an `n`"):
        parsed.respell_leaf(leaf, Scalar(LeafType.STR, b"C:\\new"))


def test_a_line_is_removed_whole() -> None:
    parsed = dotenv.parse(b"A=1\n# of B\nB=2\nC=3\nC=4\n")
    assert parsed.apply([parsed.remove_leaf(("B",))]) == b"A=1\n# of B\nC=3\nC=4\n"
    with pytest.raises(RepositoryError, match="X is not in the document"):
        parsed.remove_leaf(("X",))
    with pytest.raises(RepositoryError, match="C stands in the document twice"):
        parsed.remove_leaf(("C",))


def test_only_metadata_that_changes_is_written() -> None:
    parsed = dotenv.parse(
        b"sops_version=3.9.0\nA=1\nsops_kms=old\nsops_age__list_0__map_recipient=r\n"
        b"sops_age__list_0__map_enc=e\\n\nsops_mac=m"
    )
    stanzas = ({"recipient": "r", "enc": "e\n"}, {"recipient": "s", "enc": "f"})
    fields = {"age": stanzas, "mac": "n", "version": "3.9.0", "zz": True}
    assert parsed.apply(parsed.write_metadata(fields)) == (
        b"sops_version=3.9.0\nsops_zz=true\nA=1\nsops_age__list_0__map_recipient=r\n"
        b"sops_age__list_1__map_enc=f\nsops_age__list_1__map_recipient=s\n"
        b"sops_age__list_0__map_enc=e\\n\nsops_mac=n"
    )
    assert parsed.apply(parsed.stamp_metadata({"mac": "n", "none": "x"})) == (
        parsed.text.removesuffix("m").encode() + b"n"
    )


def test_setting_one_value_changes_its_line_and_the_stamps(
    real_sops: RealSops, now: datetime
) -> None:
    document = b"A=1\n# note\nB=2\n"
    parsed = dotenv.parse(real_sops.encrypt(document, *_FROM, *_TO))
    opened = open_text(parsed, real_sops.identity)
    (leaf,) = (item for item in parsed.tree if isinstance(item, Leaf) and item.path == ("B",))
    edit = parsed.respell_leaf(leaf, sealed_scalar(opened, ("B",), b"new\nvalue"))
    changed = restamped(opened, dotenv.parse(parsed.apply([edit])), now)

    assert real_sops.decrypt(changed, *_FROM, *_TO) == b"A=1\n# note\nB=new\\nvalue\n"
    before, after = parsed.text.split("\n"), changed.decode().split("\n")
    differing = [
        new.partition("=")[0] for old, new in zip(before, after, strict=True) if old != new
    ]
    assert differing == ["B", "sops_lastmodified", "sops_mac"]


def test_a_document_that_sops_changed_is_opened(real_sops: RealSops, now: datetime) -> None:
    sealed = seal(dotenv.parse(b"A=1\nB=2\n"), [real_sops.recipient], now)
    changed = real_sops.edit(sealed, "set", *_FROM, *_TO, "document.yaml", '["A"]', '"3"')
    assert plain(open_text(dotenv.parse(changed), real_sops.identity)) == b"A=3\nB=2\n"


def test_values_of_other_types_are_opened_as_text(real_sops: RealSops) -> None:
    text = b"a: 1\nb: 1.0\nc: 1e21\nd: true\ne: 2024-05-06\nf: 1234567.5\ng: x\n"
    sealed = real_sops.encrypt(text, "--output-type", "dotenv")
    expected = real_sops.decrypt(sealed, *_FROM, *_TO)
    assert plain(open_text(dotenv.parse(sealed), real_sops.identity)) == expected


def _as_sops_writes(document: bytes) -> bytes:
    return b"".join(line + b"\n" for line in document.split(b"\n") if line)
