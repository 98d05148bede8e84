"""The few motions on a disk that a transaction is made of; only `transaction` calls them."""

import os
import stat
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from nixsecrets.change import PRIVATE_MODE, Source
from nixsecrets.errors import RepositoryError
from nixsecrets.system.refusal import told

_SYNCED_AT_ONCE = 16
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def resolve_inside(root: Path, path: PurePosixPath) -> PurePosixPath:
    """Return the path with its links resolved, relative to the root.

    Raises:
        RepositoryError: it leaves the root, or goes into git's own directory.
    """
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise RepositoryError(f"{path} is not a path inside the repository")
    try:
        resolved = (root / path).resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, until Python 3.13
        raise RepositoryError(f"{path} cannot be resolved") from error
    if not resolved.is_relative_to(root):
        raise RepositoryError(f"{path} leads out of the repository, to {resolved}")
    inside = PurePosixPath(resolved.relative_to(root))
    if any(part.lower() == ".git" for part in inside.parts):
        raise RepositoryError(f"{path} lies in git's own directory")
    with told(resolved):
        for parent in inside.parents:
            if (root / parent).exists() and not (root / parent).is_dir():
                raise RepositoryError(f"{parent} is no directory, so that {path} cannot be written")
    return inside


def read_inside(root: Path, path: PurePosixPath) -> Source | None:
    """Return a regular file of the repository as it is now; None: it is absent."""
    file = root / path
    with told(file):
        if not file.exists():
            return None
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            raise RepositoryError(f"{path} is no regular file")
        return Source(path, file.read_bytes(), stat.S_IMODE(mode))


def write_file(file: Path, content: bytes, mode: int) -> None:
    """Make a new file, which is durable after `sync`."""
    fill(file, create(file), content, mode)


def create(file: Path) -> int:
    """Make a file that nobody has made, private to us; return its descriptor."""
    with told(file.parent):  # a folder is what takes new files, or does not
        return os.open(file, _NEW, PRIVATE_MODE)


def fill(file: Path, descriptor: int, content: bytes, mode: int) -> None:
    with told(file), os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fchmod(stream.fileno(), mode)


def rename(source: Path, target: Path) -> None:
    """Rename within one folder, atomically (rename(2)) and durably."""
    with told(target):
        source.replace(target)
    sync([target.parent])


def make_directory(directory: Path) -> None:
    with told(directory):
        directory.mkdir(exist_ok=True)


def remove_file(file: Path) -> None:
    """Remove a file that may be absent; a read-only file system would refuse even that."""
    with told(file):
        if os.path.lexists(file):
            file.unlink(missing_ok=True)


def remove_if_empty(directory: Path) -> None:
    with told(directory):
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()


def sync(files: Iterable[Path]) -> None:
    """Make files durable, and the names in directories, which syncing files does not (fsync(2)).

    Many at once: a file system then writes its own journal once for all of them.
    """
    with ThreadPoolExecutor(_SYNCED_AT_ONCE) as pool:
        for _ in pool.map(_sync_one, files):
            continue


def _sync_one(file: Path) -> None:
    with told(file):
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
