"""Which nodes of a policy its rules read, by alias and merge too, and the recipients in a text."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from nixsecrets.age.recipient import canonical_text
from nixsecrets.fleet.policy_nodes import (
    AliasNode,
    Content,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    is_null,
    resolve,
)
from nixsecrets.fleet.policy_reading import GROUP_KINDS, fields_of


class Field(NamedTuple):
    """The value of a recipients' field: where it stands, the alias unresolved, and its kind."""

    kind: str
    value: Node


class Part(NamedTuple):
    """One recipient of a text of several, and the offsets where it is spelled."""

    text: str
    start: int
    end: int

    @property
    def canonical(self) -> str:
        return canonical_text(self.text)


def recipient_fields(rule: Node, kind: str) -> tuple[Field, ...]:
    """Return the fields of one kind that a rule reads, in their order, each once."""
    own = fields_of(rule)
    groups = own.get("key_groups")
    if groups is None or not items_of(groups):
        return tuple(Field(kind, own[kind]) for _ in "1" if kind in own)
    visited: list[Content] = []
    found = (field for group in items_of(groups) for field in _of_group(group, kind, visited))
    return tuple(found)


def _of_group(group: Node, kind: str, visited: list[Content]) -> Iterator[Field]:
    target = resolve(group)
    if is_null(group) or any(target is known for known in visited):
        return
    visited.append(target)
    own = fields_of(target)
    for merged in items_of(own["merge"]) if "merge" in own else ():
        yield from _of_group(merged, kind, visited)
    if kind in own:
        yield Field(kind, own[kind])


def items_of(node: Node) -> tuple[Node, ...]:
    target = resolve(node)
    return target.items if isinstance(target, SequenceNode) else ()


def reached(rules: Iterable[Node]) -> frozenset[int]:
    """Return the starts of the collections that rules are made of, by alias too."""
    seen: set[int] = set()
    waiting = [resolve(rule) for rule in rules]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ScalarNode) or node.place.start in seen:
            continue
        seen.add(node.place.start)
        waiting += [resolve(child) for child in children_of(node)]
    return frozenset(seen)


def children_of(node: Node) -> tuple[Node, ...]:
    """Return the items of a list or the values of a mapping that stand here."""
    match node:
        case SequenceNode(items=items):
            return items
        case MappingNode(pairs=pairs):
            return tuple(value for _, value in pairs)
        case ScalarNode() | AliasNode():
            return ()


def every_node(root: Node | None) -> Iterator[Node]:
    """Yield a node and all below it in their order, names of fields included."""
    if root is None:
        return
    yield root
    if isinstance(root, MappingNode):
        for name, value in root.pairs:
            yield from every_node(name)
            yield from every_node(value)
    else:
        for child in children_of(root):
            yield from every_node(child)


def parts_of(text: str, node: ScalarNode) -> tuple[Part, ...]:
    """Return the recipients that a text spells, in their order; those it escapes are left out."""
    parts, cursor = [], node.place.start
    if node.anchor is not None:
        cursor += len(node.anchor) + 1
    for stated in node.text.split(","):
        spelled = stated.strip()
        start = text.find(spelled, cursor, node.place.end) if spelled and not node.null else -1
        if start >= 0:
            cursor = start + len(spelled)
            parts.append(Part(spelled, start, cursor))
    return tuple(parts)


def names(node: Node, recipients: frozenset[str]) -> bool:
    """Say whether an entry of a list, or a field's text, spells one of canonical recipients."""
    target = resolve(node)
    return isinstance(target, ScalarNode) and any(
        canonical_text(stated) in recipients for stated in target.text.split(",")
    )


def is_recipient_field(name: Node) -> bool:
    return isinstance(name, ScalarNode) and name.text in {*GROUP_KINDS, "hc_vault_transit_uri"}
