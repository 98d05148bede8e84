"""A YAML text as nodes with their places, for texts that people wrote and that spans edit.

Anchors, aliases, tags, merges and further documents are refused: one place for each value.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.reader import ReaderError

from nixsecrets.errors import RepositoryError

_DEEPEST = 20
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})  # YAML 1.2, section 10.3.2


@dataclass(frozen=True, slots=True)
class Span:
    """Where a node stands: offsets in characters, and the 1-based line and column of `start`."""

    start: int
    end: int
    line: int
    column: int

    def fault(self, problem: str, hint: str | None = None) -> RepositoryError:
        return RepositoryError(problem, hint=hint, line=self.line, column=self.column)


@dataclass(frozen=True, slots=True)
class Scalar:
    text: str
    plain: bool
    at: Span

    @property
    def null(self) -> bool:
        return self.plain and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class Sequence:
    items: "tuple[Node, ...]"
    flow: bool
    at: Span


@dataclass(frozen=True, slots=True)
class Entry:
    name: Scalar
    value: "Node"


@dataclass(frozen=True, slots=True)
class Mapping:
    entries: tuple[Entry, ...]
    flow: bool
    at: Span

    def find(self, name: str) -> "Entry | None":
        return next((entry for entry in self.entries if entry.name.text == name), None)


Node: TypeAlias = Scalar | Sequence | Mapping


def decode(content: bytes) -> str:
    """Return `content` as text.

    Raises:
        RepositoryError: it is not UTF-8; with line and column.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        raise RepositoryError(
            "the text is not UTF-8",
            line=before.count(b"\n") + 1,
            column=len(before) - before.rfind(b"\n"),
        ) from None


@lru_cache(maxsize=4)
def parse_outline(text: str) -> Node | None:
    """Return the one document of `text`; None where there is none.

    Remembered, since an edit, its check and the next edit all read the same text.

    Raises:
        RepositoryError: it is no YAML, or uses what this module refuses; with line and column.
    """
    try:
        return _document(YAML(typ="safe", pure=True).parse(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RepositoryError(
            f"not YAML: {error.problem or error.context}",
            line=mark.line + 1 if mark else None,
            column=mark.column + 1 if mark else None,
        ) from None
    except ReaderError as error:
        before = text[: error.position]
        raise RepositoryError(
            "not YAML: a character that YAML does not allow",
            line=before.count("\n") + 1,
            column=len(before) - before.rfind("\n"),
        ) from None


def _document(events: Iterator[Event]) -> Node | None:
    node: Node | None = None
    for event in events:
        match event:
            case DocumentStartEvent() if node:
                raise _span(event).fault("a second YAML document")
            case NodeEvent():
                node = _node(event, events, _DEEPEST)
            case StreamEndEvent():
                break
            case _:
                continue
    return node


def _node(event: Event, events: Iterator[Event], depth: int) -> Node:
    at = _span(event)
    if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
        raise at.fault("anchors and aliases are not read here", "write the value out")
    if getattr(event, "tag", None):
        raise at.fault("tags are not read here", "take it out")
    if not depth:
        raise at.fault("nested too deeply")
    match event:
        case ScalarEvent():
            return Scalar(str(event.value), not event.style, at)
        case SequenceStartEvent():
            return _sequence(event, events, depth - 1)
        case MappingStartEvent():
            return _mapping(event, events, depth - 1)
        case _:
            raise at.fault("not YAML: something else than a value")


def _sequence(start: SequenceStartEvent, events: Iterator[Event], depth: int) -> Sequence:
    items: list[Node] = []
    for event in events:
        if isinstance(event, SequenceEndEvent):
            return Sequence(tuple(items), bool(start.flow_style), _span(start, event))
        items.append(_node(event, events, depth))
    raise _span(start).fault("not YAML: a list without an end")


def _mapping(start: MappingStartEvent, events: Iterator[Event], depth: int) -> Mapping:
    entries: dict[str, Entry] = {}
    for event in events:
        if isinstance(event, MappingEndEvent):
            entries_in_order = tuple(entries.values())
            return Mapping(entries_in_order, bool(start.flow_style), _span(start, event))
        name = _node(event, events, depth)
        if not isinstance(name, Scalar) or name.null:
            raise name.at.fault("a mapping whose manifest key is no text")
        if first := entries.get(name.text):
            raise name.at.fault(
                f"{name.text!r} stands here twice", f"the first is on line {first.name.at.line}"
            )
        entries[name.text] = Entry(name, _value(name, _node(next(events), events, depth)))
    raise _span(start).fault("not YAML: a mapping without an end")


def _value(name: Scalar, value: Node) -> Node:
    """Put a value that is not there where it would stand: the parser sees it at the next token."""
    if not (isinstance(value, Scalar) and value.plain and not value.text):
        return value
    after = name.at.end + 1  # the colon
    return Scalar("", plain=True, at=Span(after, after, name.at.line, name.at.column))


def _span(first: Event, last: Event | None = None) -> Span:
    start, end = first.start_mark, (last or first).end_mark
    return Span(start.index, end.index, start.line + 1, start.column + 1)
