"""libyaml's events put together to a parsed text.

Scalars are typed by `yaml_scalars`, comments are found between the events by `yaml_comments`.
"""

import re
from collections.abc import Mapping
from operator import attrgetter

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
from nixsecrets.sops.stores.text import METADATA_NAME
from nixsecrets.sops.stores.yaml_comments import find_comments
from nixsecrets.sops.stores.yaml_marks import Collection, end_of, error_at, span_of, start_of
from nixsecrets.sops.stores.yaml_text import DEFAULT_INDENT, Entry, Root, YamlText
from nixsecrets.sops.stores.yaml_values import value_below
from nixsecrets.sops.tree import Empty, Item, KeyPath, Leaf, LeafType, Span
from nixsecrets.textedit import line_end

_COMMENT = r"#[^\n]*"
_STRING_TAG = "tag:yaml.org,2002:str"
_KEY_TAGS = (None, "!", _STRING_TAG, "tag:yaml.org,2002:merge")
_MERGE = "<<"
_UNFINISHED = Entry((), 0, 0, 0, 0, 0, flow=False, document=0)


class Reader:
    """Builds a `YamlText` out of events.

    A text with anchors or aliases is taken to find its mistakes only: `has_anchors` says that it
    has to be expanded before there is a result.
    """

    def __init__(self, text: str, mark: str) -> None:
        self.has_anchors = False
        self._text = text
        self._mark = mark
        self._open: list[Collection] = []
        self._entries: list[Entry] = []
        self._leaves: list[Leaf] = []
        self._roots: list[Root] = []
        self._document = -1
        self._gaps: list[Span] = []
        self._last_end = 0
        self._unsealable: RepositoryError | None = None

    def take(self, event: yaml.Event) -> None:
        start, end = span_of(event)
        last = self._last_end
        if start > last and "#" in self._text[last:start]:
            self._gaps.append(Span(last, start))
        if end > last:
            self._last_end = end
        match event:
            case ScalarEvent():
                self._scalar(event, start, end)
            case MappingStartEvent() | SequenceStartEvent():
                self._enter(event)
            case MappingEndEvent() | SequenceEndEvent():
                self._close(event)
            case AliasEvent():
                self._alias(event)
            case _:
                self._take_border(event, start, end)

    def result(self) -> YamlText:
        """Return the text.

        Raises:
            RepositoryError: it is in clear, and holds what only a sealed one of sops may hold.
        """
        entries, roots = tuple(self._entries), tuple(self._roots)
        metadata = value_below(METADATA_NAME, (leaf for leaf in self._leaves if not leaf.document))
        if self._unsealable is not None and not isinstance(metadata, Mapping):
            raise self._unsealable
        items: list[Item] = [leaf for leaf in self._leaves if leaf.path[0] != METADATA_NAME]
        if self._gaps:
            items += find_comments(self._text, self._gaps, entries, roots)
            items.sort(key=attrgetter("span"))
        return YamlText(
            text=self._text,
            mark=self._mark,
            tree=tuple(items),
            entries=entries,
            places={(entry.document, entry.path): entry for entry in entries},
            roots=roots,
            metadata=metadata if isinstance(metadata, Mapping) else None,
            indent=_indent_of(entries),
            newline="\r\n" if "\r\n" in self._text else "\n",
        )

    def _take_border(self, event: yaml.Event, start: int, end: int) -> None:
        """Take the start or the end of a document."""
        match event:
            case DocumentStartEvent():
                _check_version(event)
                self._document += 1
                self._roots.append(Root(Span(end, end), 0, flow=False, close=end))
            case DocumentEndEvent():
                self._roots[-1] = self._roots[-1]._replace(close=start)
            case _:
                return

    def _enter(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        if event.anchor is not None:
            self.has_anchors = True
        is_list = isinstance(event, SequenceStartEvent)
        if not self._open and is_list:
            raise error_at(event, "a list at top level is no document of secrets")
        path = self._place(event)
        if is_list and isinstance(path[-1], int):
            self._check_merged(path, event)
        self._open.append(Collection(path, event))

    def _close(self, event: MappingEndEvent | SequenceEndEvent) -> None:
        closed = self._open.pop()
        end = end_of(event).index if closed.flow else closed.end_of_block
        span = Span(closed.start, end)
        if not self._open:
            self._roots[-1] = Root(span, closed.column, closed.flow, end)
            return
        if not closed.count:
            kind = Empty.MAPPING if closed.is_mapping else Empty.LIST
            self._leaves.append(Leaf(closed.path, kind, b"", *span, self._document, closed.line))
        self._close_entry(self._open[-1], end)

    def _scalar(self, event: ScalarEvent, start: int, end: int) -> None:
        if event.anchor is not None:
            self.has_anchors = True
        if event.style in ("|", ">"):
            self._gaps.append(Span(start, line_end(self._text, start)))
        if not self._open:
            self._root_scalar(event)
            return
        top = self._open[-1]
        if top.is_mapping and top.key is None:
            self._begin(top, _key_text(event), event)
            return
        path = self._place(event)
        if _MERGE in path[-2:]:
            self._check_merged(path, event)
        try:
            kind, content = _typed(event)
        except RepositoryError as error:
            raise error_at(event, error.problem, error.hint) from None
        if start == end and top.is_mapping and not self._has_colon(top.key_end, start):
            start = end = top.key_end  # of `? key` alone libyaml tells the next token
        line = start_of(event).line + 1
        self._leaves.append(Leaf(path, kind, content, start, end, self._document, line))
        top.value_start = start
        self._close_entry(top, end)

    def _has_colon(self, start: int, end: int) -> bool:
        return ":" in re.sub(_COMMENT, "", self._text[start:end])

    def _alias(self, event: AliasEvent) -> None:
        """Take an alias as something whose value is not known yet."""
        self.has_anchors = True
        if not self._open:
            raise error_at(event, "an alias at top level is no document of secrets")
        top = self._open[-1]
        if top.is_mapping and top.key is None:
            self._begin(top, f"*{event.anchor} ", event)
            return
        self._place(event)
        self._close_entry(top, end_of(event).index)

    def _root_scalar(self, event: ScalarEvent) -> None:
        """Take a document that is null, which counts as an empty mapping."""
        span = Span(*span_of(event))
        if _typed(event)[0] is not Empty.NULL:
            raise error_at(event, "a scalar at top level is no document of secrets")
        if event.value:
            self._roots[-1] = Root(span, 0, flow=True, close=span.end)

    def _place(self, event: NodeEvent) -> KeyPath:
        """Return the path of the node that `event` starts, and note where its value starts."""
        if not self._open:
            return ()
        top = self._open[-1]
        if not top.is_mapping:
            self._begin(top, top.count, event)
        elif top.key is None:
            raise error_at(event, "a mapping key that is no string is not allowed")
        top.value_start = start_of(event).index
        return top.child

    def _begin(self, top: Collection, key: str | int, event: NodeEvent) -> None:
        if top.begin(key, event, self._text):
            self._refuse_twice(key, event)
        top.entry = len(self._entries)
        self._entries.append(_UNFINISHED)

    def _close_entry(self, top: Collection, end: int) -> None:
        self._entries[top.entry] = Entry(
            top.child,
            top.key_start,
            top.key_end,
            top.value_start,
            end,
            top.column,
            top.flow,
            self._document,
        )
        top.finish(end)

    def _refuse_twice(self, key: str | int, event: NodeEvent) -> None:
        """Refuse a repeated mapping key; sops keeps both from the second document on."""
        error = error_at(event, f"the mapping key {key!r} stands here twice")
        if not self._document:
            raise error
        self._unsealable = self._unsealable or error

    def _check_merged(self, path: KeyPath, event: NodeEvent) -> None:
        """Refuse what go-yaml does not merge, unless sops sealed it (`yaml.v3`, `decode.go`)."""
        holder = path[-2:-1] if isinstance(path[-1], int) else path[-1:]
        if holder == (_MERGE,):
            problem = "a merge key '<<' takes a mapping or a list of mappings"
            self._unsealable = self._unsealable or error_at(event, problem)


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
    text, tag = event.value, event.tag
    plain = not event.style and tag != _STRING_TAG
    if tag not in _KEY_TAGS or (plain and not _is_string(text)):
        raise error_at(event, f"the mapping key {text!r} is no string", "write it in quotes")
    if text == _MERGE and not plain:
        raise error_at(event, "a quoted mapping key '<<' cannot be read by sops")
    return text


def _is_string(text: str) -> bool:
    return yaml_scalars.resolve_plain(text)[0] is LeafType.STR


def _typed(event: ScalarEvent) -> yaml_scalars.Typed:
    tag = event.tag
    if tag is None or tag == "!":
        if event.style:
            return LeafType.STR, event.value.encode()
        return yaml_scalars.resolve_plain(event.value)
    return yaml_scalars.resolve(event.value, plain=not event.style, tag=tag)
