"""Comments moved to places where every reader binds them to the same container.

That is a line of its own directly above an entry, at the entry's column, or behind a scalar on
its line. sops attaches comments elsewhere in ways that differ between its releases, and loses some.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from nixsecrets.sops.stores.yaml_comments import is_alone, neighbours
from nixsecrets.sops.stores.yaml_edit import put
from nixsecrets.sops.stores.yaml_spelling import spell
from nixsecrets.sops.stores.yaml_text import Entry, Root, YamlText
from nixsecrets.sops.tree import Comment, Leaf, LeafType, leaves
from nixsecrets.textedit import Edit, line_end, line_start


def seat_comments(parsed: YamlText, comments: Iterable[Comment]) -> Iterator[Edit]:
    """Yield the edits that move those comments that do not stand in a seat yet.

    An empty comment in a list becomes one blank: sops takes it for an item of the list, and an
    empty text cannot be sealed. Values without text are spelled out, of mappings only those with a
    tag: sops takes a comment near one for another place.

    Args:
        parsed: a document or a stream of documents without metadata.
        comments: some of its comments.
    """
    block = tuple(entry for entry in parsed.entries if not entry.flow)
    seating = _Seating(
        parsed,
        block,
        tuple(entry.start for entry in block),
        frozenset(leaf.span.start for leaf in leaves(parsed.tree) if _is_scalar(leaf)),
    )
    present = tuple(comments)
    if present:
        yield from _spell_out(parsed)
    for comment in present:
        for edit in seating.seat(comment):
            if parsed.text[edit.start : edit.end] != edit.replacement:
                yield edit


class _Seating(NamedTuple):
    """Where comments may go.

    Args:
        parsed: the text.
        block: its entries that stand in no braces or brackets.
        starts: their offsets.
        scalars: the offsets of all values that are a text.
    """

    parsed: YamlText
    block: tuple[Entry, ...]
    starts: tuple[int, ...]
    scalars: frozenset[int]

    def seat(self, comment: Comment) -> Iterable[Edit]:
        offset, root = comment.span.start, self._root(comment)
        position = bisect_left(self.starts, offset)
        before, after = neighbours(self.block, position, comment.document)
        if root is not None and offset > root.close:
            return self._above(comment, root.close, None)
        if before is None:
            return self._at_top(comment, root, after)
        inner = after is not None and after.path[: len(before.path)] == before.path
        if is_alone(self.parsed.text, offset):
            if offset < before.end and not inner:
                return self._above_line_of(before, comment)
            return self._to_column(comment, after)
        if offset < before.end or before.value not in self.scalars:
            return self._above_line_of(before, comment)
        return (Edit(offset, comment.span.end, _mark(comment, before)),)

    def _root(self, comment: Comment) -> Root | None:
        roots = self.parsed.roots
        return roots[comment.document] if roots else None

    def _column(self, comment: Comment, entry: Entry | None) -> int:
        """Return the column of the entry below a comment, or of its document's mapping."""
        root = self._root(comment)
        if entry is not None:
            return entry.column
        return root.column if root is not None and not root.flow else 0

    def _apart(self, comment: Comment, offset: int, after: Entry | None) -> str:
        """Return the blank line that keeps a comment at `offset` off a list above it.

        A list may have its key's column, and so may a comment below it. sops takes it for the end
        of the list if it follows at once, and a blank line or a line end of Windows comes next.
        """
        start = line_start(self.parsed.text, offset)
        above = self.parsed.text[line_start(self.parsed.text, start - 1) : start].strip()
        if not above or above.startswith("#"):
            return ""
        column = self._column(comment, after)
        path = after.path[:-1] if after else ()
        last, _ = neighbours(self.block, bisect_left(self.starts, offset), comment.document)
        before = last.path if last else ()
        items = (before[:depth] for depth in range(len(path) + 1, len(before) + 1))
        lists = (item for item in items if isinstance(item[-1], int) and item[:-1] != path)
        places = self.parsed.places
        ends_list = any(places[comment.document, item].column == column for item in lists)
        return self.parsed.newline if ends_list else ""

    def _at_top(self, comment: Comment, root: Root | None, after: Entry | None) -> Iterable[Edit]:
        """Seat a comment above all entries of its document, or in a document without any."""
        text, start = self.parsed.text, comment.span.start
        if root is not None and root.flow and start > root.span.start:
            return self._above(comment, root.span.start, None)
        if is_alone(text, start):
            return self._to_column(comment, after)
        if after is not None:
            return self._above_line_of(after, comment)
        return () if root is None else self._above(comment, root.span.start, None)

    def _to_column(self, comment: Comment, after: Entry | None) -> Iterable[Edit]:
        """Move a comment to the column of what follows."""
        column = self._column(comment, after)
        start = line_start(self.parsed.text, comment.span.start)
        line = self._apart(comment, start, after) + " " * column + _mark(comment, after)
        return (Edit(start, comment.span.end, line),)

    def _above_line_of(self, entry: Entry, comment: Comment) -> Iterable[Edit]:
        start = line_start(self.parsed.text, entry.start)
        first = self.block[bisect_left(self.starts, start)]
        return self._above(comment, start, first)

    def _above(self, comment: Comment, offset: int, entry: Entry | None) -> Iterable[Edit]:
        """Move a comment to a line of its own at `offset`, where `entry` starts, or a document."""
        text, newline, span = self.parsed.text, self.parsed.newline, comment.span
        column = self._column(comment, entry)
        head = self._apart(comment, offset, entry) if is_alone(text, offset) else newline
        line = f"{head}{' ' * column}{_mark(comment, entry)}{newline}"
        start, end = span.start, span.end
        if is_alone(text, start):
            start, end = line_start(text, start), line_end(text, start)
        else:
            start = len(text[:start].rstrip(" \t"))
        return (Edit(offset, offset, line), Edit(start, end, ""))


def _spell_out(parsed: YamlText) -> Iterator[Edit]:
    for leaf in leaves(parsed.tree):
        text = parsed.text[leaf.span.start : leaf.span.end]
        is_tag = text.startswith("!") and not any(map(str.isspace, text))
        if (is_tag and not leaf.content) or (not text and isinstance(leaf.path[-1], int)):
            entry = parsed.places[leaf.document, leaf.path]
            yield put(parsed, entry, spell(leaf.kind, leaf.content, None))


def _mark(comment: Comment, neighbour: Entry | None) -> str:
    in_list = neighbour is not None and isinstance(neighbour.path[-1], int)
    return "#" + (comment.text or (" " if in_list else ""))


def _is_scalar(leaf: Leaf) -> bool:
    return isinstance(leaf.kind, LeafType) and leaf.span.start < leaf.span.end
