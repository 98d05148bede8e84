"""What the operating system refuses, and what we refuse as root, in the user's words."""

import errno
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nixsecrets.errors import RepositoryError

_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def told(file: Path) -> Iterator[None]:
    """Turn what the operating system refuses at `file` into a RepositoryError.

    The status is the repository's (3): its folder, owner, mode or disk is what must be put
    right, whatever the command was.
    """
    try:
        yield
    except OSError as error:
        said = (error.strerror or "refused").lower()
        raise RepositoryError(f"{file} cannot be written: {said}", hint=_advice(error)) from error


def refuse_foreign_owner(folder: Path) -> None:
    """Refuse, as root, a tree of another user's: files of root's would lock that user out.

    Raises:
        RepositoryError: we are root and `folder` belongs to somebody else.
    """
    with told(folder):
        owner = folder.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        raise RepositoryError(
            f"{folder} belongs to {_user(owner)} and is not written as root",
            hint=f"run this as {_user(owner)}, without sudo",
        )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _advice(error: OSError) -> str | None:
    if error.errno in _FORBIDDEN:
        return "make it writable for you, then try again"
    if error.errno in _FULL:
        return "make room on the disk, then try again"
    return None
