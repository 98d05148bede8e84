"""What libyaml's events tell of places, and the collections that are open between them."""

from collections.abc import Callable
from operator import attrgetter
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


start_of: Callable[[yaml.Event], Mark] = attrgetter("start_mark")
end_of: Callable[[yaml.Event], Mark] = attrgetter("end_mark")
span_of: Callable[[yaml.Event], tuple[int, int]] = attrgetter("start_mark.index", "end_mark.index")


class Collection:
    """An open mapping or list.

    `key` is the mapping key or list position whose value comes next, None where a key comes next;
    `child` is the path of that value and `entry` its position among all entries.
    """

    __slots__ = (
        "_last_end",
        "_seen",
        "_tagged",
        "child",
        "column",
        "count",
        "entry",
        "flow",
        "is_mapping",
        "key",
        "key_end",
        "key_start",
        "line",
        "path",
        "start",
        "value_start",
    )

    def __init__(self, path: KeyPath, event: MappingStartEvent | SequenceStartEvent) -> None:
        start = start_of(event)
        self.path = self.child = path
        self.entry = -1
        self.is_mapping = isinstance(event, MappingStartEvent)
        self.column = start.column
        self.flow = bool(event.flow_style)
        self.start = start.index
        self.line = start.line + 1
        self.count = 0
        self.key: str | int | None = None
        self.key_start = self.key_end = self.value_start = 0
        self._tagged = event.tag is not None  # its place is then that of the tag
        self._seen: set[str | int] = set()
        self._last_end = 0

    @property
    def end_of_block(self) -> int:
        return self._last_end if self.count else self.start

    def begin(self, key: str | int, event: NodeEvent, text: str) -> bool:
        """Take a mapping key, or the start of a list item, of the whole `text`.

        Returns:
            Whether the mapping key was here before.
        """
        start = start_of(event)
        self.key = key
        self.child = (*self.path, key)
        self.key_start = start.index if self.flow else self._indicator(text, start)
        if not self.is_mapping:
            self.key_end = start.index
            return False
        self.key_end = end_of(event).index
        is_known = key in self._seen
        self._seen.add(key)
        return is_known

    def finish(self, end: int) -> None:
        self.key = None
        self.count += 1
        self._last_end = end

    def _indicator(self, text: str, start: Mark) -> int:
        """Return where the dash of a list item, or the `?` of a mapping key, stands."""
        if self.is_mapping and (start.column == self.column or self._tagged):
            self.column = start.column if not self.count else self.column
            return start.index
        line = line_start(text, start.index)
        while line and text[line + self.column : line + self.column + 1] not in ("-", "?"):
            line = line_start(text, line - 1)
        return line + self.column


def error_at(event: yaml.Event, problem: str, hint: str | None = None) -> RepositoryError:
    mark = start_of(event)
    return RepositoryError(problem, hint=hint, line=mark.line + 1, column=mark.column + 1)
