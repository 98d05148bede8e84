"""Run a program of the user's at the user's own terminal: in our place, or beside us.

Unlike `process`, nothing of what it reads or says passes through us.
"""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from nixsecrets.errors import ProgramError
from nixsecrets.plaintext import Plaintext

_FORWARDED = frozenset(
    {
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGTERM,
        signal.SIGUSR1,
        signal.SIGUSR2,
    }
)
_HELD = _FORWARDED | {signal.SIGCHLD}
_PATIENCE_S = 0.2  # a thread of somebody else's may be given the signal, and lose it
_FROM_KEYS = frozenset({signal.SIGINT, signal.SIGQUIT})
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def find_program(name: str) -> Path | None:
    """Return the file that a program's name means in our own environment."""
    folders = [""] if "/" in name else os.get_exec_path()
    for folder in folders:
        file = Path(folder, name)
        if file.is_file() and os.access(file, os.X_OK):
            return file
    return None


def replace_process(
    arguments: Sequence[str], environment: Mapping[str, str], values: Mapping[str, Plaintext]
) -> NoReturn:
    """Become a program: it has our process id, so that signals and status are its own.

    Args:
        arguments: the program, looked for in our own PATH, and what it is given.
        environment: the variables it gets.
        values: further ones, without NUL in them, that go before those of `environment`.

    Raises:
        ProgramError: it cannot be started.
    """
    program = _found(arguments[0])
    for number in _IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execve(program, [*arguments], _encoded(environment, values))  # noqa: S606  # no shell is meant
    except OSError as error:
        raise _unstartable(arguments[0], error.strerror) from None


def run_forwarding(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program to its end; signals that reach us meanwhile are passed on to it.

    What the terminal sends is not: the program has got it too (termios(3), ISIG).

    Returns:
        Its status; of a program that a signal ended, 128 and the signal's number.

    Raises:
        ProgramError: it cannot be started.
    """
    program = _found(arguments[0])
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    children = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        pid = os.posix_spawn(
            program,
            [*arguments],
            _encoded(environment, {}),
            setsigmask=before,
            setsigdef=_IGNORED_BY_PYTHON,
        )
        return _forward_until_ended(pid)
    except OSError as error:
        raise _unstartable(arguments[0], error.strerror) from None
    finally:
        signal.signal(signal.SIGCHLD, children)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _forward_until_ended(pid: int) -> int:
    while True:
        number, has_got_it = _next_signal()
        if number != signal.SIGCHLD:
            if not has_got_it:
                with suppress(PermissionError):  # a program that has become another user
                    os.kill(pid, number)
            continue
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _next_signal() -> tuple[int, bool]:
    """Return the next signal, and whether the terminal sent it to the program as well."""
    if sys.platform == "darwin":  # it has no sigwaitinfo(2), so that nobody tells who sent it
        number = signal.sigwait(_HELD)
        return number, number in _FROM_KEYS
    told = signal.sigtimedwait(_HELD, _PATIENCE_S)
    if told is None:
        return signal.SIGCHLD, True
    return told.si_signo, told.si_code > 0  # the kernel's own codes (sigaction(2), SI_KERNEL)


def _found(name: str) -> Path:
    program = find_program(name)
    if program is None:
        raise _unstartable(name, "no such program")
    return program


def _encoded(
    environment: Mapping[str, str], values: Mapping[str, Plaintext]
) -> Mapping[bytes, bytes]:
    ours = {os.fsencode(name): os.fsencode(text) for name, text in environment.items()}
    return ours | {os.fsencode(name): value.reveal() for name, value in values.items()}


def _unstartable(name: str, said: str | None) -> ProgramError:
    return ProgramError(f"{name} cannot be started: {(said or 'refused').lower()}")
