"""Documents changed by somebody without their data key, and what a reader then has.

The holes are the rows of `docs/format.md`, "What the MAC does not cover".
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random

from nixsecrets.plaintext import Plaintext
from nixsecrets.sops.cipher import path_aad
from nixsecrets.sops.document import OpenDocument, Opened
from nixsecrets.sops.stores.formats import Format
from nixsecrets.sops.tree import Comment, Empty, Leaf, keys_of

LEAF = re.compile(rb"ENC\[AES256_GCM,[^\]\n]*\]")
_FIELD = re.compile(rb"(?:data|iv|tag|type):[^,\]]*")
_NAMED = re.compile(rb"([A-Za-z0-9_]+)(\"?[ ]*[:=][ ]*\"?)(?=ENC\[)")
_CLEAR = re.compile(rb"(_unencrypted\"?[ ]*[:=][ ]*\"?)([^\s\",\[]+)")
_ARMOR = re.compile(rb"-----BEGIN AGE.*?END AGE ENCRYPTED FILE-----", re.DOTALL)
_INSTANT = re.compile(rb"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d")
_MAC = re.compile(rb"(mac\"?[ ]*[:=][ ]*\"?)(ENC\[[^\]]*\])")
_RULE = re.compile(rb"(unencrypted_suffix\"?[ ]*[:=][ ]*\"?)(_unencrypted)")
_METADATA = {
    Format.YAML: b"\nsops:",
    Format.JSON: b'"sops":',
    Format.BINARY: b'"sops":',
    Format.DOTENV: b"\nsops_",
    Format.INI: b"[sops]",
}
_TYPES = (b"str", b"int", b"float", b"bool", b"time", b"bytes", b"comment", b"x")
_EMPTIES = {
    Format.YAML: (b"put_in: ''\n", b"put_in: null\n", b"put_in: []\n", b"put_in: {}\n"),
    Format.JSON: (b'\t"put_in": "",\n', b'\t"put_in": null,\n', b'\t"put_in": [],\n'),
    Format.DOTENV: (b"PUT_IN=\n",),
    Format.INI: (b"put_in =\n",),
    Format.BINARY: (b'\t"put_in": "",\n',),
}
_COMMENTS = {
    Format.YAML: b"# put in\n",
    Format.DOTENV: b"# put in\n",
    Format.INI: b"; put in\n",
    Format.JSON: b"// put in\n",
    Format.BINARY: b"// put in\n",
}


class Hole(Enum):
    """What can be done unnoticed; the value is the row of the page."""

    COMMENTS = 4
    EMPTIES = 5
    NAMES_IN_CLEAR = 6
    BORDERS = 7
    TYPES = 8
    STRUCTURE = 9
    VALUES_IN_CLEAR = 11


ALL = frozenset(Hole) - {Hole.VALUES_IN_CLEAR}


class Mutation(Enum):
    """One way of changing a document; the value says what no reader notices of it."""

    BIT_FLIPPED = "a bit flipped", ALL
    BYTES_DROPPED = "bytes dropped", ALL
    BYTES_REPEATED = "bytes repeated", ALL
    CUT_OFF = "cut off", frozenset[Hole]()
    LINES_EXCHANGED = "two lines exchanged", ALL
    LINE_MOVED = "a line moved", ALL
    LINE_DROPPED = "a line dropped", ALL
    LINE_REPEATED = "a line repeated", ALL
    LEAVES_EXCHANGED = "two leaves exchanged", frozenset({Hole.COMMENTS, Hole.BORDERS})
    LEAF_COPIED = "a leaf in another's place", frozenset({Hole.COMMENTS, Hole.BORDERS})
    FIELDS_EXCHANGED = "parts of two leaves exchanged", frozenset({Hole.COMMENTS, Hole.TYPES})
    TYPE_CHANGED = "a leaf of another type", frozenset({Hole.TYPES, Hole.COMMENTS})
    NAME_CHANGED = "an encrypted leaf renamed", frozenset[Hole]()
    VALUE_CHANGED = "a value in clear changed", frozenset({Hole.TYPES})
    EMPTY_PUT_IN = "an empty value put in", frozenset({Hole.EMPTIES, Hole.STRUCTURE})
    COMMENT_PUT_IN = "a comment put in", frozenset({Hole.COMMENTS})
    METADATA_DROPPED = "a line of the metadata dropped", frozenset[Hole]()
    INSTANT_CHANGED = "another lastmodified", frozenset[Hole]()
    RULE_CHANGED = "another rule", frozenset[Hole]()
    OTHER_MAC = "the MAC of another document", frozenset[Hole]()
    OTHER_STANZA = "a stanza of another document", frozenset[Hole]()
    OTHER_LEAF = "a leaf of another document", frozenset({Hole.COMMENTS})
    STANZAS_EXCHANGED = "stanzas exchanged or repeated", frozenset[Hole]()

    def __init__(self, title: str, holes: frozenset[Hole]) -> None:
        self.title = title
        self.holes = holes


@dataclass(frozen=True)
class Case:
    """A document to be tampered with, and one of the same values under another data key."""

    name: str
    form: Format
    content: bytes
    other: bytes


def mutated(case: Case, mutation: Mutation, random: Random) -> bytes | None:
    """Return a changed document; None: it offers nothing to be changed in that way."""
    return _MUTATORS[mutation](case, random)


def holes(before: OpenDocument, after: OpenDocument) -> frozenset[Hole]:
    """Return by which holes two documents with a MAC that holds differ; none: in no value.

    Raises:
        AssertionError: they differ in what the MAC covers.
    """
    found = {
        hole
        for hole, of in _VIEWS.items()
        if of(before) != of(after) and (hole is not Hole.VALUES_IN_CLEAR or _leaves_out(after))
    }
    covered = _covered(before) == _covered(after)
    if not covered:
        assert _bytes(before) == _bytes(after), "what the MAC covers is another"
        found.add(Hole.BORDERS)
    return frozenset(found)


def _covered(opened: OpenDocument) -> Sequence[object]:
    """Return what the MAC and the additional data cover; values in clear in a row are one."""
    covered: list[tuple[bytes | None, bytes]] = []
    for one in _values(opened):
        content = _content(one)
        if one.encrypted:
            covered.append((path_aad(keys_of(_leaf(one).path)), content))
        elif not _leaves_out(opened):
            if covered and covered[-1][0] is None:
                content = covered.pop()[1] + content
            covered.append((None, content))
    return covered


def _bytes(opened: OpenDocument) -> bytes:
    return b"".join(
        _content(one) for one in _values(opened) if one.encrypted or not _leaves_out(opened)
    )


def _values(opened: OpenDocument) -> Iterator[Opened]:
    return (one for one in opened.items if isinstance(one.item, Leaf) and _content(one))


def _content(opened: Opened) -> bytes:
    return (opened.value or Plaintext(b"")).reveal()


def _leaf(opened: Opened) -> Leaf:
    assert isinstance(opened.item, Leaf)
    return opened.item


def _leaves_out(opened: OpenDocument) -> bool:
    return opened.document.metadata.mac_only_encrypted


def _comments(opened: OpenDocument) -> Sequence[object]:
    return [
        (one.item.container, one.value) for one in opened.items if isinstance(one.item, Comment)
    ]


def _empties(opened: OpenDocument) -> Sequence[object]:
    return [
        (one.item.document, one.item.path, one.item.kind)
        for one in opened.items
        if isinstance(one.item, Leaf) and (isinstance(one.item.kind, Empty) or not _content(one))
    ]


def _names(opened: OpenDocument) -> Sequence[object]:
    return [keys_of(_leaf(one).path) for one in _values(opened) if not one.encrypted]


def _borders(opened: OpenDocument) -> Sequence[object]:
    return [] if _leaves_out(opened) else [_content(one) for one in _values(opened)]


def _types(opened: OpenDocument) -> Sequence[object]:
    return [one.kind for one in _values(opened)]


def _structure(opened: OpenDocument) -> Sequence[object]:
    return [(_leaf(one).document, _leaf(one).path) for one in _values(opened) if one.encrypted]


def _in_clear(opened: OpenDocument) -> Sequence[object]:
    return [_content(one) for one in _values(opened) if not one.encrypted]


_VIEWS: dict[Hole, Callable[[OpenDocument], Sequence[object]]] = {
    Hole.COMMENTS: _comments,
    Hole.EMPTIES: _empties,
    Hole.NAMES_IN_CLEAR: _names,
    Hole.BORDERS: _borders,
    Hole.TYPES: _types,
    Hole.STRUCTURE: _structure,
    Hole.VALUES_IN_CLEAR: _in_clear,
}


def _flip(case: Case, random: Random) -> bytes:
    content = bytearray(case.content)
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    return bytes(content)


def _drop(case: Case, random: Random) -> bytes:
    start = random.randrange(len(case.content))
    return case.content[:start] + case.content[start + random.randint(1, 6) :]


def _repeat(case: Case, random: Random) -> bytes:
    start = random.randrange(len(case.content))
    end = start + random.randint(1, 40)
    return case.content[:end] + case.content[start:]


def _cut(case: Case, random: Random) -> bytes:
    return case.content[: random.randrange(len(case.content) - 1)]


def _lines(case: Case) -> list[bytes]:
    return case.content.splitlines(keepends=True)


def _exchange_lines(case: Case, random: Random) -> bytes:
    lines = _lines(case)
    one, other = random.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def _move_line(case: Case, random: Random) -> bytes:
    lines = _lines(case)
    line = lines.pop(random.randrange(len(lines)))
    lines.insert(random.randrange(len(lines)), line)
    return b"".join(lines)


def _drop_line(case: Case, random: Random) -> bytes:
    lines = _lines(case)
    lines.pop(random.randrange(len(lines)))
    return b"".join(lines)


def _repeat_line(case: Case, random: Random) -> bytes:
    lines = _lines(case)
    lines.insert(random.randrange(len(lines)), random.choice(lines))
    return b"".join(lines)


def _put(case: Case, line: bytes, random: Random) -> bytes:
    """Put a line in, indented like the one that follows it."""
    lines = _lines(case)
    place = random.randrange(len(lines))
    indent = re.match(rb"[ \t]*", lines[place])
    lines.insert(place, (indent[0] if indent else b"") + line.lstrip())
    return b"".join(lines)


def _put_empty(case: Case, random: Random) -> bytes:
    return _put(case, random.choice(_EMPTIES[case.form]), random)


def _put_comment(case: Case, random: Random) -> bytes:
    return _put(case, _COMMENTS[case.form], random)


def _drop_metadata(case: Case, random: Random) -> bytes:
    start = case.content.index(_METADATA[case.form])
    own, mark, later = case.content[start:].partition(b"---\n")
    lines = own.splitlines(keepends=True)
    lines.pop(random.randrange(len(lines)))
    return case.content[:start] + b"".join(lines) + mark + later


def _spans(pattern: re.Pattern[bytes], content: bytes, group: int = 0) -> list[tuple[int, int]]:
    return [match.span(group) for match in pattern.finditer(content)]


def _exchanged(
    content: bytes, one: tuple[int, int], other: tuple[int, int], *, copied: bool
) -> bytes:
    (start, end), (later, last) = sorted((one, other))
    first, second = content[start:end], content[later:last]
    return (
        content[:start]
        + second
        + content[end:later]
        + (second if copied else first)
        + (content[last:])
    )


def _pair(pattern: re.Pattern[bytes], *, copied: bool) -> Callable[[Case, Random], bytes | None]:
    def mutate(case: Case, random: Random) -> bytes | None:
        spans = _spans(pattern, case.content)
        if len(spans) < 2:
            return None
        one, other = random.sample(spans, 2)
        return _exchanged(case.content, one, other, copied=copied)

    return mutate


def _exchange_fields(case: Case, random: Random) -> bytes | None:
    """Exchange parts of one kind, with which two leaves are still spelled well."""
    kind = random.choice((b"data:", b"iv:", b"tag:", b"type:"))
    spans = [
        span for span in _spans(_FIELD, case.content) if case.content.startswith(kind, span[0])
    ]
    if len(spans) < 2:
        return None
    return _exchanged(case.content, *random.sample(spans, 2), copied=random.random() < 0.5)


def _replaced(
    pattern: re.Pattern[bytes], new: Callable[[bytes, Random], bytes], group: int = 0
) -> Callable[[Case, Random], bytes | None]:
    def mutate(case: Case, random: Random) -> bytes | None:
        spans = _spans(pattern, case.content, group)
        if not spans:
            return None
        start, end = random.choice(spans)
        return case.content[:start] + new(case.content[start:end], random) + case.content[end:]

    return mutate


def _another(pattern: re.Pattern[bytes], group: int = 0) -> Callable[[Case, Random], bytes | None]:
    """Put what another document has there in a document's place, whichever place it is."""

    def mutate(case: Case, random: Random) -> bytes | None:
        spans = _spans(pattern, case.content, group)
        others = _spans(pattern, case.other, group)
        if not spans or not others:
            return None
        (start, end), (first, last) = random.choice(spans), random.choice(others)
        return case.content[:start] + case.other[first:last] + case.content[end:]

    return mutate


def _character(text: bytes, random: Random) -> bytes:
    """Change one character to another that is as good, so that the text stays well spelled."""
    place = random.randrange(len(text))
    alike = (b"0123456789", b"abcdefghijklmnopqrstuvwxyz", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    kind = next((one for one in alike if text[place : place + 1] in one), b"xyz")
    new = random.choice([one for one in kind if one != text[place]])
    return text[:place] + bytes([new]) + text[place + 1 :]


_MUTATORS: dict[Mutation, Callable[[Case, Random], bytes | None]] = {
    Mutation.BIT_FLIPPED: _flip,
    Mutation.BYTES_DROPPED: _drop,
    Mutation.BYTES_REPEATED: _repeat,
    Mutation.CUT_OFF: _cut,
    Mutation.LINES_EXCHANGED: _exchange_lines,
    Mutation.LINE_MOVED: _move_line,
    Mutation.LINE_DROPPED: _drop_line,
    Mutation.LINE_REPEATED: _repeat_line,
    Mutation.LEAVES_EXCHANGED: _pair(LEAF, copied=False),
    Mutation.LEAF_COPIED: _pair(LEAF, copied=True),
    Mutation.FIELDS_EXCHANGED: _exchange_fields,
    Mutation.TYPE_CHANGED: _replaced(
        re.compile(rb",type:([a-z]+)\]"), lambda _old, random: random.choice(_TYPES), 1
    ),
    Mutation.NAME_CHANGED: _replaced(_NAMED, _character, 1),
    Mutation.VALUE_CHANGED: _replaced(_CLEAR, _character, 2),
    Mutation.EMPTY_PUT_IN: _put_empty,
    Mutation.COMMENT_PUT_IN: _put_comment,
    Mutation.METADATA_DROPPED: _drop_metadata,
    Mutation.INSTANT_CHANGED: _replaced(_INSTANT, _character),
    Mutation.RULE_CHANGED: _replaced(_RULE, _character, 2),
    Mutation.OTHER_MAC: _another(_MAC, 2),
    Mutation.OTHER_STANZA: _another(_ARMOR),
    Mutation.OTHER_LEAF: _another(LEAF),
    Mutation.STANZAS_EXCHANGED: _pair(_ARMOR, copied=True),
}
