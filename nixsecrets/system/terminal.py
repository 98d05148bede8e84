"""Ask the person at the terminal; results of ours never come this way."""

import getpass
import sys
import warnings

from nixsecrets.errors import UsageError
from nixsecrets.plaintext import Plaintext

_ATTEMPTS = 3
_YES = frozenset({"y", "yes"})


def is_interactive() -> bool:
    """Say whether stdin is a terminal, so that somebody can be asked."""
    return sys.stdin.isatty()


def confirm(question: str, *, flag: str = "--yes") -> bool:
    """Ask for yes or no; anything but yes is no.

    Raises:
        UsageError: stdin is no terminal; `flag` would have answered.
    """
    _refuse_without_terminal(flag)
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in _YES


def ask(question: str, *, flag: str) -> str | None:
    """Ask for a line, without the blanks around it; None: there will be none any more.

    Raises:
        UsageError: stdin is no terminal; `flag` would have answered.
    """
    _refuse_without_terminal(flag)
    sys.stderr.write(question)
    sys.stderr.flush()
    line = sys.stdin.readline()
    return line.strip() if line else None


def ask_hidden_twice(prompt: str, *, flag: str = "--from-file") -> Plaintext:
    """Ask for a value without echo, and once more against typing errors.

    Raises:
        UsageError: stdin is no terminal (`flag` would have answered), the terminal cannot
            hide what is typed, or the two differed three times.
    """
    _refuse_without_terminal(flag)
    for _ in range(_ATTEMPTS):
        value = _ask_hidden(prompt, flag)
        if _ask_hidden("once more: ", flag) == value:
            return value
        sys.stderr.write("the two differ, try again\n")
    raise UsageError("the two values differed each time", hint=f"use {flag}")


def ask_passphrase(prompt: str) -> Plaintext:
    """Ask once for what protects an identity, without echo.

    Raises:
        UsageError: the terminal cannot hide what is typed, or nothing was typed.
    """
    return _ask_hidden(prompt, "SOPS_AGE_KEY_CMD")


def read_stdin() -> Plaintext:
    """Return everything on stdin, byte for byte."""
    return Plaintext(sys.stdin.buffer.read())


def _ask_hidden(prompt: str, flag: str) -> Plaintext:
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return Plaintext(getpass.getpass(prompt).encode("utf-8", "surrogateescape"))
        except getpass.GetPassWarning:
            raise UsageError("the terminal cannot hide what is typed", hint=f"use {flag}") from None
        except EOFError:
            raise UsageError("nothing was typed", hint=f"use {flag}") from None


def _refuse_without_terminal(flag: str) -> None:
    if not is_interactive():
        raise UsageError("stdin is no terminal, so nobody can be asked", hint=f"give {flag}")
