"""Which commit a host runs, noted in git, and the files of that commit."""

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nixsecrets.system.process import output, run

_NOTES = "refs/notes/nixsecrets"
_GENERATION = re.compile(r"deployed as generation ([0-9]+)\.", re.ASCII)


class Deployed(NamedTuple):
    """What was last noted of a host.

    Args:
        commit: that it was built from; it may be gone.
        noted: when it was found to run it.
        generation: as which; None: the note cannot be read.
    """

    commit: str
    noted: datetime
    generation: int | None


def note(root: Path, host: str, generation: int, commit: str = "HEAD") -> None:
    """Note that a host runs a commit, as a generation of its own.

    Raises:
        ProgramError: git does not, for instance before the first commit.
    """
    notes = ("notes", f"--ref={_NOTES}/{host}")
    if _words(generation) not in _read(root, *notes, "show", commit):
        output(_arguments(root, *notes, "append", "--message", _words(generation), commit))


def find_commit(root: Path, host: str, generation: int, made_s: int | None) -> str | None:
    """Return the commit that a host's generation was built from, as far as is known.

    That is the one with a note; else the last one that is older than the generation.
    """
    noted = f"--notes={_NOTES}/{host}"
    grep = ("--fixed-strings", f"--grep={_words(generation)}")
    found = _read(root, "log", "-1", "--format=%H", "--all", noted, *grep)
    if not found and made_s is not None:
        found = _read(root, "rev-list", "-1", f"--before=@{made_s}", "HEAD")
    return found or None


def last(root: Path, host: str) -> Deployed | None:
    """Return what was last noted of a host; None: nothing was."""
    notes = f"{_NOTES}/{host}"
    # A note's path is its commit's id, in folders where there are many (git-notes(1)).
    written = ("--root", "--find-renames=100%", "--diff-filter=AM", "--name-only", "--format=%ct")
    made, _, paths = _read(root, "log", "-1", *written, notes, "--").partition("\n")
    commit = next(iter(paths.split()), "").replace("/", "")
    if not commit or not made.isdecimal():
        return None
    said = _GENERATION.findall(_read(root, "notes", f"--ref={notes}", "show", commit))
    generation = int(said[-1]) if said else None
    return Deployed(commit, datetime.fromtimestamp(int(made), UTC), generation)


def commits_since(root: Path, commit: str, paths: Sequence[PurePosixPath]) -> int | None:
    """Return how many commits of the branch changed paths since another; None: that is gone.

    Raises:
        ProgramError: git cannot tell.
    """
    there = ("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    if not _read(root, *there):
        return None
    if not paths:
        return 0
    counted = ("rev-list", "--count", f"{commit}..HEAD", "--", *map(str, paths))
    return int(output(_arguments(root, "--literal-pathspecs", *counted)))


def content_at(root: Path, commit: str, path: PurePosixPath) -> bytes | None:
    """Return a file as a commit has it; None: it has none."""
    ended = run(_arguments(root, "show", f"{commit}:./{path}"))
    return ended.stdout if ended.status == 0 else None


def _words(generation: int) -> str:
    return f"deployed as generation {generation}."


def _read(root: Path, *arguments: str) -> str:
    ended = run(_arguments(root, *arguments), environment=os.environ | {"GIT_OPTIONAL_LOCKS": "0"})
    return ended.stdout.decode("ascii", "replace").strip() if ended.status == 0 else ""


def _arguments(root: Path, *arguments: str) -> tuple[str, ...]:
    # core.fsmonitor may name a program (git-config(1)); the tree is not to start one.
    return ("git", "-c", "core.fsmonitor=false", "-C", str(root), *arguments)
