import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import shamir


@given(
    secret=st.binary(min_size=1, max_size=40),
    numbers=st.integers(2, 7).flatmap(lambda n: st.tuples(st.just(n), st.integers(2, n))),
)
def test_any_threshold_of_shares_gives_the_data_key_back(
    secret: bytes, numbers: tuple[int, int]
) -> None:
    shares, threshold = numbers
    parts = shamir.split(Plaintext(secret), shares, threshold)
    for some in itertools.combinations(parts[::-1], threshold):
        assert shamir.combine(some) == Plaintext(secret)
    assert shamir.combine(parts) == Plaintext(secret)


def test_a_share_is_the_polynomials_values_and_then_its_place() -> None:
    # Over GF(2^8) with 0x11B: 0x05 + 0x53·x has 0x56 at 1, 0xA3 at 2 and 0xF0 at 3.
    parts = shamir._split(Plaintext(b"\x05"), 3, b"\x53")
    assert [part.reveal() for part in parts] == [b"\x56\x01", b"\xa3\x02", b"\xf0\x03"]


def test_the_field_is_that_of_aes() -> None:
    # FIPS 197 section 4.2: {57} · {83} = {c1}
    assert shamir._multiply(0x57, 0x83) == 0xC1
    assert shamir._divide(0xC1, 0x83) == 0x57


@pytest.mark.parametrize(("shares", "threshold"), [(1, 1), (3, 1), (2, 3), (256, 2), (0, 0)])
def test_numbers_that_make_no_split_are_refused(shares: int, threshold: int) -> None:
    with pytest.raises(RepositoryError, match="impossible"):
        shamir.split(Plaintext(bytes(32)), shares, threshold)


@pytest.mark.parametrize(
    "shares",
    [
        pytest.param((b"ab\x01", b"cd\x01"), id="one place twice"),
        pytest.param((b"ab\x01", b"c\x02"), id="other lengths"),
        pytest.param((b"a", b"b"), id="no value"),
        pytest.param((b"", b""), id="nothing"),
        pytest.param((), id="none at all"),
        pytest.param((b"ab\x00", b"cd\x01"), id="the place of the data key itself"),
    ],
)
def test_shares_that_do_not_fit_together_are_refused(shares: tuple[bytes, ...]) -> None:
    with pytest.raises(IntegrityError):
        shamir.combine([Plaintext(share) for share in shares])
