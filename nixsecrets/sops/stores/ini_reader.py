"""INI text as go-ini reads it (`parser.go` of gopkg.in/ini.v1, 1.44 to 1.67): what stands where.

Stricter in one thing: what go-ini drops without a word (text behind a closing quote or bracket) is
refused, because it would stay readable in a sealed document.
"""

from collections.abc import Iterator
from typing import NamedTuple

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.stores.flat import Line
from nixsecrets.sops.tree import Span
from nixsecrets.textedit import line_end, line_start

BLANKS = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What Go's `unicode.IsSpace` takes for white space; Python's own idea is wider."""
DEFAULT_SECTION = "DEFAULT"
MARKS = ("#", ";")
_DELIMITERS = ("=", ":")
_BLOCK_QUOTES = ('"""', "`")
_NAME_QUOTES = ('"""', '"', "`")


class Note(NamedTuple):
    """One line of a comment, from its mark to the end of the line."""

    start: int
    end: int
    number: int


class Notes(NamedTuple):
    """The comment of a name or of a section: lines above it, and what stands behind it."""

    above: tuple[Note, ...] = ()
    inline: Note | None = None

    @property
    def all(self) -> tuple[Note, ...]:
        return self.above if self.inline is None else (*self.above, self.inline)

    def top(self, text: str, start: int) -> int:
        """Return where the first line of what begins at `start` begins, comment included."""
        return line_start(text, self.above[0].start) if self.above else start


class Entry(NamedTuple):
    """A name with its value and its comment."""

    line: Line
    notes: Notes


class Section(NamedTuple):
    """One section.

    Args:
        name: as it stands in the brackets; blanks are part of it.
        start: offset of the line with the brackets; without such a line, that of the text.
        body: offset after that line.
        entries: in file order, also those whose name comes again.
        notes: its comment.
        number: 1-based line.
    """

    name: str
    start: int
    body: int
    entries: tuple[Entry, ...]
    notes: Notes
    number: int

    @property
    def effective(self) -> tuple[Entry, ...]:
        """The entries that count: of a name that comes again the last, at the first's position."""
        return tuple({entry.line.name: entry for entry in self.entries}.values())

    @property
    def end(self) -> int:
        return self.entries[-1].line.end if self.entries else self.body


class ReadValue(NamedTuple):
    """A value as it is read.

    Args:
        text: without quotes.
        place: where it stands, quotes included; of an empty one, the place for it.
        comment: from the mark of the comment behind it to that one's end.
        end: offset after its last line.
    """

    text: str
    place: Span
    comment: Span | None
    end: int


def read_sections(text: str) -> tuple[tuple[Section, ...], tuple[Note, ...]]:
    """Return the sections, first the one without brackets, and the comment at the text's end.

    Raises:
        RepositoryError: with its line, where go-ini refuses it, or would lose a part of it.
    """
    reader = _Reader(text)
    while reader.offset < len(text):
        reader.take_line()
    return tuple(reader.sections()), tuple(reader.pending)


def read_value(text: str, offset: int) -> ReadValue:
    """Read the value that begins somewhere behind `offset`, on the same line.

    Raises:
        RepositoryError: a quote is not closed, or something stands behind it.
    """
    end = line_end(text, offset)
    start = _first(text, offset, end)
    if start == end:
        place = offset + len(text[offset:end].rstrip("\r\n"))
        return ReadValue("", Span(place, place), None, end)
    for quote in _BLOCK_QUOTES:
        if text.startswith(quote, start) and text[start:end] != '"""':
            return _quoted(text, start, quote)
    body = text[start:end].rstrip(BLANKS)
    return _continued(text, start) if body.endswith("\\") else _plain(text, start, body)


def find_mark(text: str, start: int, end: int) -> int:
    """Return the offset of the first comment mark, `end` if there is none."""
    return min(_find(text, mark, start, end) for mark in MARKS)


class _Reader:
    """Reads a text line by line.

    A name that counts by position (`-`) is refused: sops writes it as a comment.
    """

    def __init__(self, text: str) -> None:
        self.offset = 0
        self.pending: list[Note] = []
        self._text = text
        self._number = 1
        self._sections = [Section(DEFAULT_SECTION, 0, 0, (), Notes(), 1)]
        self._entries: list[list[Entry]] = [[]]

    def sections(self) -> Iterator[Section]:
        for one, entries in zip(self._sections, self._entries, strict=True):
            yield Section(one.name, one.start, one.body, tuple(entries), one.notes, one.number)

    def take_line(self) -> None:
        end = line_end(self._text, self.offset)
        start = _first(self._text, self.offset, end)
        try:
            self._take(start, end)
        except RepositoryError as error:
            raise RepositoryError(error.problem, line=self._number) from None

    def _take(self, start: int, end: int) -> None:
        match self._text[start:end][:1]:
            case "":
                self._go_on(end)
            case "#" | ";":
                stop = start + len(self._text[start:end].removesuffix("\n"))
                self.pending.append(Note(start, stop, self._number))
                self._go_on(end)
            case "[":
                self._take_section(start, end)
            case _:
                self._take_entry(start, end)

    def _take_section(self, start: int, end: int) -> None:
        close = self._text.rfind("]", start, end)
        if close < 0:
            raise RepositoryError("a section is not closed by `]`")
        name = self._text[start + 1 : close]
        if not name:
            raise RepositoryError("a section has no name")
        comment = _comment_behind(self._text, close + 1, end)
        number, offset = self._number, self.offset
        notes = self._notes(comment, number)
        self._sections.append(Section(name, offset, end, (), notes, number))
        self._entries.append([])
        self._go_on(end)

    def _take_entry(self, start: int, end: int) -> None:
        name, behind = _read_name(self._text, start, end)
        value = read_value(self._text, behind)
        line = Line(name, value.text, value.place, self.offset, value.end, self._number)
        last = self._number + self._text.count("\n", self.offset, value.place.end)
        self._entries[-1].append(Entry(line, self._notes(value.comment, last)))
        self._go_on(value.end)

    def _notes(self, comment: Span | None, number: int) -> Notes:
        inline = Note(comment.start, comment.end, number) if comment else None
        notes = Notes(tuple(self.pending), inline)
        self.pending.clear()
        return notes

    def _go_on(self, end: int) -> None:
        self._number += self._text.count("\n", self.offset, end)
        self.offset = end


def _read_name(text: str, start: int, end: int) -> tuple[str, int]:
    """Return a name and the offset behind the delimiter after it."""
    quote = next((one for one in _NAME_QUOTES if text.startswith(one, start)), "")
    inner = start + len(quote)
    close = text.find(quote, inner, end) if quote else inner
    if close < 0:
        raise RepositoryError("a quoted name is not closed")
    behind = close + len(quote)
    delimiter = min(_find(text, one, behind, end) for one in _DELIMITERS)
    if delimiter == end:
        raise RepositoryError("a line has neither `=` nor `:`")
    if quote and text[behind:delimiter].strip(BLANKS):
        raise RepositoryError("something stands between a quoted name and its value")
    name = text[inner : close if quote else delimiter].strip(BLANKS)
    if name in {"", "-"}:
        raise RepositoryError("a line has no name of its own")
    return name, delimiter + 1


def _quoted(text: str, start: int, quote: str) -> ReadValue:
    """Read what is quoted up to the last such quote on the first line that has one."""
    inner = start + len(quote)
    offset, end = inner, line_end(text, start)
    close = text.rfind(quote, offset, end)
    while close < 0 and end < len(text):
        offset, end = end, line_end(text, end)
        close = text.rfind(quote, offset, end)
    if close < 0:
        raise RepositoryError("a quoted value is not closed")
    behind = close + len(quote)
    comment = _comment_behind(text, behind, end)
    return ReadValue(text[inner:close], Span(start, behind), comment, end)


def _comment_behind(text: str, offset: int, end: int) -> Span | None:
    """Return the comment that follows a closing quote or bracket.

    Raises:
        RepositoryError: it is none; or it ends in a backslash, which go-ini 1.67.3 goes on after.
    """
    rest = text[offset:end].rstrip(BLANKS)
    start = _first(text, offset, offset + len(rest))
    if start == offset + len(rest):
        return None
    if text[start] not in MARKS or rest.endswith("\\"):
        raise RepositoryError("what stands behind a closing quote or bracket would be lost")
    return Span(start, offset + len(rest))


def _continued(text: str, start: int) -> ReadValue:
    """Read lines of which each but the last ends in a backslash; an empty one ends them too."""
    value, place, end = "", start, start
    while end < len(text):
        offset, end = end, line_end(text, end)
        line = text[offset:end].strip(BLANKS)
        value += line
        if line:
            place = offset + len(text[offset:end].rstrip(BLANKS))
        if not line or not value.endswith("\\"):
            break
        value = value[:-1]
    return ReadValue(value, Span(start, place), None, end)


def _plain(text: str, start: int, body: str) -> ReadValue:
    end = start + len(body)
    mark = find_mark(text, start, end)
    comment = Span(mark, end) if mark < end else None
    value = text[start:mark].rstrip(BLANKS)
    place = Span(start, start + len(value))
    for quote in ("'", '"'):
        if len(value) > 1 and value[0] == quote and value.find(quote, 1) == len(value) - 1:
            value = value[1:-1]
            break
    return ReadValue(value, place, comment, line_end(text, start))


def _first(text: str, start: int, end: int) -> int:
    """Return the offset of the first character that is not blank, `end` if there is none."""
    return end - len(text[start:end].lstrip(BLANKS))


def _find(text: str, wanted: str, start: int, end: int) -> int:
    found = text.find(wanted, start, end)
    return end if found < 0 else found
