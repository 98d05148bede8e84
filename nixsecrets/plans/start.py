"""The first plan of a repository: manifest, first admin, policy."""

from collections.abc import Iterable
from dataclasses import dataclass
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
from nixsecrets.plans.hosts import place_of

_MODULE = "configuration.nix"
_USUAL_FOLDERS = ("systems", "hosts", "machines", "nixos")
_NO_HOSTS = frozenset({"bak", "result", "common", "shared"})


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

    A host is a directory with a `configuration.nix`; `bak` and what lies in it is none.
    """
    homes = sorted(path.parent for path in repository.paths() if path.name == _MODULE)
    homes = [home for home in homes if home.parts and not _NO_HOSTS & set(home.parts)]
    for folder in (*_USUAL_FOLDERS, ""):
        here = [home for home in homes if home.parent == PurePosixPath(folder)]
        if here:
            return tuple(_found(repository, home) for home in here)
    return ()


def init(
    draft: Draft, admin: PersonName, recipients: tuple[Recipient, ...], hosts: Iterable[FoundHost]
) -> Draft:
    """Return the draft with a manifest of these hosts, the first admin and a policy.

    No host gets a rule before its key is known: `add-host` brings both.

    Raises:
        RepositoryError: the repository has a manifest or a policy already.
    """
    _refuse_existing(draft)
    found = tuple(hosts)
    layout = Layout.of((_pattern(found),), {})
    settings = tuple((host.name, host.settings) for host in found)
    manifest = manifest_edit.render_new(layout, (admin,), settings, Deliver.ALL)
    draft = draft.changed(MANIFEST, manifest, *(_described(host) for host in found))
    lines = "".join(f"{recipient.label}\n" for recipient in recipients)
    path = draft.fleet.layout.person_key(admin)
    draft = draft.changed(path, lines.encode(), *(f"+ {one.text}" for one in recipients))
    return policy.bring(draft)


def _refuse_existing(draft: Draft) -> None:
    if draft.repository.sources.find(MANIFEST) is not None:
        raise RepositoryError(
            "the repository has one already", hint="`nixsecrets add-host NAME` goes on from here"
        ).within(MANIFEST)
    if draft.repository.sources.find(draft.fleet.layout.policy) is not None:
        raise RepositoryError(
            "the repository has a policy already, and adopting one is not supported yet",
            hint="without nixsecrets.yaml the other commands work from it as it stands",
        ).within(draft.fleet.layout.policy)


def _found(repository: Repository, home: PurePosixPath) -> FoundHost:
    settings = place_of(repository, HostSettings(), home)
    return FoundHost(parse_host_name(home.name), home, settings)


def _pattern(found: tuple[FoundHost, ...]) -> str:
    folder = found[0].directory.parent if found else PurePosixPath(_USUAL_FOLDERS[0])
    return str(folder / "{host}")


def _described(host: FoundHost) -> str:
    attribute = host.settings.attribute
    return f"host {host.name}: {f'flake attribute {attribute}' if attribute else 'in no flake'}"
