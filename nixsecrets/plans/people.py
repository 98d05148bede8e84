"""Let a person read what the role gives."""

from pathlib import PurePosixPath

from nixsecrets.age.recipient import Recipient, canonical_text
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet import manifest_edit
from nixsecrets.fleet.access import managed_documents
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.model import Fleet, Role
from nixsecrets.fleet.names import PersonName
from nixsecrets.plans import documents, policy, recipients
from nixsecrets.plans.draft import Draft, Unlock


def add(
    draft: Draft,
    name: PersonName,
    added: tuple[Recipient, ...],
    unlock: Unlock,
    role: Role | None = None,
) -> Draft:
    """Return the draft with a person's recipients in key file, policy and what the role gives.

    A known person's recipients are added to; none is taken away.

    Args:
        draft: so far.
        name: of the person.
        added: at least one.
        unlock: opens the documents.
        role: None: a known person's, else that of an admin.

    Raises:
        RepositoryError: a recipient is somebody else's already, a new person's key file lies
            there with others, or a known person has another role.
        NoIdentityError: a document does not open.
    """
    _refuse_others(draft.fleet, name, added)
    if name not in {person.name for person in draft.fleet.people}:
        draft = _into_manifest(draft, name, role or Role.ADMIN)
        _refuse_found(draft.fleet, name, added)
    present = draft.fleet.person(name).role
    if role not in (None, present):
        raise RepositoryError(
            f"{name} is in the fleet already, as {present.value}",
            hint=f"write another `role:` under `people.{name}` of {MANIFEST}, then "
            "`nixsecrets rekey`",
        )
    draft = _into_key_file(draft, name, added)
    draft = policy.follow(draft)
    texts = {recipient.text for recipient in draft.fleet.person(name).recipients}
    reads = {one.path: one.readers for one in managed_documents(draft.fleet)}
    paths = []
    for path, _ in documents.sealed(draft.repository):
        is_meant = present is not Role.MEMBER or draft.fleet.person(name) in reads.get(path, ())
        if texts <= _named(draft.fleet, path):
            paths.append(path)
        elif is_meant and policy.managed_rule(draft.fleet, path) is None:
            draft = draft.warning(f"{path} stays closed to {name}: its rule is not the tool's")
    if not _is_given(draft.fleet, name):
        draft = draft.noting(
            f"{name} is a member and reads nothing yet: name it under `people:` of a group in "
            f"{MANIFEST}, then `nixsecrets rekey`"
        )
    return recipients.bring(draft, paths, unlock)


def _is_given(fleet: Fleet, name: PersonName) -> bool:
    """Say whether a person is to read anything."""
    in_group = any(name in group.people for group in fleet.groups)
    return in_group or fleet.person(name).role is not Role.MEMBER


def _refuse_others(fleet: Fleet, name: PersonName, added: tuple[Recipient, ...]) -> None:
    asked = set(map(recipients.opened_alike, added))
    for person in fleet.people:
        if person.name != name and asked & set(map(recipients.opened_alike, person.recipients)):
            raise RepositoryError(f"that recipient is already one of {person.name}")
    for host in fleet.hosts:
        if host.recipient is not None and host.recipient.text in asked:
            raise RepositoryError(f"that recipient is already the one of the host {host.name}")


def _refuse_found(fleet: Fleet, name: PersonName, added: tuple[Recipient, ...]) -> None:
    """Refuse a key file that lay there before the person was one, unless it says the same."""
    if set(fleet.person(name).recipients) - set(added):
        raise RepositoryError(
            f"it lies there already and names others than what is given for {name}",
            hint="remove it, or give all its recipients too",
        ).within(fleet.layout.person_key(name))


def _named(fleet: Fleet, path: PurePosixPath) -> frozenset[str]:
    """Return the recipients that a document's rule names; nobody where no rule governs it."""
    rule = fleet.policy.rule_for(path) if fleet.policy else None
    return (
        frozenset(canonical_text(entry.text) for entry in rule.recipients) if rule else frozenset()
    )


def _into_manifest(draft: Draft, name: PersonName, role: Role) -> Draft:
    source = draft.repository.sources.read(MANIFEST)
    try:
        content = manifest_edit.add_person(source.content, name, role)
    except NixsecretsError as error:
        raise error.within(MANIFEST) from None
    return draft.changed(MANIFEST, content, f"+ {role.value} {name}")


def _into_key_file(draft: Draft, name: PersonName, added: tuple[Recipient, ...]) -> Draft:
    path = draft.fleet.layout.person_key(name)
    source = draft.repository.sources.find(path)
    text = source.content.decode() if source else ""
    present = draft.fleet.person(name).recipients
    new = [recipient for recipient in dict.fromkeys(added) if recipient not in present]
    if text and not text.endswith("\n"):
        text += "\n"
    text += "".join(f"{recipient.label}\n" for recipient in new)
    return draft.changed(path, text.encode(), *(f"+ {recipient.text}" for recipient in new))
