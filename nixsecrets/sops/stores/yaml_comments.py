"""Comments of a YAML text: where they stand and whose they are; libyaml's events leave them out."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from nixsecrets.sops.tree import Comment, KeyPath, Span
from nixsecrets.textedit import line_start

_COMMENT = re.compile(r"#([^\n\r\x85\u2028\u2029]*)")


@dataclass(frozen=True, slots=True)
class Gap:
    """Text between two events: blanks, indicators, comments."""

    start: int
    end: int


class Placed(Protocol):
    """What is needed of an entry: see `yaml.Entry`."""

    @property
    def path(self) -> KeyPath: ...
    @property
    def start(self) -> int: ...
    @property
    def column(self) -> int: ...
    @property
    def document(self) -> int: ...


def find_comments(text: str, gaps: Sequence[Gap], entries: Sequence[Placed]) -> Iterator[Comment]:
    """Return the comments in `gaps`, each with the containers that may have taken it.

    Which node a comment belongs to is decided by the YAML library of its writer, and not always
    in the same way (measured with sops 3.11 and 3.13); so the container by place comes first and
    every other that a writer may have meant follows.

    Args:
        text: the whole text.
        gaps: in file order.
        entries: in file order, of entries that start at one place the outer first.
    """
    starts = [entry.start for entry in entries]
    line, counted = 1, 0
    for gap in gaps:
        for match in _COMMENT.finditer(text, gap.start, gap.end):
            line += text.count("\n", counted, match.start())
            counted = match.start()
            position = bisect_left(starts, match.start())
            before = entries[position - 1] if position else None
            after = entries[position] if position < len(entries) else None
            own, *others = _containers(text, match.start(), before, after)
            near, alone = before or after, is_alone(text, match.start())
            yield Comment(
                container=own,
                others=tuple(others),
                text=match[1],
                span=Span(match.start(), match.end()),
                document=near.document if near else 0,
                line=line,
                behind=None if before is None or alone else before.path,
            )


def is_alone(text: str, offset: int) -> bool:
    """Say whether what starts at `offset` is the first thing on its line."""
    return not text[line_start(text, offset) : offset].strip()


def _containers(
    text: str, offset: int, before: Placed | None, after: Placed | None
) -> Sequence[KeyPath]:
    containers = [_by_place(text, offset, before, after)]
    containers += [entry.path[:-1] for entry in (after, before) if entry is not None]
    if before is not None:
        containers += [before.path[:depth] for depth in range(len(before.path), -1, -1)]
    if after is not None:
        containers += [after.path[:depth] for depth in range(len(after.path) - 1, -1, -1)]
    return tuple(dict.fromkeys(containers))


def _by_place(text: str, offset: int, before: Placed | None, after: Placed | None) -> KeyPath:
    if not is_alone(text, offset):
        return before.path[:-1] if before else ()
    if after is None:
        return ()
    if before is not None and offset - line_start(text, offset) > after.column:
        return before.path[:-1]
    return after.path[:-1]
