"""INI documents: sections of names with string values (sops `stores/ini/store.go`, go-ini).

The metadata are the section `sops`, its names flat. A comment belongs to the name or section below
it and comes behind that name in the tree, as sops has it; all its lines are one comment.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.metadata import Value
from nixsecrets.sops.stores.flat import (
    Line,
    blamed,
    escape,
    fields_of,
    flatten,
    shown,
    unescape,
    updates,
)
from nixsecrets.sops.stores.ini_reader import (
    BLANKS,
    MARKS,
    Notes,
    Section,
    read_sections,
)
from nixsecrets.sops.stores.ini_spelling import spell, spell_name, spell_section, survives
from nixsecrets.sops.stores.ini_tree import bare, items_of
from nixsecrets.sops.stores.text import METADATA_NAME, Scalar
from nixsecrets.sops.tree import Comment, KeyPath, Leaf, Span, Tree
from nixsecrets.textedit import Edit, apply_edits, line_end, line_start

_BYTE_ORDER_MARK = "\ufeff"
_UTF_16_MARKS = (b"\xfe\xff", b"\xff\xfe")
_LEVELS = 2


class IniText(NamedTuple):
    """A parsed text.

    Args:
        text: the whole text, its byte order mark left out; bytes that are not UTF-8 as surrogates.
        mark: the byte order mark, or nothing.
        tree: leaves in file order, each with its comment behind it.
        sections: in file order; the first is `DEFAULT`, without brackets.
        own: the metadata's, each text with its line breaks.
        metadata: the fields of the metadata; None: there are none.
    """

    text: str
    mark: str
    tree: Tree
    sections: tuple[Section, ...]
    own: tuple[Line, ...]
    metadata: Mapping[str, Value] | None

    @property
    def metadata_text(self) -> bytes | None:
        pieces = (self.text[edit.start : edit.end] for edit in self.cut_metadata())
        return "".join(pieces).encode("utf-8", "surrogateescape")

    @property
    def documents(self) -> int:
        return 1

    @property
    def reserved(self) -> bool:
        return self._own_section is not None

    @property
    def newline(self) -> str:
        first = self.text.find("\n")
        return "\r\n" if first > 0 and self.text[first - 1] == "\r" else "\n"

    def seated(self, comments: Iterable[Comment]) -> "IniText":
        """Return the text with comments on lines of their own and no name twice.

        Of a name that comes again in its section go all lines but the last, as with sops.

        Raises:
            RepositoryError: a section comes again in a way in which sops before 3.10, which joins
                them, would find other values.
        """
        self._check_repeated_sections()
        starts = {comment.span.start for comment in comments}
        edits: list[Edit] = []
        for section in self.sections:
            counting = {entry.line.start for entry in section.effective}
            edits += self._apart(section.notes, section.start, None, starts)
            for entry in section.entries:
                line, notes = entry.line, entry.notes
                if line.start in counting:
                    edits += self._apart(notes, line.start, line, starts)
                else:
                    edits.append(Edit(notes.top(self.text, line.start), line.end, ""))
        return parse(self.apply(edits)) if edits else self

    def respell_leaf(self, leaf: Leaf, scalar: Scalar) -> Edit:
        """Return the edit that puts another value in a leaf's place.

        Raises:
            RepositoryError: no quoting reads back as the value.
        """
        return self._put(leaf.span, shown(scalar))

    def respell_comment(self, comment: Comment, sealed: str) -> Edit:
        start = comment.span.start + len(self._mark_of(comment))
        return Edit(start, comment.span.end, sealed)

    def clear_comments(self, opened: Sequence[tuple[Comment, str]]) -> Sequence[Edit]:
        """Return the edits that write opened comments, each line of them with a mark."""
        return [self._clear_comment(comment, text) for comment, text in opened]

    def _clear_comment(self, comment: Comment, text: str) -> Edit:
        mark = self._mark_of(comment)
        indent = self.text[line_start(self.text, comment.span.start) : comment.span.start]
        first, *rest = text.split("\n")
        lines = [line if line.startswith(MARKS) else f"{mark[0]} {line}" for line in rest]
        return Edit(
            comment.span.start, comment.span.end, f"\n{indent}".join((mark + first, *lines))
        )

    def insert_leaf(self, path: KeyPath, scalar: Scalar) -> Edit:
        """Return the edit that adds a line to its section, which is made where it is missing.

        Raises:
            RepositoryError: a name or a value that does not read back, a path that is not section
                and name, or the metadata's.
        """
        section_name, name = _names(path)
        places = [one for one in self.sections if one.name == section_name]
        section = next((one for one in places if one.entries or one.start < one.body), None)
        like = section.entries[-1].line if section and section.entries else None
        line = self._spell_line(name, shown(scalar), like)
        if section is not None:
            return self._insert(section.end, line)
        if places:
            return self._insert(0, line)
        offset = self._end_of_values
        blank = self.newline if offset else ""
        lines = f"{blank}{spell_section(section_name)}{self.newline}{line}"
        follows = self.text[offset:].strip(" \t\r")[:1] not in ("", "\n")
        return self._insert(offset, lines + (self.newline if follows else ""))

    def remove_leaf(self, path: KeyPath) -> Edit:
        """Return the edit that takes a name, its comment, and a section without another name away.

        Raises:
            RepositoryError: there is no such name, or it stands there several times.
        """
        section_name, name = _names(path)
        found = [
            (section, entry)
            for section in self.sections
            for entry in section.entries
            if (section.name, entry.line.name) == (section_name, name)
        ]
        shown_path = f"{section_name}/{name}"
        if not found:
            raise RepositoryError(f"{shown_path} is not in the document")
        if len(found) > 1:
            number = found[1][1].line.number
            raise RepositoryError(f"{shown_path} stands in the document twice", line=number)
        section, entry = found[0]
        if len(section.entries) > 1 or section.start == section.body:
            return Edit(entry.notes.top(self.text, entry.line.start), entry.line.end, "")
        return Edit(
            section.notes.top(self.text, section.start), self._after_blanks(section.end), ""
        )

    def write_metadata(self, fields: Mapping[str, Value]) -> Sequence[Edit]:
        texts, section = flatten(fields), self._own_section
        if self.own:
            return list(updates(self.own, texts, self._respell, self._add))
        if section is not None:
            return [self._add(section.body, texts)]
        blank = self.newline if self.text else ""
        head = f"{blank}[{METADATA_NAME}]{self.newline}"
        return [self._insert(len(self.text), head + self._lines(texts))]

    def stamp_metadata(self, fields: Mapping[str, str]) -> Sequence[Edit]:
        return [self._respell(line, fields[line.name]) for line in self.own if line.name in fields]

    def cut_metadata(self) -> Sequence[Edit]:
        """Return the edits that take the section `sops` away, with the blank line before it."""
        section = self._own_section
        if section is None:
            return []
        start, end = section.start, self._after_blanks(section.end)
        before = line_start(self.text, start - 1) if start else 0
        if end == len(self.text) and not self.text[before:start].strip():
            start = before
        return [Edit(start, end, "")]

    def apply(self, edits: Iterable[Edit]) -> bytes:
        return (self.mark + apply_edits(self.text, edits)).encode("utf-8", "surrogateescape")

    @property
    def _own_section(self) -> Section | None:
        return next((one for one in self.sections if one.name == METADATA_NAME), None)

    @property
    def _end_of_values(self) -> int:
        """The offset behind the last section that is not the metadata's."""
        ends = [one.end for one in self.sections if one.name != METADATA_NAME and one.end]
        own = self._own_section
        if not ends and own is not None:
            return own.notes.top(self.text, own.start)
        return max(ends, default=0)

    def _check_repeated_sections(self) -> None:
        values = [(one.name, entry.line.name) for one in self.sections for entry in one.effective]
        order: dict[str, int] = {}
        again: list[Section] = []
        for section in self.sections:
            if section.name in order:
                again.append(section)
            order.setdefault(section.name, len(order))
        if values != sorted(dict.fromkeys(values), key=lambda value: order[value[0]]):
            raise RepositoryError(
                f"the section {again[0].name!r} comes again, which sops did not always keep apart",
                line=again[0].number,
            )

    def _apart(
        self, notes: Notes, start: int, line: Line | None, starts: set[int]
    ) -> Iterator[Edit]:
        """Yield the edits that move what stands behind a value or a bracket to a line above."""
        inline = notes.inline
        if inline is None or notes.all[0].start not in starts:
            return
        yield Edit(start, start, self.text[inline.start : inline.end] + self.newline)
        if line is None:
            kept = self.text[start : inline.start].rstrip(BLANKS)
            yield Edit(start + len(kept), inline.end, "")
            return
        spelled = self.text[line.value.start : line.value.end]
        if not survives(spelled, line.text, ""):
            spelled = spell(line.text)
        yield Edit(line.value.start, inline.end, spelled)

    def _put(self, place: Span, text: str) -> Edit:
        """Return the edit that puts a value in another's place, whatever stands behind it."""
        end = line_end(self.text, place.end)
        tail = self.text[place.end : end].rstrip(BLANKS)
        if place.start < place.end:
            return Edit(place.start, place.end, spell(text, tail))
        before = self.text[place.start - 2 : place.start]
        glue = " " if before[0] in BLANKS and before[1] not in BLANKS else ""
        gap = " " if tail and text else ""
        return Edit(place.start, place.end, glue + spell(text, gap + tail) + gap)

    def _respell(self, line: Line, text: str) -> Edit:
        return self._put(line.value, escape(text))

    def _add(self, offset: int, texts: Mapping[str, str]) -> Edit:
        return self._insert(offset, self._lines(texts))

    def _lines(self, texts: Mapping[str, str]) -> str:
        """Return lines of metadata, their delimiters below one another."""
        like, width = self.own[-1] if self.own else None, max(map(len, texts), default=0)
        return "".join(
            self._spell_line(name, escape(text), like, width) for name, text in texts.items()
        )

    def _spell_line(self, name: str, text: str, like: Line | None, width: int = 0) -> str:
        """Return a line, spaced as `like`, a line beside it, is."""
        spelled = spell_name(name)
        if like is None:
            return f"{spelled.ljust(width)} = {spell(text)}{self.newline}"
        before = self.text[like.start : like.value.start]
        left = before.rstrip(BLANKS)
        names, delimiter, gap = left[:-1], left[-1], before[len(left) :]
        column = len(names.lstrip(BLANKS))
        if names != names.rstrip(BLANKS):
            spelled, gap = f"{spelled} ".ljust(column), gap or " "
        indent = names[: len(names) - column]
        return f"{indent}{spelled}{delimiter}{gap}{spell(text)}{self.newline}"

    def _insert(self, offset: int, lines: str) -> Edit:
        """Return the edit that inserts whole lines, also behind a line that is not ended."""
        missing = offset and self.text[offset - 1] != "\n"
        return Edit(offset, offset, (self.newline if missing else "") + lines)

    def _after_blanks(self, offset: int) -> int:
        while offset < len(self.text):
            end = line_end(self.text, offset)
            if self.text[offset:end].strip(BLANKS):
                break
            offset = end
        return offset

    def _mark_of(self, comment: Comment) -> str:
        """Return the mark that a comment begins with and the blanks after it."""
        raw = self.text[comment.span.start : comment.span.end]
        return raw[: len(raw) - len(bare(raw))]


def parse(content: bytes) -> IniText:
    """Parse a document.

    Raises:
        RepositoryError: with its line, where go-ini refuses it or would lose a part of it; or
            metadata that sops does not write.
        IntegrityError: the same of a text with sealed leaves: it was cut off or merged by hand.
    """
    if content.startswith(_UTF_16_MARKS):
        raise RepositoryError("is UTF-16 text, which sops does not read")
    text = content.decode("utf-8", "surrogateescape")
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    try:
        return _parsed(text.removeprefix(mark), mark)
    except RepositoryError as error:
        raise blamed(error, content) from None


def _parsed(text: str, mark: str) -> IniText:
    sections, last = read_sections(text)
    owners = [one for one in sections if one.name == METADATA_NAME]
    if len(owners) > 1:
        raise RepositoryError("the section `sops` comes again", line=owners[1].number)
    own = tuple(
        entry.line._replace(text=unescape(entry.line.text))
        for section in owners
        for entry in section.entries
    )
    ending = owners[0].notes if owners else Notes(last)
    return IniText(
        text=text,
        mark=mark,
        tree=tuple(items_of(text, sections, ending)),
        sections=sections,
        own=own,
        metadata=fields_of(own) if owners else None,
    )


def _names(path: KeyPath) -> tuple[str, str]:
    section, name = path if len(path) == _LEVELS else (None, None)
    if isinstance(section, str) and isinstance(name, str) and section != METADATA_NAME:
        return section, name
    raise RepositoryError(
        f"{'/'.join(map(str, path))} is no place for a value in an INI document:"
        " that is a section and a name"
    )
