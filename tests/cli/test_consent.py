"""What every command that changes something has in common, and where it works."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.cli.scenes import MARKER, Scene

OPS = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


@dataclass(frozen=True)
class Changing:
    """A command, and what makes it have something to do."""

    arguments: tuple[str, ...]
    prepare: Callable[[Scene], object] = lambda _scene: None
    paths: tuple[str, ...] = ()


COMMANDS = (
    Changing(
        ("add-host", "t15g", "--key", "../machines/t15g/ssh_host_ed25519_key.pub"),
        paths=("keys/hosts/t15g.pub", ".sops.yaml"),
    ),
    Changing(("add-admin", "ops", OPS), paths=("nixsecrets.yaml", "keys/admins/ops.pub")),
    Changing(("set", "wifi/psk", "--generate"), paths=("shared/secrets.yaml",)),
    Changing(("rm", "wifi/psk"), paths=("shared/secrets.yaml", "systems/hq/secrets.nix")),
    Changing(
        ("wire", "hq"),
        lambda scene: (scene.root / "systems/hq/secrets.nix").unlink(),
        ("systems/hq/secrets.nix",),
    ),
    Changing(
        ("rekey",),
        lambda scene: scene.edit(".sops.yaml", "          - *hq\n", ""),
        (".sops.yaml",),
    ),
    Changing(("rotate", "data-keys"), paths=("shared/secrets.yaml", "systems/hq/secrets.yaml")),
)


@pytest.fixture(params=COMMANDS, ids=lambda command: command.arguments[0])
def changing(request: pytest.FixtureRequest) -> Changing:
    command = request.param
    assert isinstance(command, Changing)
    return command


def paths_of(plan: str) -> set[str]:
    return {change["path"] for change in json.loads(plan)["changes"]}


def test_a_dry_run_shows_the_plan_and_writes_nothing(fleet: Scene, changing: Changing) -> None:
    changing.prepare(fleet)
    before = fleet.tree()
    shown = fleet.run(*changing.arguments, "--dry-run", "--json")
    assert (shown.status, shown.stderr, fleet.tree()) == (0, "", before)
    assert set(changing.paths) <= paths_of(shown.text)


def test_without_a_terminal_and_yes_nothing_is_done(fleet: Scene, changing: Changing) -> None:
    changing.prepare(fleet)
    before = fleet.tree()
    ended = fleet.run(*changing.arguments, "--json")
    assert (ended.status, fleet.tree()) == (2, before)
    assert ended.stderr.endswith("nixsecrets: hint: give --yes\n")
    assert set(changing.paths) <= paths_of(ended.text)


def test_with_yes_what_is_shown_is_done_and_new_files_are_staged(
    fleet: Scene, changing: Changing
) -> None:
    changing.prepare(fleet)
    before = fleet.tree()
    ended = fleet.run("-C", "systems/t460", *_absolute(fleet, changing), "--json", "--yes")
    assert ended.status == 0, ended
    shown = paths_of(ended.text)
    assert set(changing.paths) <= shown
    after = fleet.tree()
    names = before.keys() | after.keys()
    files = {
        name for name in names if before.get(name, (0, b""))[1] != after.get(name, (0, b""))[1]
    }
    assert files - {"index"} == {f"fleet/{path}" for path in shown}
    staged = fleet.git("diff", "--cached", "--name-only", "--diff-filter=A").split()
    new = {path for path in shown if f"fleet/{path}" not in before}
    assert new <= set(staged) | {"systems/hq/secrets.nix"}


def _absolute(scene: Scene, changing: Changing) -> tuple[str, ...]:
    return tuple(
        str((scene.root / word).resolve()) if word.startswith("../") else word
        for word in changing.arguments
    )


def test_a_folder_without_git_is_a_fleet_too(bare: Scene) -> None:
    shutil.rmtree(bare.root / ".git")
    bare.done("init", "--yes")
    bare.done("add-host", "hq", "--key", bare.public("hq"), "--yes")
    bare.done("set", "a/b", "--host", "hq", "--yes", stdin=MARKER.encode())
    assert bare.done("get", "a/b") == MARKER
    assert sorted(file.name for file in (bare.root / ".nixsecrets").iterdir()) == [
        ".gitignore",
        "lock",
    ]


def test_a_linked_work_tree_has_a_journal_of_its_own(fleet: Scene) -> None:
    fleet.git("worktree", "add", "--quiet", "../linked")
    ended = fleet.run("set", "wifi/psk", "--generate", "--yes", folder="linked")
    assert ended.status == 0, ended
    assert (fleet.root / ".git/worktrees/linked/nixsecrets/lock").exists()
    assert fleet.git("status", "--porcelain") == ""


def test_an_index_that_git_has_locked_is_told_and_the_change_stands(fleet: Scene) -> None:
    fleet.write(".git/index.lock", "")
    ended = fleet.run("add-host", "t15g", "--key", fleet.public("t15g"), "--yes")
    assert ended.status == 6, ended
    assert "the change stands, but its new files are not staged" in ended.stderr
    hint = ended.stderr.partition("nixsecrets: hint: ")[2]
    (fleet.root / ".git/index.lock").unlink()
    assert fleet.start("sh", "-c", hint).status == 0
    assert "A  keys/hosts/t15g.pub" in fleet.git("status", "--porcelain")


def test_the_users_own_key_makes_the_first_admin(bare: Scene) -> None:
    ssh = bare.home / ".ssh"
    ssh.mkdir()
    options = ("-q", "-t", "ed25519", "-N", "", "-C", "me@here", "-f", str(ssh / "id_ed25519"))
    assert bare.start("ssh-keygen", *options).status == 0
    shown = json.loads(bare.done("init", "--yes", "--json"))
    assert shown["exports"] == []
    public = (ssh / "id_ed25519.pub").read_text().split()[1]
    assert public in bare.read("keys/admins/miscguy.pub")
    bare.done("add-host", "hq", "--key", bare.public("hq"), "--yes")
    bare.done("set", "host/hq:a/b", "--yes", stdin=b"of mine")
    assert bare.done("get", "a/b") == "of mine"


def test_an_identity_file_that_cannot_be_used_is_not_passed_over(bare: Scene) -> None:
    bare.identity_file.parent.mkdir(parents=True)
    bare.identity_file.write_text("AGE-SECRET-KEY-1QQ\n")
    ended = bare.run("init", "--yes")
    assert (ended.status, ended.text) == (4, "")
    assert str(bare.identity_file) in ended.stderr
    assert "AGE-SECRET-KEY-1QQ" not in ended.stderr
