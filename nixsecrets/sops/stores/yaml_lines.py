"""YAML as sops writes it, line by line: a document of many values is read thirty times as fast.

That is block style, one entry a line, no quoted mapping keys, comments, anchors, tags or values of
several lines, and the `sops` block last. A text with anything else is not for this reader; of what
it reads, libyaml makes the same values at the same places.
"""

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import NamedTuple

from nixsecrets.sops.metadata import Value
from nixsecrets.sops.stores import yaml
from nixsecrets.sops.stores.text import METADATA_NAME, Scalar, Text
from nixsecrets.sops.stores.yaml import YamlText
from nixsecrets.sops.stores.yaml_scalars import resolve_plain
from nixsecrets.sops.stores.yaml_spelling import spell
from nixsecrets.sops.stores.yaml_text import DEFAULT_INDENT
from nixsecrets.sops.tree import Comment, Empty, Item, KeyPath, Leaf, LeafType
from nixsecrets.textedit import Edit

_HEAD = f"{METADATA_NAME}:\n".encode()
_BLOCK = re.compile(rb"%s(?: [^\n]*\n)+\Z" % _HEAD)
_SEALED_HEAD = b"ENC["
_SEALED = rb"ENC\[AES256_GCM,[A-Za-z0-9+/=:,_]*\]"
_QUOTED = rb'"[ !#-\[\]-~]*"'
_PLAIN = rb"-?[A-Za-z0-9_./+][A-Za-z0-9_./+-]*"
_VALUE = rb"%s|%s|%s|\[\]|\{\}|" % (_SEALED, _QUOTED, _PLAIN)
_NAME = rb"[A-Za-z_][A-Za-z0-9_./-]*"
_LINE = re.compile(rb"^( *)(- )?(?:(%s):(?: |(?=\n)))?(%s)\n" % (_NAME, _VALUE), re.MULTILINE)
_LINES = rb"(?: *(?:- )?(?:%s:(?: |(?=\n)))?(?:%s)\n)*+" % (_NAME, _VALUE)
_TYPED_WORDS = frozenset(
    (b"null", b"Null", b"NULL", b"true", b"True", b"TRUE", b"false", b"False", b"FALSE")
)
_EMPTY = {b"[]": Empty.LIST, b"{}": Empty.MAPPING}
_ITEM_INDENT = 2


class Places(NamedTuple):
    """Where the leaves of a text stand, one position a leaf: a tenth of what the leaves take.

    Args:
        paths: their key paths.
        spans: of each, the offset at which it stands and the one after it.
        lines: from 1.
    """

    paths: Sequence[KeyPath]
    spans: Sequence[int]
    lines: Sequence[int]


class LineText(NamedTuple):
    """A document that can be read line by line: a `Text`.

    Its leaves are made each time they are asked for: fifty thousand of them take more memory
    than time.

    Args:
        content: the whole text, ASCII.
        block: the metadata, as a text of its own.
        start: offset in `content` at which `block` starts.
        places: of the leaves; None: they were not looked for.
    """

    content: bytes
    block: YamlText
    start: int
    places: Places | None

    @property
    def tree(self) -> Iterable[Item]:
        if self.places is None:
            return self.whole().tree
        return _leaves(self.content, self.places)

    @property
    def metadata(self) -> Mapping[str, Value] | None:
        return self.block.metadata

    @property
    def metadata_text(self) -> bytes | None:
        return self.block.text.encode()

    @property
    def documents(self) -> int:
        return 1

    @property
    def reserved(self) -> bool:
        return True

    def seated(self, comments: Iterable[Comment]) -> Text:
        return self.whole().seated(comments)

    def respell_leaf(self, leaf: Leaf, scalar: Scalar) -> Edit:
        """Return the edit that puts another value in a leaf's place."""
        if scalar.content.startswith(_SEALED_HEAD) and re.fullmatch(_SEALED, scalar.content):
            return Edit(leaf.start, leaf.end, scalar.content.decode())
        column = self._column_of(leaf) if b"\n" in scalar.content else 0
        spelled = spell(scalar.kind, scalar.content, column + DEFAULT_INDENT)
        return Edit(leaf.start, leaf.end, spelled)

    def _column_of(self, leaf: Leaf) -> int:
        """Return the column of a leaf's mapping key, or of the text behind its dash."""
        head = self.content[self.content.rfind(b"\n", 0, leaf.start) + 1 : leaf.start]
        return len(head) - len(head.lstrip(b" -"))

    def respell_comment(self, comment: Comment, sealed: str) -> Edit:
        return self.whole().respell_comment(comment, sealed)

    def clear_comments(self, opened: Sequence[tuple[Comment, str]]) -> Sequence[Edit]:
        return self.whole().clear_comments(opened) if opened else ()

    def insert_leaf(self, path: KeyPath, scalar: Scalar) -> Edit:
        return self.whole().insert_leaf(path, scalar)

    def remove_leaf(self, path: KeyPath) -> Edit:
        return self.whole().remove_leaf(path)

    def write_metadata(self, fields: Mapping[str, Value]) -> Sequence[Edit]:
        return self._moved(self.block.write_metadata(fields))

    def stamp_metadata(self, fields: Mapping[str, str]) -> Sequence[Edit]:
        return self._moved(self.block.stamp_metadata(fields))

    def cut_metadata(self) -> Sequence[Edit]:
        return [Edit(self.start, len(self.content), "" if self.start else "{}\n")]

    def apply(self, edits: Iterable[Edit]) -> bytes:
        """Return the text with edits made, which come in file order and are kept no longer."""
        content, done, made = memoryview(self.content), 0, BytesIO()
        for start, end, new in edits:
            if not done <= start <= end <= len(content):
                raise ValueError(f"edit of {start}:{end} is out of order, or lies outside")
            made.write(content[done:start])
            made.write(new.encode())
            done = end
        made.write(content[done:])
        return made.getvalue()

    def whole(self) -> YamlText:
        """Return the text as the other reader reads it, which knows more of its places."""
        return yaml.parse(self.content)

    def _moved(self, edits: Iterable[Edit]) -> Sequence[Edit]:
        moved = (Edit(self.start + start, self.start + end, new) for start, end, new in edits)
        return sorted(moved, key=lambda edit: (edit.start, edit.end))


def parse(content: bytes) -> LineText | None:
    """Parse a document; None: it is not for this reader, be it sound or not."""
    start = _block_of(content)
    if start is None:
        return None
    try:
        places = _Reader().places(content, start)
    except _NotPlain:
        return None
    return LineText(content, yaml.parse(content[start:]), start, places)


def parse_outline(content: bytes) -> LineText | None:
    """Parse the metadata alone, where every line above it is of the sort that sops writes."""
    start = _block_of(content)
    lines = re.compile(_LINES).match(content, 0, start) if start is not None else None
    if start is None or lines is None or lines.end() != start:
        return None
    return LineText(content, yaml.parse(content[start:]), start, None)


def _block_of(content: bytes) -> int | None:
    """Return where the metadata starts; None: it does not stand last and by itself."""
    start = content.rfind(b"\n" + _HEAD) + 1
    return start if content.isascii() and _BLOCK.match(content, start) else None


def _leaves(content: bytes, places: Places) -> Iterator[Leaf]:
    paths, spans, lines = places
    for path, start, end, line in zip(paths, spans[::2], spans[1::2], lines, strict=True):
        spelled = content[start:end]
        if spelled.startswith(_SEALED_HEAD):
            yield Leaf(path, LeafType.STR, spelled, start, end, 0, line)
        else:
            kind, value = _typed(spelled)
            yield Leaf(path, kind, value, start, end, 0, line)


class _NotPlain(Exception):  # noqa: N818  # no error: the other reader takes the text
    """The text has something that is not read here."""


class _Collection:
    """A mapping or a list that is open: where it stands, and what was found in it."""

    __slots__ = ("column", "count", "is_list", "names", "path")

    def __init__(self, path: KeyPath, column: int, *, is_list: bool) -> None:
        self.path = path
        self.column = column
        self.is_list = is_list
        self.names: set[bytes] = set()
        self.count = 0


class _Reader:
    """Finds the collection that each line belongs to."""

    def __init__(self) -> None:
        self.top = _Collection((), 0, is_list=False)
        self.top.names.add(METADATA_NAME.encode())  # it stands below
        self._outer: list[_Collection] = []
        self._opened: KeyPath = ()
        self._names: dict[bytes, str] = {}

    def places(self, content: bytes, end: int) -> Places:
        names, count = self._names, 0
        paths: list[KeyPath] = []
        spans, lines = array("Q"), array("Q")
        for count, match in enumerate(_LINE.finditer(content, 0, end), start=1):
            indent, dash, name, spelled = match.groups()
            top = self.top
            if name and not dash and not self._opened and top.column == len(indent):
                path = top.path
            else:
                path = self._enter(len(indent), name, is_item=dash is not None)
                top = self.top
            if name:
                if top.is_list or name in top.names or name in _TYPED_WORDS:
                    raise _NotPlain
                top.names.add(name)
                path = (*path, names.get(name) or self._named(name))
            if not spelled:
                self._open(path, name)
                continue
            if not spelled.startswith(_SEALED_HEAD):
                _typed(spelled)
            paths.append(path)
            spans.extend(match.span(4))
            lines.append(count)
        if count != content.count(b"\n", 0, end) or self._opened:
            raise _NotPlain
        return Places(paths, spans, lines)

    def _named(self, name: bytes) -> str:
        """Return a mapping key, the same one each time: hosts and services have equal names."""
        return self._names.setdefault(name, name.decode())

    def _enter(self, column: int, name: bytes | None, *, is_item: bool) -> KeyPath:
        """Return the path of what a line stands in: of an item, that of the item."""
        if self._opened:
            if column <= self.top.column:
                raise _NotPlain
            path, self._opened = self._opened, ()
            self._push(path, column, is_list=is_item)
        while column < self.top.column:
            self.top = self._outer.pop()
        top = self.top
        if column != top.column or top.is_list != is_item or not (is_item or name):
            raise _NotPlain
        if not is_item:
            return top.path
        top.count += 1
        path = (*top.path, top.count - 1)
        if name:
            self._push(path, column + _ITEM_INDENT, is_list=False)
        return path

    def _push(self, path: KeyPath, column: int, *, is_list: bool) -> None:
        self._outer.append(self.top)
        self.top = _Collection(path, column, is_list=is_list)

    def _open(self, path: KeyPath, name: bytes | None) -> None:
        """Take the mapping key of a collection that starts on the next line."""
        if name is None:
            raise _NotPlain
        self._opened = path


def _typed(spelled: bytes) -> tuple[LeafType | Empty, bytes]:
    if spelled.startswith(b'"'):
        return LeafType.STR, spelled[1:-1]
    return (_EMPTY[spelled], b"") if spelled in _EMPTY else resolve_plain(spelled.decode())
