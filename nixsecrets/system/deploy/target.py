"""What is to be deployed, and where: all that an engine is told."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TypeAlias

from nixsecrets.system.ssh import Address


class Action(StrEnum):
    """What becomes of the built system, in nixos-rebuild's words (nixos-rebuild(8))."""

    SWITCH = "switch"
    BOOT = "boot"
    TEST = "test"
    BUILD = "build"
    DRY_ACTIVATE = "dry-activate"

    @property
    def makes_generation(self) -> bool:
        return self in (Action.SWITCH, Action.BOOT)

    @property
    def activates(self) -> bool:
        return self in (Action.SWITCH, Action.TEST)


@dataclass(frozen=True, slots=True)
class Flake:
    """A system by its name in the `nixosConfigurations` of the repository's flake."""

    attribute: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """A system by its module, relative to the repository's root; no flake is looked at."""

    path: PurePosixPath


System: TypeAlias = Flake | Configuration


@dataclass(frozen=True, slots=True)
class Target:
    """One host to be deployed.

    Args:
        name: of the host, for the log and messages.
        system: what is built.
        action: what becomes of it.
        address: where ssh reaches the host; None: it is the machine that the command runs on.
        extra: further arguments of the user's, as they are.
    """

    name: str
    system: System
    action: Action
    address: Address | None = None
    extra: tuple[str, ...] = ()
