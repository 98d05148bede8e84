"""Which commit a host runs, noted in git, and the files of that commit."""

import os
from pathlib import Path, PurePosixPath

from nixsecrets.system.process import output, run

_NOTES = "refs/notes/nixsecrets"


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
