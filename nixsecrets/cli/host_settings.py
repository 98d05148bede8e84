"""What a command is told of a host beside its key."""

from collections.abc import Callable
from functools import wraps

import click

from nixsecrets.errors import NixsecretsError, UsageError
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import HostSettings, Identity, IdentityFile, IdentitySsh
from nixsecrets.fleet.names import HostName
from nixsecrets.fleet.section import parse_absolute
from nixsecrets.plans import hosts
from nixsecrets.system import ssh


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options for what the manifest is to say, handed over as `settings`."""

    @click.option("--attribute", help="Its name in the flake's nixosConfigurations.")
    @click.option("--host-name", help="What the machine calls itself.")
    @click.option("--address", metavar="USER@HOST", help="Where ssh reaches it.")
    @click.option("--identity-file", metavar="PATH", help="On the host: its own age identity.")
    @click.option("--identity-path", metavar="PATH", help="On the host: its SSH host key.")
    @wraps(command)
    def with_settings(
        *,
        attribute: str | None,
        host_name: str | None,
        address: str | None,
        identity_file: str | None,
        identity_path: str | None,
        **others: object,
    ) -> None:
        if address is not None:
            ssh.validate_address(address)
        identity = _identity(identity_file, identity_path)
        settings = HostSettings(
            attribute=attribute, host_name=host_name, address=address, identity=identity
        )
        command(settings=settings, **others)

    return with_settings


def machine_of(repository: Repository, name: HostName, settings: HostSettings) -> str:
    """Return what a host's machine calls itself: what is said, else what the fleet will say."""
    if settings.host_name:
        return settings.host_name
    for host in repository.fleet.hosts:
        if host.name == name:
            return host.host_name
    home = repository.fleet.layout.directory(name, repository.sources.is_directory)
    return settings.attribute or hosts.attribute_of(repository, home) or name


def identity_of(repository: Repository, name: HostName, settings: HostSettings) -> Identity | None:
    """Return what opens a host's documents on it, said now or known before."""
    known = next((host.identity for host in repository.fleet.hosts if host.name == name), None)
    return settings.identity or known


def _identity(file: str | None, path: str | None) -> Identity | None:
    if file is not None and path is not None:
        raise UsageError("--identity-file and --identity-path were given, and a host has one key")
    try:
        if file is not None:
            return IdentityFile(parse_absolute(file))
        return None if path is None else IdentitySsh((parse_absolute(path),))
    except NixsecretsError as error:
        raise UsageError(error.problem, hint=error.hint) from None
