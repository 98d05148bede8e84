"""Aliases written out as copies of what they name, and anchors taken away, as sops does it.

sops resolves aliases while it parses and has no anchors any more (`stores/yaml/store.go`); an
anchor stays known in the later documents of a stream (go-yaml's parser). Only aliases and anchors
change, every other character stays. A copy brings the comments that stand within the node.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.stores.yaml_copies import Node, flow_text, scalar_text, shifted, spell_tag
from nixsecrets.sops.stores.yaml_marks import end_of, error_at, start_of
from nixsecrets.sops.stores.yaml_text import DEFAULT_INDENT
from nixsecrets.textedit import line_end

_ANCHOR = r"(?:!\S*(?:\s|#[^\n]*\n)+)?(&[0-9A-Za-z_-]+)(?:(?:\s|#[^\n]*\n)+!\S*)?"
_BLOCK_HEADER = r"[|>][-+0-9]*"
_TIMES, _MORE = 10, 1_000_000  # by how much a text may grow
_EMPTY_BEFORE = frozenset(":-?")


def expand(text: str) -> str:
    """Return a YAML text without anchors and aliases that stands for the same values.

    Raises:
        RepositoryError: an alias without an anchor, or within what it names; copies that outgrow
            every purpose; a layout in which a copy cannot be written.
        yaml.YAMLError: the text is no YAML.
    """
    expansion = _Expansion(text)
    for event in _events(text):
        expansion.take(event)
    expanded = expansion.result()
    try:
        same = [*map(_shape, _events(expanded))] == [*map(_shape, expansion.events)]
    except yaml.YAMLError:
        same = False
    if not same:
        raise RepositoryError(
            "its aliases cannot be written out where they stand", hint="write the copies by hand"
        )
    return expanded


class _Open(NamedTuple):
    """A collection between its events; `anchored`: how many pieces and events came before it."""

    event: MappingStartEvent | SequenceStartEvent
    column: int
    anchored: tuple[int, int] | None

    @property
    def flow(self) -> bool:
        return bool(self.event.flow_style)


class _Expansion:
    """The text that is written while events come in."""

    def __init__(self, text: str) -> None:
        self.events: list[yaml.Event] = []
        self._text = text
        self._pieces: list[str] = []
        self._size = 0
        self._done = 0
        self._end = 0  # of the last node
        self._open: list[_Open] = []
        self._children: list[int] = []
        self._nodes: dict[str, Node | None] = {}  # None: it is open

    def take(self, event: yaml.Event) -> None:
        match event:
            case AliasEvent():
                self._alias(event)
            case ScalarEvent():
                self._scalar(event)
            case MappingStartEvent() | SequenceStartEvent():
                self._enter(event)
            case MappingEndEvent() | SequenceEndEvent():
                self._leave(event)
            case _:
                self.events.append(event)

    def result(self) -> str:
        self._copy(len(self._text))
        return "".join(self._pieces)

    def _copy(self, end: int) -> None:
        """Write the text up to `end` as it is."""
        if end > self._done:
            self._write(self._text[self._done : end])
            self._done = end

    def _write(self, piece: str) -> None:
        self._pieces.append(piece)
        self._size += len(piece)

    def _strip(self) -> None:
        """Take back blanks at the end of what is written."""
        if self._pieces:
            self._pieces[-1] = self._pieces[-1].rstrip(" \t")

    @property
    def _indent(self) -> int:
        """Column of the innermost block collection, -1 above all."""
        return next((one.column for one in reversed(self._open) if not one.flow), -1)

    @property
    def _in_flow(self) -> bool:
        return bool(self._open) and self._open[-1].flow

    @property
    def _at_key(self) -> bool:
        in_mapping = bool(self._open) and isinstance(self._open[-1].event, MappingStartEvent)
        return in_mapping and not self._children[-1] % 2

    def _take_anchor(self, event: NodeEvent) -> int:
        """Leave an anchor out of the text; return the offset after all tags and anchors."""
        match = re.compile(_ANCHOR).match(self._text, start_of(event).index)
        if match is None:
            raise error_at(event, f"the anchor &{event.anchor} is not where it is expected")
        self._copy(match.start(1))
        self._done = match.end(1)
        return match.end()

    def _close_up(self) -> None:
        """Take away the blanks that an anchor leaves behind."""
        while self._text[self._done : self._done + 1] in (" ", "\t"):
            self._done += 1
        if self._text[self._done : self._done + 1] in ("", "\n", "\r"):
            self._strip()

    def _count(self) -> None:
        if self._children:
            self._children[-1] += 1

    def _scalar(self, event: ScalarEvent) -> None:
        start, end = start_of(event).index, end_of(event).index
        before = len(self.events)
        self.events.append(event)
        if event.anchor:
            start = self._take_anchor(event)
            if not event.style and not event.value and event.tag is None:
                self._write("null")
            else:
                self._close_up()
            header = event.style in ("|", ">") and re.compile(_BLOCK_HEADER).search(
                self._text, start, end
            )
            body = self._text[line_end(self._text, header.start()) : end] if header else ""
            self._nodes[event.anchor] = Node(
                text=f"{header[0]}\n{body}" if header else "",
                flow=self._in_flow,
                column=self._indent,
                parent=self._indent,
                events=tuple(self.events[before:]),
            )
        if start < end or self._text[end - 1 : end] in _EMPTY_BEFORE:
            self._end = max(end, self._end)
        self._count()

    def _enter(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        mark = end_of(event)
        column, content = mark.column, mark.index
        if not event.flow_style and _is_dash(self._text, content - 1):
            column, content = column - 1, content - 1  # a list at its key's column
        anchored = None
        if event.anchor:
            begin = self._take_anchor(event)
            self._close_up()
            begin = content - 1 if event.flow_style else line_end(self._text, begin)
            if begin > content:
                raise error_at(
                    event, f"the anchor &{event.anchor} stands on its value's first line"
                )
            self._copy(begin)
            anchored = len(self._pieces), len(self.events)
            self._nodes[event.anchor] = None
        self.events.append(event)
        self._open.append(_Open(event, column, anchored))
        self._children.append(0)

    def _leave(self, event: MappingEndEvent | SequenceEndEvent) -> None:
        self.events.append(event)
        closed = self._open.pop()
        self._children.pop()
        if closed.flow:
            self._end = end_of(event).index
        if closed.anchored is not None and closed.event.anchor:
            parent = self._indent
            self._copy(self._end if closed.flow else self._end_of_block(closed.column, parent))
            piece, first = closed.anchored
            self._nodes[closed.event.anchor] = Node(
                text="".join(self._pieces[piece:]),
                flow=closed.flow,
                column=closed.column,
                parent=parent,
                events=tuple(self.events[first:]),
            )
        self._count()

    def _end_of_block(self, column: int, parent: int) -> int:
        """Return the offset after a block collection's lines and the comments that end it."""
        end = max(self._end, self._done)
        end = end if self._text[end - 1 : end] == "\n" else line_end(self._text, end)
        if column <= parent:
            return end
        comments = re.compile(rf"(?:[ \t]*\r?\n)* {{{column},}}#[^\n]*(?:\n|\Z)")
        while found := comments.match(self._text, end):
            end = found.end()
        return end

    def _alias(self, event: AliasEvent) -> None:
        node = self._named(event)
        self._copy(start_of(event).index)
        self._end = self._done = end_of(event).index
        first = node.events[0]
        if isinstance(first, ScalarEvent):
            self._put_scalar(node, first)
        elif self._at_key:
            raise error_at(event, "a mapping key that is no string is not allowed")
        elif node.flow:
            self._write(shifted(node.text, 0 if self._in_flow else self._indent - node.parent))
        elif self._in_flow:
            self._write(flow_text(node.events))
        else:
            self._put_block(node, start_of(event).column)
        self.events += node.events
        self._count()
        if self._size > _TIMES * len(self._text) + _MORE:
            raise error_at(
                event, "its aliases grow out of all proportion when they are written out"
            )

    def _named(self, event: AliasEvent) -> Node:
        name = event.anchor
        if name not in self._nodes:
            raise error_at(event, f"the alias *{name} names no anchor before it")
        node = self._nodes[name]
        if node is None:
            raise error_at(event, f"the alias *{name} stands within what it names")
        return node

    def _put_scalar(self, node: Node, event: ScalarEvent) -> None:
        if not node.text or "+" in node.text or self._in_flow or self._at_key:
            self._write(scalar_text(event, flow=self._in_flow))
            return
        header, _, body = node.text.partition("\n")
        self._write(f"{spell_tag(event)} {header}".lstrip())
        self._end_line()
        self._write(shifted(body, self._indent - node.parent, first=True))

    def _put_block(self, node: Node, column: int) -> None:
        """Write a block collection as value of a mapping key or as list item."""
        is_item = isinstance(self._open[-1].event, SequenceStartEvent)
        step = node.column - node.parent if node.parent >= 0 else DEFAULT_INDENT
        to = column if is_item else self._indent + step
        lines = shifted(node.text, to - node.column, first=True)
        rest = self._text[self._done : line_end(self._text, self._done)]
        if is_item and not rest.strip() and lines[to : to + 1] not in ("#", "\n", "\r", ""):
            lines = lines[to:]
            self._done += len(rest)
        else:
            self._strip()
            self._end_line()
        self._write(lines)

    def _end_line(self) -> None:
        """Write the rest of the line, a comment perhaps, and its end."""
        self._copy(line_end(self._text, self._done))
        if self._text[self._done - 1 : self._done] != "\n":
            self._write("\n")


def _is_dash(text: str, offset: int) -> bool:
    return text[offset : offset + 1] == "-" and not text[offset + 1 : offset + 2].strip()


def _events(text: str) -> Iterable[yaml.Event]:
    return yaml.parse(text, Loader=yaml.CLoader)


def _shape(event: yaml.Event) -> tuple[type[yaml.Event], str, str | None]:
    """Return what two events that mean the same have in common."""
    if not isinstance(event, ScalarEvent):
        return type(event), "", None
    is_null = not event.style and not event.value and event.tag is None
    return type(event), "null" if is_null else event.value, event.tag
