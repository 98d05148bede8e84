"""YAML as sops writes it, line by line: a document of many values is read thirty times as fast.

That is block style, one entry a line, no quoted mapping keys, comments, anchors, tags or values of
several lines, and the `sops` block last. A text with anything else is not for this reader; of what
it reads, libyaml makes the same values at the same places.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from nixsecrets.sops.metadata import Value
from nixsecrets.sops.stores import yaml
from nixsecrets.sops.stores.text import METADATA_NAME, Scalar, Text
from nixsecrets.sops.stores.yaml import YamlText
from nixsecrets.sops.stores.yaml_scalars import resolve_plain
from nixsecrets.sops.stores.yaml_spelling import spell
from nixsecrets.sops.stores.yaml_text import DEFAULT_INDENT
from nixsecrets.sops.tree import Comment, Empty, KeyPath, Leaf, LeafType
from nixsecrets.textedit import Edit, apply_edits, line_start

_HEAD = f"{METADATA_NAME}:\n"
_BLOCK = re.compile(rf"{_HEAD}(?: [^\n]*\n)+\Z")
_SEALED_HEAD = "ENC["
_SEALED = r"ENC\[AES256_GCM,[A-Za-z0-9+/=:,_]*\]"
_QUOTED = r'"[ !#-\[\]-~]*"'
_PLAIN = r"-?[A-Za-z0-9_./+][A-Za-z0-9_./+-]*"
_VALUE = rf"{_SEALED}|{_QUOTED}|{_PLAIN}|\[\]|\{{\}}|"
_LINE = re.compile(
    rf"^( *)(- )?(?:([A-Za-z_][A-Za-z0-9_./-]*):(?: |(?=\n)))?({_VALUE})\n", re.MULTILINE
)
_TYPED_WORDS = frozenset(
    ("null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE")
)
_EMPTY = {"[]": Empty.LIST, "{}": Empty.MAPPING}
_ITEM_INDENT = 2


class LineText(NamedTuple):
    """A document that can be read line by line: a `Text`.

    Its leaves are read each time they are asked for: fifty thousand of them take more memory
    than time.

    Args:
        text: the whole text.
        block: the metadata, as a text of its own.
        start: offset in `text` at which `block` starts.
    """

    text: str
    block: YamlText
    start: int

    @property
    def tree(self) -> Iterator[Leaf]:
        return _Reader().leaves(self.text, self.start)

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
        column = self._column_of(leaf) if b"\n" in scalar.content else 0
        spelled = spell(scalar.kind, scalar.content, column + DEFAULT_INDENT)
        return Edit(leaf.start, leaf.end, spelled)

    def _column_of(self, leaf: Leaf) -> int:
        """Return the column of a leaf's mapping key, or of the text behind its dash."""
        head = self.text[line_start(self.text, leaf.start) : leaf.start]
        return len(head) - len(head.lstrip(" -"))

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
        return [Edit(self.start, len(self.text), "" if self.start else "{}\n")]

    def apply(self, edits: Iterable[Edit]) -> bytes:
        return apply_edits(self.text, edits).encode()

    def whole(self) -> YamlText:
        """Return the text as the other reader reads it, which knows more of its places."""
        return yaml.parse(self.text.encode())

    def _moved(self, edits: Iterable[Edit]) -> Sequence[Edit]:
        return [Edit(self.start + start, self.start + end, new) for start, end, new in edits]


def parse(content: bytes) -> LineText | None:
    """Parse a document; None: it is not for this reader, be it sound or not."""
    text = content.decode("utf-8", "replace")
    start = text.rfind("\n" + _HEAD) + 1
    if not _BLOCK.match(text, start):
        return None
    try:
        deque(_Reader().leaves(text, start), maxlen=0)
    except _NotPlain:
        return None
    return LineText(text, yaml.parse(text[start:].encode()), start)


class _NotPlain(Exception):  # noqa: N818  # no error: the other reader takes the text
    """The text has something that is not read here."""


class _Collection:
    """A mapping or a list that is open: where it stands, and what was found in it."""

    __slots__ = ("column", "count", "is_list", "names", "path")

    def __init__(self, path: KeyPath, column: int, *, is_list: bool) -> None:
        self.path = path
        self.column = column
        self.is_list = is_list
        self.names: set[str] = set()
        self.count = 0


class _Reader:
    """Finds the collection that each line belongs to."""

    def __init__(self) -> None:
        self.top = _Collection((), 0, is_list=False)
        self.top.names.add(METADATA_NAME)  # it stands below
        self._outer: list[_Collection] = []
        self._opened: KeyPath = ()

    def leaves(self, text: str, end: int) -> Iterator[Leaf]:
        lines = 0
        for match in _LINE.finditer(text, 0, end):
            lines += 1
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
                path = (*path, name)
            if spelled.startswith(_SEALED_HEAD):
                yield Leaf(path, LeafType.STR, spelled.encode(), *match.span(4), 0, lines)
            elif spelled:
                kind, content = _typed(spelled)
                yield Leaf(path, kind, content, *match.span(4), 0, lines)
            else:
                self._open(path, name)
        if lines != text.count("\n", 0, end) or self._opened:
            raise _NotPlain

    def _enter(self, column: int, name: str | None, *, is_item: bool) -> KeyPath:
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

    def _open(self, path: KeyPath, name: str | None) -> None:
        """Take the mapping key of a collection that starts on the next line."""
        if name is None:
            raise _NotPlain
        self._opened = path


def _typed(spelled: str) -> tuple[LeafType | Empty, bytes]:
    if spelled.startswith('"'):
        return LeafType.STR, spelled[1:-1].encode()
    return (_EMPTY[spelled], b"") if spelled in _EMPTY else resolve_plain(spelled)
