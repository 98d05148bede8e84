"""Where a process begins: its core limit, where faults end, and how commands are loaded.

Nothing heavy is imported here, so that `main` comes before all the rest. A command's module is
imported when that command is called.
"""

import gc
import os
import resource
import sys
from collections.abc import Callable
from importlib import import_module
from typing import NoReturn

PROGRAM = "nixsecrets"


def main() -> NoReturn:
    """Run this process's command line and end with its exit status.

    A process of ours is short: looking for cyclic garbage would take a tenth of its time while it
    loads modules, and another tenth when it ends.
    """
    gc.disable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold plaintext
    start = load("group:start")
    if not callable(start):
        raise TypeError("group:start cannot be called")
    try:
        sys.exit(start(sys.argv[1:]))
    finally:
        gc.freeze()


def guarded(run: Callable[[], int], tell_fault: Callable[[BaseException], int]) -> int:
    """Return the status of `run`, or of telling what nobody expected."""
    try:
        return run()
    except SystemExit:
        raise
    except BaseException as fault:  # noqa: BLE001  # all that nobody expected, Rust panics too
        return tell_fault(fault)


def load(place: str) -> object:
    """Return what stands at `module:attribute`, the module below this package."""
    module, _, attribute = place.partition(":")
    found: object = getattr(import_module(f"{__name__}.{module}"), attribute)
    return found


def enter(directory: str) -> None:
    """Work as if started there: `-C` holds for the whole process."""
    os.chdir(directory)


def is_completing() -> bool:
    """Say whether a shell asks for completions, in Click's way."""
    return f"_{PROGRAM.upper()}_COMPLETE" in os.environ


def is_traced() -> bool:
    """Say whether the user wants to see the frames of a fault of the tool."""
    return os.environ.get("NIXSECRETS_TRACEBACK") == "1"
