"""A policy that cannot be meant: anchors, rules and their order."""

from collections.abc import Iterator

from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.audit.survey import Survey
from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.policy import Policy
from nixsecrets.plans import policy
from nixsecrets.plans.draft import Draft


def findings(found: Survey) -> Iterator[Finding]:
    fleet = found.fleet
    if fleet.policy is None:
        if fleet.managed:
            yield Finding(
                "policy/missing",
                Severity.ERROR,
                str(fleet.layout.policy),
                "there is none, so that no document can be made",
                "nixsecrets rekey",
            )
        return
    if fleet.managed:
        yield from _behind(found)
    if found.whole:
        yield from _oddities(found, fleet.policy)
    yield from _several_groups(found, fleet.policy)


def _behind(found: Survey) -> Iterator[Finding]:
    """Ask the planner: a plan for the policy that is not empty is drift."""
    path = found.fleet.layout.policy
    try:
        draft = policy.bring(Draft(found.repository))
    except NixsecretsError as error:
        rule = "policy/anchor-differs" if "anchor" in error.problem else "policy/not-editable"
        place = f"{path}:{error.line}" if error.line else str(path)
        yield Finding(rule, Severity.ERROR, place, error.problem, error.hint)
        return
    for change in draft.repository.changes.values():
        for why in change.why:
            words = f"is behind the manifest: {why}"
            yield Finding("policy/behind", Severity.ERROR, str(path), words, "nixsecrets rekey")
    for warning in draft.warnings:
        yield Finding("policy/other-rule", Severity.WARNING, str(path), warning, None)


def _oddities(found: Survey, stated: Policy) -> Iterator[Finding]:
    path = found.fleet.layout.policy
    for warning in stated.warnings:
        place = f"{path}:{warning.line}"
        yield Finding("policy/unknown", Severity.WARNING, place, warning.words, None)
    used = {entry.anchor for rule in stated.rules for entry in (*rule.recipients, *rule.foreign)}
    for anchor in stated.anchors:
        if anchor.name not in used:
            words = f"no rule uses the anchor &{anchor.name}"
            place = f"{path}:{anchor.line}"
            yield Finding("policy/unused-anchor", Severity.WARNING, place, words, None)
    documents = {*found.sealed, *found.broken, *found.in_clear}
    documents |= {document.path for document in found.managed()}
    for rule in stated.rules:
        governs = any(stated.rule_for(document) == rule for document in documents)
        if not governs and rule.pattern is not None:
            words = f"no document is governed by the rule {rule.pattern_text}"
            place = f"{path}:{rule.line}"
            yield Finding("policy/no-document", Severity.WARNING, place, words, None)


def _several_groups(found: Survey, stated: Policy) -> Iterator[Finding]:
    for document in found.managed():
        rule = stated.rule_for(document.path)
        if rule is not None and rule.has_several_groups and rule.shamir_threshold is None:
            words = (
                f"the rule of {document.path} has several key groups and no threshold: "
                "every group is needed, and a host's key alone opens nothing"
            )
            place = f"{found.fleet.layout.policy}:{rule.line}"
            yield Finding("policy/several-groups", Severity.ERROR, place, words, None)
