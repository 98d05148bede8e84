"""Rules and names of the policy that cannot be meant as they stand."""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.audit.survey import Survey
from nixsecrets.audit.wording import at, spoken
from nixsecrets.fleet.policy import Rule, exact_pattern
from nixsecrets.plans.policy import is_catch_all

_MATCH_ALL = frozenset({"", ".*", "^.*", ".*$", "^.*$", "(.*)"})
# `/*`, and `{a,b}` that counts nothing and names no class (`\p{Greek}`): a shell's, not RE2's.
_GLOB = re.compile(r"(?<!\\)/\*|(?<!\\[pPx])\{[^{}]*,[^{}]*[^0-9,{}][^{}]*\}|\{[^{}0-9,][^{},]*,")
_UNREAD_NAME = ".sops.yml"


def findings(found: Survey) -> Iterator[Finding]:
    path = found.fleet.layout.policy
    for unread in sorted(found.own_paths):
        if unread.name == _UNREAD_NAME:
            words = f"sops reads {path.name} only, and leaves this file aside"
            yield Finding("policy/wrong-name", Severity.WARNING, str(unread), words)
    for warning in found.policy.warnings:
        place = at(path, warning.line)
        yield Finding("policy/unknown-field", Severity.WARNING, place, warning.words)
    yield from _unused_anchors(found)
    yield from _rules(found)


def _unused_anchors(found: Survey) -> Iterator[Finding]:
    rules = found.policy.rules
    used = {entry.anchor for rule in rules for group in rule.groups for entry in group}
    for anchor in found.policy.anchors:
        if anchor.name not in used:
            words = f"no rule uses the anchor &{anchor.name}"
            place = at(found.fleet.layout.policy, anchor.line)
            yield Finding("policy/unused-anchor", Severity.WARNING, place, words)


def _rules(found: Survey) -> Iterator[Finding]:
    policy, path = found.policy, found.fleet.layout.policy
    governing = {one.rule.place for one in found.documents.values() if one.rule is not None}
    governing |= found.our_rules
    given = (document.path for document in found.managed)
    inside = (policy.inside(path) for path in sorted({*found.documents, *given}))
    known = [path for path in inside if path is not None]
    for rule in policy.rules:
        place = at(path, rule.line)
        if _GLOB.search(rule.pattern_text):
            words = f"{spoken(rule)} looks like a shell's pattern, and is a regular expression"
            remedy = "write `[^/]*` for `*`, and `(a|b)` for `{a,b}`"
            yield Finding("policy/glob", Severity.WARNING, place, words, remedy)
        if rule.place in governing:
            continue
        earlier = _covering(rule, policy.rules[: rule.place], known)
        if earlier is not None:
            words = f"{spoken(rule)} governs nothing: the one of line {earlier.line} comes first"
            yield Finding("policy/shadowed", Severity.WARNING, place, words)
        elif not is_catch_all(rule):
            words = f"no document is governed by {spoken(rule)}"
            yield Finding("policy/no-document", Severity.WARNING, place, words)


def _covering(
    rule: Rule, before: Sequence[Rule], documents: Sequence[PurePosixPath]
) -> Rule | None:
    """Return the earlier rule that takes what a rule, which governs no document, matches."""
    for earlier in before:
        if earlier.pattern_text in _MATCH_ALL or earlier.pattern_text == rule.pattern_text:
            return earlier
    if is_catch_all(rule):  # it is for documents to come
        return None
    meant = [path for path in documents if rule.matches(path)]
    alone = _only_path(rule)
    meant += [] if alone is None else [alone]
    taking = (earlier for path in meant for earlier in before if earlier.matches(path))
    return next(taking, None)


def _only_path(rule: Rule) -> PurePosixPath | None:
    """Return the one path that a rule matches, where its expression is a path written out."""
    path = PurePosixPath(re.sub(r"\\(.)", r"\1", rule.pattern_text[1:-1]))
    return path if exact_pattern(path) == rule.pattern_text else None
