"""What a transaction writes down before it changes anything: enough to carry on or to go back."""

import json
import os
from base64 import b64decode, b64encode
from itertools import chain, pairwise
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nixsecrets.change import Change, Plan, Source, digest
from nixsecrets.errors import BusyError, RepositoryError
from nixsecrets.system.disk import read_inside, resolve_inside

_VERSION = 1
_CONTENT = "\0"  # in no path and in no argument
_TOKEN_SIGNS = frozenset("0123456789abcdef")


class Entry(NamedTuple):
    """One file of a transaction.

    Args:
        path: relative to the root, with every link resolved.
        old: what the file was before; None: it was absent.
        after: digest of the new content; None: the file goes.
    """

    path: PurePosixPath
    old: Source | None
    after: str | None

    @property
    def before(self) -> str | None:
        return self.old.digest if self.old else None


class Journal(NamedTuple):
    """One transaction: ciphertext and public text only.

    Args:
        intent: what the plan was for.
        token: hexadecimal; the temporary files' names end in it.
        entries: one a file, in the order they are changed.
        directories: made by the transaction, outermost first; relative to the root.
    """

    intent: str
    token: str
    entries: tuple[Entry, ...]
    directories: tuple[PurePosixPath, ...]

    def temporary(self, root: Path, entry: Entry) -> Path:
        """Return the file that holds an entry's new content until it is renamed."""
        return root / entry.path.parent / f".{entry.path.name}.nixsecrets-{self.token}"


def plan_journal(root: Path, plan: Plan) -> Journal:
    """Hold every change against the disk, and note what is there now.

    Raises:
        BusyError: a file is not what the plan was made for.
        RepositoryError: a path leaves the root, or is meant by two changes.
    """
    entries = tuple(_plan_entry(root, change) for change in plan.changes)
    for one, other in pairwise(sorted(entry.path for entry in entries)):
        if one == other:
            raise RepositoryError(f"{one} is meant by two changes of one plan")
    directories = {
        parent
        for entry in entries
        if entry.after is not None
        for parent in entry.path.parents
        if not (root / parent).exists()
    }
    return Journal(plan.intent, os.urandom(8).hex(), entries, tuple(sorted(directories)))


def _plan_entry(root: Path, change: Change) -> Entry:
    path = resolve_inside(root, change.path)
    old = read_inside(root, path)
    if (old.digest if old else None) != change.before:
        raise changed_meanwhile(change.path)
    return Entry(path, old, None if change.after is None else digest(change.after))


def changed_meanwhile(path: PurePosixPath) -> BusyError:
    return BusyError(
        f"{path} was changed by someone else meanwhile", hint="run the same command again"
    )


def render_journal(journal: Journal) -> bytes:
    """Return a journal's text; the contents are not led through `json`, which copies them often."""
    contents = (b64encode(entry.old.content) for entry in journal.entries if entry.old)
    text = json.dumps(
        {
            "version": _VERSION,
            "intent": journal.intent,
            "token": journal.token,
            "entries": [
                {
                    "path": str(entry.path),
                    "after": entry.after,
                    "old": entry.old and _CONTENT,
                    "mode": entry.old.mode if entry.old else 0,
                }
                for entry in journal.entries
            ],
            "directories": [str(path) for path in journal.directories],
        }
    )
    first, *others = text.encode("ascii").split(json.dumps(_CONTENT)[1:-1].encode("ascii"))
    return b"".join((first, *chain.from_iterable(zip(contents, others, strict=True))))


def parse_journal(content: bytes) -> Journal:
    """Read what `render_journal` wrote; paths are checked for staying inside the root.

    Raises:
        RepositoryError: it is no journal of this version.
    """
    try:
        data: object = json.loads(content)
    except ValueError:
        raise _unreadable() from None
    match data:
        case {
            "version": 1,
            "intent": str(intent),
            "token": str(token),
            "entries": [*entries],
            "directories": [*directories],
        } if token and _TOKEN_SIGNS.issuperset(token):
            return Journal(
                intent,
                token,
                tuple(_parse_entry(entry) for entry in entries),
                tuple(_parse_path(path) for path in directories),
            )
        case _:
            raise _unreadable()


def _parse_entry(data: object) -> Entry:
    match data:
        case {"path": named, "after": str() | None as after, "old": None}:
            return Entry(_parse_path(named), None, after)
        case {"path": named, "after": str() | None as after, "old": str(old), "mode": int(mode)}:
            path = _parse_path(named)
            return Entry(path, Source(path, _parse_content(old), mode), after)
        case _:
            raise _unreadable()


def _parse_content(spelled: str) -> bytes:
    try:
        return b64decode(spelled, validate=True)
    except ValueError:
        raise _unreadable() from None


def _parse_path(data: object) -> PurePosixPath:
    path = PurePosixPath(data) if isinstance(data, str) else PurePosixPath()
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise _unreadable()
    return path


def _unreadable() -> RepositoryError:
    return RepositoryError(
        "the journal of an interrupted change cannot be read",
        hint="carry on with the release that wrote it, or compare with `git diff` and remove it",
    )
