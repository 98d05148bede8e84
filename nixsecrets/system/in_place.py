"""One file whose text before or after is in clear: written without journal and without backup.

It is replaced by one rename, which is atomic by itself (rename(2)).
"""

import os
from pathlib import Path, PurePosixPath

from nixsecrets.change import Export
from nixsecrets.errors import BusyError
from nixsecrets.plaintext import Plaintext
from nixsecrets.system.disk import (
    create,
    fill,
    read_inside,
    remove_file,
    rename,
    resolve_inside,
    sync,
)
from nixsecrets.system.refusal import refuse_foreign_owner
from nixsecrets.system.transaction import check_export, take_back, write_export


def replace(root: Path, path: PurePosixPath, before: str, content: Plaintext, mode: int) -> None:
    """Put another text in a file's place; links inside the root are followed.

    Args:
        root: the repository's root.
        path: the file, which exists.
        before: digest of the content that this was decided on.
        content: what is to stand there.
        mode: permission bits.

    Raises:
        BusyError: the file is not what it was.
        RepositoryError: the path leaves the root, or the operating system refuses.
    """
    root = root.resolve()
    refuse_foreign_owner(root)
    inside = resolve_inside(root, path)
    file = root / inside
    temporary = file.with_name(f".{file.name}.{os.urandom(8).hex()}")
    descriptor = create(temporary)
    try:
        fill(temporary, descriptor, content.reveal(), mode)
        sync([temporary])
        _refuse_changed(root, inside, before)
        rename(temporary, file)
    except BaseException:
        remove_file(temporary)
        raise


def write_new(file: Path, content: Plaintext) -> None:
    """Write a text to a new file, 0600, as an export of a plan is written.

    Raises:
        RepositoryError: the file exists or would lie in a git work tree, or the operating system
            refuses.
    """
    check_export(file, None)
    refuse_foreign_owner(file.parent)
    made: list[Path] = []
    try:
        write_export(Export(file, content, file.name), made)
    except BaseException:
        take_back(made)
        raise


def _refuse_changed(root: Path, path: PurePosixPath, before: str) -> None:
    source = read_inside(root, path)
    if source is None or source.digest != before:
        raise BusyError(f"{path} was changed meanwhile", hint="try again")
