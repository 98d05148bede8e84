import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.change import Change, Export, Plan, digest
from nixsecrets.errors import BusyError, NixsecretsError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.system.interrupted import pending
from nixsecrets.system.lock import exclusive, make_state, state_directory
from nixsecrets.system.transaction import apply, open_log, recover
from tests.system.children import (
    NOBODY,
    become_nobody,
    give_to_nobody,
    in_child,
    killed_at,
)

Snapshot = dict[str, tuple[bytes, int] | None]

OLD = {"policy.yaml": b"old policy\n", "gone.yaml": b"old gone\n", "shared/real.yaml": b"old\n"}


@dataclass(frozen=True)
class Tree:
    root: Path

    @property
    def state(self) -> Path:
        return state_directory(self.root, None)

    def apply(self, step: Callable[[str], None] = str) -> None:
        apply(self.root, self.state, plan(), step)

    def recover(self, step: Callable[[str], None] = str) -> str | None:
        return recover(self.root, self.state, step)


def plan(*exports: Export) -> Plan:
    return Plan("add host t15g", changes(), exports)


def changes() -> tuple[Change, ...]:
    return (
        change("policy.yaml", OLD["policy.yaml"], b"new policy\n", mode=0o640),
        change("keys/hosts/t15g.pub", None, b"made\n"),
        change("gone.yaml", OLD["gone.yaml"], None),
        change("keys/admins/jane.pub", None, b"made too\n"),
        change("link.yaml", OLD["shared/real.yaml"], b"new\n"),
    )


def change(path: str, before: bytes | None, after: bytes | None, mode: int = 0o644) -> Change:
    held = None if before is None else digest(before)
    return Change(PurePosixPath(path), held, after, mode=mode)


def snapshot(root: Path) -> Snapshot:
    """Return everything in a tree: content and mode of files, None for folders."""
    return {
        str(file.relative_to(root)): (
            (file.read_bytes(), file.stat().st_mode & 0o777) if file.is_file() else None
        )
        for file in root.rglob("*")
        if ".nixsecrets" not in file.relative_to(root).parts
    }


def journals(tree: Tree) -> list[str]:
    return sorted(file.name for file in tree.state.glob("*.json"))


def make_tree(root: Path) -> Tree:
    for name, content in OLD.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
        (root / name).chmod(0o644)
    (root / "link.yaml").symlink_to("shared/real.yaml")
    return Tree(root)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path / "root")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that another user can reach, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def steps_of(act: Callable[[Callable[[str], None]], object]) -> list[str]:
    steps: list[str] = []
    act(steps.append)
    return steps


def before_and_after(folder: Path) -> tuple[Snapshot, Snapshot, list[str]]:
    tree = make_tree(folder)
    before = snapshot(tree.root)
    steps = steps_of(tree.apply)
    return before, snapshot(tree.root), steps


def test_a_plan_creates_changes_and_deletes_files(tree: Tree) -> None:
    tree.apply()
    assert snapshot(tree.root) == {
        "policy.yaml": (b"new policy\n", 0o640),
        "keys": None,
        "keys/hosts": None,
        "keys/hosts/t15g.pub": (b"made\n", 0o644),
        "keys/admins": None,
        "keys/admins/jane.pub": (b"made too\n", 0o644),
        "shared": None,
        "shared/real.yaml": (b"new\n", 0o644),
        "link.yaml": (b"new\n", 0o644),
    }
    assert (tree.root / "link.yaml").is_symlink()
    assert journals(tree) == []


def test_outside_git_the_state_ignores_itself(tree: Tree) -> None:
    tree.apply()
    assert (tree.root / ".nixsecrets/.gitignore").read_text() == "*\n"
    assert (tree.root / ".nixsecrets").stat().st_mode & 0o777 == 0o700


def test_a_process_killed_at_any_step_leaves_all_or_nothing(tmp_path: Path) -> None:
    before, after, steps = before_and_after(tmp_path / "dry")
    commit = steps.index("commit")
    for number, name in enumerate(steps):
        tree = make_tree(tmp_path / str(number))
        assert in_child(lambda: tree.apply(killed_at(number))) == "", name  # noqa: B023  # called at once
        assert (pending(tree.state) is None) == (number <= steps.index("keep journal")), name
        tree.recover()
        assert snapshot(tree.root) == (after if number > commit else before), name
        assert tree.recover() is None
        if number <= commit:
            tree.apply()
        assert snapshot(tree.root) == after, name
        assert journals(tree) == [], name


def test_a_recovery_killed_at_any_step_is_carried_on(tmp_path: Path) -> None:
    before, after, steps = before_and_after(tmp_path / "dry")
    for name in ("write keys/hosts/t15g.pub", "commit", "place gone.yaml", "settle"):
        number = steps.index(name)
        tried = make_tree(tmp_path / f"{number}")
        in_child(lambda: tried.apply(killed_at(number)))  # noqa: B023  # called at once
        for second, other in enumerate(steps_of(tried.recover)):
            tree = make_tree(tmp_path / f"{number}-{second}")
            in_child(lambda: tree.apply(killed_at(number)))  # noqa: B023  # called at once
            assert in_child(lambda: tree.recover(killed_at(second))) == "", other  # noqa: B023  # the same
            tree.recover()
            assert snapshot(tree.root) in (before, after), (name, other)
            assert journals(tree) == []


def test_going_back_killed_at_any_step_keeps_what_someone_else_wrote(tmp_path: Path) -> None:
    def interrupted(folder: Path) -> Tree:
        tree = make_tree(folder)
        in_child(lambda: tree.apply(killed_at(steps.index("place shared/real.yaml"))))
        (tree.root / "shared/real.yaml").write_bytes(b"foreign\n")
        return tree

    before, _, steps = before_and_after(tmp_path / "dry")
    foreign = (b"foreign\n", 0o644)
    expected = before | {"shared/real.yaml": foreign, "link.yaml": foreign}
    for number, name in enumerate(steps_of(interrupted(tmp_path / "first").recover)):
        tree = interrupted(tmp_path / str(number))
        assert in_child(lambda: tree.recover(killed_at(number))) == "", name  # noqa: B023  # called at once
        tree.recover()
        assert snapshot(tree.root) == expected, name
        assert journals(tree) == []


def test_recovery_says_what_it_did(tmp_path: Path) -> None:
    *_, steps = before_and_after(tmp_path / "dry")
    said = []
    for name in ("commit", "place gone.yaml"):
        tree = make_tree(tmp_path / name.replace(" ", "-"))
        in_child(lambda: tree.apply(killed_at(steps.index(name))))  # noqa: B023  # called at once
        said.append(tree.recover())
    assert said == [
        "an interrupted change was taken back: add host t15g",
        "an interrupted change was completed: add host t15g",
    ]


def test_a_failure_at_any_step_leaves_nothing_behind(tmp_path: Path) -> None:
    before, _, steps = before_and_after(tmp_path / "dry")
    assert steps.pop() == "settle"
    for number, name in enumerate(steps):
        tree = make_tree(tmp_path / str(number))

        def interrupt(step: str, at: str = name) -> None:
            if step == at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            tree.apply(interrupt)
        assert snapshot(tree.root) == before, name
        assert journals(tree) == []


def test_a_failure_to_settle_takes_nothing_back(tree: Tree, tmp_path: Path) -> None:
    _, after, _ = before_and_after(tmp_path / "dry")

    def fail() -> None:
        raise NixsecretsError("the test stops here")

    with pytest.raises(NixsecretsError, match="the test stops here"):
        apply(tree.root, tree.state, plan(), settle=fail)
    assert snapshot(tree.root) == after
    assert journals(tree) == []


def test_a_process_killed_while_it_settles_is_told_of(tree: Tree, tmp_path: Path) -> None:
    _, after, _ = before_and_after(tmp_path / "dry")
    killed = killed_at(0)
    assert in_child(lambda: apply(tree.root, tree.state, plan(), settle=lambda: killed(""))) == ""
    assert tree.recover() == "an interrupted change was completed: add host t15g"
    assert snapshot(tree.root) == after


@pytest.mark.parametrize("name", [str(change.path) for change in changes()])
def test_a_file_changed_before_the_plan_is_applied_stops_it(tree: Tree, name: str) -> None:
    (tree.root / name).parent.mkdir(parents=True, exist_ok=True)
    (tree.root / name).write_bytes(b"foreign\n")
    found = snapshot(tree.root)
    with pytest.raises(BusyError, match=f"^{name} was changed by someone else meanwhile$"):
        tree.apply()
    assert snapshot(tree.root) == found


def test_a_file_removed_before_the_plan_is_applied_stops_it(tree: Tree) -> None:
    (tree.root / "policy.yaml").unlink()
    with pytest.raises(BusyError):
        tree.apply()
    assert not (tree.root / "policy.yaml").exists()


@pytest.mark.parametrize(
    "name",
    ["policy.yaml", "keys/hosts/t15g.pub", "gone.yaml", "keys/admins/jane.pub", "shared/real.yaml"],
)
@pytest.mark.parametrize("moment", ["commit", "place {}"])
def test_a_file_changed_midway_is_kept_and_the_rest_taken_back(
    tree: Tree, name: str, moment: str
) -> None:
    before = snapshot(tree.root)

    def meddle(step: str) -> None:
        if step == moment.format(name):
            (tree.root / name).write_bytes(b"foreign\n")

    with pytest.raises(BusyError, match=f"^{name} was changed"):
        tree.apply(meddle)
    found = snapshot(tree.root)
    assert found.pop(name) == (b"foreign\n", 0o644)
    others = [name, "link.yaml"] if name == "shared/real.yaml" else [name]
    others += [str(parent) for parent in PurePosixPath(name).parents]
    assert {k: v for k, v in found.items() if k not in others} == {
        k: v for k, v in before.items() if k not in others
    }
    assert journals(tree) == []


@pytest.mark.parametrize("limit_bytes", [50, 4000], ids=["journal", "temporary file"])
def test_a_full_disk_changes_nothing(tree: Tree, limit_bytes: int) -> None:
    before = snapshot(tree.root)
    make_state(tree.state)
    large = change("policy.yaml", OLD["policy.yaml"], b"x" * 10_000)

    def fill_the_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
        apply(tree.root, tree.state, Plan("grow", (*changes()[1:], large)))

    said = in_child(fill_the_disk)
    assert said.startswith("3 ")
    assert "cannot be written: file too large" in said
    assert snapshot(tree.root) == before
    assert journals(tree) == []


@pytest.mark.parametrize(
    ("folder", "mode"), [(".", 0o555), ("shared", 0o555), (".nixsecrets", 0o555), ("shared", 0)]
)
def test_a_folder_closed_to_us_changes_nothing(open_folder: Path, folder: str, mode: int) -> None:
    tree = make_tree(open_folder / "root")
    make_state(tree.state)
    give_to_nobody(tree.root)
    before = snapshot(tree.root)
    (tree.root / folder).chmod(mode)

    def write_as_nobody() -> None:
        become_nobody()
        tree.apply()

    said = in_child(write_as_nobody)
    (tree.root / folder).chmod(0o755)
    assert said.startswith("3 ")
    assert said.endswith("cannot be written: permission denied")
    assert snapshot(tree.root) == before
    assert journals(tree) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a tree away")
def test_root_does_not_write_another_users_tree(tree: Tree) -> None:
    give_to_nobody(tree.root)
    before = snapshot(tree.root)
    with pytest.raises(RepositoryError, match="not written as root"):
        tree.apply()
    with pytest.raises(RepositoryError, match="not written as root"), exclusive(tree.state):
        pass
    assert snapshot(tree.root) == before
    assert not tree.state.exists()


def test_the_owner_of_a_tree_writes_it(open_folder: Path) -> None:
    tree = make_tree(open_folder / "root")
    give_to_nobody(tree.root)

    def write_as_owner() -> str:
        become_nobody()
        tree.apply()
        return "done"

    assert in_child(write_as_owner) == "done"
    owner = NOBODY if os.geteuid() == 0 else os.geteuid()
    assert (tree.root / "policy.yaml").stat().st_uid == owner


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../out.yaml", "not a path inside"),
        ("/etc/out.yaml", "not a path inside"),
        (".", "not a path inside"),
        ("away/out.yaml", "leads out of the repository"),
        ("away.yaml", "leads out of the repository"),
        ("round.yaml", "cannot be resolved|no regular file|leads"),
        (".git/hooks/pre-commit", "lies in git's own directory"),
        ("policy.yaml/below.yaml", "is no directory"),
        ("shared", "is no regular file"),
    ],
)
def test_a_path_that_is_no_file_of_the_repository_is_refused(
    tree: Tree, tmp_path: Path, path: str, said: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tree.root / "away").symlink_to(tmp_path / "elsewhere")
    (tree.root / "away.yaml").symlink_to("../elsewhere/out.yaml")
    (tree.root / "round.yaml").symlink_to("round.yaml")
    before = snapshot(tree.root)
    with pytest.raises(RepositoryError, match=said):
        apply(tree.root, tree.state, Plan("escape", (*changes(), change(path, None, b"x"))))
    assert snapshot(tree.root) == before
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_two_changes_of_one_file_are_refused(tree: Tree) -> None:
    twice = (changes()[-1], change("shared/real.yaml", OLD["shared/real.yaml"], b"x"))
    with pytest.raises(RepositoryError, match=r"shared/real\.yaml is meant by two changes"):
        apply(tree.root, tree.state, Plan("twice", twice))


def test_a_journal_that_cannot_be_read_is_told(tree: Tree) -> None:
    make_state(tree.state)
    (tree.state / "forward.json").write_bytes(b'{"version": 2}')
    with pytest.raises(RepositoryError, match=r"forward\.json: the journal of an interrupted"):
        tree.recover()


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "away/passwd"])
def test_a_journal_that_leads_out_of_the_repository_is_refused(
    tree: Tree, tmp_path: Path, path: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/passwd").write_bytes(b"theirs\n")
    (tree.root / "away").symlink_to(tmp_path / "elsewhere")
    make_state(tree.state)
    (tree.state / "forward.json").write_text(
        '{"version": 1, "intent": "x", "token": "ab", "directories": [], "entries": '
        f'[{{"path": "{path}", "after": null, "old": "dGhlaXJzCg==", "mode": 420}}]}}'
    )
    with pytest.raises(RepositoryError):
        tree.recover()
    assert (tmp_path / "elsewhere/passwd").read_bytes() == b"theirs\n"


def test_a_change_under_way_is_no_interrupted_one(tree: Tree) -> None:
    make_state(tree.state)
    (tree.state / "preparing.json").write_bytes(b"{}")
    interrupted = pending(tree.state)
    with exclusive(tree.state):
        under_way = pending(tree.state)
    assert interrupted == (
        "a change was interrupted; `nixsecrets wire`, like every command that changes something,"
        " carries it on"
    )
    assert under_way is None


def test_nothing_is_pending_where_nothing_was_ever_done(tree: Tree) -> None:
    assert pending(tree.state) is None
    assert tree.recover() is None
    assert not tree.state.exists()


def export(file: Path) -> Export:
    return Export(file, Plaintext(b"TEST-MARKER"), "host key of t15g")


def test_an_export_is_written_for_its_owner_alone(tree: Tree, tmp_path: Path) -> None:
    file = tmp_path / "fresh/keys/host"
    apply(tree.root, tree.state, plan(export(file)))
    assert file.read_bytes() == b"TEST-MARKER"
    modes = [path.stat().st_mode & 0o777 for path in (file, file.parent, file.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]
    assert (tree.root / "policy.yaml").read_bytes() == b"new policy\n"


def test_an_export_never_enters_tree_or_journal(tree: Tree, tmp_path: Path) -> None:
    seen: list[bytes] = []

    def look(_step: str) -> None:
        seen.extend(file.read_bytes() for file in tree.root.rglob("*") if file.is_file())

    apply(tree.root, tree.state, plan(export(tmp_path / "out/host")), look)
    assert seen
    assert not [content for content in seen if b"MARKER" in content]


def test_an_existing_file_is_never_an_export(tree: Tree, tmp_path: Path) -> None:
    file = tmp_path / "host"
    file.write_bytes(b"theirs")
    before = snapshot(tree.root)
    with pytest.raises(RepositoryError, match="exists and is not overwritten"):
        apply(tree.root, tree.state, plan(export(file)))
    assert file.read_bytes() == b"theirs"
    assert snapshot(tree.root) == before


def test_a_file_that_appears_in_an_exports_place_is_kept(tree: Tree, tmp_path: Path) -> None:
    file = tmp_path / "host"
    before = snapshot(tree.root)

    def meddle(step: str) -> None:
        if step == f"export {file}":
            file.write_bytes(b"theirs")

    with pytest.raises(RepositoryError, match="file exists"):
        apply(tree.root, tree.state, plan(export(file)), meddle)
    assert file.read_bytes() == b"theirs"
    assert snapshot(tree.root) == before


@pytest.mark.parametrize("place", ["root/out/host", "other/out/host"])
def test_an_export_into_a_repository_is_refused(tree: Tree, tmp_path: Path, place: str) -> None:
    (tmp_path / "other/.git").mkdir(parents=True)
    with pytest.raises(RepositoryError, match="would lie in a repository"):
        apply(tree.root, tree.state, plan(export(tmp_path / place)))
    assert not (tmp_path / place).parent.exists()


def test_exports_go_when_the_change_fails_at_any_step(tmp_path: Path) -> None:
    out = tmp_path / "out"
    dry = make_tree(tmp_path / "dry")
    steps: list[str] = []
    apply(dry.root, dry.state, plan(export(out / "a"), export(out / "b")), steps.append)
    shutil.rmtree(out)
    assert steps.pop() == "settle"
    for number, name in enumerate(steps):
        tree = make_tree(tmp_path / str(number))
        before = snapshot(tree.root)

        def fail(step: str, at: str = name) -> None:
            if step == at:
                raise NixsecretsError("the test stops here")

        with pytest.raises(NixsecretsError, match="the test stops here"):
            apply(tree.root, tree.state, plan(export(out / "a"), export(out / "b")), fail)
        assert not out.exists(), name
        assert snapshot(tree.root) == before, name


def test_exports_alone_need_no_state(tree: Tree, tmp_path: Path) -> None:
    apply(tree.root, tree.state, Plan("export", (), (export(tmp_path / "host"),)))
    assert (tmp_path / "host").exists()
    assert not tree.state.exists()


def test_a_log_starts_anew_and_is_private(tree: Tree) -> None:
    path = PurePosixPath("rebuild.log")
    for line in (b"a first and longer run\n", b"second\n"):
        with open_log(tree.root, path) as log:
            log.write(line)
    file = tree.root / path
    assert file.read_bytes() == b"second\n"
    assert file.stat().st_mode & 0o777 == 0o600
