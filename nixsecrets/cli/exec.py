"""exec."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import click
from click.exceptions import Exit

from nixsecrets.cli.app import App, find_root, path_in, tell
from nixsecrets.cli.scope import document_at
from nixsecrets.errors import NixsecretsError, RepositoryError, UsageError
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import documents
from nixsecrets.plans.documents import leaf_name
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.environment import Value, environment, files, values
from nixsecrets.sops.tree import Empty
from nixsecrets.system.execute import replace_process, run_forwarding
from nixsecrets.system.memory import Folder, private_folder

_FOLDER = "NIXSECRETS_FILES"
_OPENING = ("SOPS_", "NIXSECRETS_")
_STAND_IN = "{}"


@click.command("exec")
@click.argument("document", type=click.Path(path_type=Path))
@click.argument("program", nargs=-1, required=True, metavar="-- PROGRAM [ARGUMENT]...")
@click.option("--only", metavar="NAME", multiple=True, help="This value alone, or all below it.")
@click.option("--files", "as_files", is_flag=True, help="As files in memory, not as variables.")
@click.option(
    "--tmpdir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="With --files: let them lie in DIR, on a disk or not; else in memory.",
)
@click.option("--pristine", is_flag=True, help="Give PROGRAM none of your own variables.")
@click.option("--keep-sops", is_flag=True, help="Give PROGRAM your SOPS_* and NIXSECRETS_* too.")
@click.option("--host-identity", is_flag=True, help="Open it with this machine's SSH host key.")
def command(
    document: Path,
    program: tuple[str, ...],
    only: tuple[str, ...],
    tmpdir: Path | None,
    as_files: bool,
    pristine: bool,
    keep_sops: bool,
    host_identity: bool,
) -> None:
    """Run PROGRAM with DOCUMENT's values in its environment; no shell is between.

    PROGRAM takes our place: signals and status are its own. With --files each value is a file,
    mappings and lists are folders: $NIXSECRETS_FILES and any {} in the arguments are the folder
    of all, which goes when PROGRAM ends.
    """
    if tmpdir and not as_files:
        raise UsageError("--tmpdir says where files are to lie", hint="add --files")
    app = App(find_root(document), host_identity=host_identity)
    repository = app.read()
    path = document_at(repository, path_in(app, document))
    opened = documents.open_at(repository, path, app.unlock)
    variables = {} if pristine else _given(app.environment, keep_sops=keep_sops)
    try:
        chosen = _chosen(opened, only)
        secret = {} if as_files else environment(chosen)
        contents = files(chosen) if as_files else {}
    except NixsecretsError as error:
        raise error.within(path) from None
    if not as_files:
        replace_process(program, variables, secret)
    with private_folder(app.environment, tmpdir) as folder:
        if not folder.in_memory:
            tell(f"the values lie on disk while {program[0]} runs, below {tmpdir}")
        raise Exit(_run_beside(folder, contents, program, variables))


def _given(ours: Mapping[str, str], *, keep_sops: bool) -> Mapping[str, str]:
    """Return our environment, as a rule without what opens documents."""
    if keep_sops:
        return ours
    return {name: text for name, text in ours.items() if not name.startswith(_OPENING)}


def _chosen(opened: OpenDocument, only: Sequence[str]) -> Sequence[Value]:
    """Return a document's values, or those that were asked for.

    Raises:
        RepositoryError: it has none of such a name.
    """
    found = values(opened)
    for name in only:
        if not any(_lies_at(value, name) for value in found):
            hint = documents.near(opened.document, name)
            raise RepositoryError(f"{name} has no value", hint=hint)
    if only:
        found = tuple(value for value in found if any(_lies_at(value, name) for name in only))
    for value in found:
        if value.empty is Empty.NULL:
            tell(f"{leaf_name(value.path)} has no value (null) and is left out")
    return found


def _lies_at(value: Value, name: str) -> bool:
    return f"{leaf_name(value.path)}/".startswith(f"{name}/")


def _run_beside(
    folder: Folder,
    contents: Mapping[PurePosixPath, Plaintext],
    program: Sequence[str],
    variables: Mapping[str, str],
) -> int:
    for path, content in contents.items():
        folder.write(path, content)
    arguments = [argument.replace(_STAND_IN, str(folder.path)) for argument in program]
    return run_forwarding(arguments, {**variables, _FOLDER: str(folder.path)})
