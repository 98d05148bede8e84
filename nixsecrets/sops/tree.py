"""A document's content as an ordered run of typed leaves and comments, each with its key path."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

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


class Span(NamedTuple):
    """Characters `start` up to `end` of the document's text."""

    start: int
    end: int


class Leaf(NamedTuple):
    """One value as it stands in a text, in clear or as `ENC[…]`.

    Args:
        path: where it stands, list positions included.
        kind: its type in the text; a sealed leaf is a `STR` there.
        content: the canonical bytes of the value as it stands; of an `Empty`, none.
        start: offset at which it stands; of a scalar without text, the place for one.
        end: offset after it.
        document: position in a stream of documents, from 0.
        line: 1-based.
    """

    path: KeyPath
    kind: LeafType | Empty
    content: bytes
    start: int
    end: int
    document: int
    line: int

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


class Comment(NamedTuple):
    """One comment line.

    Args:
        container: path of the mapping or list that holds it by its place.
        others: further containers that another reader may have taken for its own.
        text: what follows the mark, a leading blank included.
        span: from the mark to the end of the line, or the whole list item that stands for it.
        document: position in a stream of documents, from 0.
        line: 1-based.
        behind: path of the entry that stands before it on its line, None: nothing does.
    """

    container: KeyPath
    others: tuple[KeyPath, ...]
    text: str
    span: Span
    document: int
    line: int
    behind: KeyPath | None = None


Item = Leaf | Comment
Tree = tuple[Item, ...]


def keys_of(path: KeyPath) -> tuple[str, ...]:
    """Return the mapping keys of a path; rules and authentication know no list positions."""
    return tuple([step for step in path if isinstance(step, str)])


def shared_depth(one: KeyPath, other: KeyPath) -> int:
    """Return how many steps two paths begin with together."""
    pairs = zip(one, other, strict=False)
    return next(
        (depth for depth, (mine, its) in enumerate(pairs) if mine != its),
        min(len(one), len(other)),
    )


def leaves(tree: Iterable[Item]) -> Iterator[Leaf]:
    return (item for item in tree if isinstance(item, Leaf))


def active_comments(tree: Tree) -> Mapping[int, tuple[str, ...]]:
    """Return for each item's position in `tree` the comments that speak for it.

    Those are the run of comments directly before the item in its container, with the one behind
    it on its line, and the runs before each of its ancestors; of a comment, the comments of its
    run above it and its ancestors' runs (sops `sops.go`, `walkBranch`).
    """
    runs: dict[tuple[int, KeyPath], list[str]] = {}
    entered: dict[tuple[int, KeyPath], tuple[str, ...]] = {}
    result: dict[int, tuple[str, ...]] = {}
    for position in _heard_order(tree):
        item = tree[position]
        holder = item.container if isinstance(item, Comment) else item.path
        texts: list[str] = []
        for depth in range(len(holder)):
            place = item.document, holder[: depth + 1]
            is_own = isinstance(item, Leaf) and depth == len(holder) - 1
            if is_own or place not in entered:
                run = runs.pop((item.document, holder[:depth]), ())
                entered[place] = tuple(run)
            texts += entered[place]
        if isinstance(item, Comment):
            run = runs.setdefault((item.document, item.container), [])
            texts += run
            run.append(item.text)
        result[position] = tuple(texts)
    return result


def _heard_order(tree: Tree) -> Sequence[int]:
    """Return positions with each comment behind a leaf on its line moved before that leaf."""
    order = list(range(len(tree)))
    for position in range(1, len(tree)):
        if _speaks_for(tree[position], tree[position - 1]):
            order[position - 1], order[position] = position, position - 1
    return order


def _speaks_for(item: Item, before: Item) -> bool:
    return isinstance(item, Comment) and isinstance(before, Leaf) and item.behind == before.path
