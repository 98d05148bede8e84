"""A policy that lags behind the manifest, or whose rules a host cannot live with."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from nixsecrets.age.recipient import canonical_text
from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.audit.survey import Survey
from nixsecrets.audit.wording import at, listed, spoken
from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet import policy_edit
from nixsecrets.fleet.access import (
    ManagedDocument,
    Reader,
    anchor_of,
    key_file_of,
    names_of,
    recipients_of,
    spoken_name,
)
from nixsecrets.fleet.model import Deliver, Host, InGroup
from nixsecrets.fleet.policy import Policy, Rule
from nixsecrets.plans import policy
from nixsecrets.plans.draft import Draft
from nixsecrets.sops.shamir import LEAST_THRESHOLD


def findings(found: Survey) -> Iterator[Finding]:
    fleet = found.fleet
    if fleet.policy is None:
        words = "there is none, so that no document can be made"
        remedy = "nixsecrets rekey" if fleet.managed else "nixsecrets init"
        yield Finding("policy/missing", Severity.ERROR, str(fleet.layout.policy), words, remedy)
        return
    differing = tuple(_differing_anchors(found, fleet.policy))
    yield from differing
    if fleet.managed and not differing:
        yield from _behind(found, fleet.policy)
    yield from _several_groups(found, fleet.policy)


def _differing_anchors(found: Survey, stated: Policy) -> Iterator[Finding]:
    """Yield the anchors that bear a reader's name and not what its key file says."""
    fleet = found.fleet
    users = (user for user in fleet.users if user.host in found.names)
    readers: tuple[Reader, ...] = (*fleet.people, *found.hosts, *users)
    for reader in readers:
        own = {recipient.text for recipient in recipients_of(reader)}
        anchor = stated.anchor(_anchor_name(reader))
        if anchor is not None and own and canonical_text(anchor.text) not in own:
            file = key_file_of(fleet, reader)
            name = spoken_name(reader)
            words = f"the anchor &{anchor.name} is not what {file} says {name} is"
            place = at(fleet.layout.policy, anchor.line)
            remedy = f"write {min(own)} behind the anchor, or restore {file} from git"
            yield Finding("policy/anchor-differs", Severity.ERROR, place, words, remedy)


def _anchor_name(reader: Reader) -> str:
    return policy_edit.spell_anchor(anchor_of(reader))


def _behind(found: Survey, stated: Policy) -> Iterator[Finding]:
    """Ask the planner: a plan for the policy that is not empty is drift."""
    path = found.fleet.layout.policy
    try:
        draft = policy.bring(Draft(found.repository))
    except NixsecretsError as error:
        place = at(PurePosixPath(error.place or path), error.line)
        yield Finding("policy/not-editable", Severity.ERROR, place, error.problem, error.hint)
        return
    if draft.repository.changes and draft.fleet.policy is not None:
        for document in found.managed:
            yield from _lag(found, document, stated, draft.fleet.policy)
    for warning in draft.warnings if found.whole else ():
        yield Finding("policy/other-rule", Severity.WARNING, str(path), warning)


def _is_wanted(found: Survey, document: ManagedDocument) -> bool:
    """Say whether a document is there or anything is to stand in it, or somebody made its group."""
    is_meant = document.path in found.documents or document.scope in found.declared
    is_all = found.fleet.manifest.deliver is Deliver.ALL
    return is_meant or is_all or isinstance(document.scope, InGroup)


def _lag(
    found: Survey, document: ManagedDocument, stated: Policy, wanted: Policy
) -> Iterator[Finding]:
    """Yield how a document's rule differs from the one that the planner would leave."""
    fleet, path = found.fleet, document.path
    before, after = stated.rule_for(path), wanted.rule_for(path)
    if after is None or (before is not None and _texts(before) == _texts(after)):
        return
    if before is None and path in found.documents:  # told of the document
        return
    if before is None or before.pattern_text != after.pattern_text:
        alone = f" alone: {spoken(before)} governs it" if before else ""
        words = f"there is no rule for {path}{alone}"
        place = str(fleet.layout.policy)
        is_error = before is not None or _is_wanted(found, document)
        severity = Severity.ERROR if is_error else Severity.WARNING
        yield Finding("policy/behind", severity, place, words, "nixsecrets rekey")
        return
    place = at(fleet.layout.policy, before.line)
    missing = [text for text in _texts(after) if text not in _texts(before)]
    if missing:
        names = listed([names_of(fleet, text) for text in missing])
        words = f"the rule of {path} does not name {names}"
        yield Finding("policy/behind", Severity.ERROR, place, words, "nixsecrets rekey")
    surplus = [text for text in _texts(before) if text not in _texts(after)]
    strangers = [names_of(fleet, text) for text in surplus if text not in found.known]
    if strangers:
        words = f"the rule of {path} names {listed(strangers)}, whom no file in keys/ explains"
        yield Finding("recipients/unknown", Severity.ERROR, place, words, "nixsecrets rekey")
    others = [names_of(fleet, text) for text in surplus if text in found.known]
    if others:
        words = f"the rule of {path} names {listed(others)}, which the manifest does not"
        yield Finding("policy/behind", Severity.ERROR, place, words, "nixsecrets rekey")


def _texts(rule: Rule) -> tuple[str, ...]:
    return tuple(dict.fromkeys(canonical_text(entry.text) for entry in rule.recipients))


def _several_groups(found: Survey, stated: Policy) -> Iterator[Finding]:
    """Yield rules that split the data key, so that a recipient of one group opens nothing."""
    path = found.fleet.layout.policy
    reached: set[int] = set()
    for document in found.managed:
        rule = stated.rule_for(document.path)
        hosts = [one for one in document.readers if isinstance(one, Host)]
        short = _too_few_groups(rule, hosts) if rule is not None else ()
        if rule is not None and short:
            reached.add(rule.place)
            words = (
                f"the rule of {document.path} splits the data key, {_share(rule)} are needed: "
                f"{listed(short)} alone cannot open it"
            )
            remedy = "write all recipients into one group"
            place = at(path, rule.line)
            yield Finding("policy/several-groups", Severity.ERROR, place, words, remedy)
    for rule in stated.rules if found.whole else ():
        if rule.has_several_groups and rule.place not in reached:
            yield from _split_of_no_host(found, rule)


def _split_of_no_host(found: Survey, rule: Rule) -> Iterator[Finding]:
    """Yield what a split may not be meant to be, where the manifest gives no host what it rules."""
    place = at(found.fleet.layout.policy, rule.line)
    named = {canonical_text(entry.text) for entry in rule.recipients}
    hosts = [host for host in found.hosts if host.recipient and host.recipient.text in named]
    short = _too_few_groups(rule, hosts)
    severity, remedy = Severity.WARNING, None
    if not LEAST_THRESHOLD <= _needed(rule) <= len(rule.groups):
        words = f"{spoken(rule)} asks for {_share(rule)}, which is impossible"
        severity = Severity.ERROR
        remedy = f"write shamir_threshold: {len(rule.groups)}, or less down to {LEAST_THRESHOLD}"
    elif rule.shamir_threshold is None:
        words = f"{spoken(rule)} has {len(rule.groups)} key groups: one of each is needed"
        remedy = "write all recipients into one group, or say shamir_threshold where it is meant"
    elif short:
        words = f"{spoken(rule)} needs {_share(rule)}: {listed(short)} alone cannot open them"
    else:
        return
    yield Finding("policy/several-groups", severity, place, words, remedy)


def _too_few_groups(rule: Rule, hosts: Iterable[Host]) -> list[str]:
    """Return the hosts that stand in fewer of a rule's key groups than are needed."""
    if not rule.has_several_groups:
        return []
    held = Counter(
        text
        for group in rule.groups
        for text in {canonical_text(entry.text) for entry in group if entry.kind == "age"}
    )
    return [
        host.name for host in hosts if host.recipient and held[host.recipient.text] < _needed(rule)
    ]


def _needed(rule: Rule) -> int:
    return rule.shamir_threshold or len(rule.groups)


def _share(rule: Rule) -> str:
    return f"{_needed(rule)} of {len(rule.groups)} key groups"
