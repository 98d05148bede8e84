"""Folders for plaintext that a program is to read: in memory, private, gone when they are left.

The only module that writes plaintext where no `Export` of a plan asks for it.
"""

import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import NamedTuple

from nixsecrets.errors import UsageError
from nixsecrets.plaintext import Plaintext
from nixsecrets.system.refusal import told

_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_MOUNTS = Path("/proc/self/mountinfo")
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OVER = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Folder(NamedTuple):
    """A folder of 0700.

    Args:
        path: absolute.
        in_memory: what lies in it is on no disk, except where memory itself is swapped.
    """

    path: Path
    in_memory: bool

    def write(self, path: PurePosixPath, content: Plaintext) -> Path:
        """Write a new file of 0600, folders above it included, and return it."""
        file = self.path / path
        with told(file):
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(file, _NEW, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content.reveal())
        return file


@contextmanager
def private_folder(environment: Mapping[str, str], asked: Path | None) -> Iterator[Folder]:
    """Give a new folder, and remove it with all that lies in it, whatever happens meanwhile.

    SIGTERM and SIGHUP end the process as ever, but after that. SIGKILL leaves the folder behind.

    Args:
        environment: may name the user's own folder in memory.
        asked: an existing folder to make it in, on a disk or not; None: one in memory.

    Raises:
        UsageError: no folder of this machine lies in memory, or `asked` is none.
        RepositoryError: the operating system refuses.
    """
    parent = _memory(environment) if asked is None else _existing(asked)
    with _ended_by_signals():
        with told(parent):
            path = Path(tempfile.mkdtemp(prefix="nixsecrets-", dir=parent))
        try:
            yield Folder(path, lies_in_memory(path))
        finally:
            _remove(path)


def lies_in_memory(folder: Path) -> bool:
    """Say whether a file system without a disk holds a folder (proc_pid_mountinfo(5))."""
    if not _MOUNTS.exists():
        return False
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in _MOUNTS.read_text("utf-8", "surrogateescape").splitlines():
        mount, _, system = line.partition(" - ")
        if mount.split()[2] == wanted:
            return system.split()[0] in _IN_MEMORY
    return False


def _memory(environment: Mapping[str, str]) -> Path:
    named = environment.get("XDG_RUNTIME_DIR")
    own = [Path(named)] if named and named.startswith("/") else []
    for folder in (*own, Path(f"/run/user/{os.getuid()}"), Path("/dev/shm")):  # noqa: S108  # mkdtemp makes a folder of our own in it
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK) and lies_in_memory(folder):
            return folder
    raise UsageError(
        "no folder of this machine lies in memory, so that plaintext would lie on a disk",
        hint="--tmpdir DIR accepts that, best for an encrypted disk",
    )


def _existing(asked: Path) -> Path:
    if not asked.is_dir():
        raise UsageError(f"{asked} is no folder")
    return asked.absolute()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let signals that end the process be an exception first."""
    got: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if not got:
            got.append(number)
            raise KeyboardInterrupt

    heard = [number for number in _ENDINGS if signal.getsignal(number) is signal.SIG_DFL]
    for number in heard:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)
        for signalled in got:
            signal.raise_signal(signalled)


def _remove(folder: Path) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, *_ENDINGS))
    try:
        for parent, _, names in os.walk(folder):
            for name in names:
                _overwrite(Path(parent, name))
        shutil.rmtree(folder)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _overwrite(file: Path) -> None:
    with suppress(OSError):  # what cannot be opened (a link, a read-only file) is removed as it is
        descriptor = os.open(file, _OVER)
        with os.fdopen(descriptor, "wb") as stream:
            found = os.fstat(descriptor)
            if stat.S_ISREG(found.st_mode):
                stream.write(bytes(found.st_size))
                stream.flush()
                os.fsync(descriptor)
