import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from nixsecrets.age.curve25519 import is_small_order, montgomery_from_edwards
from nixsecrets.errors import RepositoryError

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P

# The encodings that libsodium (ge25519_has_small_order, x25519's blocklist) refuses.
SMALL_ORDER = {
    "order 1": "0100000000000000000000000000000000000000000000000000000000000000",
    "order 1, x = -0": "0100000000000000000000000000000000000000000000000000000000000080",
    "order 2": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "order 2, x = -0": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "order 4": "0000000000000000000000000000000000000000000000000000000000000000",
    "order 4, other x": "0000000000000000000000000000000000000000000000000000000000000080",
    "order 8, a": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order 8, a, other x": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "order 8, b": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "order 8, b, other x": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
}
NOT_CANONICAL = {
    "p": "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "p, sign": "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "p + 1": "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "p + 1, sign": "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "p + 18": "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "p + 18, sign": "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
}
SMALL_ORDER_U = {
    "0": "0000000000000000000000000000000000000000000000000000000000000000",
    "1": "0100000000000000000000000000000000000000000000000000000000000000",
    "order 8, a": "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "order 8, b": "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "p - 1": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "p": "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "p + 1": "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0, top bit": "0000000000000000000000000000000000000000000000000000000000000080",
    "p, top bit": "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
}


@pytest.mark.parametrize("encoded", SMALL_ORDER.values(), ids=SMALL_ORDER.keys())
def test_points_of_small_order_are_refused(encoded: str) -> None:
    with pytest.raises(RepositoryError, match="its point has small order"):
        montgomery_from_edwards(bytes.fromhex(encoded))


@pytest.mark.parametrize("encoded", NOT_CANONICAL.values(), ids=NOT_CANONICAL.keys())
def test_second_spellings_of_a_point_are_refused(encoded: str) -> None:
    with pytest.raises(RepositoryError, match="its point is not in canonical form"):
        montgomery_from_edwards(bytes.fromhex(encoded))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_points_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(RepositoryError, match=f"its point has {length} bytes where 32 belong"):
        montgomery_from_edwards(b"\x05" * length)


SMALL_Y = {int.from_bytes(bytes.fromhex(e), "little") % 2**255 for e in SMALL_ORDER.values()}


@given(st.integers(0, P - 1).filter(lambda y: y not in SMALL_Y))
def test_exactly_the_points_of_the_curve_are_taken(y: int) -> None:
    x_squared = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    root = pow(x_squared, (P + 3) // 8, P)
    on_curve = root * root % P in (x_squared, P - x_squared)  # p = 5 mod 8: RFC 8032, 5.1.3
    if on_curve:
        u = int.from_bytes(montgomery_from_edwards(y.to_bytes(32, "little")), "little")
        assert u * (1 - y) % P == (1 + y) % P
    else:
        with pytest.raises(RepositoryError, match="its point does not lie on the curve"):
            montgomery_from_edwards(y.to_bytes(32, "little"))


@pytest.mark.parametrize("montgomery", SMALL_ORDER_U.values(), ids=SMALL_ORDER_U.keys())
def test_values_that_make_every_secret_zero_have_small_order(montgomery: str) -> None:
    value = bytes.fromhex(montgomery)
    with pytest.raises(ValueError, match="Error computing shared key"):
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(value))
    assert is_small_order(value)


def test_other_values_do_not_have_small_order() -> None:
    assert not is_small_order(X25519PrivateKey.generate().public_key().public_bytes_raw())
