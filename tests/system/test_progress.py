import io
import os
import pty
import sys
import time
from contextlib import redirect_stderr

from nixsecrets.system.progress import Progress


def work_for(seconds: float, progress: Progress) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        progress.count("documents opened")
    progress.clear()


def on_a_terminal(seconds: float) -> str:
    pid, terminal = pty.fork()
    if pid == 0:
        sys.stderr = os.fdopen(2, "w", buffering=1)
        work_for(seconds, Progress())
        os._exit(0)
    screen = b""
    while piece := _read(terminal):
        screen += piece
    os.waitpid(pid, 0)
    os.close(terminal)
    return screen.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux says EIO once the other side is closed
        return b""


def test_a_long_change_is_told_on_a_terminal_and_leaves_no_line() -> None:
    screen = on_a_terminal(1.2)
    assert screen.startswith("\r\x1b[Knixsecrets: ")
    assert " documents opened" in screen
    assert screen.endswith("\r\x1b[K")
    assert "\n" not in screen


def test_a_short_change_tells_nothing() -> None:
    assert on_a_terminal(0.1) == ""


def test_a_pipe_is_told_nothing() -> None:
    with redirect_stderr(io.StringIO()) as pipe:
        work_for(1.2, Progress())
    assert pipe.getvalue() == ""
