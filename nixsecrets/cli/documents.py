"""decrypt: whole documents."""

from pathlib import Path

import click

from nixsecrets.change import Export, Plan
from nixsecrets.cli.app import absolute, find_app, path_in, tell, write_value
from nixsecrets.cli.scope import document_at
from nixsecrets.plans import documents
from nixsecrets.sops.document import plain_text


@click.command("decrypt")
@click.argument("document", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write to a new file, 0600, outside any repository; else to stdout.",
)
@click.option("--host-identity", is_flag=True, help="Open it with this machine's SSH host key.")
def decrypt_command(document: Path, output: Path | None, host_identity: bool) -> None:
    """Print the whole DOCUMENT in clear, after its MAC was verified."""
    app = find_app(host_identity=host_identity)
    repository = app.read()
    path = document_at(repository, path_in(app, document))
    content = plain_text(documents.open_at(repository, path, app.unlock))
    if output is None:
        write_value(content)
        return
    export = Export(absolute(output), content, f"{path} in clear")
    app.apply(Plan(f"decrypt {path}", exports=(export,)))
    tell(f"wrote {output}: {path} in clear, readable by you alone")
