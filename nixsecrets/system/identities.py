"""The identities of whoever runs this, from every place that sops looks at."""

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import NamedTuple

from nixsecrets.age.identity import Identity, IdentityFile, parse_identities
from nixsecrets.age.passphrase import Ask
from nixsecrets.age.plugin import NOBODY, Person, Tell
from nixsecrets.age.sshidentity import parse_private_key
from nixsecrets.age.sshkey import holds_private_half
from nixsecrets.errors import NixsecretsError, NoIdentityError
from nixsecrets.plaintext import Plaintext
from nixsecrets.system import process

_HOST_IDENTITY = Path("/etc/ssh/ssh_host_ed25519_key")


class _Form(Enum):
    AGE = auto()
    SSH = auto()


_FILE_VARIABLES = {
    "SOPS_AGE_SSH_PRIVATE_KEY_FILE": _Form.SSH,
    "SOPS_AGE_KEY_FILE": _Form.AGE,
}
_COMMAND_VARIABLES = {
    "SOPS_AGE_SSH_PRIVATE_KEY_CMD": _Form.SSH,
    "SOPS_AGE_KEY_CMD": _Form.AGE,
}


class FoundIdentities(NamedTuple):
    """What all sources gave; `refused` names what could not be used: source, line, reason."""

    identities: tuple[Identity, ...]
    refused: tuple[str, ...]


class _Source(NamedTuple):
    name: str
    form: _Form
    read: Callable[[], bytes | None]  # None: nothing is there, and nothing need be
    beside: Path | None = None  # the public half of an ssh identity


def load_identities(
    environment: Mapping[str, str],
    home: Path,
    platform: str = sys.platform,
    *,
    ask: Ask | None = None,
    tell: Tell | None = None,
) -> FoundIdentities:
    """Read all sources; there is no precedence.

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
        ask: asks for a passphrase (or what a plugin wants) when one is needed to open something,
            at most three times for a source; without, what a passphrase protects is refused.
        tell: shows what a plugin says.
    """
    return _load_all(_sources(environment, home, platform), Person(ask, tell))


def load_host_identity(file: Path = _HOST_IDENTITY) -> FoundIdentities:
    """Read this machine's ssh host identity, which root alone may do."""
    return _load_all([_Source(str(file), _Form.SSH, file.read_bytes)], NOBODY)


def _sources(environment: Mapping[str, str], home: Path, platform: str) -> Iterator[_Source]:
    for variable, form in _FILE_VARIABLES.items():
        if file := environment.get(variable):
            name = variable if holds_private_half(file) else f"{variable}={file}"
            yield _Source(name, form, partial(_read, file), Path(f"{file}.pub"))
    for variable, form in _COMMAND_VARIABLES.items():
        if command := environment.get(variable):
            yield _Source(variable, form, partial(_output, command, environment))
    if text := environment.get("SOPS_AGE_KEY"):
        yield _Source("SOPS_AGE_KEY", _Form.AGE, partial(os.fsencode, text))
    for default, form in (
        (home / ".ssh/id_ed25519", _Form.SSH),
        (home / ".ssh/id_rsa", _Form.SSH),
        (default_identity_file(environment, home, platform), _Form.AGE),
    ):
        beside = default.with_name(f"{default.name}.pub")
        yield _Source(str(default), form, partial(_read_if_there, default), beside)


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


def _load_all(sources: Iterable[_Source], person: Person) -> FoundIdentities:
    found: list[Identity] = []
    refused: list[str] = []
    contents: list[Plaintext] = []
    for source in sources:
        try:
            content = source.read()
            if content is not None and Plaintext(content) not in contents:
                contents.append(Plaintext(content))
                parsed = _parse(source, Plaintext(content), person)
                found += parsed.identities
                refused += [f"{source.name}: {reason}" for reason in parsed.refused]
        except OSError as error:
            refused.append(f"{source.name}: it cannot be read: {error.strerror}")
        except NixsecretsError as error:
            refused.append(f"{source.name}: {error.problem}")
    return FoundIdentities(tuple(_without_repetitions(found)), tuple(refused))


def _parse(source: _Source, content: Plaintext, person: Person) -> IdentityFile:
    match source.form:
        case _Form.AGE:
            return parse_identities(content, source.name, person)
        case _Form.SSH:
            public_line = source.beside and _read_if_there(source.beside)
            public = public_line.decode("utf-8", "replace") if public_line else None
            return IdentityFile(parse_private_key(content, source.name, person.ask, public), ())


def _without_repetitions(identities: Iterable[Identity]) -> Iterator[Identity]:
    """Yield those of another recipient than all before, what needs no effort first."""
    seen: set[str] = set()
    for identity in sorted(identities, key=lambda one: one.effort.value):
        name = identity.recipient.text if identity.recipient else ""
        if name not in seen or not name:
            yield identity
        seen.add(name)
