"""Whose output is on the screen: with several programs at once each line names its own."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nixsecrets.system.process import screen


class _Lines:
    """The screen, given whole lines, each behind a label."""

    def __init__(self, label: str) -> None:
        self._label = f"{label}: ".encode()
        self._rest = b""

    def write(self, block: bytes, /) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        sys.stderr.buffer.write(b"".join(self._label + line + b"\n" for line in lines))

    def flush(self) -> None:
        sys.stderr.buffer.flush()

    def end(self) -> None:
        if self._rest:
            self.write(b"\n")
            self.flush()


@contextmanager
def labelled(name: str) -> Iterator[None]:
    """Let the programs of this thread speak in lines that begin with a name; they read nothing."""
    lines = _Lines(name)
    before = screen.set(lines)
    try:
        yield
    finally:
        screen.reset(before)
        lines.end()


def stopwatch() -> Callable[[], float]:
    """Return what tells the seconds since now."""
    began = time.monotonic()
    return lambda: time.monotonic() - began
