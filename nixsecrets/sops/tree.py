"""A document's content as an ordered run of typed leaves and comments, each with its key path."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

KeyPath = tuple[str | int, ...]
"""Mapping keys and list positions from the document's root down."""


class LeafType(Enum):
    """What a leaf holds; the value is the spelling in `type:` (sops `aes/cipher.go`)."""

    STR = "str"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    TIME = "time"
    BYTES = "bytes"


class Empty(Enum):
    """A leaf that holds no value, is never encrypted and never part of the MAC."""

    NULL = "null"
    MAPPING = "{}"
    LIST = "[]"


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` up to `end` of the document's text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value as it stands in a text, in clear or as `ENC[…]`.

    Args:
        path: where it stands, list positions included.
        kind: its type in the text; a sealed leaf is a `STR` there.
        content: the canonical bytes of the value as it stands; of an `Empty`, none.
        span: where it stands; of a scalar without text, the place for one.
        document: position in a stream of documents, from 0.
        line: 1-based.
    """

    path: KeyPath
    kind: LeafType | Empty
    content: bytes
    span: Span
    document: int
    line: int


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment line.

    Args:
        container: path of the mapping or list that holds it by its place.
        others: further containers that another reader may have taken for its own.
        text: what follows the mark, a leading blank included.
        span: from the mark to the end of the line, or the whole list item that stands for it.
        document: position in a stream of documents, from 0.
        line: 1-based.
    """

    container: KeyPath
    others: tuple[KeyPath, ...]
    text: str
    span: Span
    document: int
    line: int


Item = Leaf | Comment
Tree = tuple[Item, ...]


def keys_of(path: KeyPath) -> tuple[str, ...]:
    """Return the mapping keys of a path; rules and authentication know no list positions."""
    return tuple(step for step in path if isinstance(step, str))


def leaves(tree: Iterable[Item]) -> Iterator[Leaf]:
    return (item for item in tree if isinstance(item, Leaf))


def active_comments(tree: Tree) -> Mapping[int, tuple[str, ...]]:
    """Return for each item's position in `tree` the comments that speak for it.

    Those are the run of comments directly before the item in its container, and the runs before
    each of its ancestors; of a comment, the comments of its run above it and its ancestors' runs.
    """
    runs: dict[KeyPath, list[str]] = {}
    entered: dict[KeyPath, tuple[str, ...]] = {}
    result: dict[int, tuple[str, ...]] = {}
    for position, item in enumerate(tree):
        holder = item.container if isinstance(item, Comment) else item.path
        for depth in range(len(holder)):
            _enter(holder[: depth + 1], runs, entered)
        inherited = [entered[holder[: depth + 1]] for depth in range(len(holder))]
        texts = [text for run in inherited for text in run]
        if isinstance(item, Comment):
            run = runs.setdefault(item.container, [])
            texts += run
            run.append(item.text)
        result[position] = tuple(texts)
    return result


def _enter(
    path: KeyPath, runs: dict[KeyPath, list[str]], entered: dict[KeyPath, tuple[str, ...]]
) -> None:
    if path not in entered:
        entered[path] = tuple(runs.pop(path[:-1], ()))
