"""What a command wants done, before it is done."""

from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256, Hash

from nixsecrets.plaintext import Plaintext

PUBLIC_MODE = 0o644
PRIVATE_MODE = 0o600


def digest(content: bytes) -> str:
    return Hash.hash(SHA256(), content).hex()


class Source(NamedTuple):
    """A file of the repository as it was read, once.

    Args:
        path: relative to the repository's root.
        content: ciphertext or public text.
        mode: permission bits.
    """

    path: PurePosixPath
    content: bytes
    mode: int = PUBLIC_MODE

    @property
    def digest(self) -> str:
        return digest(self.content)


class Change(NamedTuple):
    """One file of the repository, before and after.

    Args:
        path: relative to the repository's root.
        before: digest of the content this change was decided on; None: the file is absent.
        after: the new content, ciphertext or public text; None: the file goes.
        why: what the change is for, one clause a line, in names (`re-wrap for hq, + t15g`).
        mode: permission bits of the file afterwards.
    """

    path: PurePosixPath
    before: str | None
    after: bytes | None
    why: tuple[str, ...] = ()
    mode: int = PUBLIC_MODE


class Export(NamedTuple):
    """A file outside the repository that holds a private half: written 0600, no journal, no backup.

    Args:
        file: absolute path; its folders are made 0700 where they are missing.
        content: what is written.
        what: what the file is, for the plan (`host key of t15g`).
        mode: permission bits.
        passable: of its folders those that are made 0755, since an installer copies their modes.
    """

    file: Path
    content: Plaintext
    what: str
    mode: int = PRIVATE_MODE
    passable: frozenset[Path] = frozenset()


class FollowUp(NamedTuple):
    """A program that runs after the transaction, shown before; its failure undoes nothing."""

    arguments: tuple[str, ...]
    why: str


class Plan(NamedTuple):
    """Everything one command wants done.

    Args:
        intent: a clause for the head line (`add host t15g`).
        changes: one a path, in the order they are shown.
        exports: files outside the repository.
        follow_ups: programs run afterwards.
        warnings: what the user should know before saying yes.
        notes: what is told beside it (what to paste where).
    """

    intent: str
    changes: tuple[Change, ...] = ()
    exports: tuple[Export, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.changes or self.exports or self.follow_ups)
