"""What the repository says: one frozen reading of hosts, people, groups and declarations."""

import re
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePosixPath
from typing import NamedTuple, TypeAlias, TypeVar

from nixsecrets.age.recipient import Recipient
from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.generator import Generator
from nixsecrets.fleet.layout import MANIFEST, Layout
from nixsecrets.fleet.names import (
    GroupName,
    HostName,
    PersonName,
    SecretName,
    UserName,
    nearest,
)
from nixsecrets.fleet.policy import Policy
from nixsecrets.fleet.scopes import (
    Address,
    Admins,
    AtHome,
    InFile,
    InGroup,
    OnHost,
    Scope,
    Shared,
)
from nixsecrets.fleet.templates import Template
from nixsecrets.override import override

__all__ = [
    "Address",
    "Admins",
    "AtHome",
    "InFile",
    "InGroup",
    "OnHost",
    "Scope",
    "Shared",
    "Template",
]


class Engine(Enum):
    NIXOS_REBUILD = "nixos-rebuild"
    COLMENA = "colmena"
    DEPLOY_RS = "deploy-rs"
    PRINT = "print"


class Deliver(Enum):
    """What a host is given: what is declared, or also every other leaf of its documents."""

    DECLARED = "declared"
    ALL = "all"


class Evaluate(Enum):
    """Whether Nix may be asked; it can only lower what the user's own configuration allows."""

    NEVER = "never"
    PURE = "pure"


class Role(Enum):
    """What a person reads."""

    ADMIN = "admin"
    """Every document."""
    MEMBER = "member"
    """What the groups that name it give."""
    ESCROW = "escrow"
    """Every document, and each must name it."""


class IdentityFile(NamedTuple):
    """An age identity at an absolute path on the host."""

    path: str


class IdentitySsh(NamedTuple):
    """SSH host keys at absolute paths on the host."""

    paths: tuple[str, ...]


Identity: TypeAlias = IdentityFile | IdentitySsh


class HostSettings(NamedTuple):
    """What the manifest says about a host; None where it leaves the default."""

    directory: PurePosixPath | None = None
    attribute: str | None = None
    host_name: str | None = None
    anchor: str | None = None
    address: str | None = None
    configuration: PurePosixPath | None = None
    identity: Identity | None = None
    engine: Engine | None = None


class Host(NamedTuple):
    """A machine of the fleet.

    Args:
        name: what the fleet calls it.
        directory: where it lives in the repository.
        attribute: its name in the flake's `nixosConfigurations`; None: it is in no flake.
        host_name: what the machine calls itself.
        anchor: its name in the policy.
        address: where ssh reaches it; None: only its own machine deploys it.
        configuration: the module whose `imports` take the wiring.
        without_flake: `configuration` was set, and the host is built from it.
        identity: what opens its documents there; None: its SSH host key.
        engine: None: the fleet's.
        recipient: None: it has no key file yet and reads nothing.
        public_key: the line of its key file.
        old: while its key is being rotated, the recipient that it leaves behind.
    """

    name: HostName
    directory: PurePosixPath
    attribute: str | None
    host_name: str
    anchor: str
    address: str | None
    configuration: PurePosixPath
    without_flake: bool
    identity: Identity | None
    engine: Engine | None
    recipient: Recipient | None = None
    public_key: str | None = None
    old: Recipient | None = None

    @classmethod
    def of(cls, name: HostName, settings: HostSettings, directory: PurePosixPath) -> "Host":
        """Return the host that `settings` describe; `directory` is where it lives without them."""
        home = settings.directory or directory
        return cls(
            name=name,
            directory=home,
            attribute=settings.attribute,
            host_name=settings.host_name or settings.attribute or name,
            anchor=settings.anchor or name,
            address=settings.address,
            configuration=settings.configuration or home / "configuration.nix",
            without_flake=settings.configuration is not None,
            identity=settings.identity,
            engine=settings.engine,
        )


class HostKey(NamedTuple):
    """What a host's key file holds: its recipient, the line itself, and an older recipient."""

    recipient: Recipient
    public_key: str
    old: Recipient | None = None


class Person(NamedTuple):
    """Recipients are empty where there is no key file."""

    name: PersonName
    role: Role = Role.ADMIN
    recipients: tuple[Recipient, ...] = ()


class User(NamedTuple):
    """A user's identity on one host, which opens that home's document; no person of the fleet.

    Args:
        host: where.
        name: the account there.
        recipients: empty where there is no key file.
    """

    host: HostName
    name: UserName
    recipients: tuple[Recipient, ...] = ()


class Group(NamedTuple):
    """`people` read the group's document and those of its hosts."""

    name: GroupName
    hosts: tuple[HostName, ...] = ()
    people: tuple[PersonName, ...] = ()


class Declaration(NamedTuple):
    """A secret that should exist; two are equal wherever they stand.

    Args:
        name: its leaf's path, and the attribute in the wiring.
        scope: who reads it.
        deliver: whether a host or a home is given it.
        owner: of the file on the host; None: left to sops-nix, as `group` and `mode`.
        group: likewise.
        mode: octal digits.
        restart_units: systemd units restarted when the value changes.
        needed_for_users: decrypted before users exist.
        consumers: options set to the file's path, as they are spelled in Nix; Home Manager's for
            a home.
        path: where the file is to be on the host; None: where sops-nix puts it.
        reload_units: systemd units reloaded when the value changes.
        description: what it is, for people.
        max_age: after so many days it is to be another one.
        rotation: what else is to be done then.
        generator: how its value is made; None: it is set by hand.
        key: the path of its leaf, where the name is another.
        file: its document, where that is not the scope's.
        whole_file: its value is the whole document.
        each: `all` or the group, where one declaration stands for a value per host.
        line: 1-based, in the manifest.
    """

    name: SecretName
    scope: Scope
    deliver: bool = True
    owner: str | None = None
    group: str | None = None
    mode: str | None = None
    restart_units: tuple[str, ...] = ()
    needed_for_users: bool = False
    consumers: tuple[str, ...] = ()
    path: str | None = None
    reload_units: tuple[str, ...] = ()
    description: str | None = None
    max_age: int | None = None
    rotation: str | None = None
    generator: Generator | None = None
    key: str | None = None
    file: PurePosixPath | None = None
    whole_file: bool = False
    each: str | None = None
    line: int = 1

    @property
    def address(self) -> Address:
        return Address(self.scope, self.name)

    @property
    def key_path(self) -> tuple[str, ...]:
        """The mapping keys down to its leaf; of a whole document none."""
        return () if self.whole_file else tuple((self.key or self.name).split("/"))

    @property
    def is_plain(self) -> bool:
        """Whether its value stands in its scope's document, at the path that its name spells."""
        return self.file is None and self.key is None and not self.whole_file

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Declaration) and self[:-1] == other[:-1]

    @override
    def __ne__(self, other: object) -> bool:
        return not self == other

    @override
    def __hash__(self) -> int:
        return hash(self[:-1])


class CommitSettings(NamedTuple):
    """The commit after a rebuild; patterns hold {host}, {directory} and {attribute}.

    Args:
        message: {generation} and {message} have a meaning here too.
        paths: what is committed, where it exists.
        push: whether it is pushed.
    """

    message: str = "{attribute}: generation {generation} - {message}"
    paths: tuple[str, ...] = (
        "flake.nix",
        "flake.lock",
        "{directory}",
        "shared",
        "common",
        "keys",
        ".sops.yaml",
        "nixsecrets.yaml",
        "nixsecrets.lock.json",
    )
    push: bool = True

    def paths_of(self, host: Host) -> tuple[PurePosixPath, ...]:
        return tuple(PurePosixPath(_filled(path, _words(host))) for path in self.paths)

    def message_of(self, host: Host, generation: str, message: str) -> str:
        """Return the commit's message; without a `message` of the user's no dash dangles."""
        words = {**_words(host), "generation": generation, "message": message}
        filled = _filled(self.message, words)
        return filled if message else filled.rstrip(" -:")


class RebuildSettings(NamedTuple):
    """`commit` None: nothing is committed. `log` is a pattern as those of `CommitSettings`."""

    engine: Engine = Engine.NIXOS_REBUILD
    log: str = "{directory}/rebuild.log"
    commit: CommitSettings | None = CommitSettings()

    def log_of(self, host: Host) -> PurePosixPath:
        return PurePosixPath(_filled(self.log, _words(host)))


def _words(host: Host) -> dict[str, str]:
    return {
        "host": host.name,
        "directory": str(host.directory),
        "attribute": host.attribute or host.name,
    }


def _filled(pattern: str, words: Mapping[str, str]) -> str:
    """Fill all placeholders at once: what a word holds is never looked at again."""
    return re.sub(r"\{([a-z]+)\}", lambda found: words[found[1]], pattern)


class Manifest(NamedTuple):
    """What the manifest alone says; everything in the file's order."""

    layout: Layout = Layout()
    people: tuple[Person, ...] = ()
    hosts: tuple[Host, ...] = ()
    groups: tuple[Group, ...] = ()
    declarations: tuple[Declaration, ...] = ()
    templates: tuple[Template, ...] = ()
    deliver: Deliver = Deliver.DECLARED
    evaluate: Evaluate = Evaluate.NEVER
    rebuild: RebuildSettings = RebuildSettings()

    def reaches(self, scope: Scope | InFile, host: HostName) -> bool:
        """Say whether a host itself is given what a scope holds; its homes are not the host."""
        match scope:
            case Shared():
                return True
            case InGroup(name):
                return any(group.name == name and host in group.hosts for group in self.groups)
            case OnHost(name):
                return name == host
            case Admins() | AtHome() | InFile():
                return False

    def hosts_of(self, scope: Scope | InFile) -> tuple[HostName, ...]:
        """Return the hosts that a scope reaches, in the manifest's order."""
        return tuple(host.name for host in self.hosts if self.reaches(scope, host.name))

    def hosts_wired(self, scope: Scope | InFile) -> tuple[HostName, ...]:
        """Return the hosts whose wiring speaks of a scope: also those of a home."""
        return (scope.host,) if isinstance(scope, AtHome) else self.hosts_of(scope)

    def joined(
        self,
        hosts: Mapping[HostName, HostKey],
        people: Mapping[PersonName, tuple[Recipient, ...]],
    ) -> "Manifest":
        """Return the manifest with what the key files say; who is missing has no key file."""
        return self._replace(
            hosts=tuple(_with_key(host, hosts.get(host.name)) for host in self.hosts),
            people=tuple(
                person._replace(recipients=people.get(person.name, ())) for person in self.people
            ),
        )


def _with_key(host: Host, found: HostKey | None) -> Host:
    if found is None:
        return host
    return host._replace(recipient=found.recipient, public_key=found.public_key, old=found.old)


Named = TypeVar("Named", Host, Group, Person)


class Fleet(NamedTuple):
    """The manifest joined with recipients, and the policy.

    Args:
        manifest: the empty one where there is no manifest.
        policy: None: there is no `.sops.yaml`.
        managed: there is a manifest; without one hosts and people are unknown.
        users: those that a declaration or a key file names.
        present: of the admins', the homes' and the escrowed host keys' documents, those that
            there are.
    """

    manifest: Manifest = Manifest()
    policy: Policy | None = None
    managed: bool = True
    users: tuple[User, ...] = ()
    present: frozenset[PurePosixPath] = frozenset()

    @property
    def layout(self) -> Layout:
        return self.manifest.layout

    @property
    def templates(self) -> tuple[Template, ...]:
        return self.manifest.templates

    @property
    def hosts(self) -> tuple[Host, ...]:
        return self.manifest.hosts

    @property
    def people(self) -> tuple[Person, ...]:
        return self.manifest.people

    @property
    def groups(self) -> tuple[Group, ...]:
        return self.manifest.groups

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        return self.manifest.declarations

    def host(self, name: str) -> Host:
        """Return a host; `RepositoryError` with the nearest names where there is none."""
        return self._known("host", name, self.hosts, "`nixsecrets hosts` lists all")

    def group(self, name: str) -> Group:
        """Return a group; `RepositoryError` with the nearest names where there is none."""
        return self._known("group", name, self.groups, f"groups stand in {MANIFEST}")

    def person(self, name: str) -> Person:
        """Return a person; `RepositoryError` with the nearest names where there is none."""
        return self._known("person", name, self.people, f"people stand in {MANIFEST}")

    def user(self, host: HostName, name: UserName) -> User:
        """Return a user of a host; without recipients where nothing names it."""
        known = (user for user in self.users if (user.host, user.name) == (host, name))
        return next(known, User(host, name))

    def this_machine(self, host_name: str) -> Host | None:
        """Return the host whose `host-name` is `host_name`, the machine's own."""
        return next((host for host in self.hosts if host.host_name == host_name), None)

    def engine_of(self, host: Host) -> Engine:
        return host.engine or self.manifest.rebuild.engine

    def _known(self, what: str, name: str, among: tuple[Named, ...], otherwise: str) -> Named:
        for candidate in among:
            if candidate.name == name:
                return candidate
        near = nearest(name, [candidate.name for candidate in among])
        if not self.managed:
            hint = f"without {MANIFEST} no {what} is known"
        else:
            hint = f"did you mean {' or '.join(near)}? {otherwise}" if near else otherwise
        raise RepositoryError(f"unknown {what} {name!r}", hint=hint)
