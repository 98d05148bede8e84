"""edit."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import click
from click.exceptions import Exit

from nixsecrets.cli.app import path_in, tell
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.writing import WritingApp, find_app
from nixsecrets.errors import BusyError, NixsecretsError, UsageError
from nixsecrets.fleet.load import Repository
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import edit
from nixsecrets.plans.draft import Draft
from nixsecrets.system import editor, terminal
from nixsecrets.system.editor import Desk


@click.command("edit")
@click.argument("document", type=click.Path(path_type=Path))
@click.option(
    "--tmpdir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Let the text lie in DIR while it is edited, on a disk or not; else in memory.",
)
@consent_options
def command(document: Path, tmpdir: Path | None, consent: Consent) -> None:
    """Edit DOCUMENT in clear with SOPS_EDITOR, EDITOR, vim, nano or vi; a missing one is made.

    What is wrong is told, and the editor comes back with what you typed. Values that stay keep
    their ciphertext. An editor that fails (`:cq` in Vim) changes nothing.
    """
    app = find_app(document)
    repository = app.read()
    path = path_in(app, document)
    clear = edit.clear_text(repository, path, app.unlock)
    save = _saving(app, path, _digest(repository, path), consent)
    desk = Desk(app.environment, tmpdir, tell, lambda error: _again(error, path))
    if editor.edit(clear, path.name, save, desk) is None:
        tell("nothing was changed")


def _saving(
    app: WritingApp, path: PurePosixPath, known: str | None, consent: Consent
) -> Callable[[Plaintext], None]:
    """Return what takes a text to its end; the lock is held for that long, not while it is typed.

    Args:
        app: opens documents; their identities are asked for once.
        path: the document's.
        known: the digest of the document that the user has seen; None: there was none.
        consent: what the user said about the plan.
    """

    def save(text: Plaintext) -> None:
        nonlocal known
        now = WritingApp(app.root)
        with now.change(dry_run=consent.dry_run) as repository:
            seen, known = known, _digest(repository, path)
            if known != seen:
                raise BusyError(
                    f"{path} was changed meanwhile",
                    hint="saved again, what you typed replaces what stands there now",
                )
            draft = edit.put(Draft(repository), path, text, app.unlock, now.now)
            try:
                carry_out(now, draft.plan(f"edit {path}"), consent)
            except Exit:
                raise UsageError("what you typed was not applied") from None

    return save


def _digest(repository: Repository, path: PurePosixPath) -> str | None:
    source = repository.sources.find(path)
    return source.digest if source else None


def _again(error: NixsecretsError, path: PurePosixPath) -> int | None:
    """Return the line to go back to in the editor; raise where nobody wants to or can be asked."""
    if not terminal.is_interactive():
        raise error
    tell(f"error: {error}")
    if error.hint:
        tell(f"hint: {error.hint}")
    if not click.confirm("back to the editor?", default=True, err=True):
        raise error
    return error.line if error.place == str(path) else None
