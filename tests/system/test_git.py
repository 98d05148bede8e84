import os
import subprocess
import tempfile
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.errors import ProgramError
from nixsecrets.system import git
from tests.system.children import become_nobody, in_child

ODD = (":(top)a.yaml", "*", "-n", "space and\nline.yaml", "\udcff.yaml", "naïve.yaml")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "fleet"
    root.mkdir()
    ask(root, "init", "--quiet")
    return root


def ask(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout


def write(root: Path, *names: str, content: str = "text\n") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


def paths(*names: str) -> tuple[PurePosixPath, ...]:
    return tuple(PurePosixPath(name) for name in names)


def test_the_root_is_found_from_any_folder(root: Path) -> None:
    write(root, "systems/hq/secrets.yaml")
    assert git.find_root(root / "systems/hq") == root
    assert git.git_directory(root) == root / ".git"


def test_a_linked_work_tree_has_a_directory_of_its_own(root: Path, tmp_path: Path) -> None:
    ask(root, "commit", "--quiet", "--allow-empty", "-m", "start")
    ask(root, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    assert git.find_root(tmp_path / "linked") == tmp_path / "linked"
    assert git.git_directory(tmp_path / "linked") == root / ".git/worktrees/linked"


def test_outside_git_there_is_no_root(tmp_path: Path) -> None:
    assert git.find_root(tmp_path) is None
    assert git.git_directory(tmp_path) is None


def test_gits_own_directory_is_no_work_tree_to_stand_in(root: Path) -> None:
    assert git.find_root(root / ".git") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_repository_that_git_does_not_trust_is_told() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        root = Path(folder)
        root.chmod(0o755)
        ask(root, "init", "--quiet")

        def find() -> object:
            become_nobody()
            return git.find_root(root)

        assert in_child(find).startswith("6 git failed with status 128")


def test_a_path_that_does_not_exist_may_lie_in_a_work_tree(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert git.is_work_tree(root / "not/made")
    assert git.is_work_tree(root / ".git/hooks")
    assert git.is_work_tree(tmp_path / "link/not/made")
    assert not git.is_work_tree(tmp_path / "not/made")


def test_tracked_and_untracked_files_are_listed_by_any_name(root: Path) -> None:
    write(root, ".gitignore", content="*.log\n")
    write(root, "rebuild.log", "systems/hq/secrets.yaml", "gone.yaml", "new/file.nix", *ODD)
    git.stage(root, paths(".gitignore", "systems/hq/secrets.yaml", "gone.yaml"))
    (root / "gone.yaml").unlink()
    assert git.list_paths(root) == git.Index(
        frozenset(paths(".gitignore", "systems/hq/secrets.yaml", "gone.yaml")),
        frozenset(paths("new/file.nix", *ODD)),
    )


def test_a_tree_without_git_is_walked(tmp_path: Path) -> None:
    write(
        tmp_path,
        "flake.nix",
        "systems/hq/secrets.yaml",
        ".venv/bin/python",
        ".nixsecrets/lock",
        "result.nix",
    )
    (tmp_path / "result").symlink_to("flake.nix")
    (tmp_path / "result-2").symlink_to("systems")
    (tmp_path / "link.nix").symlink_to("flake.nix")
    assert git.walk(tmp_path) == git.Index(
        frozenset(),
        frozenset(paths("flake.nix", "systems/hq/secrets.yaml", "link.nix", "result.nix")),
    )


def test_an_ignored_path_is_told_with_the_line_that_ignores_it(root: Path) -> None:
    write(root, ".gitignore", content="# ours\nsecrets/*\n!secrets/keep.yaml\n*.log\n:*\n")
    write(root, "tracked.log")
    ask(root, "add", "--force", "tracked.log")
    asked = paths(
        "secrets/new.yaml", "secrets/keep.yaml", "tracked.log", "fine.yaml", ":(top)a.yaml", "*"
    )
    assert git.ignored(root, asked) == (
        git.Ignored(PurePosixPath("secrets/new.yaml"), ".gitignore", 2, "secrets/*"),
        git.Ignored(PurePosixPath(":(top)a.yaml"), ".gitignore", 5, ":*"),
    )
    assert git.ignored(root, paths("fine.yaml")) == ()
    assert git.ignored(root, ()) == ()


def test_files_are_staged_in_full_by_their_literal_names(root: Path) -> None:
    write(root, "other.yaml", "gone.yaml", *ODD)
    git.stage(root, paths("gone.yaml"))
    (root / "gone.yaml").unlink()
    git.stage(root, paths("gone.yaml", *ODD))
    assert git.list_paths(root).tracked == frozenset(paths(*ODD))
    git.stage(root, ())


def test_a_commit_holds_the_given_paths_only(root: Path) -> None:
    write(root, "ours.yaml", ":(top)odd.yaml", "theirs.yaml", "untouched.yaml")
    git.stage(root, paths("ours.yaml", ":(top)odd.yaml", "theirs.yaml"))
    made = git.commit(
        root, "nixhq: generation 7 - naïve\n\n# kept\n", paths("ours.yaml", ":(top)odd.yaml")
    )
    assert made == ask(root, "rev-parse", "HEAD").strip()
    assert ask(root, "show", "--format=%B", "--name-only", "HEAD").split("\n") == [
        *("nixhq: generation 7 - naïve", "", "# kept", "", ""),
        *(":(top)odd.yaml", "ours.yaml", ""),
    ]
    assert ask(root, "diff", "--cached", "--name-only") == "theirs.yaml\n"


def test_nothing_to_commit_is_no_commit(root: Path) -> None:
    write(root, "ours.yaml", "theirs.yaml")
    git.stage(root, paths("ours.yaml"))
    git.commit(root, "first", paths("ours.yaml"))
    git.stage(root, paths("theirs.yaml"))
    assert git.commit(root, "second", paths("ours.yaml")) is None
    assert git.commit(root, "third", ()) is None
    assert ask(root, "log", "--format=%s") == "first\n"


def test_a_refused_commit_tells_gits_words(root: Path) -> None:
    write(
        root,
        "ours.yaml",
        ".git/hooks/pre-commit",
        content="#!/bin/sh\necho not today >&2\nexit 1\n",
    )
    (root / ".git/hooks/pre-commit").chmod(0o755)
    git.stage(root, paths("ours.yaml"))
    with pytest.raises(ProgramError, match="git failed with status 1: not today"):
        git.commit(root, "first", paths("ours.yaml"))


def test_the_branch_is_compared_with_what_was_fetched(root: Path, tmp_path: Path) -> None:
    assert git.upstream(root) is None
    ask(root, "commit", "--quiet", "--allow-empty", "-m", "start")
    assert git.upstream(root) is None
    git.fetch(root)
    ask(tmp_path, "clone", "--quiet", "--bare", str(root), "remote.git")
    ask(tmp_path, "clone", "--quiet", "remote.git", "other")
    ask(root, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git.fetch(root)
    ask(root, "branch", "--quiet", "--set-upstream-to=origin/main")
    assert git.upstream(root) == git.Upstream(ahead=0, behind=0)

    for number in ("1", "2"):
        ask(tmp_path / "other", "commit", "--quiet", "--allow-empty", "-m", number)
    git.push(tmp_path / "other")
    ask(root, "commit", "--quiet", "--allow-empty", "-m", "ours")
    git.fetch(root)
    assert git.upstream(root) == git.Upstream(ahead=1, behind=2)
    with pytest.raises(ProgramError, match="git failed with status 1"):
        git.push(root)


def test_reading_starts_no_program_that_the_tree_names(root: Path, tmp_path: Path) -> None:
    hook = tmp_path / "monitor"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    hook.chmod(0o755)
    ask(root, "config", "core.fsmonitor", str(hook))
    write(root, "ours.yaml")
    git.list_paths(root)
    git.ignored(root, paths("ours.yaml"))
    assert not (tmp_path / "started").exists()
