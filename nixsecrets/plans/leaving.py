"""Hosts and people leave: policy, new data keys, wiring, and what they know."""

from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import PurePosixPath

from nixsecrets.age.recipient import Recipient, canonical_text
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet import manifest_removal
from nixsecrets.fleet.access import ManagedDocument, Reader, managed_documents, recipients_of
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.model import AtHome, Fleet, InFile, OnHost, Person, Role
from nixsecrets.fleet.names import HostName, PersonName
from nixsecrets.fleet.policy import Rule
from nixsecrets.fleet.policy_dropping import remove_rule
from nixsecrets.plans import dates, knowledge, policy, rotate, unwiring
from nixsecrets.plans.draft import Draft, Unlock
from nixsecrets.plans.policy_names import changed
from nixsecrets.plans.recipients import Asked


def remove_host(
    draft: Draft, name: HostName, unlock: Unlock, now: datetime, *, keep_document: bool = False
) -> Draft:
    """Return the draft without a host, with new data keys for what it could open.

    Its own document goes from the tree, and so do those of its homes and of its key in escrow.

    Args:
        draft: so far.
        name: a known host.
        unlock: opens what it could open.
        now: the time of the change.
        keep_document: its own document stays, for the admins.

    Raises:
        RepositoryError: the host is unknown, or manifest or policy take no such edit.
        NoIdentityError: a document does not open.
    """
    before = draft.repository
    host = before.fleet.host(name)
    users = [user for user in before.fleet.users if user.host == name]
    leavers: tuple[Reader, ...] = (host, *users)
    texts = frozenset(text for reader in leavers for text in knowledge.labels_of(reader))
    known = knowledge.addresses(before, texts)
    carried = knowledge.carriers(before, texts)
    own = [one for one in managed_documents(before.fleet) if _is_of(one, name, before.fleet)]
    if keep_document:
        own = [one for one in own if one.scope != OnHost(name)]
    draft = dates.forget(_out_of_manifest(draft, name), name)
    layout = before.fleet.layout
    draft = _absent(draft, layout.host_key(name), f"- host {name}")
    for user in users:
        draft = _absent(draft, layout.user_key(name, user.name), f"- {user.name} of {name}")
    draft = without_documents(draft, [one.path for one in own])
    draft = _let_go(draft, Asked(leaving=texts, known_by=before.fleet), carried, unlock, now)
    draft = unwiring.take_out(draft, host)
    at_home = (one.path for one in own if isinstance(one.scope, AtHome))
    draft = unwiring.take_out_homes(draft, host, at_home)
    return knowledge.told(draft, name, known)


def remove_person(draft: Draft, name: PersonName, unlock: Unlock, now: datetime) -> Draft:
    """Return the draft without a person, with new data keys for what any recipient could open.

    Raises:
        RepositoryError: the person is unknown or the last admin; else as of `remove_host`.
        NoIdentityError: a document does not open.
    """
    before = draft.repository
    person = before.fleet.person(name)
    _refuse_last_admin(before.fleet, person)
    texts = knowledge.labels_of(person)
    known = knowledge.addresses(before, texts)
    carried = knowledge.carriers(before, texts)
    source = before.sources.read(MANIFEST)
    try:
        content = manifest_removal.remove_person(source.content, name)
    except NixsecretsError as error:
        raise error.within(MANIFEST) from None
    draft = draft.changed(MANIFEST, content, f"- {person.role.value} {name}")
    draft = _absent(draft, before.fleet.layout.person_key(name), f"- {person.role.value} {name}")
    draft = _let_go(draft, Asked(leaving=texts, known_by=before.fleet), carried, unlock, now)
    return knowledge.told(draft, name, known)


def drop_recipients(
    draft: Draft, name: PersonName, dropped: Collection[Recipient], unlock: Unlock, now: datetime
) -> Draft:
    """Return the draft with some of a person's recipients gone, a device that was lost.

    Raises:
        RepositoryError: one is not the person's, or no other is left; else as of `remove_host`.
        NoIdentityError: a document does not open.
    """
    before = draft.repository
    person = before.fleet.person(name)
    for recipient in dropped:
        if recipient not in person.recipients:
            raise RepositoryError(
                f"{name} has no such recipient",
                hint=f"they stand in {before.fleet.layout.person_key(name)}",
            )
    if set(person.recipients) <= set(dropped):
        raise RepositoryError(
            f"{name} would have no recipient left", hint=f"`nixsecrets remove-admin {name}`"
        )
    texts = frozenset(recipient.text for recipient in dropped)
    known = knowledge.addresses(before, texts)
    carried = knowledge.carriers(before, texts)
    draft = _out_of_key_file(draft, person, dropped)
    draft = _let_go(draft, Asked(leaving=texts, known_by=before.fleet), carried, unlock, now)
    return knowledge.told(draft, f"that recipient of {name}", known)


def without_documents(draft: Draft, paths: Iterable[PurePosixPath]) -> Draft:
    """Return the draft with documents gone from the tree, and the rules that are theirs alone."""
    for path in paths:
        if draft.repository.sources.find(path) is not None:
            draft = draft.changed(path, None, "goes from the tree; git keeps it")
        draft = _without_rule(draft, path)
    return draft


def _without_rule(draft: Draft, path: PurePosixPath) -> Draft:
    """Return the draft without the rule that is for one document alone, if there is one."""
    rule = policy.managed_rule(draft.fleet, path) or _peoples_rule(draft, path)
    if rule is None:
        return draft
    place = draft.fleet.layout.policy
    try:
        content = remove_rule(draft.repository.sources.read(place).content, rule.place)
    except NixsecretsError as error:
        raise error.within(place) from None
    return changed(draft, content, f"- rule for {path}")


def _peoples_rule(draft: Draft, path: PurePosixPath) -> Rule | None:
    """Return the people's rule of a document that governs no other file and names no host left."""
    stated = draft.fleet.policy
    rule = stated.rule_for(path) if stated else None
    if stated is None or rule is None or rule.is_catch_all:
        return None
    staying = {one.text for host in draft.fleet.hosts for one in recipients_of(host)}
    if any(canonical_text(entry.text) in staying for entry in rule.recipients):
        return None
    others = (other for other in draft.repository.paths() if other != path)
    return None if any(stated.rule_for(other) == rule for other in others) else rule


def _let_go(
    draft: Draft,
    asked: Asked,
    carried: Iterable[PurePosixPath],
    unlock: Unlock,
    now: datetime,
) -> Draft:
    """Return the draft with recipients out of the policy and of the documents that carry them."""
    draft = policy.follow(policy.remove(draft, asked.leaving))
    staying = [path for path in carried if draft.repository.sources.find(path) is not None]
    return rotate.data_keys(draft, staying, unlock, now, asked)


def _is_of(document: ManagedDocument, name: HostName, fleet: Fleet) -> bool:
    match document.scope:
        case OnHost(host) | AtHome(host, _):
            return host == name
        case InFile(path):
            return path == fleet.layout.host_key_document(name)
        case _:
            return False


def _out_of_manifest(draft: Draft, name: HostName) -> Draft:
    groups = [group.name for group in draft.fleet.groups if name in group.hosts]
    source = draft.repository.sources.read(MANIFEST)
    try:
        content = manifest_removal.remove_host(source.content, name)
    except NixsecretsError as error:
        raise error.within(MANIFEST) from None
    left = (f"{name} leaves the group {group}" for group in groups)
    return draft.changed(MANIFEST, content, f"- host {name}", *left)


def _absent(draft: Draft, path: PurePosixPath, why: str) -> Draft:
    """Return the draft with a file gone that may not have been there."""
    return draft.changed(path, None, why)


def _refuse_last_admin(fleet: Fleet, person: Person) -> None:
    others = [
        one
        for one in fleet.people
        if one.role is Role.ADMIN and one.recipients and one.name != person.name
    ]
    if person.role is Role.ADMIN and not others:
        raise RepositoryError(
            f"{person.name} is the last admin", hint="`nixsecrets add-admin NAME RECIPIENT` first"
        )


def _out_of_key_file(draft: Draft, person: Person, dropped: Collection[Recipient]) -> Draft:
    path = draft.fleet.layout.person_key(person.name)
    gone = {recipient.text for recipient in dropped}
    lines = draft.repository.sources.read(path).content.decode().splitlines(keepends=True)
    kept = (line for line in lines if " ".join(line.split()[:2]) not in gone)
    return draft.changed(path, "".join(kept).encode(), *(f"- {text}" for text in sorted(gone)))
