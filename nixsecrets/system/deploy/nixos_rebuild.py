"""The engine nixos-rebuild: its command line, its run with a log, the generation it made."""

import os
import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from nixsecrets.errors import ProgramError
from nixsecrets.system.deploy.target import Action, Configuration, Flake, System, Target
from nixsecrets.system.process import run, stream
from nixsecrets.system.ssh import Address, options_from, run_script
from nixsecrets.system.transaction import open_log

PROFILE = Path("/nix/var/nix/profiles/system")

_PROGRAM = "nixos-rebuild"
_DEFAULT_FLAKE = Path("/etc/nixos/flake.nix")
_READ_PROFILE = "readlink /nix/var/nix/profiles/system\n"
_GENERATION = re.compile(r"system-([0-9]+)-link", re.ASCII)
# Of switch-to-configuration, which runs when the profile is set already: an activation script
# failed, systemd did not reload, a unit failed.
_STATUSES_AFTER_PROFILE = (2, 3, 4)


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
    if target.action is Action.BUILD or _is_root(target.address):
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


def deploy(target: Target, arguments: Sequence[str], root: Path, log: PurePosixPath) -> None:
    """Run a command line of `command`; what it says goes to stderr and anew to the log.

    Raises:
        ProgramError: it cannot be started, or ends with another status than 0.
        RepositoryError: the log cannot be made.
    """
    with open_log(root, log) as written:
        _note(written, f"{target.name}: {shlex.join(arguments)}")
        ended = "did not end by itself"
        try:
            status = stream(arguments, log=written, cwd=root)
            ended = f"ended with status {status}"
        finally:
            _note(written, f"{target.name}: {ended}")
    if status != 0:
        raise _failure(target, status, log)


def find_generation(address: Address | None, profile: Path = PROFILE) -> int | None:
    """Return the number of the generation that the system profile links to.

    Args:
        address: the host, whose profile is read by ssh; None: this machine.
        profile: this machine's.

    Returns:
        None: the link cannot be read, or is none of nixos-rebuild's.
    """
    link = _read_link(profile) if address is None else _read_link_at(address)
    found = _GENERATION.fullmatch(link.rpartition("/")[2])
    return int(found[1]) if found else None


@cache
def _knows_sudo() -> bool:
    try:
        told = run((_PROGRAM, "--help")).stdout
    except ProgramError:
        return True
    return not told or b"--sudo" in told


def _is_root(address: Address | None) -> bool:
    """Say whether we are root, or ssh would be; without a user it takes our name (ssh(1))."""
    if address is None or address.user is None:
        return os.geteuid() == 0
    return address.user == "root"


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


def _note(log: BinaryIO, words: str) -> None:
    """Add a line of ours to a log; one that takes no more stops nothing, as in `stream`."""
    with suppress(OSError):
        log.write(f"# {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC {words}\n".encode())


def _failure(target: Target, status: int, log: PurePosixPath) -> ProgramError:
    how = f"status {status}" if status > 0 else f"signal {-status}"
    hint = f"its output stands in {log}"
    if target.action.makes_generation and status in _STATUSES_AFTER_PROFILE:
        hint += "; the new generation may be the default at boot already"
    return ProgramError(f"{_PROGRAM} {target.action} of {target.name} failed with {how}", hint=hint)


def _read_link(profile: Path) -> str:
    try:
        return str(profile.readlink())
    except OSError:
        return ""


def _read_link_at(address: Address) -> str:
    ended = run_script(address, _READ_PROFILE, options_from(os.environ))
    return ended.stdout.decode("utf-8", "replace").strip() if ended.status == 0 else ""
