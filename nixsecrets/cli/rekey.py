"""rekey."""

from pathlib import Path

import click

from nixsecrets.cli.app import path_in
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.scope import document_at
from nixsecrets.cli.touches import foretell
from nixsecrets.cli.writing import find_app
from nixsecrets.plans import documents, policy, recipients
from nixsecrets.plans.draft import Draft


@click.command("rekey")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[DOCUMENT]...")
@consent_options
def command(paths: tuple[Path, ...], consent: Consent) -> None:
    """Bring documents' recipients in line with the policy, and its managed rules with the manifest.

    Without DOCUMENT: every one. A document that is in line is not touched, and only the `sops` part
    of the others changes. Whoever is dropped may keep the data key that he had: see
    `nixsecrets rotate data-keys`.
    """
    app = find_app()
    with app.change(dry_run=consent.dry_run) as repository:
        draft = Draft(repository)
        if repository.fleet.managed:
            draft = policy.bring(draft)
        chosen = [document_at(repository, path_in(app, path)) for path in paths]
        chosen = chosen or [path for path, _ in documents.sealed(draft.repository)]
        foretell(app, draft.repository, recipients.drifting(draft.repository, chosen))
        draft = recipients.bring(draft, chosen, app.unlock)
        carry_out(app, draft.plan("rekey"), consent)
