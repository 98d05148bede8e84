"""A text is edited in memory, and comes back only when it is accepted."""

import os
import re
import shlex
import sys
import termios
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from nixsecrets.errors import NixsecretsError, ProgramError, RepositoryError, UsageError
from nixsecrets.plaintext import Plaintext
from nixsecrets.system.editor import Desk, edit
from tests.tools import require_tool

BEFORE = Plaintext(b"a: 1\n")
AFTER = Plaintext(b"a: 2\n")
# Edits its last argument: does to the bytes what the first says, notes what it was given.
EDITOR = """\
import os, stat, sys
from pathlib import Path
program, file = sys.argv[1], Path(sys.argv[-1])
notes = Path(os.environ["NOTES"])
old = file.read_bytes()
with notes.open("a") as stream:
    folder = file.parent
    modes = [oct(stat.S_IMODE(one.stat().st_mode)) for one in (folder, file)]
    print(file.name, *modes, len(os.listdir(folder)), folder, file=stream)
turn = len(notes.read_text().splitlines())
exec(program)
"""


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


@pytest.fixture
def editing(tmp_path: Path, notes: Path) -> Callable[[str], Mapping[str, str]]:
    """Return what makes an environment whose editor runs a piece of Python."""
    script = tmp_path / "an editor.py"
    script.write_text(EDITOR)

    def environment(program: str) -> Mapping[str, str]:
        editor = shlex.join((sys.executable, str(script), program))
        return {**os.environ, "EDITOR": editor, "NOTES": str(notes)}

    return environment


class Said:
    """Accepts texts of a sort, and notes what was told and asked."""

    def __init__(self, *, refused: int = 0, gives_up: bool = False) -> None:
        self.left = refused
        self.gives_up = gives_up
        self.seen: list[bytes] = []
        self.told: list[str] = []
        self.problems: list[str] = []

    def accept(self, text: Plaintext) -> None:
        self.seen.append(text.reveal())
        if self.left:
            self.left -= 1
            raise RepositoryError("it is not right yet", line=1)

    def again(self, error: NixsecretsError) -> int | None:
        self.problems.append(error.problem)
        if self.gives_up:
            raise error
        return error.line

    def desk(self, environment: Mapping[str, str], folder: Path | None = None) -> Desk:
        return Desk(environment, folder, self.told.append, self.again)


Editing = Callable[[str], Mapping[str, str]]


def folders(notes: Path) -> set[Path]:
    return {Path(line.rpartition(" ")[2]) for line in notes.read_text().splitlines()}


def test_a_text_comes_back_as_it_was_typed(editing: Editing, notes: Path) -> None:
    said = Said()
    desk = said.desk(editing("file.write_bytes(old.replace(b'1', b'2'))"))
    assert edit(BEFORE, "secrets.yaml", said.accept, desk) == AFTER
    (line,) = notes.read_text().splitlines()
    assert line.startswith("secrets.yaml 0o700 0o600 1 ")
    assert said.seen == [AFTER.reveal()]
    assert not any(folder.exists() for folder in folders(notes))


@pytest.mark.parametrize(
    "program", ["", "file.write_bytes(old)", "file.unlink(); file.write_bytes(old)"]
)
def test_a_text_as_it_was_is_not_looked_at(editing: Editing, program: str) -> None:
    said = Said()
    assert edit(BEFORE, "secrets.yaml", said.accept, said.desk(editing(program))) is None
    assert said.seen == []


def test_what_is_refused_comes_back_into_the_editor(editing: Editing, notes: Path) -> None:
    said = Said(refused=2)
    desk = said.desk(editing("file.write_bytes(old + b'more\\n')"))
    typed = edit(BEFORE, "secrets.yaml", said.accept, desk)
    assert typed == Plaintext(BEFORE.reveal() + b"more\n" * 3)
    assert said.problems == ["it is not right yet"] * 2
    assert len(folders(notes)) == 1


def test_whoever_gives_up_leaves_nothing_behind(editing: Editing, notes: Path) -> None:
    said = Said(refused=1, gives_up=True)
    desk = said.desk(editing("file.write_bytes(b'typed')"))
    with pytest.raises(RepositoryError, match="it is not right yet"):
        edit(BEFORE, "secrets.yaml", said.accept, desk)
    assert not any(folder.exists() for folder in folders(notes))


@pytest.mark.parametrize("content", [b"", b" \n\t\n"])
def test_an_emptied_text_is_refused_and_comes_back(editing: Editing, content: bytes) -> None:
    said = Said()
    program = f"file.write_bytes({content!r} if turn == 1 else b'a: 2\\n')"
    assert edit(BEFORE, "secrets.yaml", said.accept, said.desk(editing(program))) == AFTER
    assert said.problems == ["the text is empty, and a document without values is none"]
    assert said.seen == [AFTER.reveal()]


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("file.write_bytes(b'typed'); sys.exit(3)", "failed with status 3, so that nothing was"),
        ("file.write_bytes(b'typed'); os.kill(os.getpid(), 9)", "failed with status 137"),
        ("file.unlink()", "left no text behind: no such file or directory"),
    ],
    ids=["status", "killed", "removed"],
)
def test_an_editor_that_fails_changes_nothing(
    editing: Editing, notes: Path, program: str, problem: str
) -> None:
    said = Said()
    with pytest.raises(ProgramError, match=problem):
        edit(BEFORE, "secrets.yaml", said.accept, said.desk(editing(program)))
    assert said.seen == []
    assert not any(folder.exists() for folder in folders(notes))


def test_sops_own_variable_comes_first(editing: Editing) -> None:
    said = Said()
    wanted = editing("file.write_bytes(b'a: 2\\n')")
    environment = {**wanted, "SOPS_EDITOR": wanted["EDITOR"], "EDITOR": "false"}
    assert edit(BEFORE, "secrets.yaml", said.accept, said.desk(environment)) == AFTER


def test_an_editor_that_is_not_known_is_named_once(editing: Editing) -> None:
    said = Said(refused=2)
    edit(BEFORE, "x", said.accept, said.desk(editing("file.write_bytes(old + b'x')")))
    assert said.told == [
        f"{Path(sys.executable).name} is not known: what it keeps of the text is up to it"
    ]


def test_an_open_quote_is_told() -> None:
    said = Said()
    with pytest.raises(UsageError, match="EDITOR cannot be split into words: a quote is open"):
        edit(BEFORE, "x", said.accept, said.desk({"EDITOR": "vim 'x"}))


def test_a_missing_editor_is_told() -> None:
    said = Said()
    with pytest.raises(ProgramError, match="nowhere cannot be started: no such program"):
        edit(BEFORE, "x", said.accept, said.desk({"EDITOR": "/bin/nowhere"}))


def test_without_any_editor_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = Said()
    with pytest.raises(UsageError, match="no editor is found"):
        edit(BEFORE, "x", said.accept, said.desk({"EDITOR": " "}))


def test_a_text_on_a_disk_is_told(editing: Editing, notes: Path, tmp_path: Path) -> None:
    said = Said()
    desk = said.desk(editing("file.write_bytes(b'a: 2\\n')"), tmp_path)
    edit(BEFORE, "x", said.accept, desk)
    assert said.told[-1] == f"the text lies on disk while you edit, below {tmp_path}"
    assert {folder.parent for folder in folders(notes)} == {tmp_path}


# Edits at the terminal; a text without `typed` in it twice is refused.
AT_A_TERMINAL = """\
import os, sys
from pathlib import Path
from nixsecrets.errors import RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.system.editor import Desk, edit
def accept(text):
    if text.reveal().count(b"typed") < 2:
        raise RepositoryError("once more", line=2)
def again(error):
    input("again?")
    return error.line
before = Plaintext(b"a: correct-horse\\nb: battery\\n")
desk = Desk(os.environ, Path(sys.argv[1]), print, again)
print(edit(before, "secrets.yaml", accept, desk).reveal().splitlines())
"""
VIM_SETTINGS = """\
set backup writebackup backupdir=~/kept// swapfile directory=~/kept// updatecount=1
set undofile undodir=~/kept//
"""
EMACS_SETTINGS = """\
(setq backup-directory-alist '(("." . "~/kept")) make-backup-files t)
(setq auto-save-file-name-transforms '((".*" "~/kept/" t)) auto-save-interval 1)
(setq savehist-additional-variables '(kill-ring) create-lockfiles t)
(savehist-mode 1) (recentf-mode 1) (save-place-mode 1)
"""


@dataclass(frozen=True)
class Real:
    """An editor, settings of a user who wants copies of everything, and what is typed.

    Args:
        command: as EDITOR has it.
        settings: a file below the home, and what stands in it.
        typing: takes a line into what pasting gives, and types a line.
        leaving: saves and ends.
    """

    command: str
    settings: tuple[str, str]
    typing: str
    leaving: str


EDITORS = (
    Real("vim", (".vimrc", VIM_SETTINGS), "yyotyped\x1b", ":wq\r"),
    Real("nvim", (".config/nvim/init.vim", VIM_SETTINGS), "yyotyped\x1b", ":wq\r"),
    Real(
        "nano --backup",
        (".nanorc", "set backup\nset historylog\nset positionlog\nset locking\n"),
        "typed\r",
        "\x13\x18",
    ),
    Real("emacs -nw", (".emacs", EMACS_SETTINGS), "\x0b\x19typed\r", "\x18\x13\x18\x03"),
)


class Terminal:
    """A process at a terminal of its own."""

    def __init__(self, home: Path, command: str, folder: Path) -> None:
        self.pid, self.descriptor = os.forkpty()
        if self.pid == 0:
            variables = {"HOME": str(home), "EDITOR": command, "TERM": "vt100", "LC_ALL": "C.UTF-8"}
            environment = {**os.environ, **variables}
            os.execve(  # noqa: S606  # at a terminal of its own
                sys.executable, [sys.executable, "-c", AT_A_TERMINAL, str(folder)], environment
            )
        termios.tcsetwinsize(self.descriptor, (24, 80))

    def read_until(self, words: str) -> str:
        screen = ""
        while words not in screen:
            screen += os.read(self.descriptor, 4096).decode()
        return screen

    def type(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def end(self) -> tuple[int, str]:
        screen = b""
        try:
            while block := os.read(self.descriptor, 4096):
                screen += block
        except OSError:  # the other end of a terminal is gone: EIO (pty(7))
            os.close(self.descriptor)
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status), screen.decode()


def traces(home: Path, folder: Path) -> list[str]:
    """Return every file that holds something of the text, and is not the text itself."""
    return [
        str(file)
        for top in (home, folder)
        for file in top.rglob("*")
        if file.is_file() and file.name != "secrets.yaml"
        if {b"correct-horse", b"battery"} & words(file)
    ]


def words(file: Path) -> set[bytes]:
    return set(re.findall(rb"[a-z-]+", file.read_bytes()))


def settled(home: Path, real: Real) -> Path:
    """Write the settings, and return the folder that the text is to lie in."""
    name, text = real.settings
    file = home / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    (home / "kept").mkdir()
    folder = home.with_name(home.name + "-folder")
    folder.mkdir()
    return folder


@pytest.mark.parametrize("real", EDITORS, ids=lambda real: real.command)
def test_a_known_editor_keeps_nothing_of_the_text(own_environment: Path, real: Real) -> None:
    require_tool(real.command.split()[0])
    home = own_environment
    folder = settled(home, real)
    terminal = Terminal(home, real.command, folder)
    for prompt in ("battery", "again?"):
        terminal.read_until(prompt)
        if prompt == "again?":
            terminal.type("\r")
            terminal.read_until("battery")
        terminal.type(real.typing)
        terminal.read_until("typed")
        assert traces(home, folder) == []
        terminal.type(real.leaving)
    status, screen = terminal.end()
    assert status == 0, screen
    assert screen.count("typed'") == 2, screen
    assert (traces(home, folder), list(folder.iterdir())) == ([], [])


@pytest.mark.parametrize("real", EDITORS, ids=lambda real: real.command)
def test_the_same_editor_would_keep_something(
    own_environment: Path, tmp_path: Path, real: Real
) -> None:
    """Show that the settings bite: behind a name that is not known nothing is done about them."""
    require_tool(real.command.split()[0])
    unknown = tmp_path / "unknown"
    unknown.write_text(f'#!/bin/sh\nexec {real.command} "$@"\n')
    unknown.chmod(0o755)
    folder = settled(own_environment, real)
    terminal = Terminal(own_environment, str(unknown), folder)
    terminal.read_until("battery")
    terminal.type(real.typing)
    terminal.read_until("typed")
    found = traces(own_environment, folder)
    terminal.type(real.leaving)
    terminal.read_until("again?")
    found += traces(own_environment, folder)
    terminal.type("\x04")
    assert "EOFError" in terminal.end()[1]
    assert found != []
    assert list(folder.iterdir()) == []
