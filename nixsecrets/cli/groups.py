"""group."""

from collections.abc import Iterable

import click

from nixsecrets.cli.app import in_color, require_manifest
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.writing import find_app
from nixsecrets.errors import UsageError
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.manifest_groups import Members
from nixsecrets.fleet.model import Fleet
from nixsecrets.fleet.names import HostName, PersonName, parse_group_name
from nixsecrets.plans import groups
from nixsecrets.plans.draft import Draft
from nixsecrets.report import json, text
from nixsecrets.report.table import Table


@click.group("group")
def command() -> None:
    """Name hosts and people that read a document together.

    A member is the name of a host or a person; where both have it, host/NAME or person/NAME.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(*, as_json: bool) -> None:
    """List the groups and their members."""
    fleet = find_app().read().fleet
    rows = tuple(
        (group.name, ", ".join(group.hosts) or "-", ", ".join(group.people) or "-")
        for group in fleet.groups
    )
    nowhere = "no groups; `nixsecrets group create NAME` makes one"
    if not fleet.managed:
        nowhere = f"without {MANIFEST} no group is known"
    table = Table(("group", "hosts", "people"), rows, empty=nowhere)
    click.echo(json.render_table(table) if as_json else text.render_table(table, color=in_color()))


@command.command("create")
@click.argument("name")
@click.argument("members", nargs=-1, metavar="[HOST|PERSON]...")
@consent_options
def create_command(name: str, members: tuple[str, ...], consent: Consent) -> None:
    """Make the group NAME, with a document that its members read."""
    app = find_app()
    group = parse_group_name(name)
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        joining = _members(repository.fleet, members)
        draft = groups.create(Draft(repository), group, joining, app.unlock)
        carry_out(app, draft.plan(f"create group {group}"), consent)


@command.command("join")
@click.argument("name")
@click.argument("members", nargs=-1, required=True, metavar="HOST|PERSON...")
@consent_options
def join_command(name: str, members: tuple[str, ...], consent: Consent) -> None:
    """Let hosts and people read what the group NAME reads."""
    app = find_app()
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        group = repository.fleet.group(name).name
        joining = _members(repository.fleet, members)
        draft = groups.join(Draft(repository), group, joining, app.unlock)
        carry_out(app, draft.plan(f"join group {group}"), consent)


@command.command("leave")
@click.argument("name")
@click.argument("members", nargs=-1, required=True, metavar="HOST|PERSON...")
@consent_options
def leave_command(name: str, members: tuple[str, ...], consent: Consent) -> None:
    """Let hosts and people read no more what the group NAME reads.

    Its documents get new data keys, and the values that they know are listed.
    """
    app = find_app()
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        group = repository.fleet.group(name).name
        leaving = _members(repository.fleet, members)
        draft = groups.leave(Draft(repository), group, leaving, app.unlock, app.now)
        carry_out(app, draft.plan(f"leave group {group}"), consent)


@command.command("delete")
@click.argument("name")
@consent_options
def delete_command(name: str, consent: Consent) -> None:
    """Remove the group NAME, its document, and what is declared for it."""
    app = find_app()
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        group = repository.fleet.group(name).name
        draft = groups.delete(Draft(repository), group, app.unlock, app.now)
        carry_out(app, draft.plan(f"delete group {group}"), consent)


def _members(fleet: Fleet, names: Iterable[str]) -> Members:
    """Return the hosts and people that are named.

    Raises:
        UsageError: a host and a person have the name.
        RepositoryError: nobody has it.
    """
    hosts: dict[HostName, None] = {}
    people: dict[PersonName, None] = {}
    known = {host.name for host in fleet.hosts}, {person.name for person in fleet.people}
    for given in names:
        kind, _, name = given.rpartition("/")
        if not kind and name in known[0] and name in known[1]:
            raise UsageError(
                f"{name} is a host and a person", hint=f"write host/{name} or person/{name}"
            )
        if kind == "person" or (not kind and name in known[1]):
            people[fleet.person(name).name] = None
        elif kind in ("", "host"):
            hosts[fleet.host(name).name] = None
        else:
            raise UsageError(f"{given!r} is no member", hint="write host/NAME or person/NAME")
    return Members(tuple(hosts), tuple(people))
