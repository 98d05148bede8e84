"""status."""

import click

from nixsecrets.audit import status
from nixsecrets.audit.status import Status
from nixsecrets.cli import status_deployed
from nixsecrets.cli.app import App, find_root, in_color, new_root
from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.load import Repository
from nixsecrets.report import json, text
from nixsecrets.report.table import Table

_COLUMNS = ("document", "format", "state", "details", "readers", "rule")


@click.command("status")
@click.option(
    "--deployed", is_flag=True, help="Say of every host what it runs of an older state instead."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(deployed: bool, as_json: bool) -> None:
    """Say of every document who can read it, and whether it is in step with its rule.

    Needs no identity and no manifest. Where there are several policies, each document is held
    against the nearest one above it, as sops does in the document's folder.

    With --deployed, of every host what was last deployed by `nixsecrets rebuild` and verified,
    how many commits have changed its wiring or its documents since, and which of its values stand
    otherwise by now.
    """
    app = _app()
    repository = app.read()
    table = status_deployed.list_hosts(app, repository) if deployed else _documents(repository)
    click.echo(json.render_table(table) if as_json else text.render_table(table, color=in_color()))


def _documents(repository: Repository) -> Table:
    rows = tuple(_row(one) for one in status.find(repository))
    return Table(_COLUMNS, rows, empty="no documents")


def _app() -> App:
    """Return the call for the fleet above, else for the repository, whose policies lie deeper."""
    try:
        return App(find_root())
    except RepositoryError:
        return App(new_root())


def _row(one: Status) -> tuple[str, ...]:
    readers = ", ".join(one.readers)
    return str(one.path), one.form.value, one.state.value, one.details, readers, one.rule
