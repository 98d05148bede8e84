"""What the commands on whole documents share; they also work outside of a fleet."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import click

from nixsecrets.age.recipient import Recipient
from nixsecrets.cli.app import lies_in, parse_recipient_argument, path_in, read_file, root_for
from nixsecrets.cli.scope import document_at
from nixsecrets.cli.writing import WritingApp
from nixsecrets.errors import NixsecretsError, UsageError
from nixsecrets.fleet.load import Repository
from nixsecrets.plans import documents
from nixsecrets.sops import document
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.stores import formats
from nixsecrets.sops.stores.formats import Format
from nixsecrets.system import terminal

_STDIN = Path("-")
_FORMATS = click.Choice([form.value for form in Format])

FILE = click.argument("file", type=click.Path(path_type=Path))
TYPE = click.option(
    "--type", "--input-type", "source", type=_FORMATS, help="FILE's format; else its name's."
)
OUTPUT_TYPE = click.option(
    "--output-type", "target", type=_FORMATS, help="The format of what is written."
)
FILENAME = click.option(
    "--filename",
    "--filename-override",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Take FILE for this one: its rule, its format. For stdin, which is `-`.",
)
AGE = click.option(
    "-a",
    "--age",
    "recipients",
    multiple=True,
    metavar="RECIPIENTS",
    help="Readers in place of the rule's: recipients with commas between, or a file of them.",
)


class Given(NamedTuple):
    """A file or stdin, as a command was given it.

    Args:
        app: of the fleet, the repository or the folder that it lies in.
        name: what errors call it.
        path: the file, or the one that it is taken for; None: stdin, as such.
        is_stdin: it is no file.
    """

    app: WritingApp
    name: str
    path: PurePosixPath | None
    is_stdin: bool

    def content(self, file: Path) -> bytes:
        return terminal.read_stdin().reveal() if self.is_stdin else read_file(file)

    def form(self, said: str | None, content: bytes | None = None) -> Format:
        """Return the format that was said, or that of the name; of a document also its text's."""
        if said is not None:
            return Format(said)
        if content is not None:
            return formats.sealed_format_of(self.name, content)
        return formats.format_of(self.name)


def take(file: Path, filename: Path | None = None, *, host_identity: bool = False) -> Given:
    """Return what a command was given as FILE, by its place only."""
    is_stdin = file == _STDIN
    named = filename or file
    app = WritingApp(root_for(named), host_identity=host_identity)
    if named == _STDIN:
        return Given(app, "stdin", None, is_stdin)
    path = path_in(app, named)
    name = str(named) if is_plain_folder(app, app.read()) else str(path)
    return Given(app, name, path, is_stdin)


def open_given(given: Given, file: Path, source: str | None) -> OpenDocument:
    """Return a document that was given, open and verified; errors name it."""
    if not given.is_stdin and lies_in(given.app, file):
        repository = given.app.read()
        path = document_at(repository, path_in(given.app, file))
        if source is None and not is_plain_folder(given.app, repository):
            return documents.open_at(repository, path, given.app.unlock)
    content = given.content(file)
    try:
        sealed = document.parse(content, given.form(source, content))
        return document.open_document(sealed, given.app.unlock(sealed))
    except NixsecretsError as error:
        raise error.within(given.name) from None


def is_plain_folder(app: WritingApp, repository: Repository) -> bool:
    """Say whether a root is neither a fleet nor a repository: nothing of ours is to lie there."""
    fleet = repository.fleet
    return not (app.in_git or fleet.managed or fleet.policy)


@contextmanager
def changing(app: WritingApp, *, dry_run: bool) -> Iterator[Repository]:
    """Hold the lock and read the repository; a plain folder has no lock."""
    repository = app.read()
    if is_plain_folder(app, repository):
        yield repository
        return
    with app.change(dry_run=dry_run) as current:
        yield current


def recipients_of(texts: tuple[str, ...]) -> tuple[Recipient, ...]:
    """Return the recipients that options say, each with commas between or a file's."""
    parts = [part.strip() for text in texts for part in text.split(",")]
    return tuple(one for part in parts if part for one in parse_recipient_argument(part))


def refuse_together(given: Mapping[str, object]) -> None:
    """Refuse options of which only one may be given.

    Raises:
        UsageError: two of them are.
    """
    names = [name for name, value in given.items() if value]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} exclude each other", hint="leave one of them out")
