"""Binary files: any bytes, sealed and opened, in exchange with the real sops."""

from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.sops.stores import binary
from nixsecrets.sops.stores.binary import DATA
from nixsecrets.sops.stores.text import Scalar
from nixsecrets.sops.tree import Comment, Leaf, LeafType, Span
from tests.sops.real import RealSops
from tests.sops.stores_interop import Foreign, plain, seal, seal_scalar, stamp

SEALED = "ENC[AES256_GCM,data:QQ==,iv:QQ==,tag:QQ==,type:str]"
CONTENTS = {
    "all bytes": bytes(range(256)),
    "empty": b"",
    "64 KiB": bytes(range(256)) * 256,
    "one line": b"secret\n",
    "JSON": b'{"data": "x", "sops": {}}\n',
    "sealed look": SEALED.encode(),
    "quotes": b'"\\',
    "CRLF": b"a\r\n\r\n",
}
BOTH_WAYS = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="session")
def foreign(real_sops: RealSops) -> Foreign:
    return Foreign(real_sops, "binary")


def _check_both_ways(content: bytes, foreign: Foreign, now: datetime) -> None:
    identity = foreign.sops.identity
    ours = seal(binary.parse_plain(content), [foreign.sops.recipient], now)
    assert foreign.decrypt(ours) == content
    assert plain(binary.parse(ours), identity) == content
    theirs = foreign.encrypt(content)
    assert plain(binary.parse(theirs), identity) == content


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_a_file_goes_both_ways(content: bytes, foreign: Foreign, now: datetime) -> None:
    _check_both_ways(content, foreign, now)


@given(content=st.binary(max_size=300))
@BOTH_WAYS
def test_any_bytes_go_both_ways(content: bytes, foreign: Foreign, now: datetime) -> None:
    _check_both_ways(content, foreign, now)


@pytest.mark.parametrize("content", [b"", b"\xff"], ids=["empty", "not empty"])
def test_the_envelope_is_that_of_sops(content: bytes, foreign: Foreign, now: datetime) -> None:
    ours = binary.parse(seal(binary.parse_plain(content), [foreign.sops.recipient], now))
    theirs = binary.parse(foreign.encrypt(content))
    assert ours.metadata is not None
    assert theirs.metadata is not None
    assert (
        ours.metadata.keys() == theirs.metadata.keys() == {"age", "lastmodified", "mac", "version"}
    )
    own = theirs.envelope
    head = own.text[: theirs.leaf.span.start]
    assert ours.envelope.text.startswith(head)
    rewritten = ours.apply(ours.write_metadata(theirs.metadata)).decode()
    assert rewritten[ours.leaf.span.end :] == own.text[theirs.leaf.span.end :]


def test_another_content_in_an_existing_envelope_is_read_there(
    foreign: Foreign, now: datetime
) -> None:
    text = binary.parse(foreign.encrypt(b"\x00old"))
    new = seal_scalar(text, foreign.sops.identity, DATA, b"\xffnew")
    changed = binary.parse(text.apply([text.respell_leaf(text.leaf, new)]))
    assert foreign.decrypt(stamp(changed, foreign.sops.identity, now)) == b"\xffnew"


def test_a_rule_that_a_rotation_by_sops_added_stays(foreign: Foreign) -> None:
    text = binary.parse(foreign.edit(foreign.encrypt(b"x"), "rotate", "-i"))
    assert text.metadata is not None
    assert text.metadata["unencrypted_suffix"] == "_unencrypted"
    assert text.apply(text.write_metadata(text.metadata)) == text.apply([])
    assert plain(text, foreign.sops.identity) == b"x"


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"a": "x"}',
        '{"data": 1}',
        '{"data": null}',
        '{"data": {"a": "x"}}',
        f'{{"data": "{SEALED}", "a": 1}}',
    ],
)
def test_what_is_no_envelope_is_refused(text: str) -> None:
    with pytest.raises(RepositoryError, match="is no sealed binary file"):
        binary.parse(text.encode())


def test_content_in_clear_within_an_envelope_is_damage() -> None:
    with pytest.raises(IntegrityError, match="`data` is not sealed") as caught:
        binary.parse(b'{\n"data": "x", "sops": {"mac": "x"}}')
    assert caught.value.line == 2


def test_a_cut_off_envelope_is_damaged_and_other_bytes_are_no_document() -> None:
    with pytest.raises(IntegrityError):
        binary.parse(f'{{"data": "{SEALED}", "so'.encode())
    with pytest.raises(RepositoryError):
        binary.parse(b"\x00\xff")


def test_a_file_to_be_sealed_is_one_value() -> None:
    text = binary.parse_plain(b"\xff")
    assert [
        (leaf.path, leaf.kind, leaf.content) for leaf in text.tree if isinstance(leaf, Leaf)
    ] == [(("data",), LeafType.STR, b"\xff")]
    assert (text.metadata, text.reserved, text.documents) == (None, False, 1)
    assert text.seated([]) is text


def test_nothing_else_has_a_place() -> None:
    text = binary.parse(f'{{"data": "{SEALED}", "sops": {{}}}}'.encode())
    comment = Comment((), (), "x", Span(0, 0), 0, 1)
    for refuse in (
        lambda: text.insert_leaf(("a",), Scalar(LeafType.STR, b"x")),
        lambda: text.remove_leaf(DATA),
        lambda: text.clear_comments([(comment, "x")]),
    ):
        with pytest.raises(RepositoryError):
            refuse()
