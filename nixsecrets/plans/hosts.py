"""Let a host read what it is meant to."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet import manifest_edit
from nixsecrets.fleet.access import managed_documents, recipients_of
from nixsecrets.fleet.layout import FLAKE, MANIFEST
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Fleet, Host, HostKey, HostSettings, Identity, IdentityFile
from nixsecrets.fleet.names import GroupName, HostName
from nixsecrets.nix.syntax import NixSyntaxError
from nixsecrets.nix.systems import System, find_systems
from nixsecrets.plans import documents, policy, recipients, wiring
from nixsecrets.plans.draft import Draft, Unlock


@dataclass(frozen=True, slots=True)
class NewHost:
    """A host as it is asked for.

    Args:
        name: what the fleet is to call it.
        key: its public half.
        settings: what the manifest is to say; an attribute that is None is read from the flake.
        groups: groups it joins.
        like: a host whose groups it joins too, and whose places in the people's rules.
    """

    name: HostName
    key: HostKey
    settings: HostSettings
    groups: tuple[GroupName, ...] = ()
    like: HostName | None = None


def add(draft: Draft, new: NewHost, unlock: Unlock) -> Draft:
    """Return the draft with the host's key file, manifest line, rules, re-wraps and wiring.

    Raises:
        RepositoryError: the host has another key already, or its key is another host's or a
            person's; a group is unknown.
        NoIdentityError: a document that it is to read does not open.
    """
    _refuse_other_key(draft.fleet, new)
    draft = _into_manifest(draft, new)
    draft = _into_key_file(draft, new)
    for group in dict.fromkeys((*new.groups, *_groups_of(draft.fleet, new.like))):
        draft = _into_group(draft, group, new.name)
    host = draft.fleet.host(new.name)
    if new.like is not None:
        draft = policy.add_like(draft, host, draft.fleet.host(new.like))
    draft = policy.follow(draft, host.name)
    named = _named if new.like is not None else _given
    paths = named(draft.repository, host)
    draft = recipients.bring(draft, paths, unlock)
    return wiring.bring(draft, [host])


def attribute_of(repository: Repository, directory: PurePosixPath) -> str | None:
    """Return the flake's name of the system whose `modules` name a path in `directory`.

    Read from `flake.nix` as text: literal `nixosSystem` calls only. None: there is none, or
    there are several.
    """
    found = _attributes(_systems(repository) or (), directory)
    return next(iter(found)) if len(found) == 1 else None


def place_of(
    repository: Repository, settings: HostSettings, directory: PurePosixPath
) -> HostSettings:
    """Return the settings with what builds the host: its flake attribute, else its configuration.

    Nothing is guessed where the flake names no system literally, or several of that directory.
    """
    systems = _systems(repository)
    if systems is None:
        return settings
    found = _attributes(systems, directory)
    if len(found) == 1:
        return settings._replace(attribute=next(iter(found)))
    configuration = directory / "configuration.nix"
    if found or repository.sources.find(configuration) is None:
        return settings
    return settings._replace(configuration=configuration)


def described(settings: HostSettings) -> str:
    """Return in words what builds a host."""
    if settings.attribute:
        return f"flake attribute {settings.attribute}"
    return "in no flake" if settings.configuration else "flake attribute not known"


def _systems(repository: Repository) -> tuple[System, ...] | None:
    """Return the flake's systems; None: it may have others than those that stand there literally.

    Without a flake there are none. One that does not parse is told where it would be edited.
    """
    source = repository.sources.find(FLAKE)
    return () if source is None else _systems_in(source.content)


@lru_cache(maxsize=2)
def _systems_in(flake: bytes) -> tuple[System, ...] | None:
    """Remembered, since every host of a fleet is looked for in the same flake."""
    try:
        return find_systems(flake) or None
    except NixSyntaxError:
        return None


def _attributes(systems: Iterable[System], directory: PurePosixPath) -> frozenset[str]:
    """Return the systems that name the directory's main module, else those that name any of it."""
    modules = [
        (system.attribute, PurePosixPath(module)) for system in systems for module in system.modules
    ]
    main = {directory, directory / "configuration.nix", directory / "default.nix"}
    found = frozenset(attribute for attribute, module in modules if module in main)
    return found or frozenset(name for name, module in modules if directory in module.parents)


def refuse_key_of_others(fleet: Fleet, name: HostName, key: HostKey) -> None:
    """Refuse a key that is another host's or a person's.

    Raises:
        RepositoryError: it is; with whose.
    """
    for host in fleet.hosts:
        if host.name != name and key.recipient in recipients_of(host):
            raise RepositoryError(
                f"that key is already the key of {host.name}",
                hint="a host's key is its own: make a new one on one of the two",
            )
    for person in fleet.people:
        if key.recipient.text in map(recipients.opened_alike, person.recipients):
            raise RepositoryError(
                f"that key is already a key of {person.name}",
                hint="give the host's own: /etc/ssh/ssh_host_ed25519_key.pub on it",
            )


def _refuse_other_key(fleet: Fleet, new: NewHost) -> None:
    known = next((host for host in fleet.hosts if host.name == new.name), None)
    if known and known.recipient not in (None, new.key.recipient):
        raise RepositoryError(
            f"{new.name} has another key already, and `add-host` does not replace one",
            hint=f"`nixsecrets rotate host {new.name}` does, with the same options for the key",
        )
    refuse_key_of_others(fleet, new.name, new.key)


def _groups_of(fleet: Fleet, name: HostName | None) -> tuple[GroupName, ...]:
    if name is None:
        return ()
    host = fleet.host(name)
    return tuple(group.name for group in fleet.groups if host.name in group.hosts)


def _into_manifest(draft: Draft, new: NewHost) -> Draft:
    settings = new.settings
    known = next((host for host in draft.fleet.hosts if host.name == new.name), None)
    is_placed = known is not None and (
        known.attribute is not None or known.without_flake or known.recipient is not None
    )
    if not is_placed and settings.attribute is None and settings.configuration is None:
        usual = draft.fleet.layout.directory(new.name, draft.repository.sources.is_directory)
        home = settings.directory or (known.directory if known else usual)
        settings = place_of(draft.repository, settings, home)
    source = draft.repository.sources.read(MANIFEST)
    try:
        if known is None:
            content = manifest_edit.add_host(source.content, new.name, settings)
            why = f"+ host {new.name}, {described(settings)}"
        else:
            content = manifest_edit.add_to_host(source.content, new.name, settings)
            why = f"host {new.name}: {_said(settings)}"
    except NixsecretsError as error:
        raise error.within(MANIFEST) from None
    return draft.changed(MANIFEST, content, why)


def _into_key_file(draft: Draft, new: NewHost) -> Draft:
    """Return the draft with the key file, which stays as it is where it says the same already."""
    if draft.fleet.host(new.name).recipient == new.key.recipient:
        return draft
    path = draft.fleet.layout.host_key(new.name)
    content = f"{new.key.public_key}\n".encode()
    return draft.changed(path, content, new.key.recipient.text)


def _said(settings: HostSettings) -> str:
    """Return what a known host's entry gains, in the manifest's words."""
    words = {
        "attribute": settings.attribute,
        "host-name": settings.host_name,
        "address": settings.address,
        "configuration": settings.configuration,
        "identity": settings.identity and _kind(settings.identity),
    }
    return ", ".join(f"+ {name} {value}" for name, value in words.items() if value)


def _kind(identity: Identity) -> str:
    return "file" if isinstance(identity, IdentityFile) else "ssh"


def _into_group(draft: Draft, group: GroupName, host: HostName) -> Draft:
    source = draft.repository.sources.read(MANIFEST)
    try:
        content = manifest_edit.add_to_group(source.content, group, host)
    except NixsecretsError as error:
        raise error.within(MANIFEST) from None
    return draft.changed(MANIFEST, content, f"{host} joins the group {group}")


def _given(repository: Repository, host: Host) -> list[PurePosixPath]:
    """Return the documents that the manifest gives a host."""
    return [
        document.path
        for document in managed_documents(repository.fleet)
        if host in document.readers and repository.sources.find(document.path) is not None
    ]


def _named(repository: Repository, host: Host) -> list[PurePosixPath]:
    """Return the documents whose rules name a host."""
    return [
        path
        for path, _ in documents.sealed(repository)
        if (readers := recipients.intended(repository.fleet, path))
        and host.recipient in readers.recipients
    ]
