"""One writer at a time, for each repository."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nixsecrets.change import digest
from nixsecrets.errors import BusyError, RepositoryError
from nixsecrets.system.refusal import refuse_foreign_owner, told

_LOCK = "lock"
_OUTSIDE_GIT = ".nixsecrets"
_IGNORE_ALL = b"*\n"


def state_directory(root: Path, git_directory: Path | None) -> Path:
    """Return where journal and lock of a repository lie; nothing is made.

    A fleet in a folder of a larger work tree has its own: paths in a journal are relative to the
    fleet's root.
    """
    if git_directory is None:
        return root / _OUTSIDE_GIT
    if git_directory.parent == root or (root / ".git").exists():
        return git_directory / "nixsecrets"
    return git_directory / f"nixsecrets-{digest(os.fsencode(root.resolve()))[:16]}"


def make_state(state: Path) -> None:
    """Make the folder of journal and lock, private to us, where it is missing.

    Raises:
        RepositoryError: it cannot be made, is a link, or belongs to another user than root
            while we are root.
    """
    refuse_foreign_owner(state.parent)
    if state.is_symlink():
        raise RepositoryError(f"{state} is a link", hint=f"rm {state}")
    with told(state):
        state.mkdir(mode=0o700, exist_ok=True)
        if state.name == _OUTSIDE_GIT and not (state / ".gitignore").exists():
            (state / ".gitignore").write_bytes(_IGNORE_ALL)


@contextmanager
def exclusive(state: Path) -> Iterator[None]:
    """Hold the repository's lock; never waits. The lock goes when the process dies (flock(2)).

    Raises:
        BusyError: another process holds it.
    """
    make_state(state)
    file = state / _LOCK
    with told(file):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not _seized(descriptor, fcntl.LOCK_EX):
            raise BusyError(
                f"{_holder(descriptor)} is changing this repository",
                hint="try again when it has ended",
            )
        with told(file):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def is_held(state: Path) -> bool:
    """Say whether somebody is changing the repository just now; makes nothing."""
    try:
        descriptor = os.open(state / _LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _seized(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _seized(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    pid = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    return f"process {pid}" if pid.isdigit() else "another process"
