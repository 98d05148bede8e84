"""add-admin."""

import click

from nixsecrets.cli.app import parse_recipient_argument, require_manifest
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.writing import find_app
from nixsecrets.fleet.names import parse_person_name
from nixsecrets.plans import people
from nixsecrets.plans.draft import Draft


@click.command("add-admin")
@click.argument("name")
@click.argument("recipients", nargs=-1, required=True, metavar="RECIPIENT|FILE...")
@consent_options
def add_admin_command(name: str, recipients: tuple[str, ...], consent: Consent) -> None:
    """Let the person NAME read every document, by one or more age or SSH recipients.

    A known person gets further recipients; none is taken away.
    """
    app = find_app()
    person = parse_person_name(name)
    added = tuple(one for text in recipients for one in parse_recipient_argument(text))
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        draft = people.add(Draft(repository), person, added, app.unlock)
        carry_out(app, draft.plan(f"add admin {person}"), consent)
