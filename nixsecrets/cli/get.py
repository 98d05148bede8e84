"""get: alone in its module, so that it loads what reading one value needs and nothing else."""

import click

from nixsecrets.cli.app import find_app, write_value
from nixsecrets.cli.scope import Choose, find_place, name_options, no_value
from nixsecrets.fleet.address import Purpose
from nixsecrets.plans import documents
from nixsecrets.sops.document import shown_value
from nixsecrets.sops.tree import KeyPath


@click.command("get")
@name_options
@click.option("--host-identity", is_flag=True, help="Open it with this machine's SSH host key.")
def command(name: str | KeyPath, choose: Choose, host_identity: bool) -> None:
    """Print one value: exact bytes into a pipe, with a newline on a terminal.

    NAME is `nextcloud/admin-password`, or a full address: `host/hq:nextcloud/admin-password`.
    """
    app = find_app(choose.file, host_identity=host_identity)
    repository = app.read()
    place = find_place(app, repository, name, choose, Purpose.READ)
    if repository.sources.find(place.path) is None:
        raise no_value(place)
    found = documents.value_at(repository, place.path, place.key_path, app.unlock)
    if found is None:
        raise no_value(place, documents.read(repository, place.path))
    write_value(shown_value(found))
