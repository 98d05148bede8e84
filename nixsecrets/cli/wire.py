"""wire."""

import click

from nixsecrets.cli.app import require_manifest
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.writing import find_app
from nixsecrets.plans import wiring
from nixsecrets.plans.draft import Draft


@click.command("wire")
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
@click.option("--force", is_flag=True, help="Overwrite wiring that was edited by hand.")
@consent_options
def command(hosts: tuple[str, ...], force: bool, consent: Consent) -> None:
    """Write each system's secrets.nix, and put the imports in.

    Without HOST: every one. Hand-written Nix only gains lines.
    """
    app = find_app()
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        fleet = repository.fleet
        chosen = [fleet.host(name) for name in hosts] or list(fleet.hosts)
        draft = wiring.bring(Draft(repository), chosen, force=force)
        carry_out(app, draft.plan("wire"), consent)
