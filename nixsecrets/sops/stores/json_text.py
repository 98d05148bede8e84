"""A parsed JSON text, and its edits: each touches one thing and leaves the rest alone."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, Self

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.metadata import Value
from nixsecrets.sops.stores.json_spelling import Layout, brackets, spell, spell_string
from nixsecrets.sops.stores.text import METADATA_NAME, Scalar
from nixsecrets.sops.tree import Comment, Empty, KeyPath, Leaf, Span, Tree
from nixsecrets.textedit import Edit, apply_edits

_SOPS_UNIT = "\t"
"""What sops indents by (`stores.json.indent`)."""


class Entry(NamedTuple):
    """One entry of an object or one item of a list, as a place for edits.

    Args:
        path: where it stands.
        start: offset of its name's quote; of a list item that of its value.
        key_end: offset after its name; of a list item that of its value.
        value: offset at which its value starts.
        end: offset after its value.
    """

    path: KeyPath
    start: int
    key_end: int
    value: int
    end: int


class JsonText(NamedTuple):
    """A parsed document: a `Text`; JSON has no comments.

    Args:
        text: the whole text; each byte of it that is no UTF-8 as a surrogate (PEP 383).
        root: the object at the top.
        tree: leaves in file order, the metadata left out.
        entries: every entry and item in file order, the metadata's included.
        metadata: the fields below `sops`; None: there is no such object.
    """

    text: str
    root: Span
    tree: Tree
    entries: tuple[Entry, ...]
    metadata: Mapping[str, Value] | None

    @property
    def metadata_text(self) -> bytes | None:
        return None

    @property
    def documents(self) -> int:
        return 1

    @property
    def reserved(self) -> bool:
        """Whether a top-level `sops` is there in any case: Go's JSON reader ignores case."""
        return any(_is_reserved(entry.path[0]) for entry in self._children(()))

    def seated(self, comments: Iterable[Comment]) -> Self:
        _refuse(*comments)
        return self

    def respell_leaf(self, leaf: Leaf, scalar: Scalar) -> Edit:
        """Return the edit that puts another value in a leaf's place.

        Raises:
            RepositoryError: JSON has no words for that value.
        """
        try:
            return Edit(leaf.span.start, leaf.span.end, spell(scalar.kind, scalar.content))
        except RepositoryError as error:
            raise _at(leaf.path, error, leaf.line) from None

    def respell_comment(self, comment: Comment, sealed: str) -> Edit:
        """Return the edit for the list item that holds a comment of a converted document."""
        return Edit(comment.span.start, comment.span.end, spell_string(sealed))

    def clear_comments(self, opened: Sequence[tuple[Comment, str]]) -> Sequence[Edit]:
        """Return no edit: there is nothing to clear.

        Raises:
            RepositoryError: there is a comment; JSON has no place for one.
        """
        _refuse(*(comment for comment, _text in opened))
        return ()

    def insert_leaf(self, path: KeyPath, scalar: Scalar) -> Edit:
        """Return the edit that adds a leaf, with what is above, laid out as its neighbours.

        A position is that behind the last item of a list; a list that is missing begins with 0.

        Raises:
            RepositoryError: something above it is a value, or a list where a name is asked for,
                or stands there twice; or the position is not the next one.
        """
        if _is_reserved(path[0]):
            raise RepositoryError("the top-level `sops` is reserved for the metadata")
        depth, parent = self._deepest_parent(path)
        rest = path[depth:]
        below = self._children(path[:depth])
        _check_positions(path, depth, len(below))
        try:
            spelled = spell(scalar.kind, scalar.content)
        except RepositoryError as error:
            raise _at(path, error) from None
        if not below:
            return self._fill(parent, rest, spelled)
        return self._add([self._layout.nest(rest, spelled, self._indent(below[-1]))], below)

    def remove_leaf(self, path: KeyPath) -> Edit:
        """Return the edit that takes a leaf away, with what is above and holds nothing else.

        Raises:
            RepositoryError: there is no such leaf, or there are two.
        """
        if not any(isinstance(leaf, Leaf) and leaf.path == path for leaf in self.tree):
            raise RepositoryError(f"{words(path)} is not in the document")
        self._check_single(path)
        siblings = self._children(path[:-1])
        while len(siblings) == 1 and len(path) > 1:
            path = path[:-1]
            siblings = self._children(path[:-1])
        return self._cut(siblings, {path[-1]})[0]

    def write_metadata(self, fields: Mapping[str, Value]) -> Sequence[Edit]:
        """Return the edits that make `fields` the metadata; what stays equal keeps its bytes."""
        block = self._entry((METADATA_NAME,))
        if block is None:
            return [self._append_metadata(fields)]
        inner, before = self._children(block.path), self.metadata or {}
        kept = [entry for entry in inner if entry.path[-1] in fields]
        if not kept:
            rendered = self._layout.render(fields, self._indent(block))
            return [Edit(block.value, block.end, rendered)]
        edits = self._cut(inner, before.keys() - fields.keys())
        changed = {name: new for name, new in fields.items() if before.get(name, fields) != new}
        edits += [
            Edit(entry.value, entry.end, self._layout.render(changed[name], self._indent(entry)))
            for entry in kept
            for name in map(str, entry.path[-1:])
            if name in changed
        ]
        if new := {name: value for name, value in fields.items() if name not in before}:
            edits.append(self._add(self._pairs(new, self._indent(inner[-1])), inner))
        return edits

    def stamp_metadata(self, fields: Mapping[str, str]) -> Sequence[Edit]:
        """Return the edits that give fields that exist already another text."""
        return [
            Edit(entry.value, entry.end, spell_string(fields[name]))
            for entry in self._children((METADATA_NAME,))
            for name in map(str, entry.path[-1:])
            if name in fields
        ]

    def cut_metadata(self) -> Sequence[Edit]:
        """Return the edits that take the metadata away."""
        return self._cut(self._children(()), {METADATA_NAME})

    def apply(self, edits: Iterable[Edit]) -> bytes:
        return apply_edits(self.text, edits).encode("utf-8", "surrogateescape")

    @property
    def _layout(self) -> Layout:
        """Return the layout of the first entry; of a text without any, sops' own."""
        newline = "\r\n" if "\r\n" in self.text else "\n"
        if not self.entries:
            return Layout(newline, _SOPS_UNIT, ": ")
        first = self.entries[0]
        spaced = self.text[first.value - 1].isspace()
        unit = self._indent(first)
        return Layout(newline, _SOPS_UNIT if unit is None else unit, ": " if spaced else ":")

    def _indent(self, entry: Entry) -> str | None:
        """Return what an entry's line starts with; None: something else stands before it."""
        before = self.text[: entry.start]
        blanks = before[len(before.rstrip()) :]
        return blanks.rpartition("\n")[2] if "\n" in blanks else None

    def _children(self, path: KeyPath) -> Sequence[Entry]:
        depth = len(path) + 1
        return [one for one in self.entries if len(one.path) == depth and one.path[:-1] == path]

    def _entry(self, path: KeyPath) -> Entry | None:
        return next((entry for entry in self.entries if entry.path == path), None)

    def _check_single(self, path: KeyPath) -> None:
        """Check that a path leads to one place; duplicate names may stand in a sealed document."""
        for depth in range(1, len(path) + 1):
            if sum(entry.path == path[:depth] for entry in self.entries) > 1:
                raise RepositoryError(f"{words(path[:depth])} stands in the document twice")

    def _deepest_parent(self, path: KeyPath) -> tuple[int, Entry | None]:
        """Return how many steps of `path` exist as objects, and the deepest one's entry."""
        self._check_single(path)
        for depth in range(len(path), 0, -1):
            entry = self._entry(path[:depth])
            if entry is not None:
                self._check_parent(entry, path)
                return depth, entry
        return 0, None

    def _check_parent(self, entry: Entry, path: KeyPath) -> None:
        if entry.path == path:
            raise RepositoryError(f"{words(path)} is there already")
        value, place = self.text[entry.value : entry.end], words(entry.path)
        if value[0] not in "{[" and value != Empty.NULL.value:
            raise RepositoryError(f"{place} is a value: nothing can stand below it")
        if value[0] == ("{" if isinstance(path[len(entry.path)], int) else "["):
            what = "a list" if value[0] == "[" else "an object"
            raise RepositoryError(f"{place} is {what}: {words(path)} cannot stand below it")

    def _fill(self, parent: Entry | None, steps: KeyPath, spelled: str) -> Edit:
        """Return the edit that puts a collection with one entry in the place of an empty one."""
        indent = self._indent(parent) if parent else ""
        inner = self._layout.nest(steps, spelled, self._layout.deeper(indent))
        start, end = (parent.value, parent.end) if parent else (self.root.start, self.root.end)
        return Edit(start, end, self._layout.enclose(brackets(steps[0]), [inner], indent))

    def _add(self, pairs: Sequence[str], siblings: Sequence[Entry]) -> Edit:
        """Return the edit that adds entries behind all others, at top before the metadata."""
        last = siblings[-1]
        glue = "," + self._layout.line(self._indent(last))
        own = [entry for entry in siblings if entry.path != (METADATA_NAME,)]
        if not own:
            return Edit(last.start, last.start, "".join(pair + glue for pair in pairs))
        return Edit(own[-1].end, own[-1].end, "".join(glue + pair for pair in pairs))

    def _append_metadata(self, fields: Mapping[str, Value]) -> Edit:
        entries = self._children(())
        indent = self._indent(entries[-1]) if entries else self._layout.deeper("")
        pair = self._layout.pair(METADATA_NAME, self._layout.render(fields, indent))
        if entries:
            return self._add([pair], entries)
        return Edit(self.root.start, self.root.end, self._layout.enclose("{}", [pair], ""))

    def _pairs(self, fields: Mapping[str, Value], indent: str | None) -> Sequence[str]:
        layout = self._layout
        return [layout.pair(name, layout.render(one, indent)) for name, one in fields.items()]

    def _cut(self, siblings: Sequence[Entry], gone: Iterable[str | int]) -> list[Edit]:
        """Return the edits that take entries of one collection away; `siblings` are all of it."""
        names = frozenset(gone)
        kept = [entry for entry in siblings if entry.path[-1] not in names]
        if not kept:
            return self._emptied(siblings)
        edits = [
            Edit(entry.start, follower.start, "")
            for entry, follower in pairwise(siblings)
            if entry.path[-1] in names and entry.start < kept[-1].start
        ]
        if kept[-1] is not siblings[-1]:
            edits.append(Edit(kept[-1].end, siblings[-1].end, ""))
        return edits

    def _emptied(self, siblings: Sequence[Entry]) -> list[Edit]:
        """Return the edit that leaves nothing between the brackets around `siblings`."""
        if not siblings:
            return []
        start = len(self.text[: siblings[0].start].rstrip())
        end = siblings[-1].end
        rest = self.text[end:]
        return [Edit(start, end + len(rest) - len(rest.lstrip()), "")]


def words(path: KeyPath) -> str:
    return "/".join(map(str, path))


def _check_positions(path: KeyPath, depth: int, items: int) -> None:
    """Check that positions of a path that does not exist are those of the next items."""
    expected = items
    for step in path[depth:]:
        if isinstance(step, int) and step != expected:
            raise RepositoryError(f"{words(path)} is not the next item of a list: {expected} is")
        expected = 0


def _is_reserved(step: str | int) -> bool:
    return isinstance(step, str) and step.casefold() == METADATA_NAME


def _refuse(*comments: Comment) -> None:
    for comment in comments:
        raise RepositoryError("a comment cannot stand in JSON", line=comment.line)


def _at(path: KeyPath, error: RepositoryError, line: int | None = None) -> RepositoryError:
    return RepositoryError(f"{words(path)}: {error.problem}", hint=error.hint, line=line)
