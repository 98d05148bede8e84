"""check."""

import click

from nixsecrets.audit import check
from nixsecrets.audit.finding import Severity
from nixsecrets.cli.app import find_app, in_color
from nixsecrets.errors import ExitStatus
from nixsecrets.report import json, text


@click.command("check")
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, hosts: tuple[str, ...], strict: bool, as_json: bool) -> None:
    """Find what is wrong, without any identity; for CI too.

    Without HOST: everything. It proves that a stanza names a recipient, not that it opens.
    """
    app = find_app()
    repository = app.read()
    chosen = [repository.fleet.host(name) for name in hosts] or None
    tracked = app.index.tracked if app.in_git else None
    found = check.run(repository, tracked, app.now, chosen)
    render = (
        json.render_findings(found) if as_json else text.render_findings(found, color=in_color())
    )
    click.echo(render)
    if any(strict or finding.severity is Severity.ERROR for finding in found):
        context.exit(ExitStatus.FOUND)
