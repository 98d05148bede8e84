"""remove-host and remove-admin."""

import click

from nixsecrets.cli.app import parse_recipient_argument, require_manifest
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.touches import foretell
from nixsecrets.cli.writing import find_app
from nixsecrets.plans import knowledge, leaving
from nixsecrets.plans.draft import Draft


@click.command("remove-host")
@click.argument("name")
@click.option("--keep-document", is_flag=True, help="Its own document stays, for the admins.")
@consent_options
def remove_host_command(name: str, consent: Consent, *, keep_document: bool) -> None:
    """Let the host NAME read nothing any more, in one transaction.

    It goes from manifest, groups, policy and documents, with its key file and its wiring; what it
    could open gets new data keys. The values that it knows are listed: only another value helps.
    """
    app = find_app()
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        leaver = repository.fleet.host(name)
        host = leaver.name
        foretell(app, repository, knowledge.carriers(repository, knowledge.labels_of(leaver)))
        draft = leaving.remove_host(
            Draft(repository), host, app.unlock, app.now, keep_document=keep_document
        )
        carry_out(app, draft.plan(f"remove host {host}"), consent)


@click.command("remove-admin")
@click.argument("name")
@click.option(
    "--recipient",
    "dropped",
    metavar="AGE1…|FILE",
    multiple=True,
    help="Drop this one alone, a device of NAME; may be repeated.",
)
@consent_options
def remove_admin_command(name: str, dropped: tuple[str, ...], consent: Consent) -> None:
    """Let the person NAME read nothing any more, in one transaction.

    All its recipients go from policy and documents; what they could open gets new data keys. The
    values that the person knows are listed: only another value helps.
    """
    app = find_app()
    recipients = tuple(one for given in dropped for one in parse_recipient_argument(given))
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        person = repository.fleet.person(name)
        draft = Draft(repository)
        foretell(app, repository, knowledge.carriers(repository, knowledge.labels_of(person)))
        if recipients:
            intent = f"remove a recipient of {person.name}"
            draft = leaving.drop_recipients(draft, person.name, recipients, app.unlock, app.now)
        else:
            intent = f"remove {person.role.value} {person.name}"
            draft = leaving.remove_person(draft, person.name, app.unlock, app.now)
        carry_out(app, draft.plan(intent), consent)
