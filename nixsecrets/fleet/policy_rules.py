"""New rules of `.sops.yaml`: put in beside a sibling and in its style, or a policy made anew."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.policy import Policy, RecipientEntry, Rule, exact_pattern
from nixsecrets.fleet.policy_edit import PolicyEditError, edited, known_anchor
from nixsecrets.fleet.policy_layout import (
    FIRST_DASH,
    RuleLayout,
    default_layout,
    find_dash,
    find_layout,
    insert_lines,
    line_after,
    own_field,
    rule_lines,
    spell,
)
from nixsecrets.fleet.policy_nodes import Node, is_null
from nixsecrets.fleet.policy_reading import GROUP_KINDS, PolicyText, read_policy, rule_nodes
from nixsecrets.sops.rules import compile_pattern
from nixsecrets.textedit import Edit, line_end, line_start

_HEADER = (
    "# Who may read which document: the first rule whose path_regex matches a path governs it.",
    "# sops reads this file too. nixsecrets adds and takes out lines, and leaves the others alone.",
)


def add_rule(
    content: bytes, path: PurePosixPath, anchors: tuple[str, ...], after_rule: int | None
) -> bytes:
    """Return the policy with a rule for `path` alone, read by `anchors`.

    Args:
        content: the policy.
        path: relative to the policy's folder.
        anchors: names of recipients, each under the kind that the rules name it by.
        after_rule: index of the sibling that it follows and is written like; by default it comes
            last. It always comes before a rule that matches `path` already, behind which it
            could never fire.

    Raises:
        RepositoryError: an anchor is unknown, or `path` has a rule of its own already.
        PolicyEditError: there is no place that is surely right.
    """
    return add_rules(content, {path: anchors}, after_rule)


def add_rules(
    content: bytes, readers: Mapping[PurePosixPath, tuple[str, ...]], after_rule: int | None
) -> bytes:
    """Do what `add_rule` does, at once for all paths and the anchors that read each."""
    before = read_policy(content)
    new = [_new_rule(before.policy, path, names, after_rule) for path, names in readers.items()]
    return _with_rules(content, before, new)


def _with_rules(content: bytes, before: PolicyText, new: Sequence["_NewRule"]) -> bytes:
    refusal = PolicyEditError(
        "the rules are not a list that a line can be added to",
        "\n".join(line for one in new for line in one.lines(default_layout(FIRST_DASH))),
    )
    edits = _edits(before, new, refusal)
    rules = list(before.policy.rules)
    for earlier, one in enumerate(sorted(new, key=lambda one: one.place)):
        rules.insert(one.place + earlier, Rule(one.place, one.pattern_text, (one.entries,)))
    return edited(content, edits, before.policy._replace(rules=tuple(rules)), refusal)


def add_rule_like(
    content: bytes, pattern_text: str, entries: tuple[RecipientEntry, ...], place: int
) -> bytes:
    """Return the policy with a rule written like the one above it.

    Args:
        content: the policy.
        pattern_text: its expression.
        entries: its recipients, by anchor or by text.
        place: the index that it gets; a lower one where a rule above it matches every path.

    Raises:
        RepositoryError: RE2 refuses the expression, or an anchor is unknown.
        PolicyEditError: there is no place that is surely right.
    """
    before = read_policy(content)
    compile_pattern(pattern_text)
    for entry in entries:
        if entry.anchor is not None:
            known_anchor(before.policy, entry.anchor)
    catching = (rule.place for rule in before.policy.rules if rule.is_catch_all)
    place = min(place, next(catching, len(before.policy.rules)))
    new = _NewRule(pattern_text, entries, place, sibling=max(place - 1, 0))
    return _with_rules(content, before, [new])


def render_new(
    anchors: tuple[tuple[str, str], ...], rules: tuple[tuple[PurePosixPath, tuple[str, ...]], ...]
) -> bytes:
    """Return a policy made anew: anchors with their recipients, and rules for one path each."""
    lines = list(_HEADER)
    if anchors:
        lines.append("keys:")
    lines += [FIRST_DASH.line(f"&{name} {spell(text, '')}") for name, text in anchors]
    if rules:
        lines.append("creation_rules:")
    for path, names in rules:
        lines += rule_lines(
            default_layout(FIRST_DASH),
            exact_pattern(path),
            (("age", tuple(f"*{name}" for name in names)),),
        )
    return ("\n".join(lines) + "\n").encode()


@dataclass(frozen=True, slots=True)
class _NewRule:
    """A rule to come: to get index `place`, and written like the rule of index `sibling`."""

    pattern_text: str
    entries: tuple[RecipientEntry, ...]
    place: int
    sibling: int

    def lines(self, layout: RuleLayout) -> tuple[str, ...]:
        return rule_lines(layout, self.pattern_text, _by_kind(self.entries))


def _new_rule(
    policy: Policy, path: PurePosixPath, anchors: tuple[str, ...], after_rule: int | None
) -> _NewRule:
    pattern_text, governing = exact_pattern(path), policy.rule_for(path)
    place = len(policy.rules) if after_rule is None else after_rule + 1
    if governing is not None:
        if governing.pattern_text == pattern_text:
            raise RepositoryError(f"{path} has a rule already", line=governing.line)
        place = min(place, governing.place)
    sibling = max(place - 1, 0) if after_rule is None else after_rule
    return _NewRule(pattern_text, tuple(_entry(policy, name) for name in anchors), place, sibling)


def _edits(before: PolicyText, new: Sequence[_NewRule], refusal: PolicyEditError) -> list[Edit]:
    nodes = rule_nodes(before.composition)
    if not nodes:
        usual = default_layout(FIRST_DASH)
        return [_edit_of_empty(before, tuple(line for one in new for line in one.lines(usual)))]
    edits = []
    for one in new:
        layout = find_layout(before.text, nodes[one.sibling])
        if layout is None:
            raise refusal
        edits.append(_edit_of_list(before.text, nodes, one.place, one.lines(layout)))
    return edits


def _entry(policy: Policy, anchor: str) -> RecipientEntry:
    entries = (entry for rule in policy.rules for group in rule.groups for entry in group)
    kind = next((entry.kind for entry in entries if entry.anchor == anchor), "age")
    return RecipientEntry(known_anchor(policy, anchor).text, anchor, kind)


def _by_kind(entries: Iterable[RecipientEntry]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    words: dict[str, list[str]] = {}
    for entry in entries:
        word = f"*{entry.anchor}" if entry.anchor else spell(entry.text, "")
        words.setdefault(entry.kind, []).append(word)
    return tuple((kind, tuple(words[kind])) for kind in GROUP_KINDS if kind in words)


def _edit_of_list(text: str, nodes: tuple[Node, ...], place: int, lines: tuple[str, ...]) -> Edit:
    """Put a rule's lines at its place, set off by a blank line where most others are."""
    apart = sum(_stands_apart(text, node) for node in nodes[1:])
    blank = ("",) if apart * 2 > len(nodes) - 1 else ()
    if place == 0:
        offset = _above_comments(text, line_start(text, nodes[0].place.start))
        return insert_lines(text, offset, lines + blank)
    above = nodes[place - 1]
    dash = find_dash(text, above) or FIRST_DASH
    offset = _below_comments(text, line_after(text, above), dash.column)
    return insert_lines(text, offset, blank + lines)


def _stands_apart(text: str, rule: Node) -> bool:
    """Tell whether a blank line stands above a rule and its comments."""
    offset = _above_comments(text, line_start(text, rule.place.start))
    return not text[line_start(text, offset - 1) : offset].strip()


def _above_comments(text: str, offset: int) -> int:
    """Return the start of the comment lines that stand directly above a line."""
    while offset and text[line_start(text, offset - 1) : offset].lstrip().startswith("#"):
        offset = line_start(text, offset - 1)
    return offset


def _below_comments(text: str, offset: int, column: int) -> int:
    """Return the end of the comment lines, further in than `column`, that begin at `offset`."""
    while re.match(rf" {{{column + 1},}}#", text[offset : line_end(text, offset)]):
        offset = line_end(text, offset)
    return offset


def _edit_of_empty(before: PolicyText, lines: tuple[str, ...]) -> Edit:
    section = own_field(before.composition.root, "creation_rules")
    if section is not None and is_null(section):
        return insert_lines(before.text, line_after(before.text, section), lines)
    return insert_lines(before.text, len(before.text), ("creation_rules:", *lines))
