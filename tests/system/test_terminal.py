import io
import os
import pty
import sys

import pytest

from nixsecrets.errors import UsageError
from nixsecrets.plaintext import Plaintext
from nixsecrets.system.terminal import ask_hidden_twice, confirm, is_interactive, read_stdin

ASKING = """
from nixsecrets.errors import NixsecretsError
from nixsecrets.system.terminal import ask_hidden_twice
try:
    print("length", len(ask_hidden_twice("value: ")))
except NixsecretsError as error:
    print("refused:", error)
"""
CONFIRMING = """
from nixsecrets.system.terminal import confirm, is_interactive
print("answer", is_interactive(), confirm("apply?"))
"""


def talk(program: str, *turns: tuple[bytes, bytes]) -> bytes:
    """Run Python at a terminal; for each turn wait for the prompt, then type. Return the screen."""
    pid, terminal = pty.fork()
    if pid == 0:
        arguments = [sys.executable, "-c", program]
        os.execv(sys.executable, arguments)  # noqa: S606  # at a terminal of its own
    screen = b""
    for prompt, typed in turns:
        turn = b""
        while prompt not in turn:
            turn += os.read(terminal, 4096)
        os.write(terminal, typed)
        screen += turn
    screen += _rest(terminal)
    os.waitpid(pid, 0)
    os.close(terminal)
    return screen


def _rest(terminal: int) -> bytes:
    screen = b""
    try:
        while block := os.read(terminal, 4096):
            screen += block
    except OSError:  # the other end of a terminal is gone: EIO (pty(7))
        return screen
    return screen


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (b"y\n", b"True"),
        (b"YES\n", b"True"),
        (b"\n", b"False"),
        (b"no\n", b"False"),
        (b"\x04", b"False"),
    ],
    ids=["y", "yes", "enter", "no", "end"],
)
def test_only_yes_is_yes(typed: bytes, answer: bytes) -> None:
    assert b"answer True " + answer in talk(CONFIRMING, (b"apply? [y/N] ", typed))


def test_a_value_typed_twice_is_not_shown() -> None:
    screen = talk(ASKING, (b"value: ", b"MARKER\n"), (b"once more: ", b"MARKER\n"))
    assert b"length 6" in screen
    assert b"MARKER" not in screen


def test_a_typing_error_is_asked_again() -> None:
    screen = talk(
        ASKING,
        (b"value: ", b"one\n"),
        (b"once more: ", b"other\n"),
        (b"value: ", "naïve\n".encode()),
        (b"once more: ", "naïve\n".encode()),
    )
    assert b"the two differ, try again" in screen
    assert b"length 6" in screen


def test_three_typing_errors_are_enough() -> None:
    wrong = ((b"value: ", b"one\n"), (b"once more: ", b"other\n"))
    assert b"refused: the two values differed each time" in talk(ASKING, *wrong, *wrong, *wrong)


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert not is_interactive()
    with pytest.raises(UsageError) as confirming:
        confirm("apply?")
    with pytest.raises(UsageError) as asking:
        ask_hidden_twice("value: ", flag="--from-file")
    assert (confirming.value.hint, asking.value.hint) == ("give --yes", "give --from-file")


def test_stdin_is_read_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\r\n\n")))
    assert read_stdin() == Plaintext(b"\xff\r\n\n")
