"""Anchors put into `.sops.yaml`: into the list where their sort stands, in its style and order."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.policy import Anchor
from nixsecrets.fleet.policy_edit import ANCHOR_NAME, PolicyEditError, edited
from nixsecrets.fleet.policy_layout import (
    FIRST_DASH,
    anchor_line,
    find_dash,
    insert_lines,
    line_after,
    own_field,
    spell,
)
from nixsecrets.fleet.policy_nodes import MappingNode, Node, ScalarNode, SequenceNode, is_null
from nixsecrets.fleet.policy_order import find_spot
from nixsecrets.fleet.policy_reading import PolicyText, read_policy, rule_nodes
from nixsecrets.textedit import Edit, apply_edits, line_start

_NO_ANCHORS = frozenset({"creation_rules", "destination_rules", "stores"})
_AGE = ("age1", "ssh-")


def add_anchor(content: bytes, name: str, recipient_text: str, after: str | None = None) -> bytes:
    """Return the policy with an anchor for a recipient.

    Args:
        content: the policy.
        name: the anchor.
        recipient_text: what it stands for.
        after: the anchor to follow; by default it comes last of the list that holds most age
            recipients, or in a new section `keys`.

    Raises:
        RepositoryError: the name cannot be an anchor, or stands for something else already.
        PolicyEditError: there is no place that is surely right.
    """
    return add_anchors(content, {name: recipient_text}, after)


def add_anchors(content: bytes, named: Mapping[str, str], after: str | None = None) -> bytes:
    """Do what `add_anchor` does, at once for all anchors and what they stand for."""
    for name in named:
        content = _filled(content, name, named[name])
    before = read_policy(content)
    new = [(name, text) for name, text in named.items() if not _knows_anchor(before, name, text)]
    if not new:
        return content
    names = ", ".join(name for name, _ in new)
    refusal = PolicyEditError(
        f"anchor {names} has no place among the anchors that is surely right",
        "\n".join(f"- &{name} {spell(text, '')}" for name, text in new),
    )
    edits = list(_edits(before, after, new, refusal))
    added = (Anchor(name, text, 0) for name, text in new)
    intended = before.policy._replace(anchors=(*before.policy.anchors, *added))
    return edited(content, edits, intended, refusal)


def _edits(
    before: PolicyText,
    after: str | None,
    new: Sequence[tuple[str, str]],
    refusal: PolicyEditError,
) -> Iterator[Edit]:
    field = _field_of(before.composition.root, after) if after is not None else None
    if field is not None:
        yield _beside_field(before.text, field, new, refusal)
        return
    items = _anchor_items(before, after, refusal)
    if not items:
        yield _first_anchors(before, new)
        return
    beside = next((item for item in items if after and _anchor_of(item) == after), items[-1])
    spots = [(find_spot(items, f"&{name}", beside), (name, text)) for name, text in new]
    if any(spot.item is not beside or spot.is_before for spot, _ in spots):
        spots.sort(key=lambda pair: pair[1])
    for spot, pair in spots:
        line = anchor_line(before.text, spot.item, items, pair)
        if line is None:
            raise refusal
        yield insert_lines(before.text, spot.line(before.text), (line,))


def _field_of(root: Node | None, anchor: str) -> tuple[Node, Node] | None:
    """Return the field of a block mapping, outside the rules, whose value an anchor names."""
    match root:
        case MappingNode(flow=False, pairs=pairs):
            for name, value in pairs:
                if isinstance(name, ScalarNode) and name.text in _NO_ANCHORS:
                    continue
                if _anchor_of(value) == anchor:
                    return name, value
                if (found := _field_of(value, anchor)) is not None:
                    return found
        case SequenceNode(flow=False, items=items):
            return next((found for item in items if (found := _field_of(item, anchor))), None)
        case _:
            return None
    return None


def _beside_field(
    text: str,
    field: tuple[Node, Node],
    new: Sequence[tuple[str, str]],
    refusal: PolicyEditError,
) -> Edit:
    """Put fields named after their anchors behind another one."""
    name, value = field
    start = line_start(text, name.place.start)
    indent = text[start : name.place.start]
    if (
        indent.strip(" ")
        or not isinstance(value, ScalarNode)
        or "\n" in text[start : value.place.end]
    ):
        raise refusal
    quote = value.style if value.style in ("'", '"') else ""
    lines = tuple(f"{indent}{one}: &{one} {spell(text_, quote)}" for one, text_ in new)
    return insert_lines(text, line_after(text, value), lines)


def _filled(content: bytes, name: str, recipient_text: str) -> bytes:
    """Return the policy with a recipient behind an anchor that held a place for it (`null`)."""
    before = read_policy(content)
    nodes = [node for node in before.composition.anchored if node.anchor == name]
    node = nodes[0] if len(nodes) == 1 else None
    if not isinstance(node, ScalarNode) or not node.null or not node.text:
        return content
    refusal = PolicyEditError(
        f"anchor {name} holds a place that cannot be filled",
        f"&{name} {spell(recipient_text, '')}",
        line=node.place.line,
    )
    edit = Edit(node.place.end - len(node.text), node.place.end, spell(recipient_text, ""))
    filled = read_policy(apply_edits(before.text, (edit,)).encode()).policy
    rules = tuple(
        rule._replace(
            groups=tuple(
                (*group, *(entry for entry in now if entry.anchor == name))
                for group, now in zip(rule.groups, after.groups, strict=True)
            )
        )
        for rule, after in zip(before.policy.rules, filled.rules, strict=True)
    )
    anchors = (*before.policy.anchors, Anchor(name, recipient_text, 0))
    intended = before.policy._replace(anchors=anchors, rules=rules)
    return edited(content, (edit,), intended, refusal)


def _knows_anchor(before: PolicyText, name: str, recipient_text: str) -> bool:
    hint = "say another `anchor:` in nixsecrets.yaml"
    if not ANCHOR_NAME.fullmatch(name):
        raise RepositoryError(
            f"{name!r} cannot be an anchor: only letters, digits, `-` and `_` can", hint=hint
        )
    nodes = [node for node in before.composition.anchored if node.anchor == name]
    for node in nodes:
        if not isinstance(node, ScalarNode) or node.text != recipient_text:
            line = node.place.line
            raise RepositoryError(
                f"anchor {name} stands for something else already", hint=hint, line=line
            )
    return bool(nodes)


def _anchor_items(
    before: PolicyText, after: str | None, refusal: PolicyEditError
) -> tuple[Node, ...]:
    """Return the list that an anchor belongs to; nothing where a section is to be made for it."""
    root = before.composition.root
    lists = list(_anchor_lists(root))
    if after is not None:
        lists = [items for items in lists if after in map(_anchor_of, items)]
    elif any(map(_age_recipients_in, lists)):
        lists = [max(reversed(lists), key=_age_recipients_in)]
    if len(lists) == 1:
        return lists[0]
    section = own_field(root, "keys")
    if lists or after is not None or (section is not None and not is_null(section)):
        raise refusal
    return ()


def _anchor_lists(node: Node | None) -> Iterator[tuple[Node, ...]]:
    """Return the block lists outside the rules that hold anchors, however deep."""
    match node:
        case SequenceNode(flow=False, items=items):
            if any(map(_anchor_of, items)):
                yield items
            for item in items:
                yield from _anchor_lists(item)
        case MappingNode(flow=False, pairs=pairs):
            for name, value in pairs:
                if not (isinstance(name, ScalarNode) and name.text in _NO_ANCHORS):
                    yield from _anchor_lists(value)
        case _:
            return


def _age_recipients_in(items: tuple[Node, ...]) -> int:
    return sum(isinstance(item, ScalarNode) and item.text.startswith(_AGE) for item in items)


def _anchor_of(item: Node) -> str | None:
    return item.anchor if isinstance(item, ScalarNode) and item.text else None


def _first_anchors(before: PolicyText, named: Iterable[tuple[str, str]]) -> Edit:
    root, text = before.composition.root, before.text
    rules = rule_nodes(before.composition)
    dash = (find_dash(text, rules[0]) if rules else None) or FIRST_DASH
    lines = tuple(dash.line(f"&{name} {spell(value, '')}") for name, value in named)
    section = own_field(root, "keys")
    if section is not None:
        return insert_lines(text, line_after(text, section), lines)
    top = len(text) if root is None else line_start(text, root.place.start)
    return insert_lines(text, top, ("keys:", *lines))
