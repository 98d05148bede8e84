"""Policies of real fleets, which are not part of this project: NIXSECRETS_CORPUS says where."""

import json
import os
import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest
import yaml

from nixsecrets.age.recipient import RecipientKind, canonical_text, parse_recipient
from nixsecrets.fleet.policy import Policy, RecipientEntry, Rule
from nixsecrets.fleet.policy_anchor import add_anchor
from nixsecrets.fleet.policy_edit import PolicyEditError
from nixsecrets.fleet.policy_joining import Joiner, Joining, add_to_rules, join_rules
from nixsecrets.fleet.policy_leaving import remove_from_rules, remove_recipients
from nixsecrets.fleet.policy_reading import parse_policy
from nixsecrets.fleet.policy_renaming import rename_anchor, replace_recipient
from nixsecrets.fleet.policy_rules import add_rule_like
from tests.tools import require_sops

STRANGER = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"  # age's README

# Their anchors stand in groups that rules read whole: one more there would open other documents.
READ_BY_RULES = [
    "Misterio77+nix-config/004d84ad10e6",
    "Misterio77+nix-config/13d468d76093",
]


@pytest.fixture
def corpus() -> Path:
    folder = os.environ.get("NIXSECRETS_CORPUS")
    if folder is None:
        pytest.skip("NIXSECRETS_CORPUS names no folder of real policies")
    return Path(folder)


def policies(corpus: Path) -> list[Path]:
    found = sorted(corpus.rglob(".sops.yaml"))
    assert len(found) == 16
    return found


@dataclass(frozen=True, slots=True)
class Addition:
    """One change of history that put in one recipient, and where it stood then."""

    name: str
    before: bytes
    after: bytes
    anchor: str
    value: str
    new_rules: tuple[str, ...]
    joined: tuple[str, ...]
    is_pure: bool


def additions(corpus: Path) -> list[Addition]:
    folder = corpus / "_add-one"
    return [
        Addition(
            entry["dir"],
            (folder / entry["dir"] / "before.sops.yaml").read_bytes(),
            (folder / entry["dir"] / "after.sops.yaml").read_bytes(),
            entry["anchor"],
            entry["value"],
            tuple(entry["newrules"]),
            tuple(pattern or "" for pattern in entry["ext"]),
            entry["pure"],
        )
        for entry in json.loads((folder / "manifest.json").read_text())
    ]


def meaning(policy: Policy) -> tuple[object, ...]:
    anchors = frozenset((anchor.name, anchor.text) for anchor in policy.anchors)
    return tuple(map(rule_meaning, policy.rules)), anchors


def rule_meaning(rule: Rule) -> tuple[object, ...]:
    groups = tuple(frozenset((entry.kind, entry.text) for entry in group) for group in rule.groups)
    return rule.pattern_text, groups, rule.selection, rule.shamir_threshold


def redo(addition: Addition) -> bytes:
    """Make the change of history by our edits: the anchor, the rules it joins, the new ones."""
    after = parse_policy(addition.after)
    content = with_anchor(addition, after)
    rules = parse_policy(content).rules
    joining = {
        rule.place: (addition.anchor,)
        for rule in rules
        if rule.pattern_text in addition.joined and is_among(after, rule, addition.value)
    }
    content = add_to_rules(content, joining)
    for rule in after.rules:
        if rule.pattern_text in addition.new_rules:
            content = with_rule(content, after, rule)
    return content


def with_anchor(addition: Addition, after: Policy) -> bytes:
    names = [anchor.name for anchor in after.anchors]
    if addition.anchor not in names:
        return addition.before
    known = {anchor.name for anchor in parse_policy(addition.before).anchors}
    above = [name for name in names[: names.index(addition.anchor)] if name in known]
    beside = above[-1] if above else None
    return add_anchor(addition.before, addition.anchor, addition.value, beside)


def is_among(policy: Policy, rule: Rule, text: str) -> bool:
    same = (one for one in policy.rules if one.pattern_text == rule.pattern_text)
    return any(entry.text == text for one in same for entry in one.recipients)


def with_rule(content: bytes, after: Policy, rule: Rule) -> bytes:
    """Put a rule behind the nearest that stood above it; recipients as far as they are known."""
    policy = parse_policy(content)
    above = [one.pattern_text for one in after.rules[: rule.place]]
    places = [one.place + 1 for one in policy.rules if one.pattern_text in above]
    names = {anchor.name for anchor in policy.anchors}
    (group,) = rule.groups
    entries = tuple(
        entry if entry.anchor in names else RecipientEntry(entry.text, None, entry.kind)
        for entry in group
    )
    return add_rule_like(content, rule.pattern_text, entries, places[-1] if places else 0)


def intended(addition: Addition) -> tuple[object, ...]:
    """Return what a change that did more than add is to come to: what was, and the addition."""
    before, after = parse_policy(addition.before), parse_policy(addition.after)
    rules = [
        grown(rule, addition)
        if rule.pattern_text in addition.joined and is_among(after, rule, addition.value)
        else rule
        for rule in before.rules
    ]
    new = [rule for rule in after.rules if rule.pattern_text in addition.new_rules]
    named = {(anchor.name, anchor.text) for anchor in before.anchors}
    named |= {(one.name, one.text) for one in after.anchors if one.name == addition.anchor}
    return Counter(map(rule_meaning, (*rules, *new))), named


def grown(rule: Rule, addition: Addition) -> Rule:
    (group,) = rule.groups
    entry = RecipientEntry(addition.value, addition.anchor, "age")
    return rule._replace(groups=((*group, entry),))


def lost_lines(before: bytes, after: bytes) -> Counter[bytes]:
    return Counter(before.splitlines()) - Counter(after.splitlines())


def is_right(addition: Addition, content: bytes) -> bool:
    result = parse_policy(content)
    if addition.is_pure:
        is_same = meaning(result) == meaning(parse_policy(addition.after))
        return is_same and not lost_lines(addition.before, content)
    rules = Counter(map(rule_meaning, result.rules))
    return (rules, {(one.name, one.text) for one in result.anchors}) == intended(addition)


def test_every_policy_is_read(corpus: Path) -> None:
    files = [*policies(corpus), *(corpus / "_add-one").rglob("*.sops.yaml")]

    found = [parse_policy(file.read_bytes()) for file in files]

    assert len(found) == 156
    assert all(policy.rules or policy.anchors for policy in found)


def test_edits_that_change_nothing_keep_every_byte(corpus: Path) -> None:
    for file in policies(corpus):
        content = file.read_bytes()
        policy = parse_policy(content)
        present = {rule.place: texts[:1] for rule in policy.rules if (texts := texts_of(rule))}

        assert remove_recipients(content, [STRANGER]).content == content
        assert remove_from_rules(content, dict.fromkeys(present, (STRANGER,))) == content
        assert replace_recipient(content, STRANGER, STRANGER) == content
        joining = {place: Joining((Joiner(*texts),)) for place, texts in present.items()}
        assert join_rules(content, joining) == content
        for anchor in policy.anchors:
            assert rename_anchor(content, anchor.name, anchor.name) == content


def texts_of(rule: Rule) -> tuple[str, ...]:
    return tuple(canonical_text(entry.text) for entry in rule.recipients)


def test_additions_come_to_what_people_made_and_lose_no_line(corpus: Path) -> None:
    right, refused, wrong = [], [], []
    for addition in additions(corpus):
        try:
            content = redo(addition)
        except PolicyEditError:
            refused.append(addition.name)
            continue
        (right if is_right(addition, content) else wrong).append(addition.name)

    assert wrong == []
    assert (len(right), sorted(refused)) == (68, READ_BY_RULES)


def test_every_anchor_is_joined_replaced_renamed_and_removed(corpus: Path) -> None:
    """Each edit checks its own meaning; here it must be done, and undone by its opposite."""
    counts, refused, wrong = Counter[str](), [], []
    for file in policies(corpus):
        content = file.read_bytes()
        policy = parse_policy(content)
        named = {text for rule in policy.rules for text in texts_of(rule)}
        for old in sorted(named):
            try:
                wrong += lives(content, policy, old)
                counts["right"] += 1
            except PolicyEditError as refusal:
                refused.append((file.parent.name, refusal.problem))

    assert wrong == []
    assert counts["right"] >= 9 * len(refused), refused


def lives(content: bytes, policy: Policy, old: str) -> list[str]:
    replaced = replace_recipient(content, old, STRANGER)
    name = policy.name_of(old)
    renamed = rename_anchor(content, name, "renamed") if name else content
    naming = [rule.place for rule in policy.rules if old in texts_of(rule)]
    joined = join_rules(content, dict.fromkeys(naming, Joining((Joiner(STRANGER),), old)))
    without = remove_recipients(content, [old])
    pairs = {
        "replace": replace_recipient(replaced, STRANGER, old) == content,
        "rename": not name or rename_anchor(renamed, "renamed", name) == content,
        "join": meaning(parse_policy(remove_recipients(joined, [STRANGER]).content))
        == meaning(policy),
        "remove": old.encode() not in without.content,
    }
    return [f"{what} {old}" for what, is_so in pairs.items() if not is_so]


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule of a policy, and a document that it governs."""

    policy: Path
    rule: Rule
    document: PurePosixPath


def asked(corpus: Path) -> list[Asked]:
    """Return one document for each rule that governs any, the policy's folder being the root."""
    found = []
    for file in policies(corpus):
        policy = parse_policy(file.read_bytes())
        documents = sorted(path for path in file.parent.rglob("*") if path.is_file())
        governed: dict[int, Asked] = {}
        for document in documents:
            path = PurePosixPath(document.relative_to(file.parent))
            rule = policy.rule_for(path)
            if document != file and rule is not None:
                governed.setdefault(rule.place, Asked(file, rule, path))
        found += governed.values()
    return found


def sops_recipients(config: Path, name: Path, folder: Path) -> set[str] | None:
    """Return whom sops encrypts to; None: it cannot, and says why in a way that is known."""
    dummy = folder / "dummy.yaml"
    dummy.write_text("a: b\n")
    command = [require_sops(), "--config", str(config), "encrypt", "--input-type", "yaml"]
    command += ["--output-type", "yaml", "--filename-override", str(name), str(dummy)]
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": "/nonexistent", "HOME": str(folder), "GNUPGHOME": str(folder)},
    )
    if ran.returncode:
        assert re.search("pgp|gpg|plugin|executable file not found", ran.stderr), ran.stderr
        return None
    metadata = yaml.safe_load(ran.stdout)["sops"]
    groups = metadata.get("key_groups", [metadata])
    return {one["recipient"] for group in groups for one in group.get("age") or ()}


def test_the_governing_rule_and_its_recipients_are_those_of_sops(
    corpus: Path, tmp_path: Path
) -> None:
    agreed, refused, differing = 0, Counter[str](), []
    for one in asked(corpus):
        stated = sops_recipients(one.policy, one.policy.parent / one.document, tmp_path)
        reason = not_for_sops(one.rule)
        if stated is None:
            assert reason is not None, one
            refused[reason] += 1
        elif stated == set(texts_of(one.rule)):
            agreed += 1
        else:
            differing.append(one)

    assert differing == []
    assert (agreed, refused) == (
        53,
        {"pgp": 28, "plugin": 14},
    )  # neither gpg nor an age plugin is at hand


def not_for_sops(rule: Rule) -> str | None:
    """Return what the rule needs that is not at hand where the test runs."""
    if rule.foreign:
        return rule.foreign[0].kind
    kinds = {parse_recipient(entry.text).kind for entry in rule.recipients}
    return "plugin" if kinds - {RecipientKind.X25519, RecipientKind.HYBRID} else None


def test_which_rule_governs_is_what_sops_says_whoever_it_names(
    corpus: Path, tmp_path: Path
) -> None:
    """As above for all rules: each is given one recipient, of which only its number is asked."""
    differing = []
    for one in asked(corpus):
        rules = parse_policy(one.policy.read_bytes()).rules
        stated = [
            {"path_regex": rule.pattern_text, "age": [STRANGER]}
            if rule.place == one.rule.place
            else {"path_regex": rule.pattern_text, "shamir_threshold": 1}
            for rule in rules
        ]
        folder = tmp_path / one.policy.relative_to(corpus).parent
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / ".sops.yaml"
        config.write_text(json.dumps({"creation_rules": stated}))
        try:
            is_same = sops_recipients(config, folder / one.document, tmp_path) == {STRANGER}
        except AssertionError:
            is_same = False
        differing += [] if is_same else [one]

    assert differing == []
