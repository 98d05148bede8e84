"""Run a program: an argument list in, what it said out. Never a shell."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from nixsecrets.errors import ProgramError

_BLOCK_BYTES = 65536
_ERROR_MARKS = ("error:", "fatal:")
_PACKAGES = {
    "nix-instantiate": "nix",
    "ssh": "openssh",
    "ssh-keygen": "openssh",
    "ssh-keyscan": "openssh",
}


class Sink(Protocol):
    """Where a program's output goes."""

    def write(self, block: bytes, /) -> object: ...

    def flush(self) -> object: ...


# What `stream` shows a program's output on in this thread, in place of stderr; `labels` sets it.
screen: ContextVar[Sink | None] = ContextVar("screen", default=None)


class _Streamed:
    """The programs that `stream` runs, in all threads."""

    def __init__(self) -> None:
        self.children: set[subprocess.Popen[bytes]] = set()
        self.interrupted = False


_streamed = _Streamed()


class Completed(NamedTuple):
    """A program that ended: its status (negative: the number of the signal that ended it)."""

    status: int
    stdout: bytes
    stderr: bytes


def run(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    cwd: Path | None = None,
) -> Completed:
    """Run a program to its end, whatever its status.

    Args:
        arguments: the program and what it is given; never a value that is secret.
        environment: the whole environment of the program; None: ours.
        stdin: what it reads; it never reads our own stdin.
        cwd: where it runs; None: where we are.

    Raises:
        ProgramError: it cannot be started.
    """
    try:
        ended = subprocess.run(  # noqa: S603  # argument lists only; callers check addresses
            arguments, env=environment, input=stdin, cwd=cwd, capture_output=True, check=False
        )
    except OSError as error:
        raise _unstartable(arguments[0], error) from error
    return Completed(ended.returncode, ended.stdout, ended.stderr)


def output(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    cwd: Path | None = None,
) -> bytes:
    """Run a program as `run` does and return its stdout.

    Raises:
        ProgramError: it cannot be started, or ends with another status than 0.
    """
    ended = run(arguments, environment=environment, stdin=stdin, cwd=cwd)
    if ended.status != 0:
        raise failure(arguments, ended)
    return ended.stdout


def stream(
    arguments: Sequence[str],
    *,
    log: BinaryIO | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> int:
    """Run a program whose output goes to our stderr, and to `log`, as it comes.

    Its stdin is ours, so that sudo and ssh can ask, unless `screen` is set. Its stdout and
    stderr are one pipe: no progress bars, the same text on the screen and in the log. A log (best
    unbuffered) or a screen that takes no more is given up; the program is never stopped for it.

    Returns:
        Its status (negative: the number of the signal that ended it).

    Raises:
        ProgramError: it cannot be started.
        KeyboardInterrupt: we were interrupted; the program has got the interrupt too and has
            ended, unless a second interrupt came before that.
    """
    shown = screen.get()
    sinks: list[Sink] = [*([log] if log else []), shown or sys.stderr.buffer]
    _stop_if_interrupted()
    try:
        child = subprocess.Popen(  # noqa: S603  # argument lists only; callers check addresses
            arguments,
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL if shown else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise _unstartable(arguments[0], error) from error
    _streamed.children.add(child)
    with child:
        try:
            _copy(child, sinks)
        except KeyboardInterrupt:
            _pass_interrupt_on(child)
            _copy(child, sinks)
            raise
        finally:
            _streamed.children.discard(child)
    _stop_if_interrupted()
    return child.returncode


def interrupt_streamed() -> None:
    """Interrupt what `stream` runs in other threads; it raises `KeyboardInterrupt` there."""
    _streamed.interrupted = True
    for child in tuple(_streamed.children):
        _pass_interrupt_on(child)


def _stop_if_interrupted() -> None:
    if _streamed.interrupted:
        raise KeyboardInterrupt


def failure(arguments: Sequence[str], ended: Completed) -> ProgramError:
    """Return the error that tells program, status and the last line of its stderr."""
    how = f"status {ended.status}" if ended.status >= 0 else f"signal {-ended.status}"
    said = _last_line(ended.stderr)
    return ProgramError(f"{_name(arguments[0])} failed with {how}" + (f": {said}" if said else ""))


def _copy(child: "subprocess.Popen[bytes]", sinks: list[Sink]) -> None:
    if child.stdout is None:
        return
    while block := os.read(child.stdout.fileno(), _BLOCK_BYTES):
        for sink in tuple(sinks):
            try:
                sink.write(block)
                sink.flush()
            except OSError as error:
                sinks.remove(sink)
                block += f"\n(this output is not written in full: {error.strerror})\n".encode()


def _pass_interrupt_on(child: "subprocess.Popen[bytes]") -> None:
    """Interrupt the child, unless the terminal has done so: a second one would break its tidying.

    A terminal sends SIGINT to every process of its foreground group (termios(3), ISIG).
    """
    if not _in_foreground():
        with suppress(
            PermissionError
        ):  # sudo's child belongs to root, and asks the terminal itself
            child.send_signal(signal.SIGINT)


def _in_foreground() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)


def _last_line(stderr: bytes) -> str:
    """Return the last line that names an error, as Nix and git mark it, else the last one."""
    lines = stderr.decode(errors="replace").strip().splitlines()
    lines = [line for line in lines if line.startswith(_ERROR_MARKS)] or lines
    return "".join(sign for sign in lines[-1] if sign.isprintable()) if lines else ""


def _name(program: str) -> str:
    return program.rpartition("/")[2]


def _unstartable(program: str, error: OSError) -> ProgramError:
    name = _name(program)
    package = _PACKAGES.get(name, name)
    return ProgramError(
        f"{name} cannot be started: {error.strerror}",
        hint=f"install {package}, or try again inside `nix-shell -p {package}`",
    )
