"""add-host and hosts."""

import click
from click.exceptions import Exit

from nixsecrets.cli import verifying
from nixsecrets.cli.app import in_color, require_manifest
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.host_keys import KeyOptions, key_options, obtain
from nixsecrets.cli.host_settings import identity_of, machine_of, settings_options
from nixsecrets.cli.writing import find_app
from nixsecrets.errors import ExitStatus
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.model import Fleet, Host, HostSettings
from nixsecrets.fleet.names import HostName, parse_group_name, parse_host_name
from nixsecrets.plans import hosts
from nixsecrets.plans.draft import Draft
from nixsecrets.report import json, text
from nixsecrets.report.table import Table


@click.command("add-host")
@click.argument("name")
@key_options
@settings_options
@click.option("--group", "groups", multiple=True, help="A group it joins; may be repeated.")
@click.option("--like", metavar="HOST", help="Read with HOST what that shares with others.")
@consent_options
def add_host_command(
    name: str,
    source: KeyOptions,
    settings: HostSettings,
    groups: tuple[str, ...],
    like: str | None,
    consent: Consent,
) -> None:
    """Let the host NAME read what it is meant to, in one transaction.

    Its key comes from this machine, or from one of --key, --scan, --generate and --age. Key file,
    manifest, policy, documents and wiring change together.
    """
    app = find_app()
    host = parse_host_name(name)
    joined = tuple(parse_group_name(group) for group in groups)
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        machine = machine_of(repository, host, settings)
        identity = identity_of(repository, host, settings)
        obtained = obtain(app, source, machine, identity)
        draft = Draft(repository)
        if obtained.key.public_key.startswith("age1"):
            draft = _warn_of_identity(draft, host, settings)
        alike = repository.fleet.host(like).name if like is not None else None
        new = hosts.NewHost(host, obtained.key, settings, joined, alike)
        draft = hosts.add(obtained.into(draft, machine), new, app.unlock)
        carry_out(app, draft.plan(f"add host {host}"), consent)


@click.command("hosts")
@click.argument("names", nargs=-1, metavar="[HOST]...")
@click.option("--verify", is_flag=True, help="Hold recorded keys against live and known ones.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def hosts_command(names: tuple[str, ...], *, verify: bool, as_json: bool) -> None:
    """List the hosts and their recipients.

    With --verify each is asked over ssh to prove that it holds its recorded key, which is
    remembered for `rotate host --finish`; ends with 1 where a live key or known_hosts disagrees.
    """
    app = find_app()
    fleet = app.read().fleet
    chosen = tuple(fleet.host(name) for name in names) or fleet.hosts
    checks = verifying.verify(app, fleet, chosen) if verify else ()
    table = verifying.table(checks, _nowhere(fleet)) if verify else _listed(fleet, chosen)
    render = json.render_table(table) if as_json else text.render_table(table, color=in_color())
    click.echo(render)
    if any(check.disagrees for check in checks):
        raise Exit(ExitStatus.FOUND)


def _listed(fleet: Fleet, chosen: tuple[Host, ...]) -> Table:
    rows = tuple(
        (
            host.name,
            str(host.directory),
            host.attribute or "-",
            host.host_name,
            host.address or "-",
            host.recipient.text if host.recipient else "no key yet",
        )
        for host in chosen
    )
    columns = ("host", "directory", "attribute", "host name", "address", "recipient")
    return Table(columns, rows, empty=_nowhere(fleet))


def _nowhere(fleet: Fleet) -> str:
    if not fleet.managed:
        return f"without {MANIFEST} no host is known"
    return "no hosts; `nixsecrets add-host NAME` adds one"


def _warn_of_identity(draft: Draft, name: HostName, settings: HostSettings) -> Draft:
    """Warn where sops-nix would look for an SSH host key that may not be the recipient's."""
    known = any(host.name == name and host.identity for host in draft.fleet.hosts)
    if known or settings.identity is not None:
        return draft
    return draft.warning(
        f"nothing says where {name} keeps the identity of that recipient, so that it is looked "
        "for in its SSH host key; --identity-file PATH says otherwise"
    )
