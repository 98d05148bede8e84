"""add-admin and admins."""

import click

from nixsecrets.cli.app import in_color, parse_recipient_argument, require_manifest
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.writing import find_app
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.model import Role
from nixsecrets.fleet.names import parse_person_name
from nixsecrets.plans import people
from nixsecrets.plans.draft import Draft
from nixsecrets.report import json, text
from nixsecrets.report.table import Table

_COLUMNS = ("name", "role", "recipients", "key file")


@click.command("add-admin")
@click.argument("name")
@click.argument("recipients", nargs=-1, required=True, metavar="RECIPIENT|FILE...")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    help="What NAME reads; an admin's by default.",
)
@consent_options
def add_admin_command(
    name: str, recipients: tuple[str, ...], role: str | None, consent: Consent
) -> None:
    """Let the person NAME read every document, by one or more age or SSH recipients.

    A `member` reads what the groups that name it under `people:` give: their documents and those
    of their hosts. An `escrow` is an admin, on paper in a safe, that `check` demands in every
    document. A known person gets further recipients; none is taken away.
    """
    app = find_app()
    person = parse_person_name(name)
    added = tuple(one for given in recipients for one in parse_recipient_argument(given))
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        asked = Role(role) if role else None
        draft = people.add(Draft(repository), person, added, app.unlock, asked)
        carry_out(app, draft.plan(f"add {role or Role.ADMIN.value} {person}"), consent)


@click.command("admins")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def admins_command(as_json: bool) -> None:
    """List the people, what they read and their recipients."""
    fleet = find_app().read().fleet
    rows = tuple(
        (
            person.name,
            person.role.value,
            ", ".join(one.text for one in person.recipients) or "no recipient yet",
            str(fleet.layout.person_key(person.name)),
        )
        for person in fleet.people
    )
    nobody = "no people; `nixsecrets add-admin NAME RECIPIENT` adds one"
    if not fleet.managed:
        nobody = f"without {MANIFEST} no person is known"
    table = Table(_COLUMNS, rows, empty=nobody)
    click.echo(json.render_table(table) if as_json else text.render_table(table, color=in_color()))
