"""The canonical bytes of typed values: what is sealed and what the MAC is taken over.

Source: sops `sops.go` (`ToBytes`), `aes/cipher.go`; floats as Go's `FormatFloat(…, 'f', -1, 64)`.
"""

import re
from decimal import Decimal

from nixsecrets.errors import IntegrityError
from nixsecrets.sops.tree import LeafType

_INT = rb"[+-]?[0-9]+"
_FLOAT = rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_HEX_FLOAT = rb"[+-]?0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+"
_NOT_FINITE = rb"(?i)[+-]?(inf|infinity)|nan"
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_TRUE = frozenset((b"1", b"t", b"T", b"TRUE", b"true", b"True"))
_FALSE = frozenset((b"0", b"f", b"F", b"FALSE", b"false", b"False"))
_INT64 = range(-(2**63), 2**63)
_INT64_DIGITS = 19


def canonical(kind: LeafType, content: bytes) -> bytes:
    """Return the canonical bytes of an opened value.

    Raises:
        IntegrityError: `content` is no value of that type.
    """
    found = _READERS[kind](content)
    if found is None:
        raise IntegrityError(f"an opened value is no {kind.value}")
    return found


def float_bytes(number: float) -> bytes:
    """Return the shortest digits that read back as `number`, never with an exponent."""
    if number != number:  # noqa: PLR0124  # only NaN differs from itself
        return b"NaN"
    if number in (float("inf"), float("-inf")):
        return b"+Inf" if number > 0 else b"-Inf"
    text = format(Decimal(repr(number)), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.encode()


def canonical_time(text: str) -> str | None:
    """Return an RFC 3339 instant as Go's `RFC3339Nano` prints it, or None where it is none."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    date, clock = "-".join(match.group(1, 2, 3)), ":".join(match.group(4, 5, 6))
    fraction = (match[7] or "")[:9].rstrip("0")
    zone = "Z" if match[8] in ("Z", "+00:00", "-00:00") else match[8]
    return f"{date}T{clock}{'.' if fraction else ''}{fraction}{zone}"


def _int(content: bytes) -> bytes | None:
    if re.fullmatch(_INT, content) and len(content.lstrip(b"+-0")) <= _INT64_DIGITS:
        number = int(content)
        return b"%d" % number if number in _INT64 else None
    return None


def _float(content: bytes) -> bytes | None:
    if re.fullmatch(_NOT_FINITE, content):
        return float_bytes(float(content))
    number = float("inf")
    if re.fullmatch(_FLOAT, content):
        number = float(content)
    elif re.fullmatch(_HEX_FLOAT, content):
        number = _hexadecimal(content.decode())
    return None if abs(number) == float("inf") else float_bytes(number)


def _hexadecimal(text: str) -> float:
    try:
        return float.fromhex(text)
    except OverflowError:
        return float("inf")


def _bool(content: bytes) -> bytes | None:
    if content in _TRUE:
        return b"True"
    return b"False" if content in _FALSE else None


def _time(content: bytes) -> bytes | None:
    text = canonical_time(content.decode("ascii", "replace"))
    return text.encode() if text else None


def _as_it_is(content: bytes) -> bytes | None:
    return content


_READERS = {
    LeafType.STR: _as_it_is,
    LeafType.BYTES: _as_it_is,
    LeafType.INT: _int,
    LeafType.FLOAT: _float,
    LeafType.BOOL: _bool,
    LeafType.TIME: _time,
}
