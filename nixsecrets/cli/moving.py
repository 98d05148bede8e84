"""cp and mv."""

import click

from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.scope import UNSAID, find_place
from nixsecrets.cli.writing import WritingApp, find_app
from nixsecrets.fleet.address import Address, Place, Purpose, parse_argument
from nixsecrets.fleet.load import Repository
from nixsecrets.plans import moving
from nixsecrets.plans.draft import Draft
from nixsecrets.sops import branch

_FORCE = click.option("--force", is_flag=True, help="Put it in the place of what DST has.")


@click.command("cp")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@_FORCE
@consent_options
def cp_command(source: str, target: str, force: bool, consent: Consent) -> None:
    """Copy the value of SRC, or all values below it, to DST, sealed anew for DST's readers.

    Both are names or addresses: `shared:wifi/psk`, `file/ci.yaml:token`. A DST without scope is in
    the document of SRC.
    """
    app = find_app()
    with app.change(dry_run=consent.dry_run) as repository:
        here, there = _places(app, repository, source, target)
        draft = moving.copy(Draft(repository), (here, there), app.unlock, app.now, force=force)
        carry_out(app, draft.plan(f"copy {here.address} to {there.address}"), consent)


@click.command("mv")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@_FORCE
@consent_options
def mv_command(source: str, target: str, force: bool, consent: Consent) -> None:
    """Move the value of SRC, or all values below it, to DST; as `cp`, then `rm` of SRC, in one.

    git's history keeps the ciphertext of SRC, for its readers.
    """
    app = find_app()
    with app.change(dry_run=consent.dry_run) as repository:
        here, there = _places(app, repository, source, target)
        draft = moving.move(Draft(repository), (here, there), app.unlock, app.now, force=force)
        carry_out(app, draft.plan(f"move {here.address} to {there.address}"), consent)


def _places(
    app: WritingApp, repository: Repository, source: str, target: str
) -> tuple[Place, Place]:
    here = find_place(app, repository, source, UNSAID, Purpose.READ, branch.has_branch)
    if not isinstance(parse_argument(target), Address):
        target = f"{here.address.scope.prefix}:{target}"
    return here, find_place(app, repository, target, UNSAID, Purpose.WRITE)
