"""Generated YAML scalars: every type and style, spelled without help of the code under test."""

import re
import struct
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from hypothesis import strategies as st


@dataclass(frozen=True)
class Spelled:
    """A scalar or a mapping key as it stands in a text, and what it means.

    Args:
        text: the string it holds; of other types nothing.
        spelled: the first line; in a block scalar's header `%` is the place of its indentation.
        kind: type as sops names it, or `null`.
        content: canonical bytes.
        lines: further lines, to be indented.
        block: it is a block scalar.
        keeps: the blank lines behind it belong to it.
        indicator: its header names the indentation.
        explicit: a mapping key behind `?`.
    """

    text: str
    spelled: str
    kind: str = "str"
    content: bytes = b""
    lines: tuple[str, ...] = ()
    block: bool = False
    keeps: bool = False
    indicator: bool = False
    explicit: bool = False


TYPED: tuple[tuple[str, str, bytes], ...] = (
    ("", "null", b""),
    ("~", "null", b""),
    ("null", "null", b""),
    ("true", "bool", b"True"),
    ("False", "bool", b"False"),
    ("0", "int", b"0"),
    ("-0", "int", b"0"),
    ("+12", "int", b"12"),
    ("017", "int", b"15"),
    ("0o17", "int", b"15"),
    ("0x1F", "int", b"31"),
    ("-0x1F", "int", b"-31"),
    ("0b101", "int", b"5"),
    ("1_000", "int", b"1000"),
    ("9223372036854775807", "int", b"9223372036854775807"),
    ("-9223372036854775808", "int", b"-9223372036854775808"),
    ("18446744073709551616", "float", b"18446744073709552000"),
    ("089", "float", b"89"),
    ("1.0", "float", b"1"),
    ("-0.0", "float", b"-0"),
    (".5", "float", b"0.5"),
    ("1e3", "float", b"1000"),
    ("1e21", "float", b"1000000000000000000000"),
    ("1E-7", "float", b"0.0000001"),
    ("5e-324", "float", format(Decimal("5e-324"), "f").encode()),
    ("1_0.5", "float", b"10.5"),
    (".inf", "float", b"+Inf"),
    ("-.INF", "float", b"-Inf"),
    (".NaN", "float", b"NaN"),
    ("2024-05-06", "time", b"2024-05-06T00:00:00Z"),
    ("2024-5-6 7:08:09", "time", b"2024-05-06T07:08:09Z"),
    ("2024-05-06T07:08:09.120+02:00", "time", b"2024-05-06T07:08:09.12+02:00"),
    ("2024-05-06t07:08:09.123456789123Z", "time", b"2024-05-06T07:08:09.123456789Z"),
    ("!!str 1", "str", b"1"),
    ("!!str", "str", b""),
    ("!!int '7'", "int", b"7"),
    ("!!float 1", "float", b"1"),
    ("!!binary aGVsbG8=", "str", b"hello"),
    ("!!binary /wA=", "str", b"\xff\x00"),
    ("!local 5", "str", b"5"),
    *(
        (word, "str", word.encode())
        for word in (
            "yes", "No", "on", "y", "N", "nULL", ".Nan", "1:30", "12:30:45", "=", "<<",
            "0o8", "1_000x", "1e400", "2024-13-01", "2024-05-06T07:08:09", "1.2.3", "0x",
            "--", "-x", ":x", "?x", "a#b", "a:b", "~a", "tab\tinside", "ENC[AES256_GCM]",
        )
    ),
)  # fmt: skip
_FLOW_BREAKING = re.compile(r"[\[\]{},]|^$|^[-?:|>]|^!!str$")
ODD_TEXTS = (
    "", " ", "\t", "\n", "\n\n", "\r", "\r\n", "a\rb", " lead", "trail ", "\ttab", "\ttab\nx",
    "two\nlines", "two\nlines\n", "more\n\n\n", "\nlead", "\n\n lead", "  two\n lines", "a\n\tb",
    "a\n  b\nc", "a \nb", "a\n \nb", "a\n   ", "#no comment", "a #b", "a: b", "- a", "? a", "'",
    '"', "it's", "\\", "\\n", "%x", "@x", "`x", "!x", "&x", "*x", "|", ">", "{}", "[]", "{a",
    "null", "~", "true", "1", "1.5", "2024-05-06", "yes", "---", "...", "---\nx",
    "x\n---\ny\n...\n",
    "\x00", "\x01\x1b", "\x7f", "\x85", "a\x85b", "\xa0", "\u2028", "x\u2029y\n", "\ufeff",
    "a\ufeffb", "\ufffd", "\U0001f600", "\U0001f600\nü\n", "日本語", "é\ne\u0301", "<<", "=",
    "ENC[]", "ENC[AES256_GCM,data:QQ==,iv:QQ==,tag:QQ==,type:str]",
    "ENC[AES256_GCM,data:QQ==,iv:QQ==,tag:QQ==,type:comment]", "x" * 200, "word " * 40 + "end",
)  # fmt: skip
_PRINTABLE_LINE = re.compile(
    r"[\t\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*"
)
_LINE_BREAKS = re.compile("[\u2028\u2029]")


def double_quoted(text: str, *, escape_all: bool = False) -> str:
    return '"' + "".join(_escaped(one, escape_all=escape_all) for one in text) + '"'


def _escaped(character: str, *, escape_all: bool) -> str:
    number = ord(character)
    if character in '"\\':
        return "\\" + character
    if 0x20 <= number < 0x7F or (number > 0xFF and character.isprintable() and not escape_all):
        return character
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0", "\x85": "\\N", "\u2028": "\\L"}
    if character in named and not escape_all:
        return named[character]
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def canonical_float(number: float) -> bytes:
    text = format(Decimal(repr(number)), "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text).encode()


def _quoted(text: str, *, escape_all: bool = False) -> Spelled:
    return Spelled(text, double_quoted(text, escape_all=escape_all), "str", text.encode())


def _literal(text: str, *, with_indicator: bool) -> Spelled:
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    keeps = ends > 1 or not body
    chomping = "+" if keeps else "" if ends else "-"
    lines = body.split("\n") + [""] * (ends - 1) if body else [""] * ends
    indicator = with_indicator or text[:1] in (" ", "\n", "\t")
    head = "|" + ("%" if indicator else "") + chomping
    return Spelled(
        text, head, "str", text.encode(), tuple(lines), block=True, keeps=keeps, indicator=indicator
    )


def _folded(text: str, chomping: str) -> Spelled:
    lines = tuple(text.split(" "))
    content = text + ("" if chomping == "-" else "\n")
    return Spelled(
        content, f">{chomping}", "str", content.encode(), lines, block=True, keeps=chomping == "+"
    )


def _broken(text: str) -> Spelled:
    first, *lines = text.split(" ")
    lines[-1] += '"'
    return Spelled(text, f'"{first}', "str", text.encode(), tuple(lines))


def _is_string(text: str) -> bool:
    return text.lower() not in ("true", "false", "null") and not text.endswith(" ")


def _fits_single(text: str) -> bool:
    return "\n" not in text and _fits_literal(text + "x")


def _fits_literal(text: str) -> bool:
    lines = text.split("\n")
    return (
        bool(text)
        and all(_PRINTABLE_LINE.fullmatch(line) and not _LINE_BREAKS.search(line) for line in lines)
        and not lines[-1].isspace()
    )


_TEXTS = st.one_of(
    st.sampled_from(ODD_TEXTS),
    st.text(st.sampled_from("ab \n\t:#-'\"\\{}[],&*!|>%@`ü😀\r\x07\u2028"), max_size=12),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
)
_WORDS = st.from_regex(r"[A-Za-zé日/][A-Za-z0-9 _./é日(;-]{0,20}[A-Za-z0-9]", fullmatch=True)
_DOUBLES = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from((0, 1, 2**63, 2**52)))
_STYLES = st.sampled_from(("plain", "single", "double", "double", "literal", "folded", "broken"))
_PLAIN_KEYS = (
    "a", "b", "key", "user-name", "x_unencrypted", "on", "y", "No", "12:30:45", "a b", "ключ",
    "a:b", "1:30", "a#b", "sops", "=", "/x", "0o8", "a/b",
)  # fmt: skip
_ODD_KEYS = (
    "", "1", "true", "null", "~", "1.5", "2024-01-02", " a", "a ", "a: b", "# a", "a\nb", "ü", "'",
    "\U0001f600", '"', "\\", "\t", "-", "- a", "[", "{", "\x85", "%", "1_000", "0x1",
)  # fmt: skip


@cache
def below(limit: int) -> st.SearchStrategy[int]:
    """Return the strategy of the integers from 0; one that is made once draws much faster."""
    return st.integers(0, limit - 1)


def _float(bits: int) -> Spelled:
    (number,) = struct.unpack("<d", struct.pack("<Q", bits))
    if number != number or abs(number) == float("inf"):  # noqa: PLR0124  # NaN
        number = 1.5
    return Spelled("", repr(number), "float", canonical_float(number))


@st.composite
def _strings(draw: st.DrawFn) -> Spelled:
    style = draw(_STYLES)
    if style in ("plain", "folded", "broken"):
        return _of_words(draw(_WORDS), style, chomping=("", "-", "+")[draw(below(3))])
    text = draw(_TEXTS)
    if style == "literal" and _fits_literal(text):
        return _literal(text, with_indicator=draw(below(2)) == 0)
    if style == "single" and _fits_single(text):
        return Spelled(text, "'" + text.replace("'", "''") + "'", "str", text.encode())
    return _quoted(text, escape_all=draw(below(2)) == 0)


def _of_words(text: str, style: str, *, chomping: str) -> Spelled:
    if style == "plain" or " " not in text.strip() or "  " in text:
        return Spelled(text, text, "str", text.encode()) if _is_string(text) else _quoted(text)
    return _folded(text, chomping) if style == "folded" else _broken(text)


def _in_flow(drawn: Spelled) -> Spelled:
    is_quoted = drawn.spelled.startswith(("'", '"')) and not drawn.lines
    if not is_quoted and (drawn.lines or drawn.block or _FLOW_BREAKING.search(drawn.spelled)):
        return Spelled("", "1", "int", b"1")
    return drawn


@st.composite
def _keys(draw: st.DrawFn) -> Spelled:
    if draw(below(3)):
        text = _PLAIN_KEYS[draw(below(len(_PLAIN_KEYS)))]
        return Spelled(text, text)
    text = draw(_KEY_TEXTS)
    text = "<" if text == "<<" else text
    return Spelled(text, double_quoted(text), explicit=draw(below(6)) == 0)


_KEY_TEXTS = st.one_of(
    st.sampled_from(_ODD_KEYS), st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
)
KEYS = _keys()
SCALARS = st.one_of(
    st.sampled_from(TYPED).map(lambda row: Spelled("", *row)),
    st.integers(-(2**63), 2**63 - 1).map(
        lambda number: Spelled("", str(number), "int", b"%d" % number)
    ),
    _DOUBLES.map(_float),
    _strings(),
    _strings(),
)
FLOW_SCALARS = SCALARS.map(_in_flow)
