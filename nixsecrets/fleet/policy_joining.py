"""Recipients put into rules of any shape: lists, brackets, comma texts, an alias alone.

Whole lines go in wherever a list takes them. Where a field holds one alias, it becomes a list; a
comma text gains what follows a comma. Places are found by what the rules read, so that a list that
several rules share is edited once, for all of them or not at all.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from nixsecrets.age.recipient import canonical_text
from nixsecrets.fleet.policy import RecipientEntry, Rule
from nixsecrets.fleet.policy_edit import PolicyEditError, edited_together, known_anchor
from nixsecrets.fleet.policy_layout import (
    Dash,
    block_items,
    find_dash,
    insert_lines,
    line_after,
    line_break_of,
    own_field,
    spell,
)
from nixsecrets.fleet.policy_nodes import (
    AliasNode,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    is_null,
    resolve,
)
from nixsecrets.fleet.policy_order import Spot, find_spot
from nixsecrets.fleet.policy_reach import children_of, names, parts_of, recipient_fields
from nixsecrets.fleet.policy_reading import PolicyText, read_policy, rule_nodes
from nixsecrets.textedit import Edit, line_start

_KIND = "age"
_INDENT = 2


class Joiner(NamedTuple):
    """A recipient that is to stand in rules.

    Args:
        text: as it is written out.
        anchor: the name it is written by where a list takes one; None: by its text everywhere.
    """

    text: str
    anchor: str | None = None

    @property
    def canonical(self) -> str:
        return canonical_text(self.text)

    @property
    def word(self) -> str:
        return f"*{self.anchor}" if self.anchor else self.text

    def spelled(self, quote: str) -> str:
        return f"*{self.anchor}" if self.anchor else spell(self.text, quote)


class Joining(NamedTuple):
    """What joins one rule.

    Args:
        joiners: in their order; those that the rule names already are left out.
        beside: canonical text of the recipient that each place of theirs holds already, also in
            each of several key groups; None: the rule's one list.
    """

    joiners: tuple[Joiner, ...]
    beside: str | None = None


def add_to_rule(content: bytes, rule_index: int, anchor: str) -> bytes:
    """Return the policy with `anchor` among the age recipients of a rule.

    Raises:
        RepositoryError: there is no such anchor.
        PolicyEditError: the rule has several groups, or cannot be added to.
    """
    return add_to_rules(content, {rule_index: (anchor,)})


def add_to_rules(content: bytes, joining: Mapping[int, Sequence[str]]) -> bytes:
    """Do what `add_to_rule` does, at once for all anchors that join rules of these indices."""
    policy = read_policy(content).policy
    return join_rules(
        content,
        {
            index: Joining(
                tuple(
                    Joiner(known_anchor(policy, anchor).text, anchor)
                    for anchor in dict.fromkeys(anchors)
                )
            )
            for index, anchors in joining.items()
        },
    )


def join_rules(content: bytes, joining: Mapping[int, Joining]) -> bytes:
    """Return the policy with recipients in the rules of these indices.

    A list keeps its order where it is sorted; else they come last, or behind the one beside which
    they belong.

    Raises:
        PolicyEditError: a rule has several groups and it is not said beside whom, is written so
            that nothing can be put in, or shares the place with a rule that nobody is to join.
    """
    before = read_policy(content)
    rules, edits, refusals = list(before.policy.rules), dict[Edit, None](), list[PolicyEditError]()
    for index, one in joining.items():
        groups = _intended(rules[index], one)
        if groups != rules[index].groups:
            refusals.append(_refusal(rules[index], one))
            edits.update(dict.fromkeys(_edits(before, index, one, refusals[-1])))
            rules[index] = rules[index]._replace(groups=groups)
    alone = (partial(join_rules, content, {index: one}) for index, one in joining.items())
    intended = before.policy._replace(rules=tuple(rules))
    return edited_together(content, edits, intended, refusals, alone)


def _intended(rule: Rule, one: Joining) -> tuple[tuple[RecipientEntry, ...], ...]:
    return tuple(
        (*group, *(RecipientEntry(new.text, new.anchor, _KIND) for new in _lacking(group, one)))
        if one.beside is None or one.beside in _canonical(group)
        else group
        for group in rule.groups
    )


def _lacking(group: Sequence[RecipientEntry], one: Joining) -> tuple[Joiner, ...]:
    present = _canonical(group)
    return tuple(joiner for joiner in one.joiners if joiner.canonical not in present)


def _canonical(group: Sequence[RecipientEntry]) -> frozenset[str]:
    return frozenset(canonical_text(entry.text) for entry in group if entry.kind == _KIND)


def _refusal(rule: Rule, one: Joining) -> PolicyEditError:
    present = frozenset[str]() if one.beside else _canonical(rule.recipients)
    missing = [joiner.word for joiner in one.joiners if joiner.canonical not in present]
    return PolicyEditError(
        f"the recipients of {rule.named} are not one list that a line can be added to",
        ", ".join(f"- {word}" for word in missing),
        line=rule.line,
    )


def _edits(
    before: PolicyText, rule_index: int, one: Joining, refusal: PolicyEditError
) -> Iterator[Edit]:
    rule, node = before.policy.rules[rule_index], rule_nodes(before.composition)[rule_index]
    values = [field.value for field in recipient_fields(node, _KIND)]
    if one.beside is not None:
        asked = frozenset((one.beside,))
        values = [value for value in values if _holds(value, asked)]
    elif rule.has_several_groups:
        raise refusal
    else:
        values = sorted(values, key=lambda value: _preference(node, value))[:1]
    if not values:
        yield from _new_field(before.text, node, one.joiners, refusal)
    present = frozenset[str]() if one.beside else _canonical(rule.recipients)
    for value in values:
        missing = [
            joiner
            for joiner in one.joiners
            if joiner.canonical not in present and not _holds(value, frozenset((joiner.canonical,)))
        ]
        yield from _into(before.text, value, missing, one.beside, refusal)


def _holds(value: Node, recipients: frozenset[str]) -> bool:
    target = resolve(value)
    entries = target.items if isinstance(target, SequenceNode) else (value,)
    return any(names(entry, recipients) for entry in entries)


def _preference(rule: Node, value: Node) -> int:
    """Prefer what stands in the rule itself, and of that lists."""
    is_own = rule.place.start <= resolve(value).place.start < rule.place.end
    match value:
        case SequenceNode() if is_own:
            return 0
        case ScalarNode() | AliasNode(target=ScalarNode()):
            return 1
        case _:
            return 2


def _into(
    text: str, value: Node, new: Sequence[Joiner], beside: str | None, refusal: PolicyEditError
) -> Iterator[Edit]:
    match value, resolve(value):
        case _, SequenceNode(items=()):
            raise refusal
        case _, SequenceNode() as listed:
            yield from _into_list(text, listed, new, beside, refusal)
        case AliasNode(name=name), ScalarNode():
            yield from _listed(text, value, (f"*{name}",), new)
        case _, ScalarNode() as field if is_null(field):
            yield from _listed(text, field, (), new)
        case ScalarNode(), _:
            yield from _into_text(text, value, new, beside)
        case _:
            raise refusal


def _into_list(
    text: str,
    listed: SequenceNode,
    new: Sequence[Joiner],
    beside: str | None,
    refusal: PolicyEditError,
) -> Iterator[Edit]:
    asked = frozenset((beside or "",))
    known = [item for item in listed.items if names(item, asked)]
    last = known[0] if known else listed.items[-1]
    spots = [(find_spot(listed.items, joiner.word, last), joiner) for joiner in new]
    if any(spot.item is not last or spot.is_before for spot, _ in spots):
        spots.sort(key=lambda pair: pair[1].word)
    for spot, joiner in spots:
        quote = spot.item.style if isinstance(spot.item, ScalarNode) else ""
        if listed.flow:
            yield _in_brackets(text, listed, spot, joiner.spelled(quote))
            continue
        dash = find_dash(text, spot.item)
        if dash is None:
            raise refusal
        yield insert_lines(text, spot.line(text), (dash.line(joiner.spelled(quote)),))


def _in_brackets(text: str, listed: SequenceNode, spot: Spot, spelled: str) -> Edit:
    """Put an item between brackets, on a line of its own where the others have one."""
    items = listed.items
    gap = text[items[0].place.end : items[1].place.start] if len(items) > 1 else ""
    start = line_start(text, items[0].place.start)
    indent = text[start : items[0].place.start]
    if not indent.strip() and start > listed.place.start:
        gap = "," + line_break_of(text) + indent
    elif not re.fullmatch(r",\s*", gap):
        gap = ", "
    inserted = spelled + gap if spot.is_before else gap + spelled
    return Edit(spot.offset, spot.offset, inserted)


def _listed(
    text: str, value: Node, stated: tuple[str, ...], new: Sequence[Joiner]
) -> Iterator[Edit]:
    """Make a list of a field that holds an alias or nothing."""
    start = line_start(text, value.place.start)
    found = re.fullmatch(r"( *(?:- +)*)[\w\"']+:\s*", text[start : value.place.start])
    if found is None:
        joined = ", ".join((*stated, *(joiner.spelled("") for joiner in new)))
        yield Edit(value.place.start, value.place.end, f"[{joined}]")
        return
    dash = Dash(len(found[1]) + _INDENT)
    if stated:
        head = len(text[: value.place.start].rstrip())
        lines = "".join(line_break_of(text) + dash.line(one) for one in stated)
        yield Edit(head, value.place.end, lines)
    lines_new = tuple(dash.line(joiner.spelled("")) for joiner in new)
    yield insert_lines(text, line_after(text, value), lines_new)


def _into_text(
    text: str, value: ScalarNode, new: Sequence[Joiner], beside: str | None
) -> Iterator[Edit]:
    """Put a recipient behind another one of a text, on a line of its own in a block."""
    parts = parts_of(text, value)
    if not parts:
        return
    known = [part for part in parts if part.canonical == beside]
    at = (known[0] if known else parts[-1]).end
    gap = "," + (" " if ", " in value.text else "")
    if value.style in ("|", ">"):
        line = text[line_start(text, parts[-1].start) : parts[-1].start]
        gap = "," + line_break_of(text) + line[: len(line) - len(line.lstrip(" "))]
    yield Edit(at, at, "".join(gap + joiner.text for joiner in new))


def _new_field(
    text: str, rule: Node, new: Sequence[Joiner], refusal: PolicyEditError
) -> Iterator[Edit]:
    """Give a rule, or its one group, a list: it names others than age recipients so far."""
    groups = own_field(rule, "key_groups")
    holders = children_of(groups) if groups is not None else (rule,)
    holder = holders[0] if holders else None
    if not isinstance(holder, MappingNode) or holder.flow or not holder.pairs:
        raise refusal
    column = holder.pairs[0][0].place.column - 1
    items = next((items for _, value in holder.pairs if (items := block_items(value))), ())
    beside = find_dash(text, items[0]) if items else None
    dash = beside or Dash(column + _INDENT)
    lines = (" " * column + f"{_KIND}:", *(dash.line(joiner.spelled("")) for joiner in new))
    yield insert_lines(text, line_after(text, holder), lines)
