"""A machine of the fleet, as the manifest and its key file describe it."""

from enum import Enum
from pathlib import PurePosixPath
from typing import NamedTuple, TypeAlias

from nixsecrets.age.recipient import Recipient
from nixsecrets.fleet.names import HostName


class Engine(Enum):
    NIXOS_REBUILD = "nixos-rebuild"
    COLMENA = "colmena"
    DEPLOY_RS = "deploy-rs"
    PRINT = "print"


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
