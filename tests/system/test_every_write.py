"""A transaction of fifty files, killed before every call that writes."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.change import Change, Plan, digest
from nixsecrets.system.lock import state_directory
from nixsecrets.system.transaction import apply, recover
from tests.system.children import in_child

FILES = 50
# What of Python's own functions ends in a system call that changes the disk.
WRITING = frozenset(
    {"open", "write", "flush", "close", "fsync", "fchmod", "mkdir", "rmdir", "unlink", "rename"}
    | {"replace", "link", "symlink", "truncate", "ftruncate", "chmod"}
)


def old(number: int) -> bytes:
    return f"old {number}\n".encode()


def new(number: int) -> bytes:
    return f"new {number}\n".encode() * (number + 1)


def path_of(number: int) -> PurePosixPath:
    """Spread the files over folders; every fifth is made, in a folder of its own."""
    folder = f"made/{number}" if number % 5 == 0 else f"systems/{number % 7}"
    return PurePosixPath(folder, f"{number}.yaml")


def change(number: int) -> Change:
    is_made, is_removed = number % 5 == 0, number % 5 == 1
    return Change(
        path_of(number),
        None if is_made else digest(old(number)),
        None if is_removed else new(number),
        mode=0o600 if number % 2 else 0o644,
    )


PLAN = Plan("rotate fifty", tuple(change(number) for number in range(FILES)))


def make(root: Path) -> None:
    for number in range(FILES):
        if number % 5:
            file = root / path_of(number)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(old(number))


def content(root: Path) -> dict[str, bytes | None]:
    return {
        str(file.relative_to(root)): file.read_bytes() if file.is_file() else None
        for file in root.rglob("*")
        if ".nixsecrets" not in file.parts
    }


def state(root: Path) -> Path:
    return state_directory(root, None)


def counting(stop_at: int | None) -> tuple[Callable[[object, str, object], None], list[str]]:
    """Return a profiler that kills the process before the writing call of that number."""
    calls: list[str] = []

    def profile(_frame: object, event: str, called: object) -> None:
        name = getattr(called, "__name__", "")
        if event == "c_call" and name in WRITING:
            if len(calls) == stop_at:
                os.kill(os.getpid(), signal.SIGKILL)
            calls.append(name)

    return profile, calls


def profiled(root: Path, stop_at: int | None) -> int:
    profile, calls = counting(stop_at)
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        apply(root, state(root), PLAN)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]  # its stub knows no way back
    return len(calls)


@pytest.mark.parametrize("share", range(4))
def test_a_kill_before_any_writing_call_leaves_all_or_nothing(tmp_path: Path, share: int) -> None:
    make(tmp_path / "whole")
    before = content(tmp_path / "whole")
    calls = int(in_child(lambda: profiled(tmp_path / "whole", None)))
    after = content(tmp_path / "whole")
    assert calls > 6 * FILES
    outcomes = set()
    for stop_at in range(share, calls, 4):
        root = tmp_path / str(stop_at)
        make(root)
        assert in_child(lambda: profiled(root, stop_at)) == ""  # noqa: B023  # called at once
        recover(root, state(root))
        found = content(root)
        assert found in (before, after), stop_at
        outcomes.add(found == after)
    assert outcomes == {False, True}
