"""Comments moved to places where every reader binds them to the same container.

That is a line of its own directly above an entry, at the entry's column, or behind a scalar on
its line. sops attaches comments elsewhere in ways that differ between its releases, and loses some.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nixsecrets.sops.stores.yaml_comments import is_alone
from nixsecrets.sops.stores.yaml_text import Entry, YamlText
from nixsecrets.sops.tree import Comment, KeyPath, Leaf, LeafType, leaves
from nixsecrets.textedit import Edit, line_end, line_start


def seat_comments(parsed: YamlText, comments: Iterable[Comment]) -> Iterator[Edit]:
    """Yield the edits that move those comments that do not stand in a seat yet.

    An empty comment in a list becomes one blank: sops takes it for an item of the list, and an
    empty text cannot be sealed.

    Args:
        parsed: a single document without metadata.
        comments: some of its comments.
    """
    block = tuple(entry for entry in parsed.entries if not entry.flow)
    scalars = frozenset(leaf.path for leaf in leaves(parsed.tree) if _is_scalar(leaf))
    seating = _Seating(parsed, block, tuple(entry.start for entry in block), scalars)
    for comment in comments:
        if comment.text:
            yield from seating.seat(comment)
        elif (comment.document, (*comment.container, 0)) in parsed.places:
            yield Edit(comment.span.end, comment.span.end, " ")


@dataclass(frozen=True, slots=True)
class _Seating:
    parsed: YamlText
    block: tuple[Entry, ...]
    starts: tuple[int, ...]
    scalars: frozenset[KeyPath]

    def seat(self, comment: Comment) -> Iterable[Edit]:
        offset = comment.span.start
        position = bisect_left(self.starts, offset)
        before = self.block[position - 1] if position else None
        after = self.block[position] if position < len(self.block) else None
        if before is None:
            return self._at_top(comment, after)
        inner = after is not None and after.path[: len(before.path)] == before.path
        if is_alone(self.parsed.text, offset):
            if offset < before.end and not inner:
                return self._above_line_of(before, comment)
            if self._may_end_list(before, after):
                return self._directly_above(after, comment)
            return self._to_column(comment, after)
        if offset < before.end or before.path not in self.scalars:
            return self._above_line_of(before, comment)
        return ()

    def _may_end_list(self, before: Entry, after: Entry | None) -> bool:
        """Say whether a comment may be taken for the end of a list that has its key's column."""
        column = after.column if after else self._root_column
        for depth in range(1, len(before.path) + 1):
            path = before.path[:depth]
            is_other = after is None or after.path[: depth - 1] != path[:-1]
            if is_other and isinstance(path[-1], int):
                entry = self.parsed.places[before.document, path]
                if not entry.flow and entry.column == column:
                    return True
        return False

    @property
    def _root_column(self) -> int:
        return self.parsed.roots[0].column if self.parsed.roots else 0

    def _directly_above(self, after: Entry | None, comment: Comment) -> Iterable[Edit]:
        """Move a comment behind the blank lines that follow it, if there are any."""
        if after is not None:
            return self._above_line_of(after, comment)
        return self._above(comment, self.parsed.roots[0].close, self._root_column)

    def _at_top(self, comment: Comment, after: Entry | None) -> Iterable[Edit]:
        text, root = self.parsed.text, self.parsed.roots[0] if self.parsed.roots else None
        if root is not None and root.flow and comment.span.start > root.span.start:
            return self._above(comment, root.span.start, 0)
        if is_alone(text, comment.span.start):
            return self._to_column(comment, after)
        return () if after is None else self._above_line_of(after, comment)

    def _to_column(self, comment: Comment, after: Entry | None) -> Iterable[Edit]:
        text, roots = self.parsed.text, self.parsed.roots
        if after is None and roots and roots[0].close < comment.span.start:
            return self._directly_above(None, comment)
        column = after.column if after else self._root_column
        start = line_start(text, comment.span.start)
        if comment.span.start - start == column:
            return ()
        return (Edit(start, comment.span.start, " " * column),)

    def _above_line_of(self, entry: Entry, comment: Comment) -> Iterable[Edit]:
        start = line_start(self.parsed.text, entry.start)
        first = self.block[bisect_left(self.starts, start)]
        return self._above(comment, start, first.column)

    def _above(self, comment: Comment, offset: int, column: int) -> Iterable[Edit]:
        text, newline, span = self.parsed.text, self.parsed.newline, comment.span
        head = "" if is_alone(text, offset) else newline
        line = f"{head}{' ' * column}#{comment.text}{newline}"
        start, end = span.start, span.end
        if is_alone(text, start):
            start, end = line_start(text, start), line_end(text, start)
        else:
            start = len(text[:start].rstrip(" \t"))
        return (Edit(offset, offset, line), Edit(start, end, ""))


def _is_scalar(leaf: Leaf) -> bool:
    return isinstance(leaf.kind, LeafType) and leaf.span.start < leaf.span.end
