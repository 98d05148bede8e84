"""manifest."""

import json

import click

from nixsecrets.cli.app import find_app, in_color, require_manifest
from nixsecrets.fleet.model import Fleet
from nixsecrets.fleet.schema import manifest_schema
from nixsecrets.report import json as report_json
from nixsecrets.report import text
from nixsecrets.report.table import Table


@click.command("manifest")
@click.option("--schema", is_flag=True, help="Print its JSON schema (2020-12), for editors.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(schema: bool, as_json: bool) -> None:
    """Read nixsecrets.yaml and say what is in it; a mistake is told with its line and column."""
    if schema:
        click.echo(json.dumps(manifest_schema(), indent=2))
        return
    app = find_app()
    repository = app.read()
    require_manifest(repository)
    table = _summary(repository.fleet)
    render = report_json.render_table(table) if as_json else None
    click.echo(render or text.render_table(table, color=in_color()))


def _summary(fleet: Fleet) -> Table:
    declared = [one for one in fleet.declarations if one.deliver]
    counts = (
        ("people", fleet.people),
        ("hosts", fleet.hosts),
        ("groups", fleet.groups),
        ("secrets", fleet.declarations),
        ("delivered", declared),
        ("generated", [one for one in fleet.declarations if one.generator]),
        ("templates", fleet.templates),
    )
    return Table(
        ("what", "number"), tuple((what, str(len(things))) for what, things in counts if things)
    )
