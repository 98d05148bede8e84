"""Points of Curve25519 as ssh-ed25519 and X25519 write them, and those that protect nothing."""

from nixsecrets.errors import RepositoryError

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P  # of the twisted Edwards curve, RFC 8032 section 5.1
_LENGTH_BYTES = 32
_SIGN = 1 << 255

# The y of the eight points of small order; the four of order 8 have a root of d y^4 + 2 y^2 - 1.
_ORDER_8_Y = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER_Y = {0, 1, _P - 1, _ORDER_8_Y, _P - _ORDER_8_Y}


def montgomery_from_edwards(encoded: bytes) -> bytes:
    """Return the X25519 public value of an Ed25519 public value (RFC 7748 section 4.1).

    Raises:
        RepositoryError: it is not 32 bytes, not the canonical spelling of its point (RFC 8032
            section 5.1.3), not on the curve, or of small order. Of these ssh-to-age refuses only
            what does not lie on the curve.
    """
    if len(encoded) != _LENGTH_BYTES:
        raise RepositoryError(f"its point has {len(encoded)} bytes where 32 belong")
    y = int.from_bytes(encoded, "little") % _SIGN
    if y >= _P:
        raise RepositoryError("its point is not in canonical form")
    if not _is_square((y * y - 1) * (_D * y * y + 1)):
        raise RepositoryError("its point does not lie on the curve")
    if y in _SMALL_ORDER_Y:
        raise RepositoryError("its point has small order: anyone could open what is wrapped to it")
    return _montgomery_u(y).to_bytes(_LENGTH_BYTES, "little")


def is_small_order(montgomery: bytes) -> bool:
    """Say whether a 32-byte X25519 public value makes every shared secret zero (RFC 7748 6.1)."""
    return int.from_bytes(montgomery, "little") % _SIGN % _P in _SMALL_ORDER_U


def _is_square(number: int) -> bool:
    return pow(number, (_P - 1) // 2, _P) in (0, 1)


def _montgomery_u(y: int) -> int:
    return (1 + y) * pow(1 - y, -1, _P) % _P


_SMALL_ORDER_U = {_P - 1} | {_montgomery_u(y) for y in _SMALL_ORDER_Y - {1}}  # -1: on the twist
