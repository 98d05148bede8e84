"""JSON documents: text ⇄ tree, with the place of every leaf, so that edits leave the rest alone.

Sources: RFC 8259; sops `stores/json/store.go`; Go's `encoding/json` for what it takes and how it
replaces what is no Unicode.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from json import JSONDecodeError, JSONDecoder

from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.sops.cipher import holds_sealed
from nixsecrets.sops.scalars import float_bytes
from nixsecrets.sops.stores.json_text import Entry, JsonText, words
from nixsecrets.sops.stores.text import METADATA_NAME
from nixsecrets.sops.stores.yaml_values import value_below
from nixsecrets.sops.tree import Empty, KeyPath, Leaf, LeafType, Span

_BLANKS = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LITERALS: Mapping[str, tuple[LeafType | Empty, bytes]] = {
    "true": (LeafType.BOOL, b"True"),
    "false": (LeafType.BOOL, b"False"),
    "null": (Empty.NULL, b""),
}
_LITERAL = re.compile("|".join(_LITERALS))
_CLOSING = {"{": "}", "[": "]"}
_EMPTY = {"{": Empty.MAPPING, "[": Empty.LIST}
_STRINGS = JSONDecoder()
_SURROGATE = re.compile("[\ud800-\udfff]")
_BYTE_ORDER_MARK = "\ufeff"
_INT64 = range(-(2**63), 2**63)
_INT64_DIGITS = 19
_DEEPEST = 200


def parse(content: bytes) -> JsonText:
    """Parse a document; in strings, what is no Unicode counts as U+FFFD, as for sops.

    A name may stand twice in an object of a sealed document: sops writes such ones, and seals
    both values. In a text to be sealed it is refused, which sops does not do.

    Raises:
        RepositoryError: with line and column, where the text is no JSON object, or something in
            it has no place in a sealed document: a name twice, a number that is no float64, a
            byte order mark, text behind the object (which sops drops).
        IntegrityError: a text with sealed leaves is no JSON: it was cut off or merged by hand.
    """
    reader = _Reader(content.decode("utf-8", "surrogateescape"))
    try:
        return reader.read()
    except _SyntaxError as error:
        kind = IntegrityError if holds_sealed(content) else RepositoryError
        line, column = reader.place(error.offset)
        raise kind(error.problem, line=line, column=column) from None


class _SyntaxError(Exception):
    def __init__(self, problem: str, offset: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.offset = offset


class _Collection:
    """An object or a list that is being read; the last four are those of the entry under way."""

    def __init__(self, path: KeyPath, start: int, bracket: str) -> None:
        self.path = path
        self.start = start
        self.bracket = bracket
        self.count = 0
        self.names: set[str] = set()
        self.step: str | int = 0
        self.key_start = self.key_end = self.value = 0


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._open: list[_Collection] = []
        self._entries: list[Entry] = []
        self._leaves: list[Leaf] = []
        self._twice: list[tuple[KeyPath, int]] = []
        self._line_ends = [match.start() for match in re.finditer("\n", text)]

    def place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._line_ends, offset - 1)
        return line + 1, offset - (self._line_ends[line - 1] + 1 if line else 0) + 1

    def read(self) -> JsonText:
        if self._text.startswith(_BYTE_ORDER_MARK):
            raise _SyntaxError("a byte order mark is not allowed in JSON", 0)
        if self._next() != "{":
            raise _SyntaxError("a document in JSON is one object, in braces", self._at)
        start = self._at
        self._enter((), "{")
        while self._open:
            self._step()
        end = self._at
        if self._next():
            raise _SyntaxError("text behind the closing brace", self._at)
        return self._result(Span(start, end))

    def _result(self, root: Span) -> JsonText:
        self._check_twice(lambda path: path[0] == METADATA_NAME)
        metadata = value_below(METADATA_NAME, self._leaves)
        if not isinstance(metadata, Mapping):
            metadata = None
            self._check_twice(lambda _path: True)
        return JsonText(
            text=self._text,
            root=root,
            tree=tuple(leaf for leaf in self._leaves if leaf.path[0] != METADATA_NAME),
            entries=tuple(sorted(self._entries, key=lambda entry: entry.start)),
            metadata=metadata,
        )

    def _check_twice(self, matters: Callable[[KeyPath], bool]) -> None:
        for path, offset in self._twice:
            if matters(path):
                raise _SyntaxError(f"{words(path)} stands here twice", offset)

    def _next(self) -> str:
        """Skip blanks; return the character there, nothing at the end."""
        blanks = _BLANKS.match(self._text, self._at)
        self._at = blanks.end() if blanks else self._at
        return self._text[self._at : self._at + 1]

    def _step(self) -> None:
        """Read the end of the innermost collection, or one entry of it up to its value."""
        top = self._open[-1]
        if self._next() == _CLOSING[top.bracket]:
            self._at += 1
            self._leave(self._open.pop())
            return
        if top.count:
            self._require(",", f"`,` or `{_CLOSING[top.bracket]}`")
        self._next()
        top.key_start = top.key_end = self._at
        top.step = top.count
        if top.bracket == "{":
            self._name(top)
        self._value(top)

    def _require(self, character: str, expected: str) -> None:
        if self._next() != character:
            raise _SyntaxError(f"{expected} is missing here", self._at)
        self._at += 1

    def _name(self, top: _Collection) -> None:
        if self._next() != '"':
            raise _SyntaxError("a name in double quotes is missing here", self._at)
        top.step = name = self._string()
        top.key_end = self._at
        if name in top.names:
            self._twice.append(((*top.path, name), top.key_start))
        top.names.add(name)
        self._require(":", "`:`")

    def _value(self, top: _Collection) -> None:
        bracket = self._next()
        top.value = self._at
        path = (*top.path, top.step)
        if bracket in _EMPTY:
            self._enter(path, bracket)
            return
        kind, content = self._scalar()
        self._leaf(path, kind, content, top.value)
        self._finish(top)

    def _enter(self, path: KeyPath, bracket: str) -> None:
        if len(path) > _DEEPEST:
            raise _SyntaxError(f"nested deeper than {_DEEPEST} levels", self._at)
        self._open.append(_Collection(path, self._at, bracket))
        self._at += 1

    def _leave(self, closed: _Collection) -> None:
        if not self._open:
            return
        if not closed.count:
            self._leaf(closed.path, _EMPTY[closed.bracket], b"", closed.start)
        self._finish(self._open[-1])

    def _leaf(self, path: KeyPath, kind: LeafType | Empty, content: bytes, start: int) -> None:
        line, _column = self.place(start)
        self._leaves.append(Leaf(path, kind, content, start, self._at, 0, line))

    def _finish(self, top: _Collection) -> None:
        path = (*top.path, top.step)
        self._entries.append(Entry(path, top.key_start, top.key_end, top.value, self._at))
        top.count += 1

    def _scalar(self) -> tuple[LeafType | Empty, bytes]:
        if self._next() == '"':
            return LeafType.STR, self._string().encode()
        if literal := _LITERAL.match(self._text, self._at):
            self._at = literal.end()
            return _LITERALS[literal[0]]
        if number := _NUMBER.match(self._text, self._at):
            self._at = number.end()
            return _typed(number)
        raise _SyntaxError("a value is missing here", self._at)

    def _string(self) -> str:
        try:
            decoded, self._at = _STRINGS.raw_decode(self._text, self._at)
        except JSONDecodeError as error:
            problem = error.msg.removesuffix(" at").removesuffix(" starting").lower()
            raise _SyntaxError(problem, error.pos) from None
        return _SURROGATE.sub("\ufffd", str(decoded))


def _typed(number: re.Match[str]) -> tuple[LeafType, bytes]:
    """Type a number as sops does since 3.13.2: an integer where it fits, else a float."""
    text, fraction, exponent = number.group(0, 1, 2)
    if fraction is exponent is None and len(text.lstrip("-")) <= _INT64_DIGITS:
        value = int(text)
        if value in _INT64:
            return LeafType.INT, b"%d" % value
    nearest = float(text)
    if abs(nearest) == float("inf"):
        raise _SyntaxError("a number is larger than a float64 can be", number.start())
    return LeafType.FLOAT, float_bytes(nearest)
