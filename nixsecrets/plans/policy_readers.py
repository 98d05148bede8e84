"""Readers that come, go, and change in .sops.yaml, in every rule that names them.

Unlike what is brought from the manifest, these reach the people's rules too.
"""

import re
from collections.abc import Callable, Collection
from pathlib import PurePosixPath

from nixsecrets.age.recipient import canonical_text
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet import policy_anchor
from nixsecrets.fleet.access import (
    Reader,
    anchor_of,
    managed_documents,
    names_of,
    recipients_of,
)
from nixsecrets.fleet.model import Fleet, Host, Person, User
from nixsecrets.fleet.policy import Policy, Rule, exact_pattern
from nixsecrets.fleet.policy_difference import differences
from nixsecrets.fleet.policy_edit import spell_anchor
from nixsecrets.fleet.policy_joining import Joiner, Joining, join_rules
from nixsecrets.fleet.policy_leaving import remove_recipients
from nixsecrets.fleet.policy_reading import parse_policy
from nixsecrets.fleet.policy_renaming import rename_anchor, replace_recipient, respell_path
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.policy_names import anchor_names, changed


def remove(draft: Draft, recipients: Collection[str]) -> Draft:
    """Return the draft whose policy names these nowhere: no anchor, no rule, the people's neither.

    A rule that named nobody else goes too, and the plan says so.

    Args:
        draft: its policy is left alone where it names none of them, or where there is none.
        recipients: canonical texts.

    Raises:
        RepositoryError: one stands where it cannot be taken out alone; the hint says what to do.
    """
    return _edited(draft, lambda content: remove_recipients(content, recipients).content)


def replace(draft: Draft, old: str, new: str) -> Draft:
    """Return the draft whose policy names `new` wherever it names `old`, under the same anchor.

    Raises:
        RepositoryError: `old` is written so that it cannot be replaced.
    """
    return _edited(draft, lambda content: replace_recipient(content, canonical_text(old), new))


def join(draft: Draft, old: str, added: str, anchor: str) -> Draft:
    """Return the draft whose policy names `added` beside `old` in every rule, the people's too.

    Args:
        draft: its policy is left alone where it does not name `old`.
        old: a recipient's text.
        added: the text of the one that comes.
        anchor: the name that `added` gets beside the anchor of `old`; where `old` has none, both
            are written out.

    Raises:
        RepositoryError: the anchor is another's, or a rule takes nothing in.
    """
    return _edited(draft, lambda content: _joined(content, old, Joiner(added, anchor), _every))


def rename(draft: Draft, old: str, new: str) -> Draft:
    """Return the draft whose policy has an anchor, and so its aliases, under another name.

    Raises:
        RepositoryError: there is no such anchor, or the new name is another's.
    """
    return _edited(draft, lambda content: rename_anchor(content, old, new))


def respell(draft: Draft, old_path: PurePosixPath, new_path: PurePosixPath) -> Draft:
    """Return the draft whose rule for a document governs it where it moves to.

    Raises:
        RepositoryError: the rule's expression does not spell what changes, the new place is out of
            the policy's reach, or another rule would govern it there.
    """
    policy = draft.fleet.policy
    old = policy.inside(old_path) if policy else None
    if policy is None or old is None or policy.rule_for(old_path) is None:
        return draft
    new = policy.inside(new_path)
    if new is None:
        raise RepositoryError(
            f"{new_path} lies outside of {policy.folder}, where the policy stands, so that no "
            "rule can govern it"
        ).within(draft.fleet.layout.policy)
    return _edited(draft, lambda content: respell_path(content, old, new))


def add_like(draft: Draft, reader: Reader, like: Reader) -> Draft:
    """Return the draft in which a reader joins the people's rules that another one is named in.

    Rules that are the other's own, by its name in their expression, are left out: they are for
    what nobody else reads. The fleet's managed rules follow from the manifest, not from this.

    Raises:
        RepositoryError: the reader's anchor is another's, or a rule takes nothing in.
    """
    fleet, policy = draft.fleet, draft.fleet.policy
    known = recipients_of(like)
    if policy is None or not known:
        return draft
    shared = _shared_rules(fleet, policy, like)
    names = anchor_names(fleet)
    for one in recipients_of(reader):
        joiner = Joiner(one.text, names.get(one.text) or spell_anchor(anchor_of(reader)))
        for other in known:
            draft = _beside(draft, other.text, joiner, shared)
    return draft


def _beside(draft: Draft, old: str, new: Joiner, places: frozenset[int]) -> Draft:
    return _edited(
        draft, lambda content: _joined(content, old, new, lambda rule: rule.place in places)
    )


def _edited(draft: Draft, edit: Callable[[bytes], bytes]) -> Draft:
    fleet = draft.fleet
    source = draft.repository.sources.find(fleet.layout.policy)
    if source is None:
        return draft
    try:
        content = edit(source.content)
        before, after = parse_policy(source.content), parse_policy(content)
    except NixsecretsError as error:
        raise error.within(fleet.layout.policy) from None
    why = differences(before, after, lambda text: names_of(fleet, text))
    return changed(draft, content, *(why or ("spelled anew",)))


def _every(rule: Rule) -> bool:
    return bool(rule.recipients)


def _joined(content: bytes, old: str, new: Joiner, chosen: Callable[[Rule], bool]) -> bytes:
    """Return the policy with a recipient beside another one in chosen rules, its anchor too."""
    policy, beside = parse_policy(content), canonical_text(old)
    naming = [
        rule.place
        for rule in policy.rules
        if chosen(rule) and beside in {canonical_text(entry.text) for entry in rule.recipients}
    ]
    if not naming:
        return content
    anchor = _anchor(policy, beside)
    known = _anchor(policy, new.canonical)
    if anchor is None and known is None:
        new = Joiner(new.text)
    elif known is not None:
        new = Joiner(new.text, known)
    else:
        content = policy_anchor.add_anchors(content, {new.anchor or "": new.text}, anchor)
    return join_rules(content, dict.fromkeys(naming, Joining((new,), beside)))


def _anchor(policy: Policy, recipient: str) -> str | None:
    names = (one.name for one in policy.anchors if canonical_text(one.text) == recipient)
    return next(names, None)


def _shared_rules(fleet: Fleet, policy: Policy, like: Reader) -> frozenset[int]:
    """Return the places of the people's rules that are not a reader's own."""
    inside = (policy.inside(document.path) for document in managed_documents(fleet))
    managed = {exact_pattern(path) for path in inside if path is not None}
    return frozenset(
        rule.place
        for rule in policy.rules
        if rule.pattern_text not in managed and not _is_own(rule, like)
    )


def _is_own(rule: Rule, reader: Reader) -> bool:
    """Say whether a rule's expression bears the names of a reader, as that of a host's folder."""
    pattern = re.sub(r"\\(.)", r"\1", rule.pattern_text)
    return all(
        any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", pattern) for name in names if name)
        for names in _names_of(reader)
    )


def _names_of(reader: Reader) -> tuple[tuple[str | None, ...], ...]:
    """Return the names that a reader's own rule bears, one of each."""
    match reader:
        case Person(name=name):
            return ((name,),)
        case Host():
            folder = reader.directory.name
            names = (reader.name, reader.anchor, reader.attribute, reader.host_name, folder)
            return (names,)
        case User(host=host, name=name):
            return ((host,), (name,))
