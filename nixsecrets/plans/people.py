"""Let a person read every document."""

from nixsecrets.age.recipient import Recipient
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet import manifest_edit
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.names import PersonName
from nixsecrets.plans import documents, policy, recipients
from nixsecrets.plans.draft import Draft, Unlock


def add(draft: Draft, name: PersonName, added: tuple[Recipient, ...], unlock: Unlock) -> Draft:
    """Return the draft with a person's recipients in key file, policy and every document.

    A known person's recipients are added to; none is taken away.

    Raises:
        RepositoryError: a recipient is somebody else's already.
        NoIdentityError: a document does not open.
    """
    fleet = draft.fleet
    for person in fleet.people:
        if person.name != name and set(person.recipients) & set(added):
            raise RepositoryError(f"that recipient is already one of {person.name}")
    for host in fleet.hosts:
        if host.recipient in added:
            raise RepositoryError(f"that recipient is already the one of the host {host.name}")
    if name not in {person.name for person in fleet.people}:
        draft = _into_manifest(draft, name)
    draft = _into_key_file(draft, name, added)
    draft = policy.bring(draft)
    return recipients.bring(draft, [path for path, _ in documents.sealed(draft.repository)], unlock)


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
