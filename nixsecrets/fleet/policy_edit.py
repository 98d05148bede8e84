"""Edits of `.sops.yaml` that put in or take out whole lines and leave the rest as people wrote it.

Each edit takes its style from the line beside it, and its result is read again: what does not mean
exactly what was intended is refused, and told as text to put in by hand. New rules are made in
`policy_rules`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.policy import Anchor, Policy, RecipientEntry
from nixsecrets.fleet.policy_layout import (
    FIRST_DASH,
    anchor_line,
    block_items,
    find_dash,
    insert_lines,
    line_after,
    own_field,
    remove_line,
    spell,
)
from nixsecrets.fleet.policy_nodes import (
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    is_null,
    resolve,
)
from nixsecrets.fleet.policy_reading import PolicyText, parse_policy, read_policy, rule_nodes
from nixsecrets.textedit import Edit, apply_edits, line_start

_ANCHOR_NAME = re.compile(r"[A-Za-z0-9_-]+")  # go-yaml, yamlprivateh.go: is_alpha
_NO_ANCHORS = frozenset({"creation_rules", "destination_rules", "stores"})
_AGE = ("age1", "ssh-")


class PolicyEditError(RepositoryError):
    """An edit that is left to people, since its lines cannot be placed safely.

    Args:
        problem: why.
        text: the lines to put in (or to take out) by hand.
        doing: what is to be done with them.
        line: 1-based line at fault, where it is known.
    """

    def __init__(
        self, problem: str, text: str, *, doing: str = "put in", line: int | None = None
    ) -> None:
        super().__init__(problem, hint=f"{doing} by hand: {text}", line=line)
        self.text = text


def spell_anchor(name: str) -> str:
    """Return a host's or a person's name as an anchor, in which go-yaml takes no dot."""
    return name.replace(".", "-")


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
    before = read_policy(content)
    new = [(name, text) for name, text in named.items() if not _knows_anchor(before, name, text)]
    if not new:
        return content
    names = ", ".join(name for name, _ in new)
    refusal = PolicyEditError(
        f"anchor {names} has no place among the anchors that is surely right",
        "\n".join(f"- &{name} {spell(text, '')}" for name, text in new),
    )
    items = _anchor_items(before, after, refusal)
    if items:
        beside = next((item for item in items if after and _anchor_of(item) == after), items[-1])
        lines = [anchor_line(before.text, beside, items, pair) for pair in new]
        placed = tuple(line for line in lines if line is not None)
        if len(placed) < len(new):
            raise refusal
        edit = insert_lines(before.text, line_after(before.text, beside), placed)
    else:
        edit = _first_anchors(before, new)
    added = (Anchor(name, text, 0) for name, text in new)
    intended = before.policy._replace(anchors=(*before.policy.anchors, *added))
    return edited(content, (edit,), intended, refusal)


def add_to_rule(content: bytes, rule_index: int, anchor: str) -> bytes:
    """Return the policy with an alias of `anchor` last in the rule's one list of age recipients.

    Raises:
        RepositoryError: there is no such anchor.
        PolicyEditError: the rule has several groups, or no list of its own in block style.
    """
    return add_to_rules(content, {rule_index: (anchor,)})


def add_to_rules(content: bytes, joining: Mapping[int, Sequence[str]]) -> bytes:
    """Do what `add_to_rule` does, at once for all anchors that join rules of these indices."""
    return _edit_rules(content, joining, _joining)


def remove_from_rule(content: bytes, rule_index: int, anchor_or_text: str) -> bytes:
    """Return the policy without the lines of the rule that name an age recipient.

    All its spellings go, by alias and literal; a rule that does not name it stays as it is.

    Raises:
        PolicyEditError: it is the last of a list, or does not stand on a line of its own.
    """
    return remove_from_rules(content, {rule_index: (anchor_or_text,)})


def remove_from_rules(content: bytes, leaving: Mapping[int, Sequence[str]]) -> bytes:
    """Do what `remove_from_rule` does, at once for all recipients that leave rules."""
    return _edit_rules(content, leaving, _leaving)


@dataclass(frozen=True, slots=True)
class _RuleEdit:
    """The edits of one rule's lines, what its groups are to be then, and the error otherwise."""

    edits: tuple[Edit, ...]
    groups: tuple[tuple[RecipientEntry, ...], ...]
    refusal: PolicyEditError


def _edit_rules(
    content: bytes,
    wanted: Mapping[int, Sequence[str]],
    plan: Callable[[PolicyText, int, Sequence[str]], _RuleEdit],
) -> bytes:
    """Return the policy with all rules edited; the refusal is that of the rule at fault."""
    before = read_policy(content)
    planned = {index: plan(before, index, names) for index, names in wanted.items()}
    stated = before.policy.rules
    parts = {index: part for index, part in planned.items() if part.groups != stated[index].groups}
    if not parts:
        return content
    rules = tuple(
        rule._replace(groups=parts[rule.place].groups) if rule.place in parts else rule
        for rule in stated
    )
    edits = [edit for part in parts.values() for edit in part.edits]
    refusal = next(iter(parts.values())).refusal
    try:
        return edited(content, edits, before.policy._replace(rules=rules), refusal)
    except PolicyEditError:
        if len(wanted) == 1:
            raise
    order = list(wanted)
    for some in (order[: len(order) // 2], order[len(order) // 2 :]):
        content = _edit_rules(content, {index: wanted[index] for index in some}, plan)
    return content


def _joining(before: PolicyText, rule_index: int, anchors: Sequence[str]) -> _RuleEdit:
    rule = before.policy.rules[rule_index]
    present = {entry.text for entry in rule.recipients}
    known = [known_anchor(before.policy, anchor) for anchor in dict.fromkeys(anchors)]
    new = [anchor for anchor in known if anchor.text not in present]
    refusal = PolicyEditError(
        f"the recipients of {rule.named} are not one list that a line can be added to",
        ", ".join(f"- *{anchor.name}" for anchor in new),
        line=rule.line,
    )
    if not new:
        return _RuleEdit((), rule.groups, refusal)
    lists = _age_lists(before, rule_index)
    last = lists[0][-1] if lists else None
    dash = find_dash(before.text, last) if last else None
    if last is None or dash is None:
        raise refusal
    lines = tuple(dash.line(f"*{anchor.name}") for anchor in new)
    edit = insert_lines(before.text, line_after(before.text, last), lines)
    entries = (RecipientEntry(anchor.text, anchor.name, "age") for anchor in new)
    return _RuleEdit((edit,), ((*rule.groups[0], *entries),), refusal)


def _leaving(before: PolicyText, rule_index: int, anchors_or_texts: Sequence[str]) -> _RuleEdit:
    rule = before.policy.rules[rule_index]
    anchors = {name: before.policy.anchor(name) for name in anchors_or_texts}
    texts = {anchor.text if anchor else name for name, anchor in anchors.items()}
    refusal = PolicyEditError(
        f"{', '.join(anchors)} cannot be taken out of {rule.named} by whole lines",
        ", ".join(f"*{name}" if anchor else name for name, anchor in anchors.items()),
        doing="take out",
        line=rule.line,
    )
    if texts.isdisjoint(entry.text for entry in rule.recipients):
        return _RuleEdit((), rule.groups, refusal)
    edits: list[Edit] = []
    for items in _age_lists(before, rule_index):
        found = [item for item in items if _text_of(item) in texts]
        removals = [edit for item in found if (edit := remove_line(before.text, item))]
        if len(removals) < len(found) or len(found) == len(items):
            raise refusal
        edits += removals
    groups = (
        tuple(entry for entry in group if entry.kind != "age" or entry.text not in texts)
        for group in rule.groups
    )
    return _RuleEdit(tuple(edits), tuple(groups), refusal)


def known_anchor(policy: Policy, name: str) -> Anchor:
    known = policy.anchor(name)
    if known is None:
        raise RepositoryError(f"no anchor is named {name}")
    return known


def edited(
    content: bytes, edits: Iterable[Edit], intended: Policy, refusal: PolicyEditError
) -> bytes:
    """Return `content` with the edits made.

    Raises:
        PolicyEditError: `refusal`, where the result does not mean what is intended.
    """
    text = content.decode("utf-8-sig")
    byte_order_mark = content[: len(content) - len(text.encode())]
    after = byte_order_mark + apply_edits(text, edits).encode()
    try:
        policy = parse_policy(after)
    except RepositoryError:
        raise refusal from None
    if _meaning(policy) != _meaning(intended):
        raise refusal
    return after


def _meaning(policy: Policy) -> tuple[object, ...]:
    """Return what an edit is judged by: not lines, nor the order in a group and among anchors."""
    rules = tuple(
        rule._replace(place=place, groups=tuple(map(_sorted, rule.groups)), line=0)
        for place, rule in enumerate(policy.rules)
    )
    anchors = frozenset((anchor.name, anchor.text) for anchor in policy.anchors)
    return rules, anchors, tuple(warning.words for warning in policy.warnings)


def _sorted(group: Iterable[RecipientEntry]) -> tuple[RecipientEntry, ...]:
    return tuple(sorted(group, key=lambda entry: (entry.kind, entry.text, entry.anchor or "")))


def _knows_anchor(before: PolicyText, name: str, recipient_text: str) -> bool:
    hint = "say another `anchor:` in nixsecrets.yaml"
    if not _ANCHOR_NAME.fullmatch(name):
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


def _text_of(item: Node) -> str | None:
    target = resolve(item)
    return target.text.strip() if isinstance(target, ScalarNode) else None


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


def _age_lists(before: PolicyText, rule_index: int) -> tuple[tuple[Node, ...], ...]:
    """Return the items of the age lists, in block style, that stand in the rule itself."""
    rule = rule_nodes(before.composition)[rule_index]
    groups = block_items(own_field(rule, "key_groups")) or (rule,)
    lists = (block_items(own_field(group, "age")) for group in groups)
    return tuple(items for items in lists if items)
