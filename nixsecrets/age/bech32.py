"""Bech32 (BIP-173) without its limit of 90 characters, as age spells recipients and identities."""

from base64 import b32decode, b32encode
from collections.abc import Iterable
from functools import reduce
from operator import xor

from nixsecrets.errors import RepositoryError

_ALPHABET = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BASE32 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # RFC 4648 section 6
_DIGITS = bytes(range(len(_ALPHABET)))
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6
_BITS = 5  # of a digit


def _carried(top: int) -> int:
    chosen = (generator for place, generator in enumerate(_GENERATORS) if top >> place & 1)
    return reduce(xor, chosen, 0)


_CARRIED = tuple(map(_carried, _DIGITS))  # at once: a post-quantum recipient is 2,000 digits long


def encode(prefix: str, data: bytes) -> str:
    """Return `data` under a lower-case prefix."""
    digits = _digits(data)
    checksum = _polymod(_expand(prefix) + digits + bytes(_CHECKSUM_LENGTH)) ^ 1
    digits += bytes(checksum >> _BITS * place & 31 for place in reversed(range(_CHECKSUM_LENGTH)))
    return f"{prefix}1{digits.translate(bytes.maketrans(_DIGITS, _ALPHABET)).decode()}"


def decode(text: str) -> tuple[str, bytes]:
    """Return the prefix, in lower case, and the data.

    Raises:
        RepositoryError: the text is not bech32. The message never quotes the text, which may be
            an identity.
    """
    prefix, digits = _split(text)
    if _polymod(_expand(prefix) + digits) != 1:
        raise RepositoryError("its checksum does not hold (a character is wrong or missing)")
    return prefix, _data(digits[:-_CHECKSUM_LENGTH])


def _split(text: str) -> tuple[str, bytes]:
    if text not in (text.lower(), text.upper()):
        raise RepositoryError("it mixes upper and lower case")
    prefix, one, tail = text.lower().rpartition("1")
    if not one or not prefix or not all("!" <= sign <= "~" for sign in prefix):
        raise RepositoryError("it has no prefix")
    if not set(_ALPHABET) >= set(tail.encode()):
        raise RepositoryError("it holds a character that bech32 does not know")
    if len(tail) < _CHECKSUM_LENGTH:
        raise RepositoryError("it is too short to hold a checksum")
    return prefix, tail.encode().translate(bytes.maketrans(_ALPHABET, _DIGITS))


def _expand(prefix: str) -> bytes:
    signs = prefix.encode()
    return bytes(sign >> _BITS for sign in signs) + b"\0" + bytes(sign & 31 for sign in signs)


def _polymod(digits: Iterable[int]) -> int:
    checksum = 1
    for digit in digits:
        checksum = (checksum & 0x1FFFFFF) << _BITS ^ digit ^ _CARRIED[checksum >> 25]
    return checksum


def _digits(data: bytes) -> bytes:
    return b32encode(data).rstrip(b"=").translate(bytes.maketrans(_BASE32, _DIGITS))


def _data(digits: bytes) -> bytes:
    spelled = digits.translate(bytes.maketrans(_DIGITS, _BASE32))
    try:
        data = b32decode(spelled + b"=" * (-len(spelled) % 8))
    except ValueError:
        data = b""
    if _digits(data) != digits:
        raise RepositoryError("its last character holds bits that belong to nothing")
    return data
