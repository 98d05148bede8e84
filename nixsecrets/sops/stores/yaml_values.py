"""Leaves put together again to the value they stand for: the metadata, as it is read."""

from collections.abc import Iterable

from nixsecrets.sops.metadata import Value
from nixsecrets.sops.tree import Empty, Leaf, LeafType

_Branch = dict[str | int, "_Branch | Value"]
_EMPTY: dict[Empty, Value] = {Empty.NULL: None, Empty.LIST: (), Empty.MAPPING: {}}


def value_below(key: str, leaves: Iterable[Leaf]) -> Value:
    """Return what stands below a top-level mapping key, lists as tuples; None: nothing does."""
    root: _Branch = {}
    for leaf in leaves:
        if leaf.path[0] == key:
            branch = root
            for step in leaf.path[:-1]:
                branch = _descend(branch, step)
            branch[leaf.path[-1]] = _plain_value(leaf)
    return _frozen(root.get(key))


def _descend(branch: _Branch, step: str | int) -> _Branch:
    below = branch.setdefault(step, {})
    if isinstance(below, dict):
        return below
    raise AssertionError("a value and a collection at one path")


def _frozen(value: _Branch | Value) -> Value:
    if not isinstance(value, dict):
        return value
    if value and all(isinstance(step, int) for step in value):
        return tuple(_frozen(below) for below in value.values())
    return {str(step): _frozen(below) for step, below in value.items()}


def _plain_value(leaf: Leaf) -> Value:
    match leaf.kind:
        case Empty():
            return _EMPTY[leaf.kind]
        case LeafType.INT:
            return int(leaf.content)
        case LeafType.FLOAT:
            return float(leaf.content)
        case LeafType.BOOL:
            return leaf.content == b"True"
        case LeafType.STR | LeafType.TIME | LeafType.BYTES:
            return leaf.content.decode("utf-8", "replace")
