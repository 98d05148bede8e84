"""edit: a document in the user's editor, and back, without a trace on a disk."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.scenes import MARKER, TOOL, Scene

DOCUMENT = "systems/hq/secrets.yaml"
# Runs a piece of Python on the text; the turn is counted from 1.
EDITOR = """\
import os, subprocess, sys
from pathlib import Path
file, count = Path(sys.argv[-1]), Path(os.environ["HOME"], "turns")
turn = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(turn))
old = file.read_text()
exec(sys.argv[1])
"""
RUNTIME = Path(f"/dev/shm/test-edit-{os.getpid()}")  # noqa: S108  # ours alone, in memory
CHANGED = "file.write_text(old.replace('of hq', 'typed') + 'new: {name: seven}\\n')"


def editing(scene: Scene, program: str) -> Scene:
    script = scene.folder / "editor.py"
    script.write_text(EDITOR)
    editor = shlex.join((sys.executable, str(script), program))
    return scene.with_variables(EDITOR=editor, XDG_RUNTIME_DIR=str(RUNTIME))


@pytest.fixture(autouse=True, scope="module")
def runtime() -> Iterator[None]:
    RUNTIME.mkdir(mode=0o700)
    yield
    shutil.rmtree(RUNTIME)


def leftovers() -> set[str]:
    return {file.name for file in RUNTIME.iterdir()}


def lines_of(text: str, name: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip().startswith(f"{name}:")]


def test_what_was_typed_is_sealed_and_names_are_told(fleet: Scene) -> None:
    before, folders = fleet.read(DOCUMENT), leftovers()
    ended = editing(fleet, CHANGED).run("edit", DOCUMENT, "--yes")
    assert ended.status == 0, ended
    for line in ("~ host/hq:restic/password", "+ host/hq:new/name"):
        assert line in ended.text
    assert "nextcloud" not in ended.text
    assert fleet.git("status", "--short") == f" M systems/hq/secrets.nix\n M {DOCUMENT}\n"
    assert fleet.done("get", "host/hq:restic/password") == "typed"
    assert "typed" not in ended.text + ended.stderr
    assert fleet.done("get", "host/hq:new/name") == "seven"
    assert lines_of(fleet.read(DOCUMENT), "admin-password") == lines_of(before, "admin-password")
    assert leftovers() == folders


def test_new_names_are_wired_and_gone_ones_are_unwired(fleet: Scene) -> None:
    program = "file.write_text('restic:\\n  password: of hq\\nnew: x\\n')"
    assert editing(fleet, program).run("edit", DOCUMENT, "--yes").status == 0
    wiring = fleet.read("systems/hq/secrets.nix")
    assert '"new"' in wiring
    assert "nextcloud" not in wiring


def test_a_text_as_it_was_leaves_every_byte(fleet: Scene) -> None:
    before = fleet.tree()
    ended = editing(fleet, "file.write_text(old)").run("edit", DOCUMENT)
    assert (ended.status, ended.text) == (0, "")
    assert "nixsecrets: nothing was changed\n" in ended.stderr
    (fleet.home / "turns").unlink()
    assert fleet.tree() | {"editor.py": (0, b"")} == before | {"editor.py": (0, b"")}


@pytest.mark.parametrize(
    ("program", "status", "words"),
    [
        ("file.write_text('a: 1\\nb: [\\n')", 3, f"error: {DOCUMENT}:"),
        ("file.write_text('')", 3, "the text is empty"),
        ("sys.exit(1)", 6, "failed with status 1, so that nothing was changed"),
        ("file.write_text(old + 'sops: 1\\n')", 3, "reserved for the metadata"),
    ],
    ids=["damaged", "emptied", "editor failed", "metadata"],
)
def test_without_a_terminal_what_is_wrong_ends_it_and_changes_nothing(
    fleet: Scene, program: str, status: int, words: str
) -> None:
    before, folders = fleet.read(DOCUMENT), leftovers()
    ended = editing(fleet, program).run("edit", DOCUMENT, "--yes")
    assert (ended.status, fleet.read(DOCUMENT)) == (status, before), ended
    assert words in ended.stderr
    assert MARKER not in ended.stderr
    assert leftovers() == folders


def test_at_a_terminal_the_editor_comes_back_with_what_was_typed(fleet: Scene) -> None:
    program = "file.write_text(old + 'new: [\\n' if turn == 1 else old.replace('[', 'fine'))"
    turns = (("back to the editor? [Y/n]", "\n"), ("apply? [y/N]", "y\n"))
    status, screen = editing(fleet, program).talk(("edit", DOCUMENT), *turns)
    assert status == 0, screen
    assert f"nixsecrets: error: {DOCUMENT}:" in screen
    assert fleet.done("get", "host/hq:new") == "fine"


def test_a_plan_that_is_declined_goes_back_too(fleet: Scene) -> None:
    program = "file.write_text(old + f'new{turn}: x\\n')"
    turns = (
        ("apply? [y/N]", "n\n"),
        ("back to the editor? [Y/n]", "\n"),
        ("apply? [y/N]", "y\n"),
    )
    status, screen = editing(fleet, program).talk(("edit", DOCUMENT), *turns)
    assert status == 0, screen
    assert (fleet.done("get", "host/hq:new1"), fleet.done("get", "host/hq:new2")) == ("x", "x")


def test_whoever_gives_up_changes_nothing(fleet: Scene) -> None:
    before, folders = fleet.read(DOCUMENT), leftovers()
    status, screen = editing(fleet, "file.write_text('a: [')").talk(
        ("edit", DOCUMENT), ("back to the editor? [Y/n]", "n\n")
    )
    assert (status, fleet.read(DOCUMENT)) == (3, before), screen
    assert leftovers() == folders


def set_meanwhile() -> str:
    """Return what sets another value by the tool itself, while the editor is open."""
    command = [*TOOL, "set", "host/hq:meanwhile", "--yes"]
    run = f"subprocess.run({command!r}, input=b'kept?', check=True, stdout=subprocess.DEVNULL)"
    return f"turn == 1 and {run}; file.write_text(old + f'new{{turn}}: x\\n')"


def test_the_lock_is_free_while_the_text_is_typed_and_a_change_is_noticed(fleet: Scene) -> None:
    ended = editing(fleet, set_meanwhile()).run("edit", DOCUMENT, "--yes")
    assert ended.status == 7, ended
    assert f"{DOCUMENT} was changed meanwhile" in ended.stderr
    assert fleet.done("get", "host/hq:meanwhile") == "kept?"


def test_at_a_terminal_what_was_changed_meanwhile_is_shown_as_removed(fleet: Scene) -> None:
    turns = (("back to the editor? [Y/n]", "\n"), ("apply? [y/N]", "n\n"))
    arguments = ("edit", DOCUMENT)
    last = ("back to the editor? [Y/n]", "n\n")
    status, screen = editing(fleet, set_meanwhile()).talk(arguments, *turns, last)
    assert status == 2, screen
    assert "- host/hq:meanwhile" in screen
    assert "+ host/hq:new1" in screen
    assert fleet.done("get", "host/hq:meanwhile") == "kept?"


def test_a_dry_run_shows_the_plan_and_writes_nothing(fleet: Scene) -> None:
    before = fleet.read(DOCUMENT)
    ended = editing(fleet, CHANGED).run("edit", DOCUMENT, "--dry-run")
    assert ended.status == 0, ended
    assert "+ host/hq:new/name" in ended.text
    assert fleet.read(DOCUMENT) == before


def test_comments_alone_are_a_change_too(fleet: Scene) -> None:
    ended = editing(fleet, "file.write_text('# note\\n' + old)").run("edit", DOCUMENT, "--yes")
    assert ended.status == 0, ended
    assert "comments or layout" in ended.text
    assert fleet.done("decrypt", DOCUMENT).startswith("# note\n")


@pytest.mark.parametrize(
    ("path", "example", "typed"),
    [
        ("other/x.yaml", "# name: value\n", "a: 1\n"),
        ("other/x.json", "{\n}\n", '{"a": 1}\n'),
        ("other/x.env", "# NAME=value\n", "A=1\n"),
        ("other/x.ini", "; [section]\n; name = value\n", "[s]\na = 1\n"),
        ("other/x.txt", "", "all of it"),
    ],
)
def test_a_document_that_does_not_exist_is_made(
    fleet: Scene, path: str, example: str, typed: str
) -> None:
    recipient = next(
        line.split()[-1] for line in fleet.read(".sops.yaml").splitlines() if "age1" in line
    )
    rules = "creation_rules:\n"
    fleet.edit(".sops.yaml", rules, f"{rules}  - path_regex: ^other/\n    age: {recipient}\n")
    program = f"assert old == {example!r}; file.write_text({typed!r})"
    ended = editing(fleet, program).run("edit", path, "--yes")
    assert ended.status == 0, ended
    assert "new document for " in ended.text
    assert "ENC[AES256_GCM," in fleet.read(path)
    assert fleet.done("decrypt", path) == typed


def test_a_document_that_nobody_could_read_is_refused_before_it_is_typed(fleet: Scene) -> None:
    ended = editing(fleet, CHANGED).run("edit", "nowhere/x.yaml", "--yes")
    assert ended.status == 3, ended
    assert "no rule of the policy governs it" in ended.stderr
    assert not (fleet.home / "turns").exists()


def test_a_rule_that_leaves_a_value_in_clear_is_told(fleet: Scene) -> None:
    program = "file.write_text(old + 'user_unencrypted: me\\n')"
    ended = editing(fleet, program).run("edit", DOCUMENT, "--yes")
    assert ended.status == 0, ended
    assert "host/hq:user_unencrypted will stand in clear" in ended.text + ended.stderr
    assert "user_unencrypted: me" in fleet.read(DOCUMENT)


def test_a_text_may_lie_on_a_disk_where_that_is_asked_for(fleet: Scene) -> None:
    folder = fleet.folder / "disk"
    folder.mkdir()
    program = "Path(os.environ['HOME'], 'where').write_text(str(file)); file.write_text(old)"
    ended = editing(fleet, program).run("edit", DOCUMENT, "--tmpdir", str(folder))
    assert ended.status == 0, ended
    assert f"the text lies on disk while you edit, below {folder}" in ended.stderr
    where = Path((fleet.home / "where").read_text())
    assert (where.name, where.parent.parent) == ("secrets.yaml", folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_editor_and_folder_and_changes_nothing(fleet: Scene, name: str) -> None:
    before, folders = fleet.read(DOCUMENT), leftovers()
    program = "file.write_text('a: typed'); print('ready', flush=True); import time; time.sleep(60)"
    with subprocess.Popen(
        (*TOOL, "edit", DOCUMENT, "--yes"),
        cwd=fleet.root,
        env=editing(fleet, program).environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as ours:
        assert ours.stdout is not None
        assert ours.stdout.readline() == b"ready\n"
        assert leftovers() > folders
        ours.send_signal(signal.Signals[name])
    assert ours.returncode == 6
    assert (fleet.read(DOCUMENT), leftovers()) == (before, folders)


def test_a_value_that_is_declared_and_goes_is_told(fleet: Scene) -> None:
    declared = "secrets:\n  hosts:\n    hq:\n      nextcloud/admin-password: { owner: nextcloud }\n"
    fleet.write("nixsecrets.yaml", fleet.read("nixsecrets.yaml") + declared)
    program = "file.write_text('restic:\\n  password: of hq\\n')"
    ended = editing(fleet, program).run("edit", DOCUMENT, "--yes")
    assert ended.status == 0, ended
    told = "host/hq:nextcloud/admin-password is still declared (nixsecrets.yaml:"
    assert told in ended.text + ended.stderr


def test_what_could_not_be_delivered_beside_the_rest_is_refused(fleet: Scene) -> None:
    before = fleet.read(DOCUMENT)
    ended = editing(fleet, "file.write_text(old + 'wifi: x\\n')").run("edit", DOCUMENT, "--yes")
    assert (ended.status, fleet.read(DOCUMENT)) == (3, before), ended
    assert "wifi" in ended.stderr
