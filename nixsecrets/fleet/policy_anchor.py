"""Another recipient under the same anchor: a key that was replaced, everywhere at once."""

from nixsecrets.fleet.policy import Rule
from nixsecrets.fleet.policy_edit import PolicyEditError, edited, known_anchor
from nixsecrets.fleet.policy_layout import spell, value_start
from nixsecrets.fleet.policy_nodes import ScalarNode
from nixsecrets.fleet.policy_reading import read_policy
from nixsecrets.textedit import Edit


def replace_anchor_value(content: bytes, name: str, recipient_text: str) -> bytes:
    """Return the policy with another recipient behind an anchor, for all rules that name it.

    Raises:
        RepositoryError: there is no such anchor.
        PolicyEditError: the anchor is defined twice, or not on one line.
    """
    before = read_policy(content)
    known = known_anchor(before.policy, name)
    if known.text == recipient_text:
        return content
    refusal = PolicyEditError(
        f"anchor {name} is not defined once, on one line",
        f"&{name} {spell(recipient_text, '')}",
        line=known.line,
    )
    node = next(node for node in before.composition.anchored if node.anchor == name)
    start = value_start(before.text, node)
    if start is None or not isinstance(node, ScalarNode):
        raise refusal
    edit = Edit(start, node.place.end, spell(recipient_text, node.style))
    policy = before.policy
    intended = policy._replace(
        anchors=tuple(
            anchor._replace(text=recipient_text) if anchor.name == name else anchor
            for anchor in policy.anchors
        ),
        rules=tuple(_with_value(rule, name, recipient_text) for rule in policy.rules),
    )
    return edited(content, (edit,), intended, refusal)


def _with_value(rule: Rule, anchor: str, text: str) -> Rule:
    groups = (
        tuple(entry._replace(text=text) if entry.anchor == anchor else entry for entry in group)
        for group in rule.groups
    )
    return rule._replace(groups=tuple(groups))
