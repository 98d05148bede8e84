"""A rule taken out of a policy, since what it was for is gone."""

import re

from nixsecrets.fleet.policy import Policy
from nixsecrets.fleet.policy_edit import PolicyEditError, edited
from nixsecrets.fleet.policy_layout import line_after
from nixsecrets.fleet.policy_reading import read_policy, rule_nodes
from nixsecrets.textedit import Edit, line_end, line_start


def remove_rule(content: bytes, rule_index: int) -> bytes:
    """Return the policy without a rule, whose comments and blank line above go with it.

    Raises:
        PolicyEditError: the rule has no lines to itself, or an anchor in it is used elsewhere.
    """
    before = read_policy(content)
    text, node = before.text, rule_nodes(before.composition)[rule_index]
    rule = before.policy.rules[rule_index]
    refusal = PolicyEditError(
        f"{rule.named} cannot be taken out by whole lines",
        f"the rule {rule.pattern_text}",
        doing="take out",
        line=rule.line,
    )
    start = line_start(text, node.place.start)
    if text[start : node.place.start].strip() != "-":
        raise refusal
    end = max(line_after(text, node), line_end(text, start))
    column = len(text[start:]) - len(text[start:].lstrip(" "))
    start = _above_comments(text, start, column)
    if rule_index:
        start = _above_blanks(text, start)
    intended = _without(before.policy, rule_index, text.count("\n", start, end))
    return edited(content, [Edit(start, end, "")], intended, refusal)


def _above_comments(text: str, start: int, column: int) -> int:
    while start and re.match(rf" {{{column}}}#", text[line_start(text, start - 1) : start]):
        start = line_start(text, start - 1)
    return start


def _above_blanks(text: str, start: int) -> int:
    while start and not text[line_start(text, start - 1) : start].strip():
        start = line_start(text, start - 1)
    return start


def _without(policy: Policy, rule_index: int, lines: int) -> Policy:
    gone = policy.rules[rule_index]
    within = range(gone.line, gone.line + lines)
    return policy._replace(
        rules=tuple(rule for rule in policy.rules if rule != gone),
        warnings=tuple(one for one in policy.warnings if one.line not in within),
    )
