"""The first plan of a repository: manifest, first admin, policy."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from nixsecrets.age.recipient import Recipient
from nixsecrets.errors import RepositoryError
from nixsecrets.fleet import manifest_edit
from nixsecrets.fleet.layout import MANIFEST, Layout
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Deliver, HostSettings
from nixsecrets.fleet.names import HostName, PersonName, parse_host_name
from nixsecrets.plans import policy
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.hosts import described, place_of

_MODULE = "configuration.nix"
_USUAL = PurePosixPath("systems")
_USUAL_FOLDERS = ("systems", "hosts", "machines", "nixos")
_NO_HOSTS = frozenset({"bak", "result", "common", "shared"})
_ARCHITECTURE = re.compile(r"[a-z0-9_]+-(linux|darwin)")  # systems/x86_64-linux/hq


@dataclass(frozen=True, slots=True)
class FoundHost:
    """A directory that holds a machine's configuration.

    Args:
        name: the directory's own.
        directory: where it is.
        settings: what the manifest is to say of it.
    """

    name: HostName
    directory: PurePosixPath
    settings: HostSettings


def find_hosts(repository: Repository) -> tuple[FoundHost, ...]:
    """Return the hosts of the first usual folder that has any, else those at the top level.

    A host is a directory with a `configuration.nix`; `bak` and what lies in it is none, and one
    whose name cannot be a host's, or is taken by an earlier one, is left out.
    """
    found: dict[HostName, FoundHost] = {}
    for home in _homes(repository):
        name = _host_name(home)
        if name is not None and name not in found:
            settings = place_of(repository, HostSettings(), home)
            found[name] = FoundHost(name, home, settings)
    uses = Counter(host.settings.attribute for host in found.values())
    return tuple(
        replace(host, settings=HostSettings())
        if uses[host.settings.attribute] > 1 and host.settings.attribute
        else host
        for host in found.values()
    )


def init(
    draft: Draft, admin: PersonName, recipients: tuple[Recipient, ...], hosts: Iterable[FoundHost]
) -> Draft:
    """Return the draft with a manifest of these hosts, the first admin and a policy.

    No host gets a rule before its key is known: `add-host` brings both.

    Raises:
        RepositoryError: the repository has a manifest or a policy already, or the admin a key
            file.
    """
    found = tuple(hosts)
    folders = tuple(dict.fromkeys(host.directory.parent for host in found))
    layout = Layout.of(tuple(str(folder / "{host}") for folder in folders or (_USUAL,)), {})
    _refuse_existing(draft, layout, admin)
    settings = tuple((host.name, host.settings) for host in found)
    manifest = manifest_edit.render_new(layout, (admin,), settings, Deliver.ALL)
    why = (f"host {host.name}: {described(host.settings)}" for host in found)
    draft = draft.changed(MANIFEST, manifest, *why)
    known = {host.directory for host in found}
    for home in _homes(draft.repository):
        if home not in known:
            draft = draft.noting(f"{home} is not taken for a host: its name is not free for one")
    for host in draft.fleet.hosts:
        if host.recipient is not None:
            key = layout.host_key(host.name)
            draft = draft.warning(f"{key} is there already: {host.name} reads what it is given")
    lines = "".join(f"{recipient.label}\n" for recipient in recipients)
    path = layout.person_key(admin)
    draft = draft.changed(path, lines.encode(), *(f"+ {one.text}" for one in recipients))
    return policy.bring(draft)


def _refuse_existing(draft: Draft, layout: Layout, admin: PersonName) -> None:
    sources = draft.repository.sources
    if sources.find(MANIFEST) is not None:
        raise RepositoryError(
            "the repository has one already", hint="`nixsecrets add-host NAME` goes on from here"
        ).within(MANIFEST)
    if sources.find(layout.policy) is not None:
        raise RepositoryError(
            "the repository has a policy already, and adopting one is not supported yet",
            hint="without nixsecrets.yaml the other commands work from it as it stands",
        ).within(layout.policy)
    if sources.find(layout.person_key(admin)) is not None:
        raise RepositoryError(
            f"{admin} has a key file already", hint="remove it, or choose another --admin NAME"
        ).within(layout.person_key(admin))


def _homes(repository: Repository) -> list[PurePosixPath]:
    """Return the directories that look like hosts', in the one folder that they are taken from."""
    homes = sorted(path.parent for path in repository.paths() if path.name == _MODULE)
    homes = [home for home in homes if home.parts and not _NO_HOSTS & set(home.parts)]
    for folder in (*_USUAL_FOLDERS, ""):
        here = [home for home in homes if _folder_of(home) == PurePosixPath(folder)]
        if here:
            return here
    return []


def _folder_of(home: PurePosixPath) -> PurePosixPath:
    folder = home.parent
    return folder.parent if _ARCHITECTURE.fullmatch(folder.name) else folder


def _host_name(home: PurePosixPath) -> HostName | None:
    try:
        return parse_host_name(home.name)
    except RepositoryError:
        return None
