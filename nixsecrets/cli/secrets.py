"""set, get, ls and rm: values by name."""

from pathlib import Path

import click

from nixsecrets import generators
from nixsecrets.cli.app import find_app, in_color, read_file, tell, write_value
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.scope import Choose, find_place, scope_options
from nixsecrets.errors import RepositoryError, UsageError
from nixsecrets.fleet.access import document_of, managed_documents, names_of
from nixsecrets.fleet.address import Place, Purpose, ScopeChoice
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import InFile
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import documents, secrets
from nixsecrets.plans.draft import Draft
from nixsecrets.report import json, text
from nixsecrets.report.table import Table
from nixsecrets.sops.document import shown_value
from nixsecrets.system import terminal


@click.command("set")
@click.argument("name")
@scope_options
@click.option(
    "--from-file", metavar="FILE", type=click.Path(path_type=Path), help="The value is a file's."
)
@click.option("--generate", is_flag=True, help="The value is 32 random letters and digits.")
@click.option("--raw", is_flag=True, help="Keep a final newline; else one is stripped.")
@consent_options
def set_command(
    name: str,
    choose: Choose,
    from_file: Path | None,
    generate: bool,
    raw: bool,
    consent: Consent,
) -> None:
    """Set the value of NAME: asked for twice, or from stdin, a file or a generator.

    NAME is `nextcloud/admin-password`, or a full address: `host/hq:nextcloud/admin-password`.
    The value is never an argument: arguments are seen by every process.
    """
    app = find_app()
    with app.change(dry_run=consent.dry_run) as repository:
        place = find_place(app, repository, name, choose, Purpose.WRITE)
        value = _value(place, from_file, generate=generate, raw=raw)
        draft = secrets.set_value(Draft(repository), place, value, app.unlock, app.now)
        carry_out(app, draft.plan(f"set {place.address}"), consent)


@click.command("get")
@click.argument("name")
@scope_options
@click.option("--host-identity", is_flag=True, help="Open it with this machine's SSH host key.")
def get_command(name: str, choose: Choose, host_identity: bool) -> None:
    """Print one value: exact bytes into a pipe, with a newline on a terminal."""
    app = find_app(host_identity=host_identity)
    repository = app.read()
    place = find_place(app, repository, name, choose, Purpose.READ)
    if repository.sources.find(place.path) is None:
        raise RepositoryError(
            f"{place.address} has no value yet: {place.path} does not exist",
            hint=f"nixsecrets set {place.address}",
        )
    found = documents.open_at(repository, place.path, app.unlock).find(place.key_path)
    if found is None:
        near = documents.near(documents.read(repository, place.path), place.address.name)
        raise RepositoryError(f"{place.path} has no {place.address.name}", hint=near)
    write_value(shown_value(found))


@click.command("ls")
@scope_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ls_command(choose: Choose, as_json: bool) -> None:
    """List the names of secrets and who reads them; values stay closed."""
    app = find_app()
    repository = app.read()
    rows = tuple(_rows(repository, choose(app)))
    columns = ("secret", "type", "declared", "readers")
    table = Table(columns, rows, empty="no secrets; `nixsecrets set NAME --host HOST` makes one")
    click.echo(json.render_table(table) if as_json else text.render_table(table, color=in_color()))


@click.command("rm")
@click.argument("name")
@scope_options
@consent_options
def rm_command(name: str, choose: Choose, consent: Consent) -> None:
    """Remove the value of NAME from its document; git's history keeps the ciphertext."""
    app = find_app()
    with app.change(dry_run=consent.dry_run) as repository:
        place = find_place(app, repository, name, choose, Purpose.READ)
        draft = secrets.remove(Draft(repository), place, app.unlock, app.now)
        carry_out(app, draft.plan(f"remove {place.address}"), consent)


def _value(place: Place, from_file: Path | None, *, generate: bool, raw: bool) -> Plaintext:
    if from_file is not None and generate:
        raise UsageError("--from-file and --generate were given, and a value has one source")
    if generate:
        return generators.password()
    if from_file is not None:
        return _stripped(Plaintext(read_file(from_file)), raw=raw)
    if terminal.is_interactive():
        return terminal.ask_hidden_twice(f"{place.address}: ")
    return _stripped(terminal.read_stdin(), raw=raw)


def _stripped(value: Plaintext, *, raw: bool) -> Plaintext:
    """Return a value without its one final newline, which editors and `echo` add."""
    content = value.reveal()
    if raw or not content.endswith(b"\n"):
        return value
    tell("one final newline is left out; --raw keeps it")
    return Plaintext(content.removesuffix(b"\n").removesuffix(b"\r"))


def _rows(repository: Repository, chosen: ScopeChoice | None) -> list[tuple[str, str, str, str]]:
    fleet = repository.fleet
    scopes: dict[object, ScopeChoice] = {one.path: one.scope for one in managed_documents(fleet)}
    declared = {str(one.address) for one in fleet.declarations}
    rows = []
    for path, document in documents.sealed(repository):
        scope = scopes.get(path, InFile(path))
        if chosen is not None and path != _path_of(repository, chosen):
            continue
        readers = ", ".join(names_of(fleet, label) for label in document.recipients)
        for state in document.leaf_states():
            address = f"{scope.prefix}:{documents.leaf_name(state.path)}"
            kind = state.sealed_as or ("empty" if state.empty else "in clear")
            rows.append((address, kind, "yes" if address in declared else "-", readers))
    return rows


def _path_of(repository: Repository, chosen: ScopeChoice) -> object:
    return chosen.path if isinstance(chosen, InFile) else document_of(repository.fleet, chosen)
