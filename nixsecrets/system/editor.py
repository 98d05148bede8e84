"""A text in the user's editor: it lies in memory, and no editor that we know keeps a copy."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nixsecrets.errors import NixsecretsError, ProgramError, RepositoryError, UsageError
from nixsecrets.plaintext import Plaintext
from nixsecrets.system.execute import find_program, run_forwarding
from nixsecrets.system.memory import Folder, private_folder

_VARIABLES = ("SOPS_EDITOR", "EDITOR")
_FALLBACKS = ("vim", "nano", "vi")
# Vim reads `--cmd` before the user's settings and `-c` after them; `-n` and `-i` hold against both.
_VIM = (
    "-n",
    "-i",
    "NONE",
    "--cmd",
    "set noswapfile",
    "-c",
    "set nobackup nowritebackup noundofile viminfo=",
)
# Restricted: no backups, no history files, no lock file, no emergency copy (nano(1)).
_NANO = ("--restricted",)
_QUIET_EMACS = (
    "(progn (setq make-backup-files nil auto-save-default nil create-lockfiles nil"
    " auto-save-list-file-prefix nil undo-tree-auto-save-history nil)"
    " (dolist (mode '(recentf-mode savehist-mode save-place-mode desktop-save-mode))"
    " (when (and (boundp mode) (symbol-value mode)) (funcall mode -1))))"
)
_KNOWN = (
    (re.compile(r"[nr]?vim(x|\..+)?"), _VIM),
    (re.compile(r"r?nano"), _NANO),
    (re.compile(r"emacs([-0-9].*)?"), ("--eval", _QUIET_EMACS)),
)


class Desk(NamedTuple):
    """What editing needs to know of its surroundings.

    Args:
        environment: names the editor and the user's folder in memory, and is the editor's own.
        folder: where the text is to lie, on a disk or not; None: in memory.
        tell: says something to the user.
        again: is given what is wrong with a text; returns the line to show, None where there is
            none, or raises where the user does not want to go on.
    """

    environment: Mapping[str, str]
    folder: Path | None
    tell: Callable[[str], None]
    again: Callable[[NixsecretsError], int | None]


def edit(
    text: Plaintext, name: str, accept: Callable[[Plaintext], None], desk: Desk
) -> Plaintext | None:
    """Let the user change a text until it is accepted.

    Args:
        text: what the editor shows first.
        name: the file's; editors choose their mode by it.
        accept: raises a NixsecretsError while there is something wrong; the editor then comes
            back with what was typed.
        desk: see `Desk`.

    Returns:
        The accepted text; None: it is as it was.

    Raises:
        UsageError: there is no editor, or no folder in memory.
        ProgramError: the editor failed, by which it says that nothing is to be changed.
    """
    editor = _find(desk.environment)
    if not editor.options:
        desk.tell(f"{editor.name} is not known: what it keeps of the text is up to it")
    with private_folder(desk.environment, desk.folder) as folder:
        if not folder.in_memory:
            desk.tell(f"the text lies on disk while you edit, below {desk.folder}")
        file = folder.write(PurePosixPath(name), text)
        line = None
        while True:
            _open(editor, folder, file, line, desk.environment)
            typed = _read(file, editor)
            if typed == text:
                return None
            try:
                _refuse_empty(typed)
                accept(typed)
            except NixsecretsError as error:
                line = desk.again(error)
            else:
                return typed


class _Editor(NamedTuple):
    words: tuple[str, ...]
    options: tuple[str, ...]

    @property
    def name(self) -> str:
        return PurePosixPath(self.words[0]).name


def _find(environment: Mapping[str, str]) -> _Editor:
    for variable in _VARIABLES:
        try:
            words = tuple(shlex.split(environment.get(variable, "")))
        except ValueError:
            raise UsageError(f"{variable} cannot be split into words: a quote is open") from None
        if words:
            return _Editor(words, _options(words[0]))
    for name in _FALLBACKS:
        if find_program(name):
            return _Editor((name,), _options(name))
    raise UsageError("no editor is found", hint="export EDITOR=vim")


def _options(program: str) -> tuple[str, ...]:
    """Return what an editor is given so that it keeps nothing; links are followed: `vi` is many."""
    found = find_program(program)
    names = (found.resolve().name if found else "", PurePosixPath(program).name)
    for name in names:
        for pattern, options in _KNOWN:
            if pattern.fullmatch(name):
                return options
    return ()


def _open(
    editor: _Editor, folder: Folder, file: Path, line: int | None, environment: Mapping[str, str]
) -> None:
    arguments: Sequence[str] = (*editor.words, *editor.options, str(file))
    if editor.options:  # another one may leave a server behind, which outlives the folder
        environment = {**environment, "TMPDIR": str(folder.path)}
        at = () if line is None else (f"+{line}",)
        arguments = (*editor.words, *editor.options, *at, str(file))
    status = run_forwarding(arguments, environment)
    if status:
        raise ProgramError(
            f"{editor.name} failed with status {status}, so that nothing was changed"
        )


def _read(file: Path, editor: _Editor) -> Plaintext:
    try:
        return Plaintext(file.read_bytes())
    except OSError as error:
        said = (error.strerror or "refused").lower()
        raise ProgramError(f"{editor.name} left no text behind: {said}") from None


def _refuse_empty(typed: Plaintext) -> None:
    if not typed.reveal().strip():
        raise RepositoryError(
            "the text is empty, and a document without values is none",
            hint="`nixsecrets rm` removes a value, `git rm` a document",
        )
