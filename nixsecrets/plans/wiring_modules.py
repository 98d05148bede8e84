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
from nixsecrets.nix.edit import (
    binds_option,
    binds_true,
    declared_secrets,
    has_import,
    imported_expressions,
)
from nixsecrets.nix.render import parse_option_path
from nixsecrets.nix.syntax import NixSyntaxError, tokens
from nixsecrets.plans.wiring_flake import module_paths, read_flake, systems_of
from nixsecrets.plans.wiring_text import is_ours, relative

# How sops-nix's module is spelled: by a channel, a fetched tree, a pin, or a flake's input.
_SOPS_MODULE = re.compile(rb"modules/sops\b|nixosModules\.sops\b|sops-nix\.nixosModules\.default\b")

_SELF_CONTAINED = re.compile(
    r'<[a-z0-9/._-]+>|(?:\(?\s*(?:builtins\.)?fetchTarball\b|"\$\{\s*(?:builtins\.)?fetchTarball\b)'
)


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
    return _written_by_people(repository, host, own | _configuration(repository, host))


def _configuration(repository: Repository, host: Host) -> set[PurePosixPath]:
    found = own_configuration(repository, host)
    return set() if found is None else {found}


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


def own_configuration(repository: Repository, host: Host) -> PurePosixPath | None:
    """Return the module of a host whose `imports` take its wiring; None: it has no file.

    The manifest's, or the usual one; else the `default.nix` of its directory, the file beside
    (`hosts/hq.nix`), or a file of its name that the flake gives its system.
    """
    names = {host.name, host.attribute or host.name}
    beside = (host.directory.parent / f"{name}.nix" for name in sorted(names))
    usual = (host.configuration, host.directory / "default.nix", *beside)
    there = (path for path in usual if repository.sources.find(path) is not None)
    return next(there, None) or _named_by_flake(repository, host, names)


def _named_by_flake(repository: Repository, host: Host, names: set[str]) -> PurePosixPath | None:
    if host.without_flake or host.attribute is None:
        return None
    try:
        flake = read_flake(repository)
    except NixSyntaxError:
        return None
    for system in systems_of(flake, host) if flake else ():
        for path in module_paths(system):
            file = path if path.suffix == ".nix" else path / "default.nix"
            if path.with_suffix("").name in names and file in repository.paths():
                return file
    return None


def fetched_sops_nix(content: bytes) -> Iterator[str]:
    """Yield how a module imports sops-nix, where another module can say the same.

    A channel or a tree that is fetched there and then, with nothing but `builtins` in it.
    """
    try:
        elements = imported_expressions(content) if names_sops_nix(content) else ()
    except NixSyntaxError:
        return
    for element in elements:
        if _SOPS_MODULE.search(element.encode()) and _SELF_CONTAINED.match(element):
            yield element


def enables_openssh(repository: Repository, host: Host) -> bool:
    """Tell whether the host's configuration says that sshd, and so its host key, is there."""
    source = _configuration_of(repository, host)
    try:
        return source is not None and binds_true(source.content, "services.openssh.enable")
    except NixSyntaxError:
        return False


def _configuration_of(repository: Repository, host: Host) -> Source | None:
    path = own_configuration(repository, host)
    return None if path is None else repository.sources.find(path)


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
    found = (repository.sources.glance(path) for path in sorted(paths - {wiring}))
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
    if own_configuration(repository, host) is not None and not _spells(repository, wiring):
        return False
    try:
        flake = read_flake(repository)
    except NixSyntaxError:
        return False
    systems = systems_of(flake, host) if flake else ()
    return any(wiring in module_paths(system) for system in systems)


def _spells(repository: Repository, wiring: PurePosixPath) -> bool:
    flake = repository.sources.find(FLAKE)
    return flake is not None and wiring.name.encode() in flake.content
