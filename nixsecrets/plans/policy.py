"""Bring .sops.yaml to what the fleet says: anchors of its readers, and managed rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from nixsecrets.age.recipient import Recipient, canonical_text
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet import policy_edit, policy_rules
from nixsecrets.fleet.access import (
    ManagedDocument,
    Reader,
    managed_documents,
    names_of,
    recipients_of,
)
from nixsecrets.fleet.model import Fleet, Host, OnHost
from nixsecrets.fleet.policy import Policy, Rule, exact_pattern
from nixsecrets.plans.draft import Draft

_UNRELATED = PurePosixPath("unrelated-to/every-document.yaml")


@dataclass(frozen=True, slots=True)
class Named:
    """A recipient and the anchor that stands for it."""

    anchor: str
    recipient: Recipient


def bring(draft: Draft) -> Draft:
    """Return the draft with every managed rule naming exactly its readers.

    The people's rules are left alone; where one governs a managed path, a warning says so.

    Raises:
        RepositoryError: an anchor holds another recipient than the key file, or the policy is
            written in a way that takes no insertion (the text to insert is told).
    """
    documents = managed_documents(draft.fleet)
    if draft.fleet.policy is None:
        return _make(draft, documents)
    try:
        for document in documents:
            draft = _bring_rule(draft, document)
    except NixsecretsError as error:
        raise error.within(draft.fleet.layout.policy) from None
    return draft


def managed_rule(fleet: Fleet, path: PurePosixPath) -> Rule | None:
    """Return the rule that governs a path if the tool may edit it: it is that path, escaped."""
    rule = fleet.policy.rule_for(path) if fleet.policy else None
    return rule if rule is not None and rule.pattern_text == exact_pattern(path) else None


def anchors_of(fleet: Fleet, reader: Reader) -> tuple[Named, ...]:
    """Return a reader's recipients with the anchor that has, or is to have, each.

    A new anchor bears a host's `anchor` or a person's name, a person's further ones a number too.
    """
    first = policy_edit.spell_anchor(reader.anchor if isinstance(reader, Host) else reader.name)
    named = []
    for number, recipient in enumerate(recipients_of(reader), start=1):
        known = fleet.policy.name_of(recipient.text) if fleet.policy else None
        named.append(Named(known or (first if number == 1 else f"{first}-{number}"), recipient))
    return tuple(named)


def is_catch_all(rule: Rule) -> bool:
    """Say whether a rule matches a document that nobody can have meant by it."""
    return rule.matches(_UNRELATED)


def _make(draft: Draft, documents: tuple[ManagedDocument, ...]) -> Draft:
    fleet = draft.fleet
    everyone: tuple[Reader, ...] = (*fleet.people, *fleet.hosts)
    anchors = [named for reader in everyone for named in anchors_of(fleet, reader)]
    rules = []
    for document in documents:
        named = [one for reader in document.readers for one in anchors_of(fleet, reader)]
        if named:
            rules.append((document.path, tuple(one.anchor for one in named)))
    content = policy_rules.render_new(
        tuple((one.anchor, one.recipient.text) for one in anchors), tuple(rules)
    )
    return draft.changed(fleet.layout.policy, content, "new policy")


def _bring_rule(draft: Draft, document: ManagedDocument) -> Draft:
    rule = _policy(draft.fleet).rule_for(document.path)
    if rule is not None and rule.pattern_text != exact_pattern(document.path):
        if not is_catch_all(rule):
            return _warn_of_foreign_rule(draft, document, rule)
        rule = None
    wanted = [one for reader in document.readers for one in anchors_of(draft.fleet, reader)]
    for named in wanted:
        draft = _add_anchor(draft, named)
    if rule is None:
        return _add_rule(draft, document, wanted)
    return _drop_others(_join(draft, document, wanted), document, wanted)


def _warn_of_foreign_rule(draft: Draft, document: ManagedDocument, rule: Rule) -> Draft:
    named = {canonical_text(entry.text) for entry in rule.recipients}
    missing = [
        reader.name
        for reader in document.readers
        if not all(recipient.text in named for recipient in recipients_of(reader))
    ]
    if not missing:
        return draft
    return draft.warning(
        f"the rule {rule.pattern_text!r} (line {rule.line}) governs {document.path} and is not "
        f"the tool's to edit; it does not name {', '.join(missing)}"
    )


def _add_anchor(draft: Draft, named: Named) -> Draft:
    present = _policy(draft.fleet).anchor(named.anchor)
    if present is not None and canonical_text(present.text) == named.recipient.text:
        return draft
    if present is not None:
        raise RepositoryError(
            f"the anchor &{named.anchor} holds another recipient than the key file",
            hint="the key file is what the name is; restore it or the anchor from git",
            line=present.line,
        )
    neighbour = _last_of_its_sort(draft.fleet, named)
    content = policy_edit.add_anchor(_content(draft), named.anchor, named.recipient.text, neighbour)
    return _put(draft, content, f"+ anchor &{named.anchor}")


def _last_of_its_sort(fleet: Fleet, named: Named) -> str | None:
    """Return the last anchor of another host (or person), behind which a new one belongs."""
    hosts = [host.anchor for host in fleet.hosts]
    same = hosts if named.anchor in hosts else [person.name for person in fleet.people]
    found = [anchor.name for anchor in _policy(fleet).anchors if anchor.name in same]
    return found[-1] if found else None


def _add_rule(draft: Draft, document: ManagedDocument, wanted: Sequence[Named]) -> Draft:
    if not wanted:
        return draft
    names = tuple(named.anchor for named in wanted)
    sibling = _sibling(draft.fleet, document)
    content = policy_rules.add_rule(_content(draft), document.path, names, sibling)
    return _put(draft, content, f"+ rule for {document.path}: {', '.join(names)}")


def _sibling(fleet: Fleet, document: ManagedDocument) -> int | None:
    """Return the last managed rule of the same sort of document, which a new one follows."""
    same = [
        other.path
        for other in managed_documents(fleet)
        if isinstance(other.scope, OnHost) == isinstance(document.scope, OnHost)
    ]
    rules = [managed_rule(fleet, path) for path in same]
    return max((rule.index for rule in rules if rule is not None), default=None)


def _join(draft: Draft, document: ManagedDocument, wanted: Sequence[Named]) -> Draft:
    for named in wanted:
        rule = _rule(draft, document)
        if named.recipient.text not in {canonical_text(one.text) for one in rule.recipients}:
            content = policy_edit.add_to_rule(_content(draft), rule.index, named.anchor)
            draft = _put(draft, content, f"{document.path}: + {named.anchor}")
    return draft


def _drop_others(draft: Draft, document: ManagedDocument, wanted: Sequence[Named]) -> Draft:
    kept = {named.recipient.text for named in wanted}
    for entry in _rule(draft, document).recipients:
        if canonical_text(entry.text) not in kept:
            name = names_of(draft.fleet, canonical_text(entry.text))
            content = policy_edit.remove_from_rule(
                _content(draft), _rule(draft, document).index, entry.anchor or entry.text
            )
            draft = _put(draft, content, f"{document.path}: - {name}")
    return draft


def _content(draft: Draft) -> bytes:
    return draft.repository.sources.read(draft.fleet.layout.policy).content


def _put(draft: Draft, content: bytes, why: str) -> Draft:
    return draft.changed(draft.fleet.layout.policy, content, why)


def _policy(fleet: Fleet) -> Policy:
    return fleet.policy or Policy()


def _rule(draft: Draft, document: ManagedDocument) -> Rule:
    rule = managed_rule(draft.fleet, document.path)
    if rule is None:
        raise AssertionError("a managed document has its rule")
    return rule
