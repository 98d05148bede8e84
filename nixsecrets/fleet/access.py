"""Which documents the manifest's layout gives, and who is to read each."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple, TypeAlias

from nixsecrets.age.recipient import Recipient
from nixsecrets.fleet.model import (
    Admins,
    AtHome,
    Declaration,
    Fleet,
    Host,
    InFile,
    InGroup,
    OnHost,
    Person,
    Role,
    Scope,
    Shared,
    User,
)

_SHOWN_WHOLE = 20

Reader: TypeAlias = Person | Host | User


class ManagedDocument(NamedTuple):
    """A document that the manifest's layout gives; the file need not exist.

    Args:
        path: where it stands.
        scope: whose it is; a host key's in escrow is no scope's, and named by its path.
        readers: people, then hosts, then users, each in the manifest's order. Who has no key file
            is not among hosts and users.
    """

    path: PurePosixPath
    scope: Scope | InFile
    readers: tuple[Reader, ...]

    @property
    def users(self) -> tuple[User, ...]:
        return tuple(reader for reader in self.readers if isinstance(reader, User))

    @property
    def is_delivered(self) -> bool:
        """Whether a host or a home is given what it holds."""
        return not isinstance(self.scope, Admins | InFile)

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """All readers' recipients in the readers' order, each once."""
        return tuple(dict.fromkeys(one for reader in self.readers for one in recipients_of(reader)))


def managed_documents(fleet: Fleet) -> tuple[ManagedDocument, ...]:
    """Return the documents that the manifest gives; none without a manifest.

    Those of hosts and groups and the shared one always; the admins', the homes' and the host keys'
    where they are declared, exist, or have a rule of their own. A host or user without a key file
    reads nothing and has no document.
    """
    wanted = {one.scope for one in fleet.declarations if one.file is None}
    return tuple(
        document
        for document in possible_documents(fleet)
        if isinstance(document.scope, OnHost | InGroup | Shared)
        or document.scope in wanted
        or document.path in fleet.present
        or (fleet.policy is not None and fleet.policy.has_own_rule(document.path))
    )


def possible_documents(fleet: Fleet) -> tuple[ManagedDocument, ...]:
    """Return every document that the layout has a place for; none without a manifest."""
    return tuple(_possible(fleet)) if fleet.managed else ()


def document_of(fleet: Fleet, scope: Scope) -> PurePosixPath:
    """Return the path of a scope's document.

    Raises:
        RepositoryError: the fleet has no such group or host.
    """
    match scope:
        case Admins():
            return fleet.layout.admin_document
        case Shared():
            return fleet.layout.shared_document
        case InGroup(group):
            return fleet.layout.group_document(fleet.group(group).name)
        case OnHost(name):
            host = fleet.host(name)
            return fleet.layout.host_document(host.name, host.directory)
        case AtHome(name, user):
            host = fleet.host(name)
            return fleet.layout.home_document(host.name, user, host.directory)


def document_for(fleet: Fleet, declaration: Declaration) -> PurePosixPath:
    """Return the document in which a declaration's value stands; errors as of `document_of`."""
    return declaration.file or document_of(fleet, declaration.scope)


def readers(fleet: Fleet, path: PurePosixPath) -> tuple[Reader, ...]:
    """Return who is to read a managed document; nobody for any other path."""
    documents = managed_documents(fleet)
    return next((document.readers for document in documents if document.path == path), ())


def recipients_of(reader: Reader) -> tuple[Recipient, ...]:
    match reader:
        case Person(recipients=recipients):
            return recipients
        case Host(recipient=recipient, old=old):
            return tuple(one for one in (recipient, old) if one)
        case User(recipients=recipients):
            return recipients


def everyone(fleet: Fleet) -> tuple[Reader, ...]:
    """Return all that can be readers: people, hosts, users; also those without a key file."""
    return (*fleet.people, *fleet.hosts, *fleet.users)


def anchor_of(reader: Reader) -> str:
    """Return the name that a reader's anchor is made of."""
    match reader:
        case Person(name=name):
            return name
        case Host(anchor=anchor):
            return anchor
        case User(host=host, name=name):
            return f"{name}-{host}"


def spoken_name(reader: Reader) -> str:
    """Return what a reader is called in messages; a user is `miscguy@t460`."""
    match reader:
        case User(host=host, name=name):
            return f"{name}@{host}"
        case Person(name=name) | Host(name=name):
            return name


def key_file_of(fleet: Fleet, reader: Reader) -> PurePosixPath:
    match reader:
        case Person(name=person):
            return fleet.layout.person_key(person)
        case Host(name=host):
            return fleet.layout.host_key(host)
        case User(host=host, name=user):
            return fleet.layout.user_key(host, user)


def admins(fleet: Fleet) -> tuple[Person, ...]:
    """Return the people who read every document: admins and escrow."""
    return tuple(person for person in fleet.people if person.role is not Role.MEMBER)


def names_of(fleet: Fleet, recipient_text: str) -> str:
    """Return how a recipient is shown: its person, host or user, its anchor, or else shortened.

    Args:
        fleet: with the policy, for the anchors.
        recipient_text: the canonical spelling, without comment.
    """
    for reader in everyone(fleet):
        if any(recipient.text == recipient_text for recipient in recipients_of(reader)):
            return spoken_name(reader)
    anchor = fleet.policy.name_of(recipient_text) if fleet.policy else None
    return anchor or _shortened(recipient_text)


def delivered(fleet: Fleet, host: Host) -> tuple[Declaration, ...]:
    """Return the declarations whose scope reaches a host, also those with `deliver: false`."""
    return tuple(
        declaration
        for declaration in fleet.declarations
        if fleet.manifest.reaches(declaration.scope, host.name)
    )


def _possible(fleet: Fleet) -> Iterator[ManagedDocument]:
    trusted, layout = set(admins(fleet)), fleet.layout

    def given(scope: Scope | InFile, path: PurePosixPath, *others: Reader) -> ManagedDocument:
        people = (person for person in fleet.people if person in trusted or person in others)
        rest = (reader for reader in others if not isinstance(reader, Person))
        return ManagedDocument(path, scope, (*people, *rest))

    people = {person.name: person for person in fleet.people}
    hosts = {host.name: host for host in fleet.hosts if host.recipient}
    for host in hosts.values():
        groups = [group for group in fleet.groups if host.name in group.hosts]
        members = (people[name] for group in groups for name in group.people)
        path = layout.host_document(host.name, host.directory)
        yield given(OnHost(host.name), path, *members, host)
    for group in fleet.groups:
        members = (people[name] for name in group.people)
        inside = (host for host in hosts.values() if host.name in group.hosts)
        yield given(InGroup(group.name), layout.group_document(group.name), *members, *inside)
    yield given(Shared(), layout.shared_document, *hosts.values())
    yield given(Admins(), layout.admin_document)
    homes = {host.name: host.directory for host in fleet.hosts}
    for user in fleet.users:
        if user.recipients:
            path = layout.home_document(user.host, user.name, homes[user.host])
            yield given(AtHome(user.host, user.name), path, user)
    for host in fleet.hosts:
        path = layout.host_key_document(host.name)
        yield given(InFile(path), path)


def _shortened(recipient_text: str) -> str:
    if len(recipient_text) <= _SHOWN_WHOLE:
        return recipient_text
    return f"{recipient_text[:8]}…{recipient_text[-4:]}"
