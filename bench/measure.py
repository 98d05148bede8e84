"""Whole processes, from outside: the wall time and the peak memory of each."""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Sample(NamedTuple):
    wall_s: float
    peak_kib: int


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs programs in `scratch`'s repositories; a program that fails ends the run."""

    scratch: Path
    environment: Mapping[str, str]

    def run(self, name: str, command: tuple[str, ...]) -> Sample:
        """Run in the repository of the document `name`; its output lies in `output` after that.

        The peak is the largest process's, of the command and whatever it waited for. Linux counts
        this process's own size, when it started the command, as a floor: keep it small.
        """
        with chdir(self.scratch / name / "repository"):
            started = time.perf_counter()
            process = os.posix_spawn(
                command[0], command, self.environment, file_actions=self._streams()
            )
            _, status, usage = os.wait4(process, 0)
            wall_s = time.perf_counter() - started
        if status := os.waitstatus_to_exitcode(status):
            complaint = (self.scratch / "complaint").read_text()
            sys.exit(f"{' '.join(command)[:300]}: status {status}\n{complaint}")
        return Sample(wall_s, usage.ru_maxrss)

    def _streams(self) -> list[tuple[int, int, str, int, int]]:
        """The new value comes in, so that `set` has it; what comes out goes to a file."""
        written = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        return [
            (os.POSIX_SPAWN_OPEN, 0, str(self.scratch / "value"), os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(self.scratch / "output"), written, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, str(self.scratch / "complaint"), written, 0o600),
        ]
