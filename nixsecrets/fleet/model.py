"""What the repository says: one frozen reading of hosts, people, groups and declarations."""

from collections.abc import Mapping
from enum import Enum
from pathlib import PurePosixPath
from typing import NamedTuple, TypeVar

from nixsecrets.age.recipient import Recipient
from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.generator import Generator
from nixsecrets.fleet.host import (
    Engine,
    Host,
    HostKey,
    HostSettings,
    Identity,
    IdentityFile,
    IdentitySsh,
)
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
from nixsecrets.fleet.rebuild import CommitSettings, RebuildSettings
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
    "CommitSettings",
    "Engine",
    "Host",
    "HostKey",
    "HostSettings",
    "Identity",
    "IdentityFile",
    "IdentitySsh",
    "InFile",
    "InGroup",
    "OnHost",
    "RebuildSettings",
    "Scope",
    "Shared",
    "Template",
]


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
