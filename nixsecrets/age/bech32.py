"""Bech32 (BIP-173) without its limit of 90 characters, as age spells recipients and identities."""

from collections.abc import Iterable, Iterator
from functools import reduce

from nixsecrets.errors import RepositoryError

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6
_BYTE, _DIGIT = 8, 5  # bits


def encode(prefix: str, data: bytes) -> str:
    """Return `data` under a lower-case prefix."""
    digits = list(_regroup(data, _BYTE, _DIGIT))
    checksum = _polymod(_expand(prefix) + digits + [0] * _CHECKSUM_LENGTH) ^ 1
    digits += [checksum >> _DIGIT * place & 31 for place in reversed(range(_CHECKSUM_LENGTH))]
    return prefix + "1" + "".join(_ALPHABET[digit] for digit in digits)


def decode(text: str) -> tuple[str, bytes]:
    """Return the prefix, in lower case, and the data.

    Raises:
        RepositoryError: the text is not bech32. The message never quotes the text, which may be
            an identity.
    """
    prefix, digits = _split(text)
    if _polymod(_expand(prefix) + digits) != 1:
        raise RepositoryError("its checksum does not hold (a character is wrong or missing)")
    data_digits = digits[:-_CHECKSUM_LENGTH]
    data = bytes(_regroup(data_digits, _DIGIT, _BYTE))
    whole = len(data_digits) * _DIGIT // _BYTE
    if list(_regroup(data[:whole], _BYTE, _DIGIT)) != data_digits:
        raise RepositoryError("its last character holds bits that belong to nothing")
    return prefix, data[:whole]


def _split(text: str) -> tuple[str, list[int]]:
    if text not in (text.lower(), text.upper()):
        raise RepositoryError("it mixes upper and lower case")
    prefix, one, tail = text.lower().rpartition("1")
    if not one or not prefix or not all("!" <= sign <= "~" for sign in prefix):
        raise RepositoryError("it has no prefix")
    if any(sign not in _ALPHABET for sign in tail):
        raise RepositoryError("it holds a character that bech32 does not know")
    if len(tail) < _CHECKSUM_LENGTH:
        raise RepositoryError("it is too short to hold a checksum")
    return prefix, [_ALPHABET.index(sign) for sign in tail]


def _expand(prefix: str) -> list[int]:
    return [ord(sign) >> _DIGIT for sign in prefix] + [0] + [ord(sign) & 31 for sign in prefix]


def _polymod(digits: Iterable[int]) -> int:
    def step(checksum: int, digit: int) -> int:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << _DIGIT ^ digit
        for place, generator in enumerate(_GENERATORS):
            checksum ^= generator if top >> place & 1 else 0
        return checksum

    return reduce(step, digits, 1)


def _regroup(groups: Iterable[int], width: int, new_width: int) -> Iterator[int]:
    """Yield the same bits in groups of another width, the last one filled with zeros."""
    held = bits = 0
    for group in groups:
        held = held << width | group
        bits += width
        while bits >= new_width:
            bits -= new_width
            yield held >> bits
            held &= (1 << bits) - 1
    if bits:
        yield held << new_width - bits
