"""add-host and hosts."""

from dataclasses import dataclass
from pathlib import Path

import click
from click.exceptions import Exit

from nixsecrets.age.ssh import generate_ed25519
from nixsecrets.age.sshkey import parse_public_key
from nixsecrets.change import PUBLIC_MODE, Export
from nixsecrets.cli.app import (
    App,
    absolute,
    in_color,
    read_file,
    refuse_private_half,
    require_manifest,
    tell,
)
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.writing import find_app
from nixsecrets.errors import ExitStatus, FoundError, NixsecretsError, UsageError
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.load import Repository, parse_host_key
from nixsecrets.fleet.model import HostKey, HostSettings, IdentityFile
from nixsecrets.fleet.names import HostName, parse_group_name, parse_host_name
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import hosts
from nixsecrets.plans.draft import Draft
from nixsecrets.report import json, text
from nixsecrets.report.table import Table
from nixsecrets.system import git, ssh, terminal
from nixsecrets.system.ssh import KnownHost, Standing

THIS_MACHINE = Path("/etc/ssh/ssh_host_ed25519_key.pub")
_KEY_FILE = "ssh_host_ed25519_key"
_SHOW_FINGERPRINT = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
_ALGORITHMS = ("ssh-", "ecdsa-", "sk-", "age1")


@dataclass(frozen=True, slots=True)
class _KeyOptions:
    """Where the host's key comes from; at most one of the first four."""

    key: str | None
    scan: str | None
    generate: Path | None
    age: str | None
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class _Obtained:
    key: HostKey
    exports: tuple[Export, ...] = ()


@click.command("add-host")
@click.argument("name")
@click.option("--key", metavar="FILE|LINE", help="The host's ssh-ed25519 public key.")
@click.option("--scan", metavar="ADDR", help="Ask the host by ssh-keyscan.")
@click.option("--fingerprint", metavar="SHA256:…", help="What the scanned key must be.")
@click.option(
    "--generate",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Make a new host key; both halves go to DIR, outside any repository.",
)
@click.option("--age", metavar="AGE1…", help="An age recipient, for a host without sshd.")
@click.option("--attribute", help="Its name in the flake's nixosConfigurations.")
@click.option("--host-name", help="What the machine calls itself.")
@click.option("--address", metavar="USER@HOST", help="Where ssh reaches it.")
@click.option("--group", "groups", multiple=True, help="A group it joins; may be repeated.")
@click.option("--identity-file", metavar="PATH", help="On the host: the age identity for --age.")
@consent_options
def add_host_command(
    name: str,
    key: str | None,
    scan: str | None,
    fingerprint: str | None,
    generate: Path | None,
    age: str | None,
    attribute: str | None,
    host_name: str | None,
    address: str | None,
    groups: tuple[str, ...],
    identity_file: str | None,
    consent: Consent,
) -> None:
    """Let the host NAME read what it is meant to, in one transaction.

    Its key comes from this machine, or from one of --key, --scan, --generate and --age. Key file,
    manifest, policy, documents and wiring change together.
    """
    app = find_app()
    if address is not None:
        ssh.validate_address(address)
    settings = HostSettings(
        attribute=attribute,
        host_name=host_name,
        address=address,
        identity=IdentityFile(identity_file) if identity_file else None,
    )
    options = _KeyOptions(key, scan, generate, age, fingerprint)
    host = parse_host_name(name)
    joined = tuple(parse_group_name(group) for group in groups)
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        machine = _machine(repository, host, settings)
        obtained = _obtain(app, options, machine)
        draft = Draft(repository)
        if obtained.exports:
            draft = draft.noting(f"bring both halves to /etc/ssh of {machine}, then remove them")
        if obtained.key.public_key.startswith("age1"):
            draft = _warn_of_identity(draft, host, settings)
        draft = hosts.add(draft, hosts.NewHost(host, obtained.key, settings, joined), app.unlock)
        for export in obtained.exports:
            draft = draft.exporting(export)
        carry_out(app, draft.plan(f"add host {host}"), consent)


@click.command("hosts")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def hosts_command(as_json: bool) -> None:
    """List the hosts and their recipients."""
    fleet = find_app().read().fleet
    rows = tuple(
        (
            host.name,
            str(host.directory),
            host.attribute or "-",
            host.host_name,
            host.address or "-",
            host.recipient.text if host.recipient else "no key yet",
        )
        for host in fleet.hosts
    )
    columns = ("host", "directory", "attribute", "host name", "address", "recipient")
    nowhere = "no hosts; `nixsecrets add-host NAME` adds one"
    if not fleet.managed:
        nowhere = f"without {MANIFEST} no host is known"
    table = Table(columns, rows, empty=nowhere)
    render = json.render_table(table) if as_json else text.render_table(table, color=in_color())
    click.echo(render)


def _machine(repository: Repository, name: HostName, settings: HostSettings) -> str:
    """Return what a host's machine calls itself: what is said, else what the fleet will say."""
    if settings.host_name:
        return settings.host_name
    for host in repository.fleet.hosts:
        if host.name == name:
            return host.host_name
    home = repository.fleet.layout.directory(name, repository.sources.is_directory)
    return settings.attribute or hosts.attribute_of(repository, home) or name


def _warn_of_identity(draft: Draft, name: HostName, settings: HostSettings) -> Draft:
    """Warn where sops-nix would look for an SSH host key that may not be the recipient's."""
    known = any(host.name == name and host.identity for host in draft.fleet.hosts)
    if known or settings.identity is not None:
        return draft
    return draft.warning(
        f"nothing says where {name} keeps the identity of that recipient, so that it is looked "
        "for in its SSH host key; --identity-file PATH says otherwise"
    )


def _obtain(app: App, options: _KeyOptions, machine: str) -> _Obtained:
    """Return the public half that is asked for; without a word, this machine's own.

    Args:
        app: this call.
        options: at most one source.
        machine: what the host that is added calls itself.
    """
    sources = {
        "--key": options.key,
        "--scan": options.scan,
        "--generate": options.generate,
        "--age": options.age,
    }
    given = [option for option, value in sources.items() if value]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} were given, and a host has one key")
    if options.fingerprint and not options.scan:
        raise UsageError("--fingerprint goes with --scan")
    if options.key:
        return _Obtained(_from_key(options.key))
    if options.age:
        refuse_private_half(options.age)
        return _Obtained(_parsed(options.age, "--age"))
    if options.scan:
        return _Obtained(_scanned(options.scan, options.fingerprint))
    if options.generate:
        return _generated(absolute(options.generate), machine)
    return _Obtained(_of_this_machine(app, machine))


def _from_key(key: str) -> HostKey:
    refuse_private_half(key)
    if key.startswith(_ALGORITHMS):
        return _parsed(key, "--key")
    return _parsed(read_file(Path(key)).decode("utf-8", "replace"), key)


def _parsed(text: str, place: str) -> HostKey:
    try:
        return parse_host_key(text)
    except NixsecretsError as error:
        raise error.within(place) from None


def _of_this_machine(app: App, machine: str) -> HostKey:
    if app.host_name != machine:
        raise UsageError(
            f"this machine is {app.host_name}, not {machine}, so its key is not taken",
            hint=f"give --key, --scan, --generate or --age; or --host-name {app.host_name}, "
            "where that is what the host calls itself",
        )
    try:
        return _from_key(str(THIS_MACHINE))
    except UsageError as error:
        hint = "run `ssh-keygen -A` as root, or give --age for a machine without sshd"
        raise UsageError(error.problem, hint=hint) from None


def _scanned(address: str, fingerprint: str | None) -> HostKey:
    """Return the key that a host answers with, once a person or known_hosts vouches for it."""
    where = ssh.validate_address(address)
    line = ssh.scan(where)[0]
    found, known = parse_public_key(line), ssh.known(where)
    if KnownHost(line, Standing.REVOKED) in known:  # always wins, sshd(8)
        raise FoundError(
            f"{found.fingerprint} of {address} is revoked in known_hosts",
            hint="make a new host key on that host",
        )
    if fingerprint is not None:
        if found.fingerprint != fingerprint:
            raise FoundError(
                f"{address} answers with {found.fingerprint}, not with {fingerprint}",
                hint=f"somebody else may have answered; on the host itself: {_SHOW_FINGERPRINT}",
            )
        return parse_host_key(line)
    if KnownHost(line, Standing.KNOWN) in known:
        tell(f"{address}: {found.fingerprint} stands in known_hosts")
        return parse_host_key(line)
    if any(one.public.startswith("ssh-ed25519 ") for one in known):
        tell(f"warning: known_hosts has another ssh-ed25519 key for {address}")
    _ask_about(address, found.fingerprint)
    return parse_host_key(line)


def _ask_about(address: str, fingerprint: str) -> None:
    tell(f"{address} answers with {fingerprint}")
    tell(f"compare it on the host itself: {_SHOW_FINGERPRINT}")
    flag = f"--fingerprint SHA256:… as the host itself shows it: {_SHOW_FINGERPRINT}"
    if not terminal.confirm("is it the same?", flag=flag):
        tell("nothing was changed")
        raise Exit(ExitStatus.INTERRUPTED)


def _generated(directory: Path, machine: str) -> _Obtained:
    if git.is_work_tree(directory):
        raise UsageError(
            f"{directory} lies in a git work tree, where a private key must never be",
            hint="give a directory outside",
        )
    private, public = generate_ed25519(f"root@{machine}")
    exports = (
        Export(directory / _KEY_FILE, private, f"private host key of {machine}"),
        Export(
            directory / f"{_KEY_FILE}.pub",
            Plaintext(f"{public.line}\n".encode()),
            f"public host key of {machine}",
            PUBLIC_MODE,
        ),
    )
    return _Obtained(parse_host_key(public.line), exports)
