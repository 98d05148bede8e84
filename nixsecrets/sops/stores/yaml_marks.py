"""What libyaml's events tell of places, and the collections that are open between them."""

from typing import Protocol

import yaml
from yaml.events import MappingStartEvent, NodeEvent, SequenceStartEvent

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.tree import KeyPath
from nixsecrets.textedit import line_start


class Mark(Protocol):
    """Where an event starts or ends, counted in characters from 0."""

    @property
    def index(self) -> int: ...
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


class Collection:
    """An open mapping or list.

    `key` is the mapping key or list position whose value comes next, None where a key comes next.
    """

    def __init__(self, path: KeyPath, event: MappingStartEvent | SequenceStartEvent) -> None:
        start = start_of(event)
        self.path = path
        self.is_mapping = isinstance(event, MappingStartEvent)
        self.column = start.column
        self.flow = bool(event.flow_style)
        self.start = start.index
        self.line = start.line + 1
        self.count = 0
        self.key: str | int | None = None
        self.key_start = self.key_end = self.value_start = 0
        self._tagged = event.tag is not None  # its place is then that of the tag
        self._seen: set[str] = set()
        self._last_end = 0

    @property
    def known_key(self) -> str | int:
        if self.key is None:
            raise AssertionError("a value before its mapping key")
        return self.key

    @property
    def end_of_block(self) -> int:
        return self._last_end if self.count else self.start

    def begin(self, key: str | int, event: NodeEvent, text: str) -> None:
        """Take a mapping key, or the start of a list item, of the whole `text`.

        Raises:
            RepositoryError: the mapping key was here before.
        """
        start = start_of(event)
        self.key, self.key_end = key, start.index
        self.key_start = start.index if self.flow else self._indicator(text, start)
        if isinstance(key, str):
            if key in self._seen:
                raise error_at(event, f"the mapping key {key!r} stands here twice")
            self._seen.add(key)
            self.key_end = end_of(event).index

    def _indicator(self, text: str, start: Mark) -> int:
        """Return where the dash of a list item, or the `?` of a mapping key, stands."""
        if self.is_mapping and (start.column == self.column or self._tagged):
            self.column = start.column if not self.count else self.column
            return start.index
        line = line_start(text, start.index)
        while line and text[line + self.column : line + self.column + 1] not in ("-", "?"):
            line = line_start(text, line - 1)
        return line + self.column

    def finish(self, end: int) -> None:
        self.key = None
        self.count += 1
        self._last_end = end


def start_of(event: yaml.Event) -> Mark:
    return _known(event.start_mark)


def end_of(event: yaml.Event) -> Mark:
    return _known(event.end_mark)


def error_at(event: yaml.Event, problem: str, hint: str | None = None) -> RepositoryError:
    mark = start_of(event)
    return RepositoryError(problem, hint=hint, line=mark.line + 1, column=mark.column + 1)


def _known(mark: Mark | None) -> Mark:
    if mark is None:
        raise AssertionError("libyaml gives every event its place")
    return mark
