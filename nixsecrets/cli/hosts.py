"""add-host and hosts."""

from dataclasses import dataclass
from pathlib import Path

import click

from nixsecrets.age.ssh import generate_ed25519
from nixsecrets.age.sshkey import parse_public_key
from nixsecrets.change import PUBLIC_MODE, Export
from nixsecrets.cli.app import App, absolute, find_app, in_color, read_file, tell
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.errors import NixsecretsError, UsageError
from nixsecrets.fleet.load import parse_host_key
from nixsecrets.fleet.model import HostKey, HostSettings, IdentityFile
from nixsecrets.fleet.names import parse_group_name, parse_host_name
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import hosts
from nixsecrets.plans.draft import Draft
from nixsecrets.report import json, text
from nixsecrets.report.table import Table
from nixsecrets.system import git, ssh, terminal
from nixsecrets.system.ssh import Standing

_THIS_MACHINE = Path("/etc/ssh/ssh_host_ed25519_key.pub")
_KEY_FILE = "ssh_host_ed25519_key"


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
    with app.change(dry_run=consent.dry_run) as repository:
        obtained = _obtain(app, {name, host_name, attribute} - {None}, options)
        new = hosts.NewHost(
            host, obtained.key, settings, tuple(parse_group_name(group) for group in groups)
        )
        draft = hosts.add(Draft(repository), new, app.unlock)
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
    table = Table(columns, rows, empty="no hosts; `nixsecrets add-host NAME` adds one")
    render = json.render_table(table) if as_json else text.render_table(table, color=in_color())
    click.echo(render)


def _obtain(app: App, names: set[str | None], options: _KeyOptions) -> _Obtained:
    given = [one for one in (options.key, options.scan, options.generate, options.age) if one]
    if len(given) > 1:
        raise UsageError("more than one of --key, --scan, --generate and --age was given")
    if options.fingerprint and not options.scan:
        raise UsageError("--fingerprint goes with --scan")
    if options.key:
        return _Obtained(_from_key(options.key))
    if options.age:
        return _Obtained(parse_host_key(options.age))
    if options.scan:
        return _Obtained(_scanned(options.scan, options.fingerprint))
    if options.generate:
        return _generated(absolute(options.generate), str(min(filter(None, names))))
    return _Obtained(_of_this_machine(app, names))


def _from_key(key: str) -> HostKey:
    if key.startswith(("ssh-", "ecdsa-", "sk-", "age1")):
        return parse_host_key(key)
    content = read_file(Path(key))
    try:
        return parse_host_key(content.decode("utf-8", "replace"))
    except NixsecretsError as error:
        raise error.within(key) from None


def _of_this_machine(app: App, names: set[str | None]) -> HostKey:
    if app.host_name not in names:
        raise UsageError(
            f"this machine is {app.host_name}, so its key is not taken for another host's",
            hint="give --key, --scan, --generate or --age (or --host-name, if it is this one)",
        )
    return _from_key(str(_THIS_MACHINE))


def _scanned(address: str, fingerprint: str | None) -> HostKey:
    """Return the key that a host answers with, once a person or known_hosts vouches for it."""
    where = ssh.validate_address(address)
    (line,) = ssh.scan(where)[:1]
    found = parse_public_key(line)
    if fingerprint is not None:
        if found.fingerprint != fingerprint:
            raise UsageError(
                f"{address} answers with {found.fingerprint}, not with {fingerprint}",
                hint="somebody else may have answered; look at the host's console",
            )
        return parse_host_key(line)
    standing = {parse_public_key(one.public).blob: one.standing for one in ssh.known(where)}
    match standing.get(found.blob):
        case Standing.KNOWN:
            tell(f"{address}: {found.fingerprint} stands in known_hosts")
        case Standing.REVOKED:
            raise UsageError(f"{found.fingerprint} of {address} is revoked in known_hosts")
        case None:
            _ask_about(address, found.fingerprint)
    return parse_host_key(line)


def _ask_about(address: str, fingerprint: str) -> None:
    tell(f"{address} answers with {fingerprint}")
    tell("compare it on the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    if not terminal.confirm("is it the same?", flag=f"--fingerprint {fingerprint}"):
        raise click.Abort


def _generated(directory: Path, comment: str) -> _Obtained:
    if git.is_work_tree(directory):
        raise UsageError(
            f"{directory} lies in a git work tree, where a private key must never be",
            hint="give a directory outside",
        )
    private, public = generate_ed25519(f"root@{comment}")
    exports = (
        Export(directory / _KEY_FILE, private, f"private host key of {comment}"),
        Export(
            directory / f"{_KEY_FILE}.pub",
            Plaintext(f"{public.line}\n".encode()),
            f"public host key of {comment}",
            PUBLIC_MODE,
        ),
    )
    return _Obtained(parse_host_key(public.line), exports)
