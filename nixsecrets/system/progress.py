"""How far a long change is, told on a terminal and nowhere else."""

import os
import sys
import time

_PATIENCE_S = 1.0
_PAUSE_S = 0.1
_USUAL_WIDTH = 80
_CLEAR_LINE = "\r\x1b[K"  # ECMA-48: EL, erase in line


class Progress:
    """One line on stderr that is written over; nothing for a change that takes no time."""

    def __init__(self) -> None:
        self._silent_until = time.monotonic() + _PATIENCE_S
        self._counts: dict[str, int] = {}
        self._shown = False

    def count(self, what: str) -> None:
        """Have done one thing more of a kind: `documents opened`."""
        self._counts[what] = self._counts.get(what, 0) + 1
        self._show(f"{self._counts[what]} {what}")

    def step(self, name: str) -> None:
        """Take one of a transaction's steps."""
        self._show(name)

    def clear(self) -> None:
        """Leave the line empty, for what is told next."""
        if self._shown:
            sys.stderr.write(_CLEAR_LINE)
            sys.stderr.flush()
            self._shown = False

    def _show(self, words: str) -> None:
        now = time.monotonic()
        if now < self._silent_until or not sys.stderr.isatty():
            return
        self._silent_until = now + _PAUSE_S
        self._shown = True
        width = (os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL_WIDTH) - 1
        sys.stderr.write(_CLEAR_LINE + f"nixsecrets: {words}"[:width])
        sys.stderr.flush()
