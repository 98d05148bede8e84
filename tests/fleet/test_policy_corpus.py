"""Policies of real fleets, which are not part of this project: NIXSECRETS_CORPUS says where."""

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from nixsecrets.fleet import policy_rules
from nixsecrets.fleet.policy import Policy, Rule
from nixsecrets.fleet.policy_edit import PolicyEditError, add_anchor, add_to_rule
from nixsecrets.fleet.policy_reading import parse_policy


@pytest.fixture
def corpus() -> Path:
    folder = os.environ.get("NIXSECRETS_CORPUS")
    if folder is None:
        pytest.skip("NIXSECRETS_CORPUS names no folder of real policies")
    return Path(folder)


@dataclass(frozen=True, slots=True)
class Addition:
    """One change of history that only put lines in."""

    name: str
    before: bytes
    after: bytes


def additions(corpus: Path) -> list[Addition]:
    folder = corpus / "_add-one"
    return [
        Addition(
            entry["dir"],
            (folder / entry["dir"] / "before.sops.yaml").read_bytes(),
            (folder / entry["dir"] / "after.sops.yaml").read_bytes(),
        )
        for entry in json.loads((folder / "manifest.json").read_text())
        if entry["pure"]
    ]


def meaning(policy: Policy) -> tuple[object, ...]:
    anchors = frozenset((anchor.name, anchor.text) for anchor in policy.anchors)
    return tuple(map(rule_meaning, policy.rules)), anchors


def rule_meaning(rule: Rule) -> tuple[object, ...]:
    groups = tuple(frozenset((entry.kind, entry.text) for entry in group) for group in rule.groups)
    return rule.pattern_text, groups, rule.selection, rule.shamir_threshold


def redo(addition: Addition) -> bytes:
    """Make the change of history by our edits, in the order that people read a policy."""
    content, after = addition.before, parse_policy(addition.after)
    names = [anchor.name for anchor in after.anchors]
    for position, anchor in enumerate(after.anchors):
        above = names[position - 1] if position else None
        known = {known.name for known in parse_policy(content).anchors}
        content = add_anchor(content, anchor.name, anchor.text, above if above in known else None)
    for rule in after.rules:
        content = redo_rule(content, rule)
    return content


def redo_rule(content: bytes, rule: Rule) -> bytes:
    rules = parse_policy(content).rules
    entries = [entry for group in rule.groups for entry in group]
    if rule.place >= len(rules) or rules[rule.place].pattern_text != rule.pattern_text:
        names = tuple(entry.anchor or entry.text for entry in entries)
        sibling = max(rule.place - 1, 0)
        new = policy_rules._NewRule(rule.pattern_text, names, rule.place, sibling)
        return policy_rules._insert_rule(content, new)
    present = {entry.text for entry in rules[rule.place].recipients}
    for entry in rule.recipients:
        if entry.text not in present:
            content = add_to_rule(content, rule.place, entry.anchor or entry.text)
    return content


def lost_lines(before: bytes, after: bytes) -> Counter[bytes]:
    return Counter(before.splitlines()) - Counter(after.splitlines())


def test_every_policy_is_read(corpus: Path) -> None:
    files = [*corpus.rglob(".sops.yaml"), *(corpus / "_add-one").rglob("*.sops.yaml")]

    policies = [parse_policy(file.read_bytes()) for file in files]

    assert files
    assert all(policy.rules or policy.anchors for policy in policies)


def test_additions_reach_what_people_made_and_lose_no_line(corpus: Path) -> None:
    reached, refused, wrong = [], [], []
    for addition in additions(corpus):
        try:
            content = redo(addition)
        except PolicyEditError as refusal:
            refused.append((addition.name, refusal.problem))
            continue
        same = meaning(parse_policy(content)) == meaning(parse_policy(addition.after))
        kept = not lost_lines(addition.before, content)
        (reached if same and kept else wrong).append(addition.name)

    assert wrong == []
    assert len(reached) > 10 * len(refused), refused
