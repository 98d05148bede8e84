"""The identities of whoever runs this, from every place that sops looks at."""

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nixsecrets.age.identity import Identity, IdentityFile, parse_identities
from nixsecrets.age.sshidentity import parse_private_key
from nixsecrets.age.sshkey import holds_private_half
from nixsecrets.errors import NixsecretsError, NoIdentityError
from nixsecrets.plaintext import Plaintext
from nixsecrets.system import process

_Parse = Callable[[Plaintext, str], IdentityFile]

_HOST_IDENTITY = Path("/etc/ssh/ssh_host_ed25519_key")


def _parse_ssh(content: Plaintext, source: str) -> IdentityFile:
    return IdentityFile(parse_private_key(content, source), ())


_FILE_VARIABLES: Mapping[str, _Parse] = {
    "SOPS_AGE_SSH_PRIVATE_KEY_FILE": _parse_ssh,
    "SOPS_AGE_KEY_FILE": parse_identities,
}
_COMMAND_VARIABLES: Mapping[str, _Parse] = {
    "SOPS_AGE_SSH_PRIVATE_KEY_CMD": _parse_ssh,
    "SOPS_AGE_KEY_CMD": parse_identities,
}


@dataclass(frozen=True, slots=True)
class FoundIdentities:
    """What all sources gave; `refused` names what could not be used: source, line, reason."""

    identities: tuple[Identity, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    read: Callable[[], bytes | None]  # None: nothing is there, and nothing need be
    parse: _Parse


def load_identities(
    environment: Mapping[str, str], home: Path, platform: str = sys.platform
) -> FoundIdentities:
    """Read all sources that need neither plugin nor passphrase; there is no precedence.

    As sops does, from `SOPS_AGE_SSH_PRIVATE_KEY_FILE`, `SOPS_AGE_SSH_PRIVATE_KEY_CMD`,
    `~/.ssh/id_ed25519`, `~/.ssh/id_rsa`, `SOPS_AGE_KEY`, `SOPS_AGE_KEY_FILE`,
    `SOPS_AGE_KEY_CMD` and the default file. A source that cannot be used is skipped and named.
    Other than with sops, a command runs once and is not told a recipient
    (`SOPS_AGE_RECIPIENT`), and an ssh-ed25519 identity also opens what is wrapped to its
    conversion.

    Args:
        environment: the variables; commands get the whole of it.
        home: the user's home directory.
        platform: as `sys.platform`; it decides where the default file lies.
    """
    return _load_all(_sources(environment, home, platform))


def load_host_identity(file: Path = _HOST_IDENTITY) -> FoundIdentities:
    """Read this machine's ssh host identity, which root alone may do."""
    return _load_all([_Source(str(file), file.read_bytes, _parse_ssh)])


def _sources(environment: Mapping[str, str], home: Path, platform: str) -> Iterator[_Source]:
    for variable, parse in _FILE_VARIABLES.items():
        if file := environment.get(variable):
            name = variable if holds_private_half(file) else f"{variable}={file}"
            yield _Source(name, partial(_read, file), parse)
    for variable, parse in _COMMAND_VARIABLES.items():
        if command := environment.get(variable):
            yield _Source(variable, partial(_output, command, environment), parse)
    if text := environment.get("SOPS_AGE_KEY"):
        yield _Source("SOPS_AGE_KEY", partial(os.fsencode, text), parse_identities)
    for default, parse in (
        (home / ".ssh/id_ed25519", _parse_ssh),
        (home / ".ssh/id_rsa", _parse_ssh),
        (default_identity_file(environment, home, platform), parse_identities),
    ):
        yield _Source(str(default), partial(_read_if_there, default), parse)


def default_identity_file(
    environment: Mapping[str, str], home: Path, platform: str = sys.platform
) -> Path:
    """Return where sops looks without being told: below the user's configuration folder."""
    return _configuration(environment, home, platform) / "sops/age/keys.txt"


def _configuration(environment: Mapping[str, str], home: Path, platform: str) -> Path:
    """Return where sops looks for a user's configuration (its `age/keysource.go`)."""
    configured = Path(environment.get("XDG_CONFIG_HOME", ""))
    if configured.is_absolute():  # the base directory specification: a relative one is ignored
        return configured
    return home / ("Library/Application Support" if platform == "darwin" else ".config")


def _read(file: str) -> bytes:
    if holds_private_half(file):
        raise NoIdentityError("it holds an identity where the path of a file belongs")
    return Path(file).read_bytes()


def _read_if_there(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _output(command: str, environment: Mapping[str, str]) -> bytes:
    if holds_private_half(command):
        raise NoIdentityError("it holds an identity where a command belongs")
    try:
        arguments = shlex.split(command)
    except ValueError:
        raise NoIdentityError("its quotes do not close") from None
    if not arguments:
        raise NoIdentityError("it names no program")
    return process.output(arguments, environment=environment)


def _load_all(sources: Iterable[_Source]) -> FoundIdentities:
    identities: dict[str, Identity] = {}
    refused: list[str] = []
    for source in sources:
        found = _load(source)
        refused += [f"{source.name}: {reason}" for reason in found.refused]
        for identity in found.identities:
            identities.setdefault(identity.recipient.text, identity)
    return FoundIdentities(tuple(identities.values()), tuple(refused))


def _load(source: _Source) -> IdentityFile:
    try:
        content = source.read()
        if content is None:
            return IdentityFile((), ())
        return source.parse(Plaintext(content), source.name)
    except OSError as error:
        return IdentityFile((), (f"it cannot be read: {error.strerror}",))
    except NixsecretsError as error:
        return IdentityFile((), (error.problem,))
