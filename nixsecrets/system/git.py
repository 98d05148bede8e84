"""Ask and tell git, by its program; and list a tree that has no git."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nixsecrets.system.process import failure, output, run

_UNWALKED = frozenset({".git", ".venv", ".direnv", ".nixsecrets"})
_IGNORED = 0
_NONE_IGNORED = 1


class Index(NamedTuple):
    """The files of a repository, relative to its root.

    Args:
        tracked: in git's index; such a file may be missing in the work tree.
        untracked: neither in the index nor ignored.
    """

    tracked: frozenset[PurePosixPath]
    untracked: frozenset[PurePosixPath]


class Ignored(NamedTuple):
    """A path that git does not see, and the line that says so.

    Args:
        path: relative to the root.
        source: the ignore file, as git names it.
        line: 1-based line in `source`.
        pattern: what stands there.
    """

    path: PurePosixPath
    source: str
    line: int
    pattern: str


class Upstream(NamedTuple):
    """How many commits the branch has that its upstream has not, and the other way round."""

    ahead: int
    behind: int


def is_work_tree(path: Path) -> bool:
    """Say whether a path, which need not exist, lies in a git work tree or in git's directory."""
    resolved = path.resolve()
    return any((folder / ".git").exists() for folder in (resolved, *resolved.parents))


def find_root(start: Path) -> Path | None:
    """Return the top of the work tree that a folder lies in; None: it lies in none.

    Raises:
        ProgramError: git is missing, or does not trust the repository (`safe.directory`).
    """
    if not is_work_tree(start) and "GIT_DIR" not in os.environ:
        return None
    return _find_folder(start, "--show-toplevel")


def git_directory(root: Path) -> Path | None:
    """Return git's directory of a work tree, its own one where it is a linked work tree."""
    usual = root / ".git"
    if usual.is_dir() and "GIT_DIR" not in os.environ:
        return usual
    return _find_folder(root, "--absolute-git-dir")


def list_paths(root: Path) -> Index:
    return Index(
        _split(_read(root, "ls-files", "-z", "--cached")),
        _split(_read(root, "ls-files", "-z", "--others", "--exclude-standard")),
    )


def walk(root: Path) -> Index:
    """List a tree without git; links to folders and Nix's `result` links are left out."""
    found: set[PurePosixPath] = set()
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _UNWALKED]
        inside = PurePosixPath(Path(folder).relative_to(root))
        found.update(inside / name for name in files if not _is_result(Path(folder, name)))
    return Index(frozenset(), frozenset(found))


def ignored(root: Path, paths: Iterable[PurePosixPath]) -> tuple[Ignored, ...]:
    """Return those of the paths that git ignores; a tracked file is never ignored."""
    # "./" keeps a leading ":" from being pathspec magic; check-ignore has no literal pathspecs.
    asked = b"".join(b"./" + os.fsencode(_placed(root, path)) + b"\0" for path in paths)
    arguments = _arguments(root, "check-ignore", "--verbose", "-z", "--stdin")
    ended = run(arguments, environment=_reading(), stdin=asked)
    if ended.status not in (_IGNORED, _NONE_IGNORED):
        raise failure(arguments, ended)
    fields = [os.fsdecode(field) for field in ended.stdout.split(b"\0")[:-1]]
    lines = zip(fields[0::4], fields[1::4], fields[2::4], fields[3::4], strict=True)
    return tuple(
        Ignored(PurePosixPath(path), source, int(line), pattern)
        for source, line, pattern, path in lines
        if not pattern.startswith("!")
    )


def stage(root: Path, paths: Iterable[PurePosixPath]) -> None:
    """Stage files in full, removals included."""
    named = b"".join(os.fsencode(_placed(root, path)) + b"\0" for path in paths)
    if named:
        options = ("--pathspec-from-file=-", "--pathspec-file-nul")
        output(_arguments(root, "--literal-pathspecs", "add", *options), stdin=named)


def commit(root: Path, message: str, paths: Iterable[PurePosixPath]) -> str | None:
    """Commit these paths and nothing else, whatever else is staged; new files are staged before.

    Returns:
        The commit's id; None: there was nothing to commit.
    """
    named = [str(path) for path in paths]
    status = ("status", "--porcelain", "-z", "--untracked-files=no", "--", *named)
    if not named or not _read(root, "--literal-pathspecs", *status):
        return None
    options = ("--quiet", "--only", "--file=-", "--", *named)
    output(
        _arguments(root, "--literal-pathspecs", "commit", *options),
        stdin=message.encode("utf-8", "surrogateescape"),
    )
    return _read(root, "rev-parse", "HEAD").decode("ascii").strip()


def upstream(root: Path) -> Upstream | None:
    """Compare the branch with what was last fetched of its upstream; None: it has none."""
    arguments = _arguments(root, "rev-parse", "--verify", "--quiet", "@{upstream}")
    if run(arguments, environment=_reading()).status != 0:
        return None
    counts = _read(root, "rev-list", "--left-right", "--count", "@{upstream}...HEAD")
    behind, ahead = counts.split()
    return Upstream(int(ahead), int(behind))


def fetch(root: Path) -> None:
    output(_arguments(root, "fetch", "--quiet"))


def upstream_log(root: Path) -> tuple[str, ...]:
    """Return what was last fetched and is not on the branch: a line a commit, the newest first."""
    log = _read(root, "log", "--format=%h %s (%an)", "HEAD..@{upstream}")
    return tuple(log.decode("utf-8", "replace").splitlines())


def fast_forward(root: Path) -> None:
    """Bring the branch to its upstream, which has all of its commits.

    Raises:
        ProgramError: it has not, or a file that was changed here is in the way.
    """
    output(_arguments(root, "merge", "--quiet", "--ff-only", "@{upstream}"))


def push(root: Path) -> None:
    output(_arguments(root, "push", "--quiet"))


def _find_folder(start: Path, question: str) -> Path | None:
    arguments = _arguments(start, "rev-parse", question)
    ended = run(arguments, environment=_reading())
    if ended.status == 0:
        return Path(os.fsdecode(ended.stdout.removesuffix(b"\n")))
    if b"not a git repository" in ended.stderr or b"in a work tree" in ended.stderr:
        return None
    raise failure(arguments, ended)


def _read(root: Path, *arguments: str) -> bytes:
    return output(_arguments(root, *arguments), environment=_reading())


def _arguments(root: Path, *arguments: str) -> tuple[str, ...]:
    # core.fsmonitor may name a program (git-config(1)); the tree is not to start one.
    return ("git", "-c", "core.fsmonitor=false", "-C", str(root), *arguments)


def _reading() -> dict[str, str]:
    """Return the user's environment, in which git takes no locks and speaks plain English."""
    return os.environ | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def _split(stdout: bytes) -> frozenset[PurePosixPath]:
    return frozenset(PurePosixPath(os.fsdecode(name)) for name in stdout.split(b"\0") if name)


def _placed(root: Path, path: PurePosixPath) -> PurePosixPath:
    """Return where a path's folder really is: git takes no path beyond a symbolic link."""
    folder, top = (root / path.parent).resolve(), root.resolve()
    return PurePosixPath(folder.relative_to(top), path.name) if folder.is_relative_to(top) else path


def _is_result(file: Path) -> bool:
    return file.is_symlink() and (file.name == "result" or file.name.startswith("result-"))
