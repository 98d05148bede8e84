"""Comments of a YAML text: where they stand and whose they are; libyaml's events leave them out."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from nixsecrets.sops.stores.yaml_text import Entry, Root
from nixsecrets.sops.tree import Comment, KeyPath, Span
from nixsecrets.textedit import line_start

_COMMENT = r"#([^\n\r\x85\u2028\u2029]*)"


def find_comments(
    text: str, gaps: Sequence[Span], entries: Sequence[Entry], roots: Sequence[Root]
) -> Iterator[Comment]:
    """Return the comments in `gaps`, each with the containers that may have taken it.

    Which node a comment belongs to is decided by the YAML library of its writer, and not always
    in the same way (measured with sops 3.11 and 3.13); so the container by place comes first and
    every other that a writer may have meant follows.

    Args:
        text: the whole text.
        gaps: what stands between the events: blanks, indicators, comments; in file order.
        entries: in file order, of entries that start at one place the outer first.
        roots: one for each document of the stream.
    """
    starts = [entry.start for entry in entries]
    closes = [root.close for root in roots]
    line, counted = 1, 0
    for gap in gaps:
        for match in re.compile(_COMMENT).finditer(text, gap.start, gap.end):
            start, end = match.span()
            line += text.count("\n", counted, start)
            counted = start
            document = document_at(closes, start)
            position = bisect_left(starts, start)
            before, after = neighbours(entries, position, document)
            alone = is_alone(text, start)
            own, *others = _containers(text, start, before, after)
            behind = None if before is None or alone else before.path
            yield Comment(own, tuple(others), match[1], Span(start, end), document, line, behind)


def document_at(closes: Sequence[int], offset: int) -> int:
    """Return which document of a stream `offset` belongs to: the one that did not end before.

    What follows on a document's end mark (`...`) belongs to the next one, if there is one.
    """
    return min(bisect_left(closes, offset), max(len(closes) - 1, 0))


def neighbours(
    entries: Sequence[Entry], position: int, document: int
) -> tuple[Entry | None, Entry | None]:
    """Return the entries before and at `position`, None where they are of another document."""
    before = entries[position - 1] if position else None
    after = entries[position] if position < len(entries) else None
    if before is not None and before.document != document:
        before = None
    return before, None if after is None or after.document != document else after


def is_alone(text: str, offset: int) -> bool:
    """Say whether what starts at `offset` is the first thing on its line."""
    return not text[line_start(text, offset) : offset].strip()


def _containers(
    text: str, offset: int, before: Entry | None, after: Entry | None
) -> Sequence[KeyPath]:
    containers = [_by_place(text, offset, before, after)]
    containers += [entry.path[:-1] for entry in (after, before) if entry is not None]
    if before is not None:
        containers += [before.path[:depth] for depth in range(len(before.path), -1, -1)]
    if after is not None:
        containers += [after.path[:depth] for depth in range(len(after.path) - 1, -1, -1)]
    return tuple(dict.fromkeys(containers))


def _by_place(text: str, offset: int, before: Entry | None, after: Entry | None) -> KeyPath:
    if not is_alone(text, offset):
        return before.path[:-1] if before else ()
    if after is None:
        return ()
    if before is not None and offset - line_start(text, offset) > after.column:
        return before.path[:-1]
    return after.path[:-1]
