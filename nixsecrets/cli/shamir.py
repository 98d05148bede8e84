"""shamir."""

from pathlib import Path

import click

from nixsecrets.age.recipient import Recipient
from nixsecrets.cli.app import parse_recipient_argument, path_in
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.scope import document_at
from nixsecrets.cli.writing import find_app
from nixsecrets.plans import shamir
from nixsecrets.plans.draft import Draft

_DOCUMENT = click.argument("file", type=click.Path(path_type=Path), metavar="DOCUMENT")
_THRESHOLD = click.option(
    "--threshold",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many groups are needed; else what the policy says, or what it was.",
)


@click.group("shamir")
def command() -> None:
    """Split a document's data key, so that several key groups are needed to open it."""


@command.command("add")
@_DOCUMENT
@click.option(
    "--age",
    "recipients",
    multiple=True,
    required=True,
    metavar="RECIPIENTS",
    help="Who the group is: recipients with commas between them, or a file of them.",
)
@_THRESHOLD
@consent_options
def add(file: Path, recipients: tuple[str, ...], threshold: int | None, consent: Consent) -> None:
    """Split DOCUMENT's data key over one key group more.

    Any recipient of a group opens its share; a host has to stand in enough groups to open the
    document alone. All groups are needed where nothing says how many are.
    """
    app = find_app(file)
    group = tuple(one for text in recipients for one in _recipients(text))
    with app.change(dry_run=consent.dry_run) as repository:
        path = document_at(repository, path_in(app, file))
        draft = shamir.add(Draft(repository), path, group, threshold, app.unlock)
        carry_out(app, draft.plan(f"add a key group to {path}"), consent)


@command.command("delete")
@_DOCUMENT
@click.argument("index", type=click.IntRange(min=0), metavar="INDEX")
@_THRESHOLD
@consent_options
def delete(file: Path, index: int, threshold: int | None, consent: Consent) -> None:
    """Split DOCUMENT's data key over all key groups but one.

    INDEX counts from 0. Where too few groups would stay, say how many are to be needed then:
    `--threshold 1` for the last one.
    """
    app = find_app(file)
    with app.change(dry_run=consent.dry_run) as repository:
        path = document_at(repository, path_in(app, file))
        draft = shamir.delete(Draft(repository), path, index, threshold, app.unlock)
        carry_out(app, draft.plan(f"delete key group {index} of {path}"), consent)


def _recipients(argument: str) -> tuple[Recipient, ...]:
    is_file = not argument.startswith(("age1", "ssh-"))
    texts = [argument] if is_file else argument.split(",")
    return tuple(one for text in texts for one in parse_recipient_argument(text.strip()))
