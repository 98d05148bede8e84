"""Recipients taken out of a policy of any shape, with the rules that are left without any.

A line goes where a recipient has one to itself; between brackets and commas it goes alone. What is
emptied by that goes too, up to the rule.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from nixsecrets.age.recipient import canonical_text
from nixsecrets.fleet.policy import Policy, RecipientEntry, Rule
from nixsecrets.fleet.policy_edit import PolicyEditError, edited, edited_together
from nixsecrets.fleet.policy_layout import line_after
from nixsecrets.fleet.policy_nodes import (
    AliasNode,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    is_null,
    resolve,
)
from nixsecrets.fleet.policy_reach import is_recipient_field, parts_of, reached
from nixsecrets.fleet.policy_reading import PolicyText, read_policy, rule_nodes
from nixsecrets.textedit import Edit, line_end, line_start

_MERGED = frozenset({"key_groups", "merge", "<<"})


class Without(NamedTuple):
    """A policy that no longer names some recipients.

    Args:
        content: its text.
        gone: the rules that named nobody else and went too.
    """

    content: bytes
    gone: tuple[Rule, ...] = ()


def remove_from_rule(content: bytes, rule_index: int, anchor_or_text: str) -> bytes:
    """Return the policy without an age recipient in one rule.

    All its spellings go, by alias and literal; a rule that does not name it stays as it is.

    Raises:
        PolicyEditError: it is the last of a group, or other rules read the same place.
    """
    return remove_from_rules(content, {rule_index: (anchor_or_text,)})


def remove_from_rules(content: bytes, leaving: Mapping[int, Sequence[str]]) -> bytes:
    """Do what `remove_from_rule` does, at once for all recipients that leave rules."""
    before = read_policy(content)
    rules = list(before.policy.rules)
    edits, refusals = dict[Edit, None](), list[PolicyEditError]()
    for index, words in leaving.items():
        anchors = {word: before.policy.anchor(word) for word in words}
        texts = _canonical(anchor.text if anchor else word for word, anchor in anchors.items())
        groups = _groups_without(rules[index], texts)
        if groups == rules[index].groups:
            continue
        named = [f"*{word}" if anchor else word for word, anchor in anchors.items()]
        refusal = _refusal(f"{', '.join(anchors)} cannot be", rules[index], named)
        if not all(groups):
            raise refusal
        refusals.append(refusal)
        node = rule_nodes(before.composition)[index]
        taking = _Taking(before, texts, refusal)
        edits.update(dict.fromkeys(taking.out_of(node).edits))
        rules[index] = rules[index]._replace(groups=groups)
    alone = (
        partial(remove_from_rules, content, {index: words}) for index, words in leaving.items()
    )
    intended = before.policy._replace(rules=tuple(rules))
    return edited_together(content, edits, intended, refusals, alone)


def remove_recipients(content: bytes, recipients: Collection[str]) -> Without:
    """Return the policy without recipients, by canonical text: anchors, every rule, every list.

    A rule that they were all of goes too, with its comments.

    Raises:
        PolicyEditError: one of several key groups would be left empty, or a line is not theirs
            alone.
    """
    before = read_policy(content)
    texts = _canonical(recipients)
    policy, root = before.policy, before.composition.root
    refusal = PolicyEditError(
        f"{', '.join(sorted(texts))} cannot be taken out without what stands beside it",
        ", ".join(sorted(texts)),
        doing="take out",
    )
    left = [(rule, _groups_without(rule, texts)) for rule in policy.rules]
    for rule, groups in left:
        if groups != rule.groups and any(groups) and not all(groups):
            raise _refusal("the last recipients of a key group cannot be", rule, sorted(texts))
    gone = tuple(rule for rule, groups in left if groups != rule.groups and not any(groups))
    intended = _without(before, [pair for pair in left if pair[0] not in gone], texts)
    if root is None:
        return Without(content)
    edits = dict.fromkeys(_Taking(before, texts, refusal).out_of(root).edits)
    after = edited(content, edits, intended, refusal)
    return Without(after, gone)


def _canonical(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(map(canonical_text, texts))


def _groups_without(rule: Rule, texts: frozenset[str]) -> tuple[tuple[RecipientEntry, ...], ...]:
    return tuple(
        tuple(entry for entry in group if canonical_text(entry.text) not in texts)
        for group in rule.groups
    )


def _refusal(problem: str, rule: Rule, words: Iterable[str]) -> PolicyEditError:
    return PolicyEditError(
        f"{problem} taken out of {rule.named} by whole lines",
        ", ".join(words),
        doing="take out",
        line=rule.line,
    )


def _without(
    before: PolicyText,
    left: Iterable[tuple[Rule, tuple[tuple[RecipientEntry, ...], ...]]],
    texts: frozenset[str],
) -> Policy:
    rules = tuple(rule._replace(groups=groups) for rule, groups in left)
    kept = {rule.place for rule in rules}
    ends = [
        (
            node.place.line,
            node.place.line + before.text.count("\n", node.place.start, node.place.end),
        )
        for place, node in enumerate(rule_nodes(before.composition))
        if place not in kept
    ]
    return before.policy._replace(
        rules=rules,
        anchors=tuple(
            anchor for anchor in before.policy.anchors if canonical_text(anchor.text) not in texts
        ),
        warnings=tuple(
            warning
            for warning in before.policy.warnings
            if not any(first <= warning.line <= last for first, last in ends)
        ),
    )


class _Outcome(NamedTuple):
    """What becomes of a node: it is emptied as a whole, or these edits take out what leaves."""

    emptied: bool = False
    edits: tuple[Edit, ...] = ()


class _Taking:
    """Takes recipients out of nodes; a list that no rule reads may be left empty, as it stands."""

    def __init__(self, before: PolicyText, texts: frozenset[str], refusal: PolicyEditError) -> None:
        self._text = before.text
        self._texts = texts
        self._refusal = refusal
        self._rules = frozenset(node.place.start for node in rule_nodes(before.composition))
        self._reached = reached(rule_nodes(before.composition))
        self._known: dict[int, _Outcome] = {}

    def out_of(self, node: Node) -> _Outcome:
        match node:
            case AliasNode(target=ScalarNode() as target):
                return _Outcome(emptied=self._of_text(target).emptied)
            case AliasNode(target=target):
                return self.out_of(target)
            case ScalarNode():
                return self._of_text(node)
            case SequenceNode():
                return self._known.get(node.place.start) or self._keep(node, self._of_list(node))
            case MappingNode():
                return self._known.get(node.place.start) or self._keep(node, self._of_mapping(node))

    def _keep(self, node: Node, outcome: _Outcome) -> _Outcome:
        """Remember what becomes of a collection, to which several aliases may lead."""
        self._known[node.place.start] = outcome
        return outcome

    def _of_text(self, node: ScalarNode) -> _Outcome:
        stated = [canonical_text(one) for one in node.text.split(",") if one.strip()]
        left = [one for one in stated if one not in self._texts]
        if node.null or len(left) == len(stated):
            return _Outcome()
        if not left:
            return _Outcome(emptied=True)
        parts = parts_of(self._text, node)
        gone = frozenset(place for place, part in enumerate(parts) if part.canonical in self._texts)
        return _Outcome(edits=tuple(_cut([(part.start, part.end) for part in parts], gone)))

    def _of_list(self, node: SequenceNode) -> _Outcome:
        outcomes = [self.out_of(item) for item in node.items]
        edits = tuple(edit for outcome in outcomes for edit in outcome.edits)
        gone = frozenset(place for place, outcome in enumerate(outcomes) if outcome.emptied)
        if not gone:
            return _Outcome(edits=edits)
        if len(gone) == len(outcomes) and node.place.start in self._reached:
            return _Outcome(emptied=True)
        if node.flow:
            spans = [(item.place.start, item.place.end) for item in node.items]
            return _Outcome(edits=(*edits, *_cut(spans, gone)))
        lines = [self._lines(node, place) for place in sorted(gone)]
        return _Outcome(edits=(*edits, *_without_lines(self._text, lines)))

    def _of_mapping(self, node: MappingNode) -> _Outcome:
        outcomes = [self.out_of(value) for _, value in node.pairs]
        edits = tuple(edit for outcome in outcomes for edit in outcome.edits)
        gone = frozenset(place for place, outcome in enumerate(outcomes) if outcome.emptied)
        if not gone:
            return _Outcome(edits=edits)
        if self._is_emptied(node, gone):
            return _Outcome(emptied=True)
        if node.flow:
            spans = [(name.place.start, value.place.end) for name, value in node.pairs]
            return _Outcome(edits=(*edits, *_cut(spans, gone)))
        return _Outcome(edits=(*edits, *self._without_pairs(node, gone)))

    def _is_emptied(self, node: MappingNode, gone: frozenset[int]) -> bool:
        """Say whether a rule or a group has no recipients left, or another mapping nothing."""
        left = [pair for place, pair in enumerate(node.pairs) if place not in gone]
        if node.place.start not in self._reached:
            return not left
        return not any(
            is_recipient_field(name) or (isinstance(name, ScalarNode) and name.text in _MERGED)
            for name, value in left
            if not is_null(value)
        )

    def _lines(self, listed: SequenceNode, place: int) -> tuple[int, int]:
        """Return where the lines that an item has to itself begin and end."""
        item, text = listed.items[place], self._text
        start, end = line_start(text, item.place.start), line_after(text, item)
        behind = text[item.place.end : end].strip()
        if text[start : item.place.start].strip() != "-":
            raise self._refusal
        if behind and not behind.startswith("#") and isinstance(item, ScalarNode | AliasNode):
            raise self._refusal
        if resolve(item).place.start in self._rules:
            return _rule_lines(text, start, end, is_first=place == 0)
        return start, end

    def _without_pairs(self, node: MappingNode, gone: frozenset[int]) -> Iterator[Edit]:
        text, lines = self._text, []
        leading = next(place for place in range(len(node.pairs)) if place not in gone)
        first = node.pairs[0][0].place.start
        is_inline = text[line_start(text, first) : first].strip() != ""
        if is_inline and leading:
            yield Edit(first, node.pairs[leading][0].place.start, "")
        for place in sorted(gone):
            name, value = node.pairs[place]
            start = line_start(text, name.place.start)
            if place > leading or not is_inline:
                lines.append((start, max(line_after(text, value), line_after(text, name))))
        yield from _without_lines(text, lines)


def _cut(spans: Sequence[tuple[int, int]], gone: frozenset[int]) -> Iterator[Edit]:
    """Take items out from between commas, each with one of its commas."""
    leading = next((place for place in range(len(spans)) if place not in gone), len(spans))
    if leading == len(spans):
        yield Edit(spans[0][0], spans[-1][1], "")
    elif leading:
        yield Edit(spans[0][0], spans[leading][0], "")
    for place in sorted(gone):
        if place > leading:
            yield Edit(spans[place - 1][1], spans[place][1], "")


def _without_lines(text: str, lines: Iterable[tuple[int, int]]) -> Iterator[Edit]:
    """Take out lines; a text that ends without a line break still does so afterwards."""
    joined: list[tuple[int, int]] = []
    for start, end in lines:
        first = joined.pop()[0] if joined and joined[-1][1] >= start else start
        joined.append((first, end))
    for start, end in joined:
        if text[:end].endswith("\n"):
            yield Edit(start, end, "")
        else:
            yield Edit(len(text[:start].removesuffix("\n").removesuffix("\r")), end, "")


def _rule_lines(text: str, start: int, end: int, *, is_first: bool) -> tuple[int, int]:
    """Return a rule's lines with its comments, and the blank ones that set it off."""
    column = len(text[start:end]) - len(text[start:end].lstrip(" "))
    while start and re.match(rf" {{{column}}}#", text[line_start(text, start - 1) : start]):
        start = line_start(text, start - 1)
    while re.match(rf" {{{column + 1},}}#", text[end : line_end(text, end)]):
        end = line_end(text, end)
    if is_first:
        while end < len(text) and not text[end : line_end(text, end)].strip():
            end = line_end(text, end)
    else:
        while start and not text[line_start(text, start - 1) : start].strip():
            start = line_start(text, start - 1)
    return start, end
