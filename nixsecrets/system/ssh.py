"""Hosts over SSH, by OpenSSH's programs: how they are reached, public halves, one fixed script."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nixsecrets.errors import ProgramError, UsageError
from nixsecrets.system.process import Completed, failure, run

_DEFAULT_PORT = 22
_SCAN_TIMEOUT_S = 5
_LONGEST = 320  # a name of DNS has 253 characters (RFC 1035); with a user and a port
_LAST_PORT = 65535
# [USER@]HOST[:PORT] with HOST a name, an IPv4 or a bracketed IPv6 address, or a bare IPv6 address.
_ADDRESS = re.compile(
    r"""(?: (?P<user> [A-Za-z0-9_.] [A-Za-z0-9_.+@-]* ) @ )?
        (?: (?P<bare> [0-9A-Fa-f]* : [0-9A-Fa-f:.]* : [0-9A-Fa-f:.]* (?: %[A-Za-z0-9_.-]+ )? )
          | (?: \[ (?P<boxed> [0-9A-Fa-f:.]+ (?: %[A-Za-z0-9_.-]+ )? ) \]
              | (?P<name> [A-Za-z0-9_] [A-Za-z0-9_.-]* ) )
            (?: : (?P<port> [0-9]{1,5} ) )? )""",
    re.ASCII | re.VERBOSE,
)
_UNSET = "none"


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


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host as ssh would reach it, after the user's own configuration.

    Args:
        host: the name or IP address that is connected to.
        port: of its sshd.
        name: what it is called in known_hosts: `host`, `[host]:port`, or its `HostKeyAlias`.
        known_hosts: the files that vouch for it, the user's first; they may be missing.
        proxied: it is reached over another host, or by a program.
    """

    host: str
    port: int
    name: str
    known_hosts: tuple[Path, ...]
    proxied: bool


def validate_address(text: str) -> Address:
    """Read `[USER@]HOST[:PORT]`; an IPv6 address with a port stands in brackets.

    Raises:
        UsageError: it is something else, and might be an option or a command to ssh.
    """
    found = _ADDRESS.fullmatch(text) if len(text) <= _LONGEST else None
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


def resolve(address: Address, options: Sequence[str] = ()) -> Endpoint:
    """Ask ssh itself how it would reach a host: aliases of the user's configuration hold.

    Args:
        address: of the host.
        options: see `options_from`.

    Raises:
        ProgramError: ssh cannot read its configuration.
    """
    arguments = ("ssh", "-G", *options, *_port(address), "--", address.destination)
    ended = run(arguments)
    if ended.status != 0:
        raise failure(arguments, ended)
    lines = (line.partition(" ") for line in ended.stdout.decode("utf-8", "replace").splitlines())
    says = {word: value for word, _, value in lines}
    host, port = says.get("hostname", address.host), int(says.get("port", _DEFAULT_PORT))
    name = host if port == _DEFAULT_PORT else f"[{host}]:{port}"
    files = " ".join((says.get("userknownhostsfile", ""), says.get("globalknownhostsfile", "")))
    return Endpoint(
        host,
        port,
        _set(says.get("hostkeyalias")) or name,
        tuple(Path(file).expanduser() for file in files.split() if _set(file)),
        any(_set(says.get(word)) for word in ("proxyjump", "proxycommand")),
    )


def scan(address: Address, options: Sequence[str] = ()) -> tuple[str, ...]:
    """Ask a host for its ssh-ed25519 public keys: `ssh-ed25519 BASE64`. Proves nothing about it.

    Args:
        address: of the host.
        options: see `options_from`; they count as far as they say where the host is.

    Raises:
        ProgramError: nobody answered, or only with keys of other types.
        UsageError: ssh reaches it over another host, which ssh-keyscan cannot.
    """
    endpoint = resolve(address, options)
    if endpoint.proxied:
        raise UsageError(
            f"ssh reaches {address.host} over another host, and ssh-keyscan cannot",
            hint=f'--key "$(ssh {address.destination} cat /etc/ssh/ssh_host_ed25519_key.pub)"',
        )
    found = _scan(endpoint, "ed25519")
    if found:
        return found
    others = sorted({line.partition(" ")[0] for line in _scan(endpoint, "rsa,ecdsa")})
    if others:
        raise ProgramError(
            f"{address.host} has no ssh-ed25519 host key, only {', '.join(others)}, which "
            "sops-nix makes no age identity of",
            hint="make one: `ssh-keygen -A` as root on it, and with NixOS an entry of type "
            '"ed25519" in services.openssh.hostKeys; then scan again',
        )
    raise ProgramError(
        f"no SSH server answered at {endpoint.host}, port {endpoint.port}",
        hint="see that sshd runs there, or give the public key with `add-host NAME --key FILE`",
    )


def run_script(address: Address, script: str, options: Sequence[str] = ()) -> Completed:
    """Run a fixed script with `sh` on a host; 255 is ssh's own failure (ssh(1), EXIT STATUS).

    Args:
        address: the host.
        script: a constant of ours: no data is ever put inside.
        options: see `options_from`.
    """
    arguments = ("ssh", *options, *_port(address), "--", address.destination, "sh", "-s")
    return run(arguments, stdin=script.encode())


def _scan(endpoint: Endpoint, types: str) -> tuple[str, ...]:
    timeout = ("-T", str(_SCAN_TIMEOUT_S))
    port = ("-p", str(endpoint.port))
    ended = run(("ssh-keyscan", *timeout, "-t", types, *port, "--", endpoint.host))
    lines = ended.stdout.decode("utf-8", "replace").splitlines()
    answers = (line.split() for line in lines if not line.startswith("#"))
    return tuple(dict.fromkeys(" ".join(fields[1:3]) for fields in answers if len(fields) > 2))  # noqa: PLR2004  # HOST TYPE BASE64


def _port(address: Address) -> tuple[str, ...]:
    return ("-p", str(address.port)) if address.port else ()


def _set(value: str | None) -> str | None:
    """Return what an option is set to; ssh spells one that is not set `none`."""
    return None if value in (None, "", _UNSET) else value
