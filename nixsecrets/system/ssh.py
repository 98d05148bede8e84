"""Hosts over SSH, by OpenSSH's programs: public halves, what is known of them, one fixed script."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from nixsecrets.errors import ProgramError, UsageError
from nixsecrets.system.process import Completed, failure, run

_DEFAULT_PORT = 22
_SCAN_TIMEOUT_S = 5
_LAST_PORT = 65535
_NOT_FOUND = 1
# [USER@]HOST[:PORT] with HOST a name, an IPv4 or a bracketed IPv6 address, or a bare IPv6 address.
_ADDRESS = re.compile(
    r"""(?: (?P<user> [A-Za-z0-9_.] [A-Za-z0-9_.+@-]* ) @ )?
        (?: (?P<bare> [0-9A-Fa-f]* : [0-9A-Fa-f:.]* : [0-9A-Fa-f:.]* (?: %[A-Za-z0-9_.-]+ )? )
          | (?: \[ (?P<boxed> [0-9A-Fa-f:.]+ (?: %[A-Za-z0-9_.-]+ )? ) \]
              | (?P<name> [A-Za-z0-9_] [A-Za-z0-9_.-]* ) )
            (?: : (?P<port> [0-9]{1,5} ) )? )""",
    re.ASCII | re.VERBOSE,
)
_KNOWN_HOSTS = (Path("~/.ssh/known_hosts"), Path("/etc/ssh/ssh_known_hosts"))


@dataclass(frozen=True, slots=True)
class Address:
    """Where a host answers; no part begins with `-` or holds blanks.

    Args:
        user: None: whom ssh's configuration names.
        host: a name or an IP address, without brackets.
        port: None: which ssh's configuration names.
    """

    user: str | None
    host: str
    port: int | None = None

    @property
    def destination(self) -> str:
        """USER@HOST for ssh's argument list; the port goes in an option."""
        return f"{self.user}@{self.host}" if self.user else self.host


class Standing(Enum):
    """What a line of known_hosts says of a public key (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""

    KNOWN = "known"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class KnownHost:
    """A public key that known_hosts has for a host: `TYPE BASE64`, and what it says of it."""

    public: str
    standing: Standing


def validate_address(text: str) -> Address:
    """Read `[USER@]HOST[:PORT]`; an IPv6 address with a port stands in brackets.

    Raises:
        UsageError: it is something else, and might be an option or a command to ssh.
    """
    found = _ADDRESS.fullmatch(text)
    port = int(found["port"]) if found and found["port"] else None
    if found is None or not (port is None or 0 < port <= _LAST_PORT):
        raise UsageError(f"{text!r} is no address of a host", hint="write [USER@]HOST[:PORT]")
    return Address(found["user"], found["bare"] or found["boxed"] or found["name"], port)


def options_from(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the options in `NIX_SSHOPTS`, which nixos-rebuild gives to ssh too.

    Raises:
        UsageError: a quote in it is left open.
    """
    try:
        return tuple(shlex.split(environment.get("NIX_SSHOPTS", "")))
    except ValueError:
        raise UsageError("a quote in NIX_SSHOPTS is left open") from None


def scan(address: Address) -> tuple[str, ...]:
    """Ask a host for its ssh-ed25519 public keys: `ssh-ed25519 BASE64`. Proves nothing about it.

    Raises:
        ProgramError: nobody answered, or only with keys of other types.
    """
    found = _scan(address, "ed25519")
    if found:
        return found
    others = sorted({line.partition(" ")[0] for line in _scan(address, "rsa,ecdsa")})
    if others:
        raise ProgramError(
            f"{address.host} has no ssh-ed25519 host key, only {', '.join(others)}",
            hint="make one on the host with `ssh-keygen -A`, then scan again",
        )
    raise ProgramError(
        f"no SSH server answered at {address.host}, port {address.port or _DEFAULT_PORT}",
        hint="see that sshd runs there, or give the public key with `add-host NAME --key FILE`",
    )


def known(address: Address, file: Path | None = None) -> tuple[KnownHost, ...]:
    """Return what known_hosts says of a host; lines of certificate authorities say nothing here.

    Args:
        address: hashed names, patterns and `[host]:port` are matched by ssh-keygen.
        file: None: the user's and the machine's known_hosts.
    """
    files = [file] if file else [place.expanduser() for place in _KNOWN_HOSTS]
    hosts: dict[KnownHost, None] = {}
    for place in files:
        if place.is_file():
            hosts.update(dict.fromkeys(_known_in(place, address)))
    return tuple(hosts)


def run_script(address: Address, script: str, options: Sequence[str] = ()) -> Completed:
    """Run a fixed script with `sh` on a host; 255 is ssh's own failure (ssh(1), EXIT STATUS).

    Args:
        address: the host.
        script: a constant of ours: no data is ever put inside.
        options: see `options_from`.
    """
    port = ("-p", str(address.port)) if address.port else ()
    arguments = ("ssh", *options, *port, "--", address.destination, "sh", "-s")
    return run(arguments, stdin=script.encode())


def _scan(address: Address, types: str) -> tuple[str, ...]:
    port = ("-p", str(address.port)) if address.port else ()
    timeout = ("-T", str(_SCAN_TIMEOUT_S))
    ended = run(("ssh-keyscan", *timeout, "-t", types, *port, address.host))
    answers = [host for line in _lines(ended) if (host := _parse_known(line.split()))]
    return tuple(dict.fromkeys(answer.public for answer in answers))


def _known_in(file: Path, address: Address) -> list[KnownHost]:
    port = address.port or _DEFAULT_PORT
    name = address.host if port == _DEFAULT_PORT else f"[{address.host}]:{port}"
    arguments = ("ssh-keygen", "-F", name, "-f", str(file))
    ended = run(arguments)
    if ended.status == _NOT_FOUND:
        return []
    if ended.status != 0:
        raise failure(arguments, ended)
    return [host for line in _lines(ended) if (host := _parse_known(line.split()))]


def _lines(ended: Completed) -> list[str]:
    return ended.stdout.decode("utf-8", "replace").splitlines()


def _parse_known(fields: list[str]) -> KnownHost | None:
    match fields:
        case ["@revoked", _, kind, public, *_]:
            return KnownHost(f"{kind} {public}", Standing.REVOKED)
        case [first, kind, public, *_] if not first.startswith(("#", "@")):
            return KnownHost(f"{kind} {public}", Standing.KNOWN)
        case _:
            return None
