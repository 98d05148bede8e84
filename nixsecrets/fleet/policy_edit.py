"""The frame of edits of `.sops.yaml`, which leave what they do not mean as people wrote it.

What is edited is read again: a result that does not mean exactly what was intended is refused, and
told as text to put in by hand. Who joins, who leaves and what is renamed have modules of their own.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.policy import Anchor, Policy
from nixsecrets.fleet.policy_reading import parse_policy
from nixsecrets.textedit import Edit, apply_edits

ANCHOR_NAME = re.compile(r"[A-Za-z0-9_-]+")  # go-yaml, yamlprivateh.go: is_alpha


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


def edited_together(
    content: bytes,
    edits: Iterable[Edit],
    intended: Policy,
    refusals: Sequence[PolicyEditError],
    alone: Iterable[Callable[[], object]],
) -> bytes:
    """Return `content` with the edits of several rules made, or the refusal of the one at fault.

    Args:
        content: the policy.
        edits: of all rules.
        intended: what the policy is to mean.
        refusals: one a rule; without any there is nothing to do.
        alone: makes the edits of one rule; called in order where they cannot be made together.

    Raises:
        PolicyEditError: that of the first rule whose edits cannot be made alone.
    """
    if not refusals:
        return content
    try:
        return edited(content, edits, intended, refusals[0])
    except PolicyEditError:
        if len(refusals) > 1:
            for attempt in alone:
                attempt()
        raise


def _meaning(policy: Policy) -> tuple[object, ...]:
    """Return what an edit is judged by: not lines nor order, nor how a recipient is written."""
    rules = tuple(
        rule._replace(place=place, groups=(), line=0) for place, rule in enumerate(policy.rules)
    )
    groups = [
        [{(entry.kind, entry.text) for entry in group} for group in rule.groups]
        for rule in policy.rules
    ]
    anchors = frozenset((anchor.name, anchor.text) for anchor in policy.anchors)
    return rules, groups, anchors, tuple(warning.words for warning in policy.warnings)
