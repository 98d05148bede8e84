"""Which documents the manifest's layout gives, and who is to read each."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple, TypeAlias

from nixsecrets.age.recipient import Recipient
from nixsecrets.fleet.model import (
    Declaration,
    Fleet,
    Host,
    InGroup,
    OnHost,
    Person,
    Scope,
    Shared,
)

_SHOWN_WHOLE = 20

Reader: TypeAlias = Person | Host


class ManagedDocument(NamedTuple):
    """A document that the manifest's layout gives; the file need not exist.

    Args:
        path: where it stands.
        scope: whose it is.
        readers: admins, then hosts, each in the manifest's order. A host without a key file is
            not among them.
    """

    path: PurePosixPath
    scope: Scope
    readers: tuple[Reader, ...]

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """All readers' recipients in the readers' order, each once."""
        return tuple(dict.fromkeys(one for reader in self.readers for one in recipients_of(reader)))


def managed_documents(fleet: Fleet) -> tuple[ManagedDocument, ...]:
    """Return the hosts' documents, the groups' and the shared one; none without a manifest.

    A host without a key file reads nothing and has no document.
    """
    if not fleet.managed:
        return ()
    return tuple(
        ManagedDocument(document_of(fleet, scope), scope, _readers(fleet, scope))
        for scope in _scopes(fleet)
    )


def document_of(fleet: Fleet, scope: Scope) -> PurePosixPath:
    """Return the path of a scope's document.

    Raises:
        RepositoryError: the fleet has no such group or host.
    """
    match scope:
        case Shared():
            return fleet.layout.shared_document
        case InGroup(group):
            return fleet.layout.group_document(fleet.group(group).name)
        case OnHost(name):
            host = fleet.host(name)
            return fleet.layout.host_document(host.name, host.directory)


def readers(fleet: Fleet, path: PurePosixPath) -> tuple[Reader, ...]:
    """Return who is to read a managed document; nobody for any other path."""
    documents = managed_documents(fleet)
    return next((document.readers for document in documents if document.path == path), ())


def recipients_of(reader: Reader) -> tuple[Recipient, ...]:
    match reader:
        case Person(recipients=recipients):
            return recipients
        case Host(recipient=recipient):
            return (recipient,) if recipient else ()


def names_of(fleet: Fleet, recipient_text: str) -> str:
    """Return how a recipient is shown: its person or host, its anchor, or else shortened.

    Args:
        fleet: with the policy, for the anchors.
        recipient_text: the canonical spelling, without comment.
    """
    everyone: tuple[Reader, ...] = (*fleet.people, *fleet.hosts)
    for reader in everyone:
        if any(recipient.text == recipient_text for recipient in recipients_of(reader)):
            return reader.name
    anchor = fleet.policy.name_of(recipient_text) if fleet.policy else None
    return anchor or _shortened(recipient_text)


def delivered(fleet: Fleet, host: Host) -> tuple[Declaration, ...]:
    """Return the declarations whose scope reaches a host, also those with `deliver: false`."""
    return tuple(
        declaration
        for declaration in fleet.declarations
        if fleet.manifest.reaches(declaration.scope, host.name)
    )


def _scopes(fleet: Fleet) -> Iterator[Scope]:
    for host in fleet.hosts:
        if host.recipient:
            yield OnHost(host.name)
    for group in fleet.groups:
        yield InGroup(group.name)
    yield Shared()


def _readers(fleet: Fleet, scope: Scope) -> tuple[Reader, ...]:
    """Every person's role is admin, so that the people of groups add nobody."""
    hosts = (host for host in fleet.hosts if host.recipient)
    return (*fleet.people, *(host for host in hosts if fleet.manifest.reaches(scope, host.name)))


def _shortened(recipient_text: str) -> str:
    if len(recipient_text) <= _SHOWN_WHOLE:
        return recipient_text
    return f"{recipient_text[:8]}…{recipient_text[-4:]}"
