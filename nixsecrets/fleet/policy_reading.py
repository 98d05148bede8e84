"""A `.sops.yaml` read for its meaning.

Meaning as in sops `config/config.go`; what sops passes over in silence is a warning here, and what
it notices only when it comes to a rule is an error at once.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.policy import Anchor, Policy, PolicyWarning, RecipientEntry, Rule
from nixsecrets.fleet.policy_nodes import (
    AliasNode,
    Composition,
    Content,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    compose,
    is_null,
    resolve,
)
from nixsecrets.sops.rules import Selection, SelectionKind, compile_pattern, parse_selection

_RULE_KINDS = ("age", "pgp", "kms", "gcp_kms", "hckms", "azure_keyvault", "hc_vault_transit_uri")
GROUP_KINDS = ("age", "pgp", "kms", "gcp_kms", "hckms", "azure_keyvault", "hc_vault")
_SELECTIONS = tuple(kind.value for kind in SelectionKind)
_RULE_FIELDS = frozenset(
    {
        *_RULE_KINDS,
        *_SELECTIONS,
        "path_regex",
        "aws_profile",
        "key_groups",
        "shamir_threshold",
        "mac_only_encrypted",
    }
)
_GROUP_FIELDS = frozenset({*GROUP_KINDS, "merge"})
_SECTIONS = frozenset({"creation_rules", "destination_rules", "stores"})
_MISSPELT = {name.replace("_", "").removesuffix("s"): name for name in _SECTIONS}
_TRUE = frozenset({"true", "yes", "on", "y"})  # go-yaml, into a typed bool
_DEEPEST_MERGE = 64


class PolicyText(NamedTuple):
    """A policy's text, without a byte order mark, and what it says."""

    text: str
    composition: Composition
    policy: Policy


def parse_policy(content: bytes) -> Policy:
    """Return the meaning of a `.sops.yaml`.

    Raises:
        RepositoryError: sops could not read it, or RE2 refuses an expression in it; with the line.
    """
    return read_policy(content).policy


@lru_cache(maxsize=4)
def read_policy(content: bytes) -> PolicyText:
    """Return text, nodes and meaning; errors as in `parse_policy`.

    Remembered, since each of many edits reads what the one before it has written.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RepositoryError("not readable as YAML: not UTF-8", line=line) from None
    composition = compose(text)
    warnings: list[PolicyWarning] = []
    _warn_of_misspelt(composition.root, warnings)
    rules = tuple(
        _rule(index, node, warnings) for index, node in enumerate(rule_nodes(composition))
    )
    anchors = tuple(
        Anchor(node.anchor, node.text, node.place.line)
        for node in composition.anchored
        if isinstance(node, ScalarNode) and node.anchor and not node.null and node.text
    )
    return PolicyText(text, composition, Policy(rules, anchors, tuple(warnings)))


def rule_nodes(composition: Composition) -> tuple[Node, ...]:
    """Return the nodes of the creation rules, in the order of `Policy.rules`."""
    if composition.root is None or is_null(composition.root):
        return ()
    node = fields_of(composition.root).get("creation_rules")
    return () if node is None else _items(node, "creation_rules")


def fields_of(node: Node) -> Mapping[str, Node]:
    """Return a mapping's values by name, those of merged mappings (`<<`) included.

    Raises:
        RepositoryError: it is no mapping, or a name stands twice.
    """
    return _fields(node, 0)


def _fields(node: Node, depth: int) -> dict[str, Node]:
    target = resolve(node)
    if not isinstance(target, MappingNode) or depth > _DEEPEST_MERGE:
        raise _error("a mapping is expected here", node)
    own: dict[str, Node] = {}
    merged: dict[str, Node] = {}
    for name_node, value in target.pairs:
        name = _text(name_node, "a field's name")
        if name == "<<":
            for source in _merge_sources(value):
                merged = {**_fields(source, depth + 1), **merged}
        elif name in own:
            raise _error(f"{name} stands twice", name_node)
        else:
            own[name] = value
    return {**merged, **own}


def _merge_sources(value: Node) -> tuple[Node, ...]:
    target = resolve(value)
    return target.items if isinstance(target, SequenceNode) else (value,)


def _rule(index: int, node: Node, warnings: list[PolicyWarning]) -> Rule:
    fields = fields_of(node)
    _warn_of_unknown(fields, _RULE_FIELDS, "rule", warnings)
    return Rule(
        index,
        _pattern_text(fields),
        _groups(fields, warnings),
        _threshold(fields),
        _selection(fields, node),
        _optional_text(fields, "mac_only_encrypted").lower() in _TRUE,
        node.place.line,
    )


def _groups(
    fields: Mapping[str, Node], warnings: list[PolicyWarning]
) -> tuple[tuple[RecipientEntry, ...], ...]:
    key_groups = _items(fields["key_groups"], "key_groups") if "key_groups" in fields else ()
    if key_groups:
        return tuple(_group(node, warnings) for node in key_groups)
    return (tuple(_entries_of_kinds(fields, _RULE_KINDS)),)


def _group(node: Node, warnings: list[PolicyWarning]) -> tuple[RecipientEntry, ...]:
    """Return a group's entries, merged groups first, without those that stand there before."""
    first: dict[tuple[str, str], RecipientEntry] = {}
    for entry in _group_entries(node, [], warnings):
        first.setdefault((entry.kind, entry.text), entry)
    return tuple(first.values())


def _group_entries(
    node: Node, visited: list[Content], warnings: list[PolicyWarning]
) -> Iterator[RecipientEntry]:
    """Visit each merged group once: a second visit would add nothing, and may be costly."""
    target = resolve(node)
    if is_null(node) or any(target is known for known in visited):
        return
    visited.append(target)
    if len(visited) > _DEEPEST_MERGE:
        raise _error("too many groups are merged", node)
    fields = fields_of(target)
    _warn_of_unknown(fields, _GROUP_FIELDS, "key group", warnings)
    for merged in _items(fields["merge"], "merge") if "merge" in fields else ():
        yield from _group_entries(merged, visited, warnings)
    for kind in GROUP_KINDS:
        value = fields.get(kind)
        if value is not None and not is_null(value) and isinstance(resolve(value), ScalarNode):
            raise _error(f"{kind} of a key group must be a list", value)
    yield from _entries_of_kinds(fields, GROUP_KINDS)


def _entries_of_kinds(
    fields: Mapping[str, Node], kinds: tuple[str, ...]
) -> Iterator[RecipientEntry]:
    for kind in kinds:
        value = fields.get(kind)
        if value is None or is_null(value):
            continue
        target = resolve(value)
        nodes = target.items if isinstance(target, SequenceNode) else (value,)
        for node in nodes:
            yield from _entries(node, kind)


def _entries(node: Node, kind: str) -> Iterator[RecipientEntry]:
    """Return what one entry of a list says; empty ones sops leaves aside."""
    target = resolve(node)
    match target:
        case ScalarNode():
            spelled = "" if target.null else target.text
            texts = [text for part in spelled.split(",") if (text := part.strip())]
            name = node.name if isinstance(node, AliasNode) else target.anchor
            for text in texts:
                yield RecipientEntry(text, name if len(texts) == 1 else None, kind)
        case MappingNode():
            stated = (f"{_opaque(name)}={_opaque(value)}" for name, value in target.pairs)
            yield RecipientEntry(",".join(stated), None, kind)
        case SequenceNode():
            raise _error(f"a list stands among the entries of {kind}", node)


def _opaque(node: Node) -> str:
    target = resolve(node)
    return target.text if isinstance(target, ScalarNode) else "…"


def _threshold(fields: Mapping[str, Node]) -> int | None:
    text = _optional_text(fields, "shamir_threshold")
    if text and not (text.isascii() and text.isdigit()):
        raise _error("shamir_threshold must be a number", fields["shamir_threshold"])
    return int(text or "0") or None


def _selection(fields: Mapping[str, Node], rule: Node) -> Selection:
    stated = [name for name in _SELECTIONS if _optional_text(fields, name)]
    try:
        return parse_selection({name: _optional_text(fields, name) for name in stated})
    except RepositoryError as error:
        at_fault = fields[stated[-1]] if stated else rule
        raise _error(error.problem, at_fault, error.hint) from None


def _pattern_text(fields: Mapping[str, Node]) -> str:
    text = _optional_text(fields, "path_regex")
    try:
        compile_pattern(text)
    except RepositoryError as error:
        raise _error(error.problem, fields["path_regex"], error.hint) from None
    return text


def _warn_of_unknown(
    fields: Mapping[str, Node], known: frozenset[str], what: str, warnings: list[PolicyWarning]
) -> None:
    for name, value in fields.items():
        if name not in known:
            words = f"sops knows no `{name}` in a {what} and leaves it aside"
            warnings.append(PolicyWarning(value.place.line, words))


def _warn_of_misspelt(root: Node | None, warnings: list[PolicyWarning]) -> None:
    """Warn of a section that is hardly meant to be left aside: `creation-rules`, `CreationRule`."""
    if root is None or is_null(root):
        return
    for name, value in fields_of(root).items():
        letters = "".join(filter(str.isalpha, name)).lower().removesuffix("s")
        if name not in _SECTIONS and letters in _MISSPELT:
            words = f"sops knows no `{name}`, and leaves it aside: `{_MISSPELT[letters]}` is meant"
            warnings.append(PolicyWarning(value.place.line, words))


def _items(node: Node, name: str) -> tuple[Node, ...]:
    target = resolve(node)
    if isinstance(target, SequenceNode):
        return target.items
    if is_null(node):
        return ()
    raise _error(f"{name} must be a list", node)


def _optional_text(fields: Mapping[str, Node], name: str) -> str:
    node = fields.get(name)
    return "" if node is None or is_null(node) else _text(node, name)


def _text(node: Node, what: str) -> str:
    target = resolve(node)
    if not isinstance(target, ScalarNode):
        raise _error(f"{what} must be a text", node)
    return target.text


def _error(problem: str, node: Node, hint: str | None = None) -> RepositoryError:
    return RepositoryError(problem, hint=hint, line=node.place.line, column=node.place.column)
