"""The modules that people wrote for a host, and what their text shows about its secrets."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from nixsecrets.change import Source
from nixsecrets.fleet.layout import FLAKE
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Host
from nixsecrets.nix.edit import binds_option, binds_true, declared_secrets, find_systems, has_import
from nixsecrets.nix.render import parse_option_path
from nixsecrets.nix.syntax import NixSyntaxError, tokens
from nixsecrets.plans.wiring_text import is_ours, relative

# How sops-nix's module is spelled: by a channel, a fetched tree, a pin, or a flake's input.
_SOPS_MODULE = re.compile(rb"modules/sops\b|nixosModules\.sops\b|sops-nix\.nixosModules\.default\b")


@dataclass(frozen=True, slots=True)
class OlderDefinition:
    """A line that sets an option which the wiring sets too."""

    option: str
    path: PurePosixPath
    line: int


def own_modules(repository: Repository, host: Host) -> tuple[Source, ...]:
    """Return the modules in a host's directory, and its configuration wherever that stands.

    What the tool generated is not among them, nor what lies in the directory of another host.
    """
    below = _nix_files(repository.paths()).get(host.directory, ())
    above = {host.directory, *host.directory.parents}
    nested = {other.directory for other in repository.fleet.hosts} - above
    own = {path for path in below if nested.isdisjoint(path.parents)}
    return _written_by_people(repository, host, own | {host.configuration})


def modules_around(repository: Repository, host: Host) -> tuple[Source, ...]:
    """Return a host's own modules, and those that stand beside the shared document or below."""
    folder = repository.fleet.layout.shared_document.parent
    shared = _nix_files(repository.paths()).get(folder, ()) if folder.parts else ()
    own = own_modules(repository, host)
    known = {module.path for module in own}
    return (*own, *_written_by_people(repository, host, set(shared) - known))


def declared_names(modules: tuple[Source, ...]) -> Mapping[str, PurePosixPath]:
    """Return the names N of all `sops.secrets.N` in modules, and where each stands."""
    found: dict[str, PurePosixPath] = {}
    for module in modules:
        if b"sops" in module.content:
            for name in _declared(module.content):
                found.setdefault(name, module.path)
    return found


def older_definitions(
    repository: Repository, host: Host, options: tuple[str, ...]
) -> Iterator[OlderDefinition]:
    """Yield where a host's own modules, or those beside the shared document, set `options`."""
    if not options:  # most hosts: no module has to be read
        return
    modules = modules_around(repository, host)
    for option in options:
        last_name = parse_option_path(option)[-1].encode()
        for module in modules:
            if last_name in module.content and (line := _line_of(module.content, option)):
                yield OlderDefinition(option, module.path, line)


def enables_openssh(repository: Repository, host: Host) -> bool:
    """Tell whether the host's configuration says that sshd, and so its host key, is there."""
    source = repository.sources.find(host.configuration)
    try:
        return source is not None and binds_true(source.content, "services.openssh.enable")
    except NixSyntaxError:
        return False


def imports_wiring(repository: Repository, host: Host, wiring: PurePosixPath) -> bool:
    """Tell whether a module of the host, or its system in the flake, names the wiring."""
    return any(
        _imports(module, wiring) for module in own_modules(repository, host)
    ) or _is_in_system(repository, host, wiring)


def names_sops_nix(content: bytes) -> bool:
    """Tell whether a Nix source names sops-nix's module outside of comments."""
    if b"sops" not in content:
        return False
    try:
        code = b"".join(tokens(content))
    except NixSyntaxError:
        code = content
    return _SOPS_MODULE.search(code) is not None


def _written_by_people(
    repository: Repository, host: Host, paths: set[PurePosixPath]
) -> tuple[Source, ...]:
    wiring = repository.fleet.layout.wiring(host.name, host.directory)
    found = (repository.sources.find(path) for path in sorted(paths - {wiring}))
    return tuple(source for source in found if source is not None and not is_ours(source.content))


@lru_cache(maxsize=1)
def _nix_files(
    paths: frozenset[PurePosixPath],
) -> Mapping[PurePosixPath, tuple[PurePosixPath, ...]]:
    """Return the Nix files below each folder; a fleet's hosts ask for the same paths in turn."""
    below: dict[PurePosixPath, list[PurePosixPath]] = {}
    for path in sorted(paths):
        if path.suffix == ".nix":
            for folder in path.parents:
                below.setdefault(folder, []).append(path)
    return {folder: tuple(files) for folder, files in below.items()}


def _declared(content: bytes) -> frozenset[str]:
    try:
        return declared_secrets(content)
    except NixSyntaxError:
        return frozenset()


def _line_of(content: bytes, option: str) -> int | None:
    try:
        return binds_option(content, option)
    except NixSyntaxError:
        return None


def _imports(module: Source, wiring: PurePosixPath) -> bool:
    if wiring.name.encode() not in module.content:
        return False
    try:
        return has_import(module.content, relative(wiring, module.path.parent))
    except NixSyntaxError:
        return False


def _is_in_system(repository: Repository, host: Host, wiring: PurePosixPath) -> bool:
    flake = repository.sources.find(FLAKE)
    if flake is None or wiring.name.encode() not in flake.content:
        return False
    try:
        systems = find_systems(flake.content)
    except NixSyntaxError:
        return False
    modules = (system.modules for system in systems if system.attribute == host.attribute)
    return any(wiring == PurePosixPath(path) for paths in modules for path in paths)
