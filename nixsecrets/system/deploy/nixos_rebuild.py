"""The engine nixos-rebuild: its command line."""

import os
from enum import Enum
from functools import cache
from pathlib import Path

from nixsecrets.errors import ProgramError
from nixsecrets.system.deploy.script import is_root
from nixsecrets.system.deploy.target import Action, Configuration, Flake, System, Target
from nixsecrets.system.process import run
from nixsecrets.system.ssh import Address

_PROGRAM = "nixos-rebuild"
_DEFAULT_FLAKE = Path("/etc/nixos/flake.nix")


class Privilege(Enum):
    """How the part that needs root becomes root."""

    OURS = "ours"
    """Nothing is to be done: we, or the user at the target, are root, or root is not needed."""

    BY_OPTION = "--sudo"
    """By nixos-rebuild itself, whose evaluation and build stay ours."""

    BEFORE = "sudo"
    """By `sudo` before a nixos-rebuild that knows no --sudo; at a target by its older option."""


def find_privilege(target: Target) -> Privilege:
    """Say how root is become; asks `nixos-rebuild --help` only where it makes a difference.

    Help that cannot be read (no program, no manual pages) is taken for a recent one's.
    """
    if target.action is Action.BUILD or is_root(target.address):
        return Privilege.OURS
    return Privilege.BY_OPTION if _knows_sudo() else Privilege.BEFORE


def command(
    target: Target, root: Path, privilege: Privilege, default_flake: Path = _DEFAULT_FLAKE
) -> tuple[str, ...]:
    """Return the command line, to be run in `root`.

    The attribute is always named: nixos-rebuild would take the host name of the machine it runs
    on. Where `default_flake` exists it would be taken for a system without a flake, so that is
    switched off. A port goes in NIX_SSHOPTS, as --target-host knows none.
    """
    return (
        *_before(target.address, privilege),
        _PROGRAM,
        target.action.value,
        *_built_from(target.system, root, default_flake),
        *(("--target-host", target.address.destination) if target.address else ()),
        *_elevation(target.address, privilege),
        *target.extra,
    )


@cache
def _knows_sudo() -> bool:
    try:
        told = run((_PROGRAM, "--help")).stdout
    except ProgramError:
        return True
    return not told or b"--sudo" in told


def _before(address: Address | None, privilege: Privilege) -> tuple[str, ...]:
    if address is None:
        return ("sudo",) if privilege is Privilege.BEFORE else ()
    if address.port is None:
        return ()
    options = f"{os.environ.get('NIX_SSHOPTS', '')} -p {address.port}".lstrip()
    return ("env", f"NIX_SSHOPTS={options}")


def _built_from(system: System, root: Path, default_flake: Path) -> tuple[str, ...]:
    match system:
        case Flake(attribute):
            return ("--flake", f".#{attribute}")
        case Configuration(path):
            off = ("--no-flake",) if default_flake.exists() else ()
            return ("-I", f"nixos-config={root / path}", *off)


def _elevation(address: Address | None, privilege: Privilege) -> tuple[str, ...]:
    match privilege:
        case Privilege.OURS:
            return ()
        case Privilege.BY_OPTION:
            return ("--sudo",)
        case Privilege.BEFORE:
            return ("--use-remote-sudo",) if address else ()
