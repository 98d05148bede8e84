"""Metadata of formats that know no nesting: `age__list_0__map_enc` (sops `stores/flatten.go`)."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.sops.cipher import holds_sealed
from nixsecrets.sops.metadata import Value
from nixsecrets.sops.stores.text import Scalar
from nixsecrets.sops.tree import Empty, LeafType, Span
from nixsecrets.textedit import Edit

_STEP = re.compile(r"__(map|list)_")
_WHOLE = re.compile(r"(\d{1,9})(?:\.0+)?", re.ASCII)
_POSITION = re.compile(r"\d{1,9}", re.ASCII)
_FRACTION = re.compile(r"\.\d+")
_EXPONENTS_OF_PLAIN_FLOATS = range(-4, 6)


class Line(NamedTuple):
    """One name with its value, as a place for edits.

    Args:
        name: as it is read.
        text: the value as it is read; bytes that are not UTF-8 as surrogates.
        value: where the value stands, quotes included; of an empty one, the place for it.
        start: offset of the start of its line.
        end: offset after its last line.
        number: 1-based.
    """

    name: str
    text: str
    value: Span
    start: int
    end: int
    number: int


def blamed(error: RepositoryError, content: bytes) -> RepositoryError | IntegrityError:
    """Return what a text that cannot be parsed is: with sealed leaves in it, a damaged document."""
    if holds_sealed(content):
        return IntegrityError(error.problem, hint=error.hint, line=error.line)
    return error


def escape(text: str) -> str:
    """Return a text as one line.

    Raises:
        RepositoryError: it would not read back as it is.
    """
    if "\\n" in text:
        raise RepositoryError(
            "a backslash before an `n` cannot be spelled here: it reads as a line break"
        )
    return text.replace("\n", "\\n")


def unescape(text: str) -> str:
    return text.replace("\\n", "\n")


def flatten(fields: Mapping[str, Value]) -> Mapping[str, str]:
    """Return flat names with their texts in the order of sops 3.13: sorted at every level.

    Empty lists and mappings vanish; line breaks are not escaped yet.
    """
    return {flat: text for name in sorted(fields) for flat, text in _flattened(name, fields[name])}


def unflatten(texts: Mapping[str, str]) -> Mapping[str, Value]:
    """Return the fields that flat names and their texts, unescaped already, stand for.

    Raises:
        RepositoryError: a list lacks an item, or a name is a value and a collection at once.
    """
    root = _Node()
    for name, text in texts.items():
        root.put(name, text)
    fields = {str(name): node.value(str(name)) for name, node in root.below.items()}
    if "shamir_threshold" in fields:
        fields["shamir_threshold"] = _whole("shamir_threshold", texts)
    if "mac_only_encrypted" in fields:
        fields["mac_only_encrypted"] = fields["mac_only_encrypted"] == "true"
    return fields


def fields_of(lines: Sequence[Line]) -> Mapping[str, Value]:
    """Return the fields that the lines of the metadata hold.

    Raises:
        RepositoryError: as `unflatten` does, and where a name stands there twice.
    """
    texts: dict[str, str] = {}
    for line in lines:
        if line.name in texts:
            raise RepositoryError(f"`{line.name}` stands in the metadata twice", line=line.number)
        texts[line.name] = line.text
    return unflatten(texts)


def updates(
    lines: Sequence[Line],
    texts: Mapping[str, str],
    respell: Callable[[Line, str], Edit],
    add: Callable[[int, Mapping[str, str]], Edit],
) -> Iterator[Edit]:
    """Yield the edits that make lines of metadata hold exactly `texts`.

    Args:
        lines: the metadata's, at least one.
        texts: flat names with their texts, in the order in which new ones are to stand.
        respell: gives a line another text.
        add: puts new lines in front of an offset.
    """
    for line in lines:
        if line.name not in texts:
            yield Edit(line.start, line.end, "")
        elif line.text != texts[line.name]:
            yield respell(line, texts[line.name])
    ends = {line.name: line.end for line in lines}
    offset = lines[0].start
    for is_new, names in groupby(texts, key=lambda name: name not in ends):
        if is_new:
            yield add(offset, {name: texts[name] for name in names})
        else:
            offset = ends[list(names)[-1]]


def shown(scalar: Scalar) -> str:
    """Return a value of any type as the text that sops makes of it (`stores.go`, `ValToString`).

    Raises:
        RepositoryError: it is a mapping or a list.
    """
    text = scalar.content.decode("utf-8", "surrogateescape")
    match scalar.kind:
        case LeafType.STR | LeafType.BYTES | LeafType.INT:
            return text
        case LeafType.BOOL:
            return text.lower()
        case LeafType.TIME:
            return _FRACTION.sub("", text)
        case LeafType.FLOAT:
            return _shown_float(float(text), text)
        case Empty.NULL:
            return "<nil>"
        case Empty.MAPPING | Empty.LIST:
            raise RepositoryError("a mapping or a list cannot stand in this format")


def _flattened(name: str, value: Value) -> Iterator[tuple[str, str]]:
    match value:
        case None:
            return
        case tuple():
            for position, item in enumerate(value):
                yield from _flattened(f"{name}__list_{position}", item)
        case Mapping():
            for key in sorted(value):
                yield from _flattened(f"{name}__map_{key}", value[key])
        case str() | bool() | int() | float():
            yield name, str(value).lower() if isinstance(value, bool) else str(value)


class _Node:
    """What stands at one place: a text, or nodes by their name or position."""

    __slots__ = ("below", "text")

    def __init__(self) -> None:
        self.text: str | None = None
        self.below: dict[str | int, _Node] = {}

    def put(self, name: str, text: str) -> None:
        node = self
        for step in _steps(name):
            node = node.below.setdefault(step, _Node())
        node.text = text

    def value(self, name: str) -> Value:
        steps = list(self.below)
        if self.text is not None and not steps:
            return self.text
        names = [step for step in steps if isinstance(step, str)]
        positions = [step for step in steps if isinstance(step, int)]
        if self.text is not None or (names and positions):
            raise RepositoryError(f"`{name}` stands in the sops metadata in two shapes")
        if names:
            return {one: self.below[one].value(name) for one in names}
        if sorted(positions) != list(range(len(positions))):
            raise RepositoryError(f"an item of `{name}` is missing in the sops metadata")
        return tuple(self.below[position].value(name) for position in sorted(positions))


def _steps(name: str) -> Iterable[str | int]:
    top, *rest = _STEP.split(name)
    steps: list[str | int] = [top]
    for kind, step in zip(rest[::2], rest[1::2], strict=True):
        steps.append(_position(name, step) if kind == "list" else step)
    return steps


def _position(name: str, step: str) -> int:
    if not _POSITION.fullmatch(step):
        raise RepositoryError(f"`{name}` of the sops metadata has no position in its list")
    return int(step)


def _whole(name: str, texts: Mapping[str, str]) -> int:
    match = _WHOLE.fullmatch(texts.get(name, ""))
    if match is None:
        raise RepositoryError(f"`{name}` of the sops metadata is no whole number")
    return int(match[1])


def _shown_float(number: float, canonical: str) -> str:
    """Return the shortest digits as Go's `G` spells them, with a point where they have none."""
    if not math.isfinite(number):
        return canonical
    sign, digits, lowest = Decimal(repr(number)).normalize().as_tuple()
    exponent = len(digits) - 1 + int(lowest) if number else 0
    if exponent in _EXPONENTS_OF_PLAIN_FLOATS:
        return canonical if "." in canonical else f"{canonical}.0"
    first, *rest = map(str, digits)
    point = "." if rest else ""
    return f"{'-' * sign}{first}{point}{''.join(rest)}E{exponent:+03d}"
