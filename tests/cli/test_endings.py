"""Where errors end: what a process says on stderr, and its exit status."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable

import click
import pytest

from nixsecrets.cli.group import run
from nixsecrets.errors import (
    BusyError,
    ExitStatus,
    FoundError,
    IntegrityError,
    NixsecretsError,
    NoIdentityError,
    ProgramError,
    RepositoryError,
    UsageError,
)

MARKER = "correct-horse-battery-staple"


class PanicLikeError(BaseException):
    """What an extension in Rust raises when it panics is no Exception either."""


def ended(capsys: pytest.CaptureFixture[str], action: Callable[[], object]) -> tuple[int, str]:
    status = run(click.Command("probe", callback=action), [])
    captured = capsys.readouterr()
    assert captured.out == ""
    return status, captured.err


def raising(error: BaseException) -> Callable[[], object]:
    def action() -> object:
        raise error

    return action


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FoundError, 1),
        (UsageError, 2),
        (RepositoryError, 3),
        (NoIdentityError, 4),
        (IntegrityError, 5),
        (ProgramError, 6),
        (BusyError, 7),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_failure_is_told_with_its_hint_and_has_its_status(
    capsys: pytest.CaptureFixture[str], kind: type[NixsecretsError], status: int
) -> None:
    error = kind("host t15g is unknown", hint="nixsecrets hosts", line=3, column=5)
    told = """\
nixsecrets: error: nixsecrets.yaml:3:5: host t15g is unknown
nixsecrets: hint: nixsecrets hosts
"""
    assert ended(capsys, raising(error.within("nixsecrets.yaml"))) == (status, told)


def test_a_failure_without_a_hint_has_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    status, told = ended(capsys, raising(BusyError("somebody else holds the lock")))
    assert (status, told) == (7, "nixsecrets: error: somebody else holds the lock\n")


def test_a_name_in_a_failure_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    _, told = ended(capsys, raising(RepositoryError("no host a\x1b[2Jb")))
    assert told == "nixsecrets: error: no host a\\x1b[2Jb\n"


def test_what_was_done_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(capsys, lambda: "a result is no status") == (0, "")


def test_a_command_chooses_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    action = raising(click.exceptions.Exit(ExitStatus.FOUND))
    assert ended(capsys, action) == (1, "")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()], ids=repr)
def test_an_interrupt_ends_with_130(
    capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    assert ended(capsys, raising(error)) == (130, "\nnixsecrets: interrupted\n")


@pytest.mark.parametrize("kind", [ValueError, KeyError, OSError, PanicLikeError])
def test_a_fault_of_the_tool_tells_where_and_no_value(
    capsys: pytest.CaptureFixture[str], kind: type[BaseException]
) -> None:
    status, told = ended(capsys, raising(kind(MARKER)))
    problem, hint = told.splitlines()
    assert status == 70
    assert re.fullmatch(
        rf"nixsecrets: error: fault of the tool: {kind.__name__} at nixsecrets\.cli\.group:\d+",
        problem,
    )
    assert hint == (
        "nixsecrets: hint: report it with this line; "
        "NIXSECRETS_TRACEBACK=1 shows the frames, never a value"
    )


def test_frames_are_shown_where_they_are_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def action() -> object:
        value = MARKER
        try:
            return int(value)
        except ValueError as error:
            raise RuntimeError(value) from error

    monkeypatch.setenv("NIXSECRETS_TRACEBACK", "1")
    status, told = ended(capsys, action)
    first = action.__code__.co_firstlineno
    assert status == 70
    assert f"ValueError\n  {__file__}:{first + 3}:action\nRuntimeError\n" in told
    assert f"  {__file__}:{first + 5}:action\n" in told
    assert MARKER not in told


def test_a_reader_that_went_away_ends_the_process_without_a_word() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        process = subprocess.run(
            [sys.executable, "-m", "nixsecrets", "--help"],
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writing)
    assert (process.returncode, process.stderr) == (-signal.SIGPIPE, b"")


def test_a_process_of_ours_dumps_no_core() -> None:
    program = (
        "import atexit, resource, sys\n"
        "from nixsecrets.cli import main\n"
        "sys.argv = ['nixsecrets', '--version']\n"
        "atexit.register(lambda: print(resource.getrlimit(resource.RLIMIT_CORE)))\n"
        "main()\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    ).stdout
    assert output.splitlines()[1] == "(0, 0)"
