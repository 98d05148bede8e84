"""Run one fixed script on a host, or on this machine; what it is told goes by stdin behind it."""

import os
import secrets
from collections.abc import Sequence

from nixsecrets.errors import ProgramError
from nixsecrets.system.process import Completed, run
from nixsecrets.system.ssh import Address, options_from

# One word to the shell that ssh starts, whichever that is: no quote, backslash or newline in it.
# `read` takes a line and no byte more (POSIX, read), where a shell that reads a script from a
# pipe may take what stands behind it too.
_LOADER = 'IFS= read -r script; eval "$script"'
_PATIENCE = ("-o", "ConnectTimeout=10")  # behind the user's own options, which go before it
_TOKEN_BYTES = 16
_SSH_FAILED = 255  # ssh(1), EXIT STATUS


class UnreachableError(ProgramError):
    """ssh does not reach a host."""


def is_root(address: Address | None) -> bool:
    """Say whether we are root, or ssh would be; without a user it takes our name (ssh(1))."""
    if address is None or address.user is None:
        return os.geteuid() == 0
    return address.user == "root"


def run_script(address: Address | None, script: str, told: Sequence[str]) -> Completed:
    """Run a script by `sh`, as the user that we are there.

    Args:
        address: the host; None: this machine.
        script: a constant of ours, a statement or its part a line; no data is put inside.
        told: what it reads, a line each.

    Raises:
        UnreachableError: ssh does not reach the host.
        ProgramError: a program cannot be started.
    """
    return _run(address, (), script, told)


def run_script_as_root(address: Address | None, script: str, told: Sequence[str]) -> Completed:
    """Run a script as `run_script` does, but as root, which `sudo` makes of us where needed."""
    become = () if is_root(address) else ("sudo",) if address is None else ("sudo", "-n")
    return _run(address, become, script, told)


def make_token() -> str:
    """Return what a script says before and behind its answer, and nobody else can have said."""
    return secrets.token_hex(_TOKEN_BYTES)


def answer(ended: Completed, token: str) -> list[str] | None:
    """Return the lines between the two tokens; None: it did not come to its end.

    What a login shell says stands before the first.
    """
    match ended.stdout.decode("utf-8", "surrogateescape").split(f"{token}\n"):
        case [_, between, _] if ended.status == 0:
            return between.split("\n")[:-1]
        case _:
            return None


def _run(
    address: Address | None, become: Sequence[str], script: str, told: Sequence[str]
) -> Completed:
    line = " ".join(part.strip() for part in script.splitlines())
    stdin = "".join(f"{one}\n" for one in (line, *told)).encode("utf-8", "surrogateescape")
    if address is None:
        return run((*become, "sh", "-c", _LOADER), stdin=stdin)
    port = ("-p", str(address.port)) if address.port else ()
    command = " ".join((*become, "sh", "-c", f"'{_LOADER}'"))
    options = options_from(os.environ)
    ended = run(
        ("ssh", *options, *_PATIENCE, *port, "--", address.destination, command), stdin=stdin
    )
    if ended.status == _SSH_FAILED:
        raise UnreachableError(f"ssh does not reach {address.host}")
    return ended
