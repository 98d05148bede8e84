"""ls."""

from collections.abc import Iterator
from pathlib import PurePosixPath

import click

from nixsecrets.age.recipient import canonical_text
from nixsecrets.cli.app import find_app, in_color
from nixsecrets.cli.scope import Choose, document_at, scope_options, tell_unreadable
from nixsecrets.fleet.access import document_for, document_of, managed_documents, names_of
from nixsecrets.fleet.address import ScopeChoice
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Fleet, InFile
from nixsecrets.plans import documents
from nixsecrets.report import json, text
from nixsecrets.report.table import Table
from nixsecrets.sops.document import Document, LeafState
from nixsecrets.sops.tree import KeyPath

_COLUMNS = ("secret", "type", "declared", "readers")


@click.command("ls")
@scope_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(choose: Choose, as_json: bool) -> None:
    """List the names of secrets and who reads them; values stay closed."""
    app = find_app(choose.file)
    repository = app.read()
    scope = choose.scope(app)
    path = None if scope is None else _path_of(repository, scope)
    table = Table(_COLUMNS, tuple(_rows(repository, path)), empty=_no_secrets(repository.fleet))
    click.echo(json.render_table(table) if as_json else text.render_table(table, color=in_color()))


def _path_of(repository: Repository, scope: ScopeChoice) -> PurePosixPath:
    match scope:
        case InFile(path):
            return document_at(repository, path)
        case _:
            return document_of(repository.fleet, scope)


def _rows(repository: Repository, only: PurePosixPath | None) -> Iterator[tuple[str, ...]]:
    """Yield what stands in the documents, then what is declared and stands nowhere."""
    fleet = repository.fleet
    declared = _declared(fleet)
    scopes: dict[PurePosixPath, ScopeChoice] = {
        managed.path: managed.scope for managed in managed_documents(fleet)
    }
    for path, document in documents.readable(repository, tell_unreadable):
        if only in (None, path):
            readers = _readers(fleet, document)
            for address in declared.pop((path, ()), ()):
                yield address, "document", "yes", readers
            for state in document.leaf_states():
                prefix = scopes.get(path, InFile(path)).prefix
                names = declared.pop((path, state.path), None)
                for address in names or [f"{prefix}:{documents.leaf_name(state.path)}"]:
                    yield address, _kind(state), "yes" if names else "-", readers
    for (path, _), addresses in declared.items():
        if only in (None, path):
            yield from ((address, "no value", "yes", "-") for address in addresses)


def _declared(fleet: Fleet) -> dict[tuple[PurePosixPath, KeyPath], list[str]]:
    """Return what is declared to stand at each place; a whole document at no key path."""
    declared: dict[tuple[PurePosixPath, KeyPath], list[str]] = {}
    for one in fleet.declarations:
        place = document_for(fleet, one), one.key_path
        declared.setdefault(place, []).append(str(one.address))
    return declared


def _kind(state: LeafState) -> str:
    return state.sealed_as or ("empty" if state.empty else "in clear")


def _readers(fleet: Fleet, document: Document) -> str:
    return ", ".join(names_of(fleet, canonical_text(label)) for label in document.recipients)


def _no_secrets(fleet: Fleet) -> str:
    option = "--host HOST" if fleet.managed else "--file DOCUMENT"
    return f"no secrets; `nixsecrets set NAME {option}` makes one"
