"""What the user's known_hosts say of a host's SSH keys, matched by ssh-keygen.

Of the format (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT) only the marks are read here: hashed names,
patterns and `[host]:port` are ssh-keygen's to match.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from nixsecrets.system.process import failure, run
from nixsecrets.system.ssh import Address, resolve

_NOT_FOUND = 1


class Standing(Enum):
    """What a line says of the public key on it."""

    KNOWN = "known"
    REVOKED = "revoked"
    AUTHORITY = "authority"
    """It signs certificates of hosts; it is no key of a host's own."""


@dataclass(frozen=True, slots=True)
class KnownHost:
    """A line that stands for a host: `TYPE BASE64`, and what it says of that; equal in any file."""

    public: str
    standing: Standing
    file: Path | None = field(default=None, compare=False)


class Verdict(Enum):
    """What all lines together say of one public key of a host."""

    SAME = "same"
    REVOKED = "revoked"
    ANOTHER = "another"
    """They know the host by another key of that type."""
    AUTHORITY = "authority"
    """They name only a certificate authority, whose word is not about a plain key."""
    NOTHING = "nothing"


def known(address: Address, options: Sequence[str] = ()) -> tuple[KnownHost, ...]:
    """Return the lines that stand for a host, in the files that ssh itself would look into.

    Args:
        address: of the host.
        options: of ssh, see `ssh.options_from`.

    Raises:
        ProgramError: ssh or ssh-keygen fails.
    """
    endpoint = resolve(address, options)
    return look_up(endpoint.name, endpoint.known_hosts)


def look_up(name: str, files: Iterable[Path]) -> tuple[KnownHost, ...]:
    """Return the lines of files that stand for a name, `host` or `[host]:port`, each once."""
    present = (file for file in files if file.is_file())
    return tuple(dict.fromkeys(line for file in present for line in _lines_of(name, file)))


def judge(public: str, lines: Sequence[KnownHost]) -> Verdict:
    """Say what the lines of a host make of its key `TYPE BASE64`; a revoked one is so always."""
    if KnownHost(public, Standing.REVOKED) in lines:
        return Verdict.REVOKED
    if KnownHost(public, Standing.KNOWN) in lines:
        return Verdict.SAME
    if others(public, lines):
        return Verdict.ANOTHER
    if any(line.standing is Standing.AUTHORITY for line in lines):
        return Verdict.AUTHORITY
    return Verdict.NOTHING


def others(public: str, lines: Iterable[KnownHost]) -> tuple[KnownHost, ...]:
    """Return the lines that know the host by another key of the type of `TYPE BASE64`."""
    kind = public.partition(" ")[0]
    return tuple(
        line
        for line in lines
        if line.standing is Standing.KNOWN
        and line.public != public
        and line.public.partition(" ")[0] == kind
    )


def _lines_of(name: str, file: Path) -> Iterator[KnownHost]:
    arguments = ("ssh-keygen", "-F", name, "-f", str(file))
    ended = run(arguments)
    if ended.status not in (0, _NOT_FOUND):
        raise failure(arguments, ended)
    for line in ended.stdout.decode("utf-8", "replace").splitlines():
        found = _parse(line.split(), file)
        if found is not None:
            yield found


def _parse(fields: Sequence[str], file: Path) -> KnownHost | None:
    match fields:
        case ["@revoked", _, kind, public, *_]:
            return KnownHost(f"{kind} {public}", Standing.REVOKED, file)
        case ["@cert-authority", _, kind, public, *_]:
            return KnownHost(f"{kind} {public}", Standing.AUTHORITY, file)
        case [first, kind, public, *_] if not first.startswith(("#", "@")):
            return KnownHost(f"{kind} {public}", Standing.KNOWN, file)
        case _:
            return None
