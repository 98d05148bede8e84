"""libyaml's events put together to a parsed text.

Scalars are typed by `yaml_scalars`, comments are found between the events by `yaml_comments`.
"""

from collections.abc import Mapping

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.stores import yaml_scalars
from nixsecrets.sops.stores.yaml_comments import Gap, find_comments
from nixsecrets.sops.stores.yaml_marks import Collection, end_of, error_at, start_of
from nixsecrets.sops.stores.yaml_text import DEFAULT_INDENT, METADATA_KEY, Entry, Root, YamlText
from nixsecrets.sops.stores.yaml_values import value_below
from nixsecrets.sops.tree import Empty, Item, KeyPath, Leaf, LeafType, Span
from nixsecrets.textedit import line_end

_STRING_TAG = "tag:yaml.org,2002:str"
_KEY_TAGS = (None, "!", _STRING_TAG, "tag:yaml.org,2002:merge")


class Reader:
    """Builds a `YamlText` out of events."""

    def __init__(self, text: str, mark: str) -> None:
        self._text = text
        self._mark = mark
        self._open: list[Collection] = []
        self._entries: list[Entry] = []
        self._leaves: list[Leaf] = []
        self._roots: list[Root] = []
        self._gaps: list[Gap] = []
        self._last_end = 0

    def take(self, event: yaml.Event) -> None:
        self._covered(event)
        match event:
            case AliasEvent():
                raise error_at(event, "an alias is not supported yet")
            case DocumentStartEvent():
                _check_version(event)
                offset = end_of(event).index
                self._roots.append(Root(Span(offset, offset), 0, flow=False, close=offset))
            case DocumentEndEvent():
                self._end_document(event)
            case MappingStartEvent() | SequenceStartEvent():
                self._enter(event)
            case MappingEndEvent() | SequenceEndEvent():
                self._close(event)
            case ScalarEvent():
                if event.style in ("|", ">"):
                    start = start_of(event).index
                    self._gaps.append(Gap(start, line_end(self._text, start)))
                self._scalar(event)
            case _:
                return

    def result(self) -> YamlText:
        entries = tuple(sorted(self._entries, key=lambda entry: (entry.start, len(entry.path))))
        items: list[Item] = [leaf for leaf in self._leaves if leaf.path[0] != METADATA_KEY]
        items += find_comments(self._text, self._gaps, entries)
        items.sort(key=lambda item: (item.span.start, item.span.end))
        metadata = value_below(METADATA_KEY, (leaf for leaf in self._leaves if not leaf.document))
        return YamlText(
            text=self._text,
            mark=self._mark,
            tree=tuple(items),
            entries=entries,
            places={(entry.document, entry.path): entry for entry in entries},
            roots=tuple(self._roots),
            metadata=metadata if isinstance(metadata, Mapping) else None,
            indent=_indent_of(entries),
            newline="\r\n" if "\r\n" in self._text else "\n",
        )

    @property
    def _document(self) -> int:
        return len(self._roots) - 1

    def _covered(self, event: yaml.Event) -> None:
        start, end = start_of(event).index, end_of(event).index
        if start > self._last_end:
            self._gaps.append(Gap(self._last_end, start))
        self._last_end = max(end, self._last_end)

    def _end_document(self, event: DocumentEndEvent) -> None:
        root = self._roots[-1]
        self._roots[-1] = Root(root.span, root.column, root.flow, start_of(event).index)

    def _enter(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        _refuse_anchor(event)
        if not self._open and isinstance(event, SequenceStartEvent):
            raise error_at(event, "a list at top level is no document of secrets")
        self._open.append(Collection(self._place(event), event))

    def _close(self, event: MappingEndEvent | SequenceEndEvent) -> None:
        closed = self._open.pop()
        end = end_of(event).index if closed.flow else closed.end_of_block
        span = Span(closed.start, end)
        if not self._open:
            self._roots[-1] = Root(span, closed.column, closed.flow, end)
            return
        if not closed.count:
            kind = Empty.MAPPING if closed.is_mapping else Empty.LIST
            self._leaves.append(Leaf(closed.path, kind, b"", span, self._document, closed.line))
        self._close_entry(end)

    def _scalar(self, event: ScalarEvent) -> None:
        _refuse_anchor(event)
        if not self._open:
            self._root_scalar(event)
            return
        top = self._open[-1]
        if top.is_mapping and top.key is None:
            top.begin(_key_text(event), event, self._text)
            return
        path = self._place(event)
        try:
            kind, content = yaml_scalars.resolve(
                event.value, plain=_is_plain(event), tag=_tag(event)
            )
        except RepositoryError as error:
            raise error_at(event, error.problem, error.hint) from None
        span = self._span_of(event, top)
        line = start_of(event).line + 1
        self._leaves.append(Leaf(path, kind, content, span, self._document, line))
        top.value_start = span.start
        self._close_entry(span.end)

    def _root_scalar(self, event: ScalarEvent) -> None:
        """Take a document that is null, which counts as an empty mapping."""
        span = Span(start_of(event).index, end_of(event).index)
        typed = yaml_scalars.resolve(event.value, plain=_is_plain(event), tag=_tag(event))
        if typed[0] is not Empty.NULL:
            raise error_at(event, "a scalar at top level is no document of secrets")
        if event.value:
            self._roots[-1] = Root(span, 0, flow=True, close=span.end)

    def _span_of(self, event: ScalarEvent, top: Collection) -> Span:
        """Return where a value stands; of `? key` alone, for which libyaml tells the next token."""
        start, end = start_of(event).index, end_of(event).index
        if start == end and top.is_mapping and ":" not in self._text[top.key_end : start]:
            return Span(top.key_end, top.key_end)
        return Span(start, end)

    def _place(self, event: NodeEvent) -> KeyPath:
        """Return the path of the node that `event` starts, and note where its value starts."""
        if not self._open:
            return ()
        top = self._open[-1]
        if not top.is_mapping:
            top.begin(top.count, event, self._text)
        elif top.key is None:
            raise error_at(event, "a mapping key that is no string is not allowed")
        top.value_start = start_of(event).index
        return (*top.path, top.known_key)

    def _close_entry(self, end: int) -> None:
        if not self._open:
            return
        top = self._open[-1]
        self._entries.append(
            Entry(
                path=(*top.path, top.known_key),
                start=top.key_start,
                key_end=top.key_end,
                value=top.value_start,
                end=end,
                column=top.column,
                flow=top.flow,
                document=self._document,
            )
        )
        top.finish(end)


def _indent_of(entries: tuple[Entry, ...]) -> int:
    columns: dict[KeyPath, int] = {}
    for entry in entries:
        if entry.flow:
            continue
        path = entry.path
        columns[path] = entry.column
        step = entry.column - columns.get(path[:-1], entry.column)
        if step > 0 and isinstance(path[-1], str) and isinstance(path[-2], str):
            return step
    return DEFAULT_INDENT


def _check_version(event: DocumentStartEvent) -> None:
    if event.version is not None and tuple(event.version) != (1, 1):
        raise error_at(event, "a YAML version other than 1.1 is not taken by sops")


def _key_text(event: ScalarEvent) -> str:
    plain = _is_plain(event) and event.tag != _STRING_TAG
    if event.tag not in _KEY_TAGS or (plain and _is_typed(event.value)):
        raise error_at(event, f"the mapping key {event.value!r} is no string", "write it in quotes")
    if event.value == "<<" and not plain:
        raise error_at(event, "a quoted mapping key '<<' cannot be read by sops")
    return event.value


def _is_typed(text: str) -> bool:
    return yaml_scalars.resolve_plain(text)[0] is not LeafType.STR


def _is_plain(event: ScalarEvent) -> bool:
    return not event.style


def _tag(event: ScalarEvent) -> str | None:
    return None if event.tag in (None, "!") else event.tag


def _refuse_anchor(event: NodeEvent) -> None:
    if event.anchor is not None:
        raise error_at(event, "an anchor is not supported yet")
