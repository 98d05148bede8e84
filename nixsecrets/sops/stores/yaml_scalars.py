"""Which type a YAML scalar has: as go-yaml v3 finds it (`resolve.go`), which sops reads with."""

import re
from binascii import a2b_base64
from datetime import UTC, datetime
from re import Match

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.scalars import float_bytes
from nixsecrets.sops.tree import Empty, LeafType

Typed = tuple[LeafType | Empty, bytes]

_WORDS: tuple[tuple[str, LeafType | Empty, bytes], ...] = (
    ("~ null Null NULL", Empty.NULL, b""),
    ("true True TRUE", LeafType.BOOL, b"True"),
    ("false False FALSE", LeafType.BOOL, b"False"),
    (".nan .NaN .NAN", LeafType.FLOAT, b"NaN"),
    (".inf .Inf .INF +.inf +.Inf +.INF", LeafType.FLOAT, b"+Inf"),
    ("-.inf -.Inf -.INF", LeafType.FLOAT, b"-Inf"),
)
_CONSTANTS: dict[str, Typed] = {
    word: (kind, content) for words, kind, content in _WORDS for word in words.split()
} | {"": (Empty.NULL, b"")}
_TIMESTAMP = (
    r"(?a)(\d{4})-(\d\d?)-(\d\d?)"
    r"(?:(?:[Tt](\d\d?):(\d\d?):(\d\d?)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d))"
    r"|(?: +(\d\d?):(\d\d?):(\d\d?)(?:[.,](\d+))?))?"
)
_INTEGER = r"([+-]?)(?:(0[xX][0-9a-fA-F]+)|(0[bB][01]+)|(0[oO]?[0-7]+)|(0|[1-9][0-9]*))"
_FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
_POINT_FLOAT = r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+)?"
_INT64 = range(-(2**63), 2**63)
_UINT64 = range(2**63, 2**64)
_DECIMAL_DIGITS = 20  # of 2^64; longer ones are floats, and too long ones Python refuses to read
_TAGS = {
    "tag:yaml.org,2002:int": LeafType.INT,
    "tag:yaml.org,2002:float": LeafType.FLOAT,
    "tag:yaml.org,2002:bool": LeafType.BOOL,
    "tag:yaml.org,2002:null": Empty.NULL,
    "tag:yaml.org,2002:timestamp": LeafType.TIME,
}


def resolve(text: str, *, plain: bool, tag: str | None) -> Typed:
    """Return type and canonical bytes of a scalar as it stands in a document.

    Args:
        text: the scalar's text, unquoted.
        plain: it stands without quotes and is no block scalar.
        tag: an explicit tag in full (`tag:yaml.org,2002:str`), else None.

    Raises:
        RepositoryError: an integer that sops refuses (2^63 up to 2^64-1), or a tag that the
            text does not fit.
    """
    forced = _TAGS.get(tag or "")
    if forced is None:
        if plain and tag is None:
            return resolve_plain(text)
        return LeafType.STR, _bytes_of(text, tag)
    kind, content = resolve_plain(text)
    if forced is LeafType.FLOAT and kind is LeafType.INT:
        return LeafType.FLOAT, float_bytes(float(content))
    if kind is not forced:
        raise RepositoryError(f"a value tagged !!{forced.value} is none")
    return kind, content


def resolve_plain(text: str) -> Typed:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text.startswith(".") and re.fullmatch(_POINT_FLOAT, text):
        return LeafType.FLOAT, float_bytes(float(text.replace("_", "")))
    if text[0] in "0123456789+-":
        return _timestamp(text) or _number(text.replace("_", "")) or _string(text)
    return _string(text)


def _timestamp(text: str) -> Typed | None:
    match = re.fullmatch(_TIMESTAMP, text) if text[4:5] == "-" else None
    if match is None:
        return None
    year, month, day = (int(part) for part in match.group(1, 2, 3))
    hour, minute, second = (int(part) for part in _clock(match))
    zone = match[8] or "Z"
    try:
        datetime(2000 + year % 400, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    if zone != "Z" and (int(zone[1:3]) > 24 or int(zone[4:]) > 59):  # noqa: PLR2004  # Go's limits
        return None
    fraction = (match[7] or match[12] or "")[:9].rstrip("0")
    zone = "Z" if zone in ("+00:00", "-00:00") else zone
    instant = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    return LeafType.TIME, f"{instant}{'.' if fraction else ''}{fraction}{zone}".encode()


def _clock(match: Match[str]) -> tuple[str, str, str]:
    first = 4 if match[4] else 9
    return (match[first] or "0", match[first + 1] or "0", match[first + 2] or "0")


def _number(text: str) -> Typed | None:
    if text.count(".") > 1:  # a version, which every document has
        return None
    integer = _integer(text)
    if integer is not None and integer in _INT64:
        return LeafType.INT, b"%d" % integer
    if integer is not None and integer in _UINT64:
        raise RepositoryError(
            "an integer from 2^63 up to 2^64-1 does not fit the format",
            hint="quote it, so that it is a string",
        )
    if re.fullmatch(_FLOAT, text) and abs(number := float(text)) != float("inf"):
        return LeafType.FLOAT, float_bytes(number)
    return None


def _integer(text: str) -> int | None:
    match = re.fullmatch(_INTEGER, text)
    if match is None:
        return None
    sign, hexadecimal, binary, octal, decimal = match.groups()
    if decimal and len(decimal) > _DECIMAL_DIGITS:
        return None
    if hexadecimal:
        value = int(hexadecimal, 16)
    elif binary:
        value = int(binary, 2)
    else:
        value = int(octal.lstrip("0oO") or "0", 8) if octal else int(decimal)
    return -value if sign == "-" else value


def _string(text: str) -> Typed:
    return LeafType.STR, text.encode()


def _bytes_of(text: str, tag: str | None) -> bytes:
    if tag != "tag:yaml.org,2002:binary":
        return text.encode()
    try:
        return a2b_base64(text.replace("\r", "").replace("\n", ""), strict_mode=True)
    except ValueError:  # also of text outside of ASCII
        raise RepositoryError("a value tagged !!binary is no base64") from None
