"""rotate."""

from pathlib import Path

import click

from nixsecrets.cli.app import path_in
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.scope import document_at
from nixsecrets.cli.writing import find_app
from nixsecrets.plans import documents, rotate
from nixsecrets.plans.draft import Draft


@click.group("rotate")
def command() -> None:
    """Make something new that others may know."""


@command.command("data-keys")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[DOCUMENT]...")
@consent_options
def data_keys(paths: tuple[Path, ...], consent: Consent) -> None:
    """Seal every value of the documents anew, under new data keys.

    Without DOCUMENT: every one. Whoever kept an old data key opens nothing that is written from
    now on; the values themselves stay, and so does what he has read.
    """
    app = find_app(paths[0] if paths else None)
    with app.change(dry_run=consent.dry_run) as repository:
        chosen = [document_at(repository, path_in(app, path)) for path in paths]
        chosen = chosen or [path for path, _ in documents.sealed(repository)]
        draft = rotate.data_keys(Draft(repository), chosen, app.unlock, app.now)
        carry_out(app, draft.plan("rotate data keys"), consent)
