"""How values are spelled in JSON, as Go's `encoding/json` does, and laid out as the text around."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.metadata import Value
from nixsecrets.sops.scalars import float_bytes
from nixsecrets.sops.tree import Empty, KeyPath, LeafType

_ESCAPED_BY_GO = str.maketrans({one: f"\\u{ord(one):04x}" for one in "<>&\u2028\u2029"})
_Scalar = str | int | float | bool | None
_NOT_FINITE = frozenset((b"NaN", b"+Inf", b"-Inf"))


def spell(kind: LeafType | Empty, content: bytes) -> str:
    """Return a value as JSON text; a time becomes a string, as with sops.

    Args:
        kind: the value's type.
        content: its canonical bytes.

    Raises:
        RepositoryError: JSON has no words for it: no finite number, or no UTF-8.
    """
    match kind:
        case Empty():
            return kind.value
        case LeafType.STR | LeafType.BYTES | LeafType.TIME:
            return _spell_bytes(content)
        case LeafType.BOOL:
            return content.decode().lower()
        case LeafType.FLOAT:
            return _spell_float(content)
        case LeafType.INT:
            return content.decode()


def spell_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_ESCAPED_BY_GO)


def _spell_bytes(content: bytes) -> str:
    try:
        return spell_string(content.decode())
    except UnicodeDecodeError:
        raise RepositoryError("a value that is not UTF-8 cannot stand in JSON") from None


def _spell_float(content: bytes) -> str:
    """Return a float with an exponent below 1e-6 and from 1e21 (Go's `floatEncoder`).

    -0 gets a fraction, which Go gives it not: it would be read as the integer 0.
    """
    if content in _NOT_FINITE:
        raise RepositoryError("a value that is no finite number cannot stand in JSON")
    size = abs(float(content))
    if size and not 1e-6 <= size < 1e21:  # noqa: PLR2004  # the bounds of Go's `floatEncoder`
        return repr(float(content)).replace("e-0", "e-")
    return content.decode() if content != b"-0" else "-0.0"


def brackets(step: str | int) -> str:
    """Return what stands around an entry at a step: a name is in an object."""
    return "[]" if isinstance(step, int) else "{}"


class Layout(NamedTuple):
    """How a text is laid out.

    Args:
        newline: the line end in use.
        unit: what a level is indented by.
        colon: what stands between a name and its value.

    An `indent` below is what stands before a value's own line; None: all on one line.
    """

    newline: str
    unit: str
    colon: str

    def line(self, indent: str | None) -> str:
        """Return what stands between a comma and the entry behind it."""
        return self.colon[1:] if indent is None else self.newline + indent

    def deeper(self, indent: str | None) -> str | None:
        return None if indent is None else indent + self.unit

    def nest(self, steps: KeyPath, spelled: str, indent: str | None) -> str:
        """Return an entry at the first of `steps`, with what the others say around a value."""
        if steps[1:]:
            inner = self.nest(steps[1:], spelled, self.deeper(indent))
            spelled = self.enclose(brackets(steps[1]), [inner], indent)
        return spelled if isinstance(steps[0], int) else self.pair(steps[0], spelled)

    def pair(self, name: str, spelled: str) -> str:
        return spell_string(name) + self.colon + spelled

    def enclose(self, brackets: str, parts: Sequence[str], indent: str | None) -> str:
        if not parts:
            return brackets
        line = self.line(self.deeper(indent))
        inner = f",{line}".join(parts)
        if indent is None:
            return brackets[0] + inner + brackets[1]
        return brackets[0] + line + inner + self.line(indent) + brackets[1]

    def render(self, value: Value, indent: str | None) -> str:
        """Return a value of the metadata."""
        below = self.deeper(indent)
        match value:
            case Mapping():
                pairs = [self.pair(name, self.render(one, below)) for name, one in value.items()]
                return self.enclose("{}", pairs, indent)
            case tuple():
                return self.enclose("[]", [self.render(one, below) for one in value], indent)
            case _:
                return _render_scalar(value)


def _render_scalar(value: _Scalar) -> str:
    match value:
        case str():
            return spell_string(value)
        case bool():
            return str(value).lower()
        case None:
            return Empty.NULL.value
        case int() | float():
            return str(value) if isinstance(value, int) else _spell_float(float_bytes(value))
