"""add-user-key."""

import click

from nixsecrets.cli.app import parse_recipient_argument, require_manifest
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.writing import find_app
from nixsecrets.fleet.names import parse_host_name, parse_user_name
from nixsecrets.plans import users
from nixsecrets.plans.draft import Draft


@click.command("add-user-key")
@click.argument("host")
@click.argument("user")
@click.argument("recipients", nargs=-1, required=True, metavar="RECIPIENT|FILE...")
@consent_options
def add_user_key_command(
    host: str, user: str, recipients: tuple[str, ...], consent: Consent
) -> None:
    """Let USER on HOST read its home's document, by one or more age or SSH recipients.

    The identity is the user's own (Home Manager opens the document with it); the host cannot open
    it. A known user gets further recipients; none is taken away.
    """
    app = find_app()
    machine, name = parse_host_name(host), parse_user_name(user)
    added = tuple(one for text in recipients for one in parse_recipient_argument(text))
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        draft = users.add_key(Draft(repository), machine, name, added, app.unlock)
        carry_out(app, draft.plan(f"add key of {name} on {machine}"), consent)
