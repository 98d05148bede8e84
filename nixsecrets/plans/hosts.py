"""Let a host read what it is meant to."""

from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet import manifest_edit
from nixsecrets.fleet.access import managed_documents
from nixsecrets.fleet.layout import FLAKE, MANIFEST
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Fleet, Host, HostKey, HostSettings
from nixsecrets.fleet.names import GroupName, HostName
from nixsecrets.nix.systems import System, find_systems
from nixsecrets.plans import policy, recipients, wiring
from nixsecrets.plans.draft import Draft, Unlock


@dataclass(frozen=True, slots=True)
class NewHost:
    """A host as it is asked for.

    Args:
        name: what the fleet is to call it.
        key: its public half.
        settings: what the manifest is to say; an attribute that is None is read from the flake.
        groups: groups it joins.
    """

    name: HostName
    key: HostKey
    settings: HostSettings
    groups: tuple[GroupName, ...] = ()


def add(draft: Draft, new: NewHost, unlock: Unlock) -> Draft:
    """Return the draft with the host's key file, manifest line, rules, re-wraps and wiring.

    Raises:
        RepositoryError: the host has another key already, or its key is another host's.
        NoIdentityError: a document that it is to read does not open.
    """
    _refuse_other_key(draft.fleet, new)
    draft = _into_manifest(draft, new)
    path = draft.fleet.layout.host_key(new.name)
    draft = draft.changed(path, f"{new.key.public_key}\n".encode(), new.key.recipient.text)
    for group in new.groups:
        draft = _into_group(draft, group, new.name)
    host = draft.fleet.host(new.name)
    draft = policy.bring(draft)
    draft = recipients.bring(draft, _existing_documents(draft.repository, host), unlock)
    return wiring.bring(draft, [host])


def attribute_of(repository: Repository, directory: PurePosixPath) -> str | None:
    """Return the flake's name of the system whose `modules` name a path in `directory`.

    Read from `flake.nix` as text: literal `nixosSystem` calls only. None: there is none, or
    there are several.
    """
    found = {
        system.attribute
        for system in _systems(repository)
        for module in system.modules
        if _lies_in(module, directory)
    }
    return found.pop() if len(found) == 1 else None


def _systems(repository: Repository) -> tuple[System, ...]:
    source = repository.sources.find(FLAKE)
    if source is None:
        return ()
    try:
        return find_systems(source.content)
    except NixsecretsError as error:
        raise error.within(FLAKE) from None


def _is_known(repository: Repository) -> bool:
    """Say whether a host that the flake does not name literally is surely in no flake."""
    return repository.sources.find(FLAKE) is None or bool(_systems(repository))


def place_of(
    repository: Repository, settings: HostSettings, directory: PurePosixPath
) -> HostSettings:
    """Return the settings with what builds the host: its flake attribute, else its configuration.

    Where the flake names no system literally, nothing is guessed.
    """
    attribute = attribute_of(repository, directory)
    configuration = directory / "configuration.nix"
    if attribute is not None:
        return replace(settings, attribute=attribute)
    if not _is_known(repository) or repository.sources.find(configuration) is None:
        return settings
    return replace(settings, configuration=configuration)


def _lies_in(module: str, directory: PurePosixPath) -> bool:
    path = PurePosixPath(module)
    return path == directory or directory in path.parents


def _refuse_other_key(fleet: Fleet, new: NewHost) -> None:
    for host in fleet.hosts:
        same = host.recipient == new.key.recipient
        if host.name == new.name and host.recipient is not None and not same:
            raise RepositoryError(
                f"{new.name} has another key already, and `add-host` does not replace one",
                hint=f"to let it go, remove {fleet.layout.host_key(host.name)} and add it anew; "
                "its old key may keep what it could read",
            )
        if host.name != new.name and same:
            raise RepositoryError(
                f"that key is already the key of {host.name}",
                hint="a host's key is its own: make a new one on one of the two",
            )
    if any(new.key.recipient in person.recipients for person in fleet.people):
        raise RepositoryError("that key is already the key of a person")


def _into_manifest(draft: Draft, new: NewHost) -> Draft:
    source = draft.repository.sources.read(MANIFEST)
    known = next((host for host in draft.fleet.hosts if host.name == new.name), None)
    if known is not None:
        content = _extended(source.content, new)
        return draft.changed(MANIFEST, content, f"{new.name}{_described(new.settings)}")
    settings = new.settings
    if settings.attribute is None and settings.configuration is None:
        home = draft.fleet.layout.directory(new.name, draft.repository.sources.is_directory)
        settings = place_of(draft.repository, settings, settings.directory or home)
    try:
        content = manifest_edit.add_host(source.content, new.name, settings)
    except NixsecretsError as error:
        raise error.within(MANIFEST) from None
    return draft.changed(MANIFEST, content, f"+ host {new.name}{_described(settings)}")


def _described(settings: HostSettings) -> str:
    if settings.attribute:
        return f", flake attribute {settings.attribute}"
    return ", built without a flake" if settings.configuration else ", in no flake"


def _extended(content: bytes, new: NewHost) -> bytes:
    try:
        return manifest_edit.add_to_host(content, new.name, new.settings)
    except NixsecretsError as error:
        raise error.within(MANIFEST) from None


def _into_group(draft: Draft, group: GroupName, host: HostName) -> Draft:
    source = draft.repository.sources.read(MANIFEST)
    try:
        content = manifest_edit.add_to_group(source.content, group, host)
    except NixsecretsError as error:
        raise error.within(MANIFEST) from None
    return draft.changed(MANIFEST, content, f"{host} joins the group {group}")


def _existing_documents(repository: Repository, host: Host) -> list[PurePosixPath]:
    return [
        document.path
        for document in managed_documents(repository.fleet)
        if host in document.readers and repository.sources.find(document.path) is not None
    ]
