"""Run a piece of a test in a process of its own, which may die."""

import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from nixsecrets.errors import NixsecretsError

NOBODY = 65534


def in_child(act: Callable[[], object]) -> str:
    """Return what `act` returned or failed with (`STATUS PROBLEM`), told by a forked process.

    A process that was killed tells nothing: "".
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _tell(act, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read().decode()
    os.waitpid(pid, 0)
    return told


def killed_at(number: int) -> Callable[[str], None]:
    """Return a step function that kills the process by SIGKILL before the step of that number."""
    left = number

    def step(_name: str) -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    return step


def become_nobody() -> None:
    """Give up root, for good; without root nothing needs to be given up."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def give_to_nobody(tree: Path) -> None:
    if os.geteuid() == 0:
        for file in (tree, *tree.rglob("*")):
            os.chown(file, NOBODY, NOBODY, follow_symlinks=False)


def _tell(act: Callable[[], object], pipe: int) -> NoReturn:
    try:
        told = str(act())
    except NixsecretsError as error:
        told = f"{error.status.value} {error}"
    except BaseException:  # noqa: BLE001  # the parent's assertion shows it
        told = traceback.format_exc()
    os.write(pipe, told.encode())
    os._exit(0)
