"""Whose a secret is, and the one spelling of a secret."""

from pathlib import PurePosixPath
from typing import Literal, NamedTuple, TypeAlias

from nixsecrets.fleet.names import GroupName, HostName, SecretName, UserName
from nixsecrets.override import override


class Admins(NamedTuple):
    """Admins alone: no host reads it, and nothing of it is delivered."""

    kind: Literal["admins"] = "admins"

    @property
    def prefix(self) -> str:
        return self.kind


class Shared(NamedTuple):
    kind: Literal["shared"] = "shared"

    @property
    def prefix(self) -> str:
        return self.kind


class InGroup(NamedTuple):
    group: GroupName
    kind: Literal["group"] = "group"

    @property
    def prefix(self) -> str:
        return f"{self.kind}/{self.group}"


class OnHost(NamedTuple):
    host: HostName
    kind: Literal["host"] = "host"

    @property
    def prefix(self) -> str:
        return f"{self.kind}/{self.host}"


class AtHome(NamedTuple):
    """A user on a host, who reads it with an identity of its own; the host does not."""

    host: HostName
    user: UserName
    kind: Literal["home"] = "home"

    @property
    def prefix(self) -> str:
        return f"{self.kind}/{self.host}/{self.user}"


class InFile(NamedTuple):
    """A document by its path: one that no scope of the manifest gives."""

    path: PurePosixPath
    kind: Literal["file"] = "file"

    @property
    def prefix(self) -> str:
        return f"{self.kind}/{self.path}"


Scope: TypeAlias = Admins | Shared | InGroup | OnHost | AtHome


class Address(NamedTuple):
    """The one spelling of a secret in output, errors and logs: `host/hq:nextcloud/password`."""

    scope: Scope | InFile
    name: SecretName

    @override
    def __str__(self) -> str:
        return f"{self.scope.prefix}:{self.name}"
