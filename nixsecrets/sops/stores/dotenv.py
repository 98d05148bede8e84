r"""dotenv documents: lines `NAME=value`, every value a string (sops `stores/dotenv/store.go`).

Nothing is trimmed, quotes and a later `#` belong to the value; `\n`, two characters, is a line
break. The metadata are the lines whose names begin with `sops_`, wherever they stand.
"""

from collections.abc import Iterable, Mapping, Sequence
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
from nixsecrets.sops.stores.text import Scalar
from nixsecrets.sops.tree import Comment, Item, KeyPath, Leaf, LeafType, Span, Tree
from nixsecrets.textedit import Edit, apply_edits

_PREFIX = "sops_"


class DotenvText(NamedTuple):
    """A parsed text.

    Args:
        text: the whole text; bytes that are not UTF-8 as surrogates.
        tree: leaves and comments in file order.
        lines: every line with a name that is no metadata, in file order.
        own: the lines of the metadata, their names without `sops_`.
        metadata: the fields of the metadata; None: there are none.
    """

    text: str
    tree: Tree
    lines: tuple[Line, ...]
    own: tuple[Line, ...]
    metadata: Mapping[str, Value] | None

    @property
    def metadata_text(self) -> bytes | None:
        lines = (self.text[line.start : line.end] for line in self.own)
        return "".join(lines).encode("utf-8", "surrogateescape")

    @property
    def documents(self) -> int:
        return 1

    @property
    def reserved(self) -> bool:
        return bool(self.own)

    def seated(self, comments: Iterable[Comment]) -> "DotenvText":
        """Return the text as it is: every comment has a line of its own."""
        del comments
        return self

    def respell_leaf(self, leaf: Leaf, scalar: Scalar) -> Edit:
        """Return the edit that puts another value in a leaf's place.

        Raises:
            RepositoryError: no spelling reads back as the value.
        """
        return Edit(leaf.span.start, leaf.span.end, escape(shown(scalar)))

    def respell_comment(self, comment: Comment, sealed: str) -> Edit:
        return Edit(comment.span.start, comment.span.end, f"#{sealed}")

    def clear_comments(self, opened: Sequence[tuple[Comment, str]]) -> Sequence[Edit]:
        return [
            Edit(comment.span.start, comment.span.end, "#" + text.replace("\n", "\n#"))
            for comment, text in opened
        ]

    def insert_leaf(self, path: KeyPath, scalar: Scalar) -> Edit:
        """Return the edit that adds a line behind the last one that is no metadata.

        Raises:
            RepositoryError: a name or a value that does not read back, or a path of several names.
        """
        name = _name(path)
        if not _is_name(name):
            raise RepositoryError(f"{name!r} cannot be a name in a dotenv document")
        lines = f"{name}={escape(shown(scalar))}\n"
        if self.tree:
            return self._insert(self._after(self.tree[-1]), lines)
        return self._insert(self.own[0].start if self.own else len(self.text), lines)

    def remove_leaf(self, path: KeyPath) -> Edit:
        """Return the edit that takes a line away.

        Raises:
            RepositoryError: there is no such line, or several.
        """
        name = _name(path)
        found = [line for line in self.lines if line.name == name]
        if not found:
            raise RepositoryError(f"{name} is not in the document")
        if len(found) > 1:
            raise RepositoryError(f"{name} stands in the document twice", line=found[1].number)
        return Edit(found[0].start, found[0].end, "")

    def write_metadata(self, fields: Mapping[str, Value]) -> Sequence[Edit]:
        texts = flatten(fields)
        if not self.own:
            return [self._add(len(self.text), texts)]
        return list(updates(self.own, texts, _respell, self._add))

    def stamp_metadata(self, fields: Mapping[str, str]) -> Sequence[Edit]:
        return [_respell(line, fields[line.name]) for line in self.own if line.name in fields]

    def cut_metadata(self) -> Sequence[Edit]:
        return [Edit(line.start, line.end, "") for line in self.own]

    def apply(self, edits: Iterable[Edit]) -> bytes:
        return apply_edits(self.text, edits).encode("utf-8", "surrogateescape")

    def _add(self, offset: int, texts: Mapping[str, str]) -> Edit:
        lines = (f"{_PREFIX}{name}={escape(text)}\n" for name, text in texts.items())
        return self._insert(offset, "".join(lines))

    def _insert(self, offset: int, lines: str) -> Edit:
        """Return the edit that inserts whole lines, also behind a line that is not ended."""
        missing = offset and self.text[offset - 1] != "\n"
        return Edit(offset, offset, ("\n" if missing else "") + lines)

    def _after(self, item: Item) -> int:
        return min(item.span.end + 1, len(self.text))


def parse(content: bytes) -> DotenvText:
    """Parse a document.

    Raises:
        RepositoryError: with its line, where one has no `=`; or metadata that sops does not write.
        IntegrityError: the same of a text with sealed leaves: it was cut off or merged by hand.
    """
    try:
        return _parsed(content.decode("utf-8", "surrogateescape"))
    except RepositoryError as error:
        raise blamed(error, content) from None


def _parsed(text: str) -> DotenvText:
    items: list[Item] = []
    lines: list[Line] = []
    start = 0
    for number, line in enumerate(text.split("\n"), start=1):
        end = start + len(line)
        if line.startswith("#"):
            items.append(Comment((), (), line[1:], Span(start, end), 0, number))
        elif line:
            lines.append(_line(text, Span(start, end), number))
            if not lines[-1].name.startswith(_PREFIX):
                items.append(_leaf(lines[-1]))
        start = end + 1
    own = tuple(_own(line) for line in lines if line.name.startswith(_PREFIX))
    return DotenvText(
        text=text,
        tree=tuple(items),
        lines=tuple(line for line in lines if not line.name.startswith(_PREFIX)),
        own=own,
        metadata=_metadata(own) if own else None,
    )


def _line(text: str, span: Span, number: int) -> Line:
    name, found, value = text[span.start : span.end].partition("=")
    if not found:
        raise RepositoryError("a line of a dotenv document has no `=`", line=number)
    place = Span(span.end - len(value), span.end)
    end = min(span.end + 1, len(text))
    return Line(name, unescape(value), place, span.start, end, number)


def _own(line: Line) -> Line:
    name = line.name.removeprefix(_PREFIX)
    return Line(name, line.text, line.value, line.start, line.end, line.number)


def _leaf(line: Line) -> Leaf:
    content = line.text.encode("utf-8", "surrogateescape")
    return Leaf((line.name,), LeafType.STR, content, *line.value, 0, line.number)


def _metadata(own: Sequence[Line]) -> Mapping[str, Value]:
    for line in own:
        if line.text.endswith("\r"):
            raise RepositoryError(
                "its lines end as on Windows, which makes the metadata unreadable for sops",
                hint="turn the line ends back (git config core.autocrlf, .gitattributes)",
                line=line.number,
            )
    return fields_of(own)


def _respell(line: Line, text: str) -> Edit:
    return Edit(line.value.start, line.value.end, escape(text))


def _name(path: KeyPath) -> str:
    if len(path) != 1 or not isinstance(path[0], str):
        raise RepositoryError(
            f"{'/'.join(map(str, path))} is no place in a dotenv document, which has no levels"
        )
    return path[0]


def _is_name(name: str) -> bool:
    return not name.startswith(("#", _PREFIX)) and not any(one in name for one in "=\n")
