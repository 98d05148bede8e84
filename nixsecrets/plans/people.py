"""Let a person read every document."""

from pathlib import PurePosixPath

from nixsecrets.age.recipient import Recipient, canonical_text
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet import manifest_edit
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.model import Fleet
from nixsecrets.fleet.names import PersonName
from nixsecrets.plans import documents, policy, recipients
from nixsecrets.plans.draft import Draft, Unlock


def add(draft: Draft, name: PersonName, added: tuple[Recipient, ...], unlock: Unlock) -> Draft:
    """Return the draft with a person's recipients in key file, policy and every document.

    A known person's recipients are added to; none is taken away.

    Raises:
        RepositoryError: a recipient is somebody else's already, or a new person's key file lies
            there with others.
        NoIdentityError: a document does not open.
    """
    _refuse_others(draft.fleet, name, added)
    if name not in {person.name for person in draft.fleet.people}:
        draft = _into_manifest(draft, name)
        _refuse_found(draft.fleet, name, added)
    draft = _into_key_file(draft, name, added)
    draft = policy.bring(draft)
    texts = {recipient.text for recipient in draft.fleet.person(name).recipients}
    paths = []
    for path, _ in documents.sealed(draft.repository):
        if texts <= _named(draft.fleet, path):
            paths.append(path)
        elif policy.managed_rule(draft.fleet, path) is None:
            draft = draft.warning(f"{path} stays closed to {name}: its rule is not the tool's")
    return recipients.bring(draft, paths, unlock)


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


def _into_manifest(draft: Draft, name: PersonName) -> Draft:
    source = draft.repository.sources.read(MANIFEST)
    try:
        content = manifest_edit.add_person(source.content, name)
    except NixsecretsError as error:
        raise error.within(MANIFEST) from None
    return draft.changed(MANIFEST, content, f"+ admin {name}")


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
