"""A YAML text as nodes with their places, for texts that people wrote and that spans edit.

Anchors, aliases, tags, merges and further documents are refused: one place for each value.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import yaml

from nixsecrets.errors import RepositoryError

_DEEPEST = 20
_MARK = "\ufeff"
# Line breaks to libyaml, not to editors and YAML 1.2 (section 5.4); and a mark that is no first.
_AMBIGUOUS = "[\x85\u2028\u2029]|(?!^)\ufeff"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})  # YAML 1.2, section 10.3.2


class Span(NamedTuple):
    """Where a node stands: offsets in characters, and the 1-based line and column of `start`."""

    start: int
    end: int
    line: int
    column: int

    def fault(self, problem: str, hint: str | None = None) -> RepositoryError:
        return RepositoryError(problem, hint=hint, line=self.line, column=self.column)


class Scalar(NamedTuple):
    text: str
    plain: bool
    at: Span

    @property
    def null(self) -> bool:
        return self.plain and self.text in _NULLS


class Sequence(NamedTuple):
    items: "tuple[Node, ...]"
    flow: bool
    at: Span


class Entry(NamedTuple):
    name: Scalar
    value: "Node"


class Mapping(NamedTuple):
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
    if found := re.search(_AMBIGUOUS, text):
        problem = f"not YAML: a U+{ord(found[0]):04X}, which readers of YAML take differently"
        raise _at_offset(text, found.start(), problem)
    try:
        return _document(_Events(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RepositoryError(
            f"not YAML: {error.problem or error.context}",
            line=mark.line + 1 if mark else None,
            column=mark.column + 1 if mark else None,
        ) from None
    except yaml.reader.ReaderError as error:
        offset = len(text.encode()[: error.position].decode())  # libyaml counts bytes here
        problem = "not YAML: a character that YAML does not allow"
        raise _at_offset(text, offset, problem) from None


def _at_offset(text: str, offset: int, problem: str) -> RepositoryError:
    before = text[:offset]
    return RepositoryError(
        problem, line=before.count("\n") + 1, column=len(before) - before.rfind("\n")
    )


class _Events:
    """libyaml's events of a text, with their spans in it."""

    def __init__(self, text: str) -> None:
        self._skipped = int(text.startswith(_MARK))
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.CSafeLoader)

    def __iter__(self) -> Iterator[yaml.Event]:
        return self._events

    def next(self) -> yaml.Event:
        return next(self._events)

    def span(self, first: yaml.Event, last: yaml.Event | None = None) -> Span:
        start, end = first.start_mark, (last or first).end_mark
        if start is None or end is None:
            raise AssertionError("libyaml marks every event")
        skipped = self._skipped  # libyaml does not count a byte order mark
        return Span(start.index + skipped, end.index + skipped, start.line + 1, start.column + 1)


def _document(events: _Events) -> Node | None:
    node: Node | None = None
    for event in events:
        match event:
            case yaml.DocumentStartEvent() if node:
                raise events.span(event).fault("a second YAML document")
            case yaml.NodeEvent():
                node = _node(event, events, _DEEPEST)
            case yaml.StreamEndEvent():
                break
            case _:
                continue
    return node


def _node(event: yaml.Event, events: _Events, depth: int) -> Node:
    at = events.span(event)
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise at.fault("anchors and aliases are not read here", "write the value out")
    if getattr(event, "tag", None):
        raise at.fault("tags are not read here", "take it out")
    if not depth:
        raise at.fault("nested too deeply")
    match event:
        case yaml.ScalarEvent():
            return Scalar(str(event.value), not event.style, at)
        case yaml.SequenceStartEvent():
            return _sequence(event, events, depth - 1)
        case yaml.MappingStartEvent():
            return _mapping(event, events, depth - 1)
        case _:
            raise at.fault("not YAML: something else than a value")


def _sequence(start: yaml.SequenceStartEvent, events: _Events, depth: int) -> Sequence:
    items: list[Node] = []
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            return Sequence(tuple(items), bool(start.flow_style), events.span(start, event))
        items.append(_node(event, events, depth))
    raise events.span(start).fault("not YAML: a list without an end")


def _mapping(start: yaml.MappingStartEvent, events: _Events, depth: int) -> Mapping:
    entries: dict[str, Entry] = {}
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            entries_in_order = tuple(entries.values())
            return Mapping(entries_in_order, bool(start.flow_style), events.span(start, event))
        name = _node(event, events, depth)
        if not isinstance(name, Scalar) or name.null:
            raise name.at.fault("a mapping whose manifest key is no text")
        if first := entries.get(name.text):
            raise name.at.fault(
                f"{name.text!r} stands here twice", f"the first is on line {first.name.at.line}"
            )
        entries[name.text] = Entry(name, _value(name, _node(events.next(), events, depth)))
    raise events.span(start).fault("not YAML: a mapping without an end")


def _value(name: Scalar, value: Node) -> Node:
    """Put a value that is not there where it would stand: the parser sees it at the next token."""
    if not (isinstance(value, Scalar) and value.plain and not value.text):
        return value
    after = name.at.end + 1  # the colon
    return Scalar("", plain=True, at=Span(after, after, name.at.line, name.at.column))
