"""Generated JSON documents in any layout, each with the leaves that it is written to hold."""

import json
from dataclasses import dataclass, field
from typing import TypeVar

from hypothesis import strategies as st

from nixsecrets.sops.scalars import float_bytes

Expected = tuple[tuple[str | int, ...], str, bytes]
"""Path, type (`null`, `{}` and `[]` among them), canonical bytes."""

T = TypeVar("T")

_EXACT = 2**53
"""Above, and for -0, releases of sops before 3.13.2 hash a value in clear as a rounded float."""
_KEYS = st.one_of(
    st.sampled_from(("a", "b", "", "sops", "x_unencrypted", "a:b", "ünï 😀", 'q"\\', "<&>", "\n")),
    st.text(max_size=5),
).filter(lambda key: key.casefold() != "sops" or key == "sops")
_STRINGS = st.one_of(
    st.sampled_from(
        ("", "secret", "true", "1", " ", "a\nb\n", "\ufeff", "\u2028<&>", "😀", "ENC[")
    ),
    st.text(max_size=20),
)
_INTS = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.sampled_from((0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1))
)
_FLOATS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from((1.0, 1e21, 1e20, 1e-6, 1e-7, 5e-324, -0.0, 1.5e300, 123456.5)),
)


@dataclass(frozen=True)
class Generated:
    """A document in clear and what it holds, in file order."""

    text: str
    leaves: tuple[Expected, ...]


@st.composite
def json_documents(draw: st.DrawFn) -> Generated:
    """Draw an object of up to three levels; `sops` never stands at top level."""
    writer = _Writer(draw, newline=draw(st.sampled_from(("\n", "\n", "\r\n"))))
    writer.colon = writer.pick(": ", ": ", ":", " :\t")
    writer.unit = writer.pick("\t", "  ", "    ", "", None)
    text = writer.collection((), 0, braces=True)
    return Generated(text + writer.pick("", "\n", "\n\n"), tuple(writer.leaves))


@dataclass
class _Writer:
    draw: st.DrawFn
    newline: str
    colon: str = ": "
    unit: str | None = "\t"
    leaves: list[Expected] = field(default_factory=list)

    def pick(self, *choices: T) -> T:
        return self.draw(st.sampled_from(choices))

    def collection(self, path: tuple[str | int, ...], depth: int, *, braces: bool) -> str:
        parts = self.entries(path, depth) if braces else self.items(path, depth)
        opening, closing = "{}" if braces else "[]"
        if not parts:
            if path:
                self.leaves.append((path, opening + closing, b""))
            return opening + self.pick("", " ", "\n") + closing
        if self.unit is None or self.pick(*range(6)) == 0:
            comma = self.pick(", ", ",", " , ")
            return opening + comma.join(parts) + closing
        line = self.newline + self.unit * depth
        inner = f",{line}{self.unit}".join(parts)
        return f"{opening}{line}{self.unit}{inner}{line}{closing}"

    def entries(self, path: tuple[str | int, ...], depth: int) -> list[str]:
        keys = self.draw(st.lists(_KEYS, max_size=4, unique=True))
        return [
            self.string(key) + self.colon + self.value((*path, key), depth + 1)
            for key in keys
            if path or key != "sops"
        ]

    def items(self, path: tuple[str | int, ...], depth: int) -> list[str]:
        size = self.draw(st.integers(0, 3))
        return [self.value((*path, position), depth + 1) for position in range(size)]

    def value(self, path: tuple[str | int, ...], depth: int) -> str:
        kind = self.pick("scalar", "scalar", "scalar", "object", "list")
        if depth > 3 or kind == "scalar":
            name, spelled, content = self.scalar(path)
            self.leaves.append((path, name, content))
            return spelled
        return self.collection(path, depth, braces=kind == "object")

    def scalar(self, path: tuple[str | int, ...]) -> tuple[str, str, bytes]:
        match self.pick("str", "str", "int", "float", "bool", "null"):
            case "str":
                text = self.draw(_STRINGS)
                return "str", self.string(text), text.encode()
            case "int":
                number = self.draw(_INTS)
                in_clear = any(str(step).endswith("_unencrypted") for step in path)
                number = number % _EXACT if in_clear else number
                return "int", str(number), str(number).encode()
            case "float":
                real = self.draw(_FLOATS)
                spelled = self.pick(repr(real), f"{real:.17e}", f"{real:.17E}")
                return "float", spelled, float_bytes(real)
            case "bool":
                truth = self.pick(True, False)  # noqa: FBT003  # the values that are drawn
                return "bool", json.dumps(truth), str(truth).encode()
            case _:
                return "null", "null", b""

    def string(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=self.pick(True, False))  # noqa: FBT003  # both drawn
