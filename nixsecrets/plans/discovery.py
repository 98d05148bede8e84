"""The machines of a repository, as directories and the flake show them."""

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.layout import FLAKE
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import HostSettings
from nixsecrets.fleet.names import HostName, parse_host_name
from nixsecrets.nix.syntax import NixSyntaxError
from nixsecrets.nix.systems import System, find_systems
from nixsecrets.nix.values import Kind
from nixsecrets.plans import spelling
from nixsecrets.plans.hosts import place_of

USUAL_FOLDERS = ("systems", "hosts", "machines", "nixos")
_MODULE = "configuration.nix"
_DEFAULT = "default.nix"
_ROOT = PurePosixPath()
_DEEPEST = 2  # folders of a host below the usual one: `hosts/testagent/dev`
_NO_HOSTS = frozenset({"bak", "result", "common", "shared"})
_NO_HOST_MODULES = _NO_HOSTS | {
    "base",
    "default",
    "home",
    "home-manager",
    "lib",
    "modules",
    "overlays",
    "pkgs",
    "profiles",
    "secrets",
    "users",
}
_ARCHITECTURE = re.compile(r"[a-z0-9_]+-(linux|darwin)")  # systems/x86_64-linux/hq


@dataclass(frozen=True, slots=True)
class FoundHost:
    """A machine that the repository configures.

    Args:
        name: its directory's, else its attribute's.
        directory: where it is; None: it is known as an attribute only.
        settings: what the manifest is to say of what builds it.
        spellings: the names that it goes by.
    """

    name: HostName
    directory: PurePosixPath | None
    settings: HostSettings
    spellings: frozenset[str]


@dataclass(frozen=True, slots=True)
class Found:
    """The machines of a repository.

    Args:
        hosts: those of which a `configuration.nix` or the flake says that they are machines.
        likely: what may be one: a directory with a `default.nix`, or a module, beside others.
        left_out: directories that look like a host's, with names that are not free for one.
    """

    hosts: tuple[FoundHost, ...]
    likely: tuple[FoundHost, ...]
    left_out: tuple[PurePosixPath, ...]


@dataclass(frozen=True, slots=True)
class _Home:
    """Where a module says that a machine lives; `stem` of a module that lies beside others."""

    directory: PurePosixPath
    stem: str = ""


def find(repository: Repository) -> Found:
    """Return the machines; two never have one name, and none has a name that is no host's."""
    placed = _placed(repository)
    uses = Counter(one.home for one in placed)
    hosts = _Names()
    for one in placed:
        if not one.is_torn:
            hosts.add(_of_system(one, shared=uses[one.home] > 1))
    for home in _homes(repository, _MODULE):
        if not hosts.covers(_Home(home)) and not hosts.add(_of_directory(repository, home)):
            hosts.left_out.append(home)
    hosts.forget_shared_attributes()
    for one in placed:
        if one.is_torn and not any(hosts.covers(home) for home in one.homes):
            hosts.add(_of_system(one, shared=False))
    return Found(hosts.sorted(), _likely(repository, hosts), tuple(hosts.left_out))


@dataclass(frozen=True, slots=True)
class _Placed:
    """A system of the flake, and where it lives.

    Args:
        attribute: its name.
        homes: every place that its modules name.
        home: the one that is its own; None: nothing tells.
        is_torn: several are its own alone.
    """

    attribute: str
    homes: tuple[_Home, ...]
    home: _Home | None
    is_torn: bool


class _Names:
    """Machines by their names: the first has it."""

    def __init__(self) -> None:
        self._found: dict[HostName, FoundHost] = {}
        self.left_out: list[PurePosixPath] = []

    def add(self, found: FoundHost | None) -> bool:
        if found is None or found.name in self._found:
            return False
        self._found[found.name] = found
        return True

    def forget_shared_attributes(self) -> None:
        """Let no machine have an attribute that several directories make up."""
        uses = Counter(found.settings.attribute for found in self._found.values())
        for name, found in self._found.items():
            if found.settings.attribute and uses[found.settings.attribute] > 1:
                self._found[name] = replace(found, settings=HostSettings())

    def sorted(self) -> tuple[FoundHost, ...]:
        return tuple(sorted(self._found.values(), key=_order))

    def covers(self, home: _Home) -> bool:
        return any(
            found.directory == home.directory and home.stem in ("", found.name)
            for found in self._found.values()
        )


def _order(found: FoundHost) -> tuple[bool, str, str]:
    return found.directory is None, str(found.directory), found.name


def _systems(repository: Repository) -> tuple[System, ...]:
    """Return the machines that the flake's text shows, each name once; no homes of users."""
    source = repository.sources.find(FLAKE)
    if source is None:
        return ()
    try:
        systems = find_systems(source.content, _reader(repository))
    except NixSyntaxError:
        return ()
    found: dict[str, System] = {}
    for kind in (Kind.NIXOS, Kind.COLMENA, Kind.DARWIN):
        for system in systems:
            if system.kind is kind:
                found.setdefault(system.attribute, system)
    return tuple(found.values())


def _reader(repository: Repository) -> Callable[[PurePosixPath], bytes | None]:
    def read(path: PurePosixPath) -> bytes | None:
        source = repository.sources.glance(path)
        return source.content if source else None

    return read


def _placed(repository: Repository) -> tuple[_Placed, ...]:
    systems = {one.attribute: _homes_of(repository, one) for one in _systems(repository)}
    uses = Counter(home for homes in systems.values() for home in homes)
    return tuple(
        _Placed(attribute, homes, _home(attribute, homes, uses), len(_own(homes, uses)) > 1)
        for attribute, homes in systems.items()
    )


def _own(homes: Iterable[_Home], uses: Counter[_Home]) -> list[_Home]:
    return [home for home in homes if uses[home] == 1 and not home.stem]


def _home(attribute: str, homes: Sequence[_Home], uses: Counter[_Home]) -> _Home | None:
    """Return its own directory, else the module or directory with its name, else a shared one."""
    own = _own(homes, uses)
    modules = [home for home in homes if home.stem]
    named = [home for home in modules if _bears(home.stem, attribute)]
    above = [_Home(one.directory) for one in modules if _bears(one.directory.name, attribute)]
    alone = [home for home in modules if uses[home] == 1 and home.directory.name in USUAL_FOLDERS]
    shared = [home for home in homes if not home.stem]
    for found in (own, named, above, alone, shared):
        if found:
            return found[0] if len(set(found)) == 1 else None
    return None


def _bears(name: str, attribute: str) -> bool:
    return spelling.alike(spelling.forms([name]), spelling.forms([attribute]))


def _homes_of(repository: Repository, system: System) -> tuple[_Home, ...]:
    found = (_home_of(repository, module) for module in system.modules)
    return tuple(dict.fromkeys(home for home in found if home is not None))


def _home_of(repository: Repository, module: str) -> _Home | None:
    """Return what a path literal of the flake points at; None: it is computed, or no host's."""
    if not module.startswith(".") or "${" in module:
        return None
    path = PurePosixPath(posixpath.normpath(FLAKE.parent / module))
    if repository.sources.is_directory(path):
        home = _Home(path)
    elif path.name in (_MODULE, _DEFAULT):
        home = _Home(path.parent)
    else:
        home = _Home(path.parent, path.stem)
    words = {*home.directory.parts, home.stem}
    is_none = home.directory == _ROOT or ".." in path.parts or words & _NO_HOST_MODULES
    return None if is_none else home


def _of_system(placed: _Placed, *, shared: bool) -> FoundHost | None:
    """Return a machine by its directory or module, else by its attribute."""
    home = placed.home
    settings = HostSettings(attribute=placed.attribute)
    directory = home.directory if home else None
    name = placed.attribute
    if home is not None and not shared:
        name = home.stem or _flat(home.directory)
    return _found(name, directory, settings) or _found(placed.attribute, directory, settings)


def _of_directory(repository: Repository, home: PurePosixPath) -> FoundHost | None:
    return _found(_flat(home), home, place_of(repository, HostSettings(), home))


def _found(name: str, directory: PurePosixPath | None, settings: HostSettings) -> FoundHost | None:
    try:
        known = parse_host_name(name)
    except RepositoryError:
        return None
    spelled = {name, *filter(None, (settings.attribute, settings.host_name))}
    if directory is not None and settings.attribute != name:
        spelled |= {directory.name, "-".join(directory.parts[-2:])}
    return FoundHost(known, directory, settings, frozenset(spelled))


def _flat(home: PurePosixPath) -> str:
    """Return a directory's name; that of a host two levels deep has both."""
    below = _below(home)
    return "-".join(below) if below else home.name


def _below(home: PurePosixPath) -> tuple[str, ...]:
    """Return the folders between a usual one and a host, its own included, no architecture."""
    if home.parts[:1] and home.parts[0] in USUAL_FOLDERS:
        return tuple(part for part in home.parts[1:] if not _ARCHITECTURE.fullmatch(part))
    return home.parts


def _homes(repository: Repository, module: str) -> list[PurePosixPath]:
    """Return the directories that hold such a module, in the one folder that has any."""
    homes = {path.parent for path in repository.paths() if path.name == module}
    unwanted = _NO_HOSTS if module == _MODULE else _NO_HOST_MODULES
    usable = [home for home in sorted(homes) if home.parts and not unwanted & set(home.parts)]
    for folder in (*USUAL_FOLDERS, ""):
        here = [home for home in usable if _is_home(home, folder, homes)]
        if here:
            return here
    return []


def _is_home(home: PurePosixPath, folder: str, homes: set[PurePosixPath]) -> bool:
    if not folder:
        return len(home.parts) == 1 and home.name not in USUAL_FOLDERS
    below = _below(home)
    is_here = home.parts[0] == folder and 1 <= len(below) <= _DEEPEST
    return is_here and (len(below) == 1 or home.parent not in homes)


def _likely(repository: Repository, known: _Names) -> tuple[FoundHost, ...]:
    """Return what stands in a usual folder like a host, and nothing says that it is one."""
    likely = _Names()
    usual = [home for home in _homes(repository, _DEFAULT) if home.parts[0] in USUAL_FOLDERS]
    for home in usual:
        if not known.covers(_Home(home)):
            likely.add(_found(_flat(home), home, HostSettings()))
    for path in _beside_each_other(repository):
        if not known.covers(_Home(path.parent, path.stem)):
            likely.add(_found(path.stem, path.parent, HostSettings()))
    return likely.sorted()


def _beside_each_other(repository: Repository) -> Iterator[PurePosixPath]:
    """Yield the modules that lie in a usual folder itself: `hosts/hq.nix`."""
    for path in sorted(repository.paths()):
        is_usual = len(path.parts) > 1 and not _below(path.parent) and path.suffix == ".nix"
        if is_usual and path.parts[0] in USUAL_FOLDERS and path.stem not in _NO_HOST_MODULES:
            yield path
