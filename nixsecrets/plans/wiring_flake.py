"""The flake of a repository, with the files that it imports, as the plan so far leaves them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath

from nixsecrets.fleet.layout import FLAKE
from nixsecrets.fleet.load import Paths, Repository
from nixsecrets.fleet.model import Host
from nixsecrets.nix.systems import Flake, Found
from nixsecrets.nix.values import FilePath, Kind

MODULES: Mapping[Kind, str] = {
    Kind.NIXOS: "nixosModules.sops",
    Kind.DARWIN: "darwinModules.sops",
    Kind.COLMENA: "nixosModules.sops",
    Kind.HOME: "homeManagerModules.sops",
}
"""Which of its modules sops-nix has for a kind of system (its flake.nix, outputs)."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a reading of the flake is remembered by: one a repository and content."""

    content: bytes
    paths: Paths
    repository: Repository = field(compare=False)

    def read(self, path: PurePosixPath) -> bytes | None:
        if path not in self.paths() and path not in self.repository.changes:
            return None
        source = self.repository.sources.glance(path)
        return None if source is None else source.content


def read_flake(repository: Repository) -> Flake | None:
    """Return the repository's flake; None: it has none.

    Raises:
        NixSyntaxError: it is no Nix expression.
    """
    source = repository.sources.find(FLAKE)
    if source is None:
        return None
    return _read(_Reading(source.content, repository.paths, repository))


def read_flake_anew(repository: Repository) -> Flake:
    """Return the flake after files that it imports were changed; errors as `read_flake`."""
    content = repository.sources.read(FLAKE).content
    return Flake(content, _Reading(content, repository.paths, repository).read)


@lru_cache(maxsize=2)
def _read(reading: _Reading) -> Flake:
    return Flake(reading.content, reading.read)


def systems_of(flake: Flake, host: Host) -> tuple[Found, ...]:
    """Return what a flake builds of a host: systems and nodes of a hive of its names."""
    names = dict.fromkeys(name for name in (host.attribute, host.name) if name)
    for kind in (Kind.NIXOS, Kind.DARWIN):
        if host.attribute and (systems := flake.find(host.attribute, kind)):
            break
    else:
        systems = ()
    nodes = (flake.find(name, Kind.COLMENA) for name in names)
    return (*systems, *next((found for found in nodes if found), ()))


def is_darwin(flake: Flake, host: Host) -> bool:
    return any(found.built.kind is Kind.DARWIN for found in systems_of(flake, host))


def module_paths(found: Found) -> tuple[PurePosixPath, ...]:
    return tuple(item.path for item in found.items if isinstance(item, FilePath))
