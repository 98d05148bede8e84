"""A value appears where it was asked for and nowhere else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.scenes import MARKER, Scene
from tests.tools import require_tool

NAME = "host/hq:nextcloud/admin-password"
# Stands before a real program on PATH: notes how it and its parent were called, and with what.
WITNESS = """\
#!/bin/sh
cat /proc/$$/cmdline /proc/$$/environ /proc/$PPID/cmdline /proc/$PPID/environ >>{notes}
echo "called: $0 $*" >>{notes}
exec {program} "$@"
"""
# Its stdout breaks at the worst moment, with the value in the exception.
BROKEN_STDOUT = """\
import io, sys
from nixsecrets.cli import main
class Broken(io.RawIOBase):
    def writable(self):
        return True
    def write(self, content):
        raise ValueError(bytes(content))
    def isatty(self):
        return False
sys.stdout = io.TextIOWrapper(io.BufferedWriter(Broken(), buffer_size=1), write_through=True)
main()
"""
FAILING_TEST = """\
import os
from pathlib import Path
from nixsecrets.change import Export, Plan
from nixsecrets.plaintext import Plaintext

def test_it():
    value = Plaintext(os.environb[b"VALUE"])
    plan = Plan("export", exports=(Export(Path("/x"), value, "a file"),))
    other = Plan("export", exports=(Export(Path("/x"), Plaintext(b"other"), "a file"),))
    assert plan == other, value
"""


def watched(scene: Scene, *programs: str) -> tuple[Scene, Path]:
    """Return the scene with witnesses on its PATH, and the file of their notes."""
    folder = scene.folder / "bin"
    folder.mkdir()
    notes = scene.folder / "notes"
    for program in programs:
        witness = folder / program
        witness.write_text(WITNESS.format(notes=notes, program=require_tool(program)))
        witness.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    (scene.folder / "tmp").mkdir()
    return scene.with_variables(PATH=path, TMPDIR=str(scene.folder / "tmp")), notes


def holding(folder: Path, text: str) -> list[str]:
    return [
        str(file)
        for file in folder.rglob("*")
        if file.is_file() and not file.is_symlink() and text.encode() in file.read_bytes()
    ]


def test_no_program_file_plan_or_word_holds_a_value(fleet: Scene) -> None:
    scene, notes = watched(fleet, "git", "ssh-keygen")
    (scene.home / ".ssh").mkdir()
    other = "set-by-this-very-test"
    said = [
        scene.run("set", NAME, "--yes", "--json", stdin=other.encode()),
        scene.run("set", "host/hq:new/name", "--yes", stdin=other.encode()),
        scene.run("set", "group/laptops:new/name", "--yes", stdin=other.encode()),
        scene.run("set", "x", "--host", "t15g", "--yes", stdin=other.encode()),
        scene.run("set", NAME, other, "--yes"),
        scene.run("add-host", "t15g", "--key", scene.public("t15g"), "--yes", "--json"),
        scene.run("rotate", "data-keys", "--yes", "--json"),
        scene.run("rm", "host/hq:new/name", "--yes", "--json"),
        scene.run("rekey", "--json"),
        scene.run("ls", "--json"),
        scene.run("check", "--json"),
    ]
    scene.git("commit", "--all", "--quiet", "--message", "all of it")
    assert [ended.status for ended in said] == [0, 0, 0, 3, 2, 0, 0, 0, 0, 0, 0], said
    assert scene.run("get", NAME).text == other
    assert notes.read_text().count("called: ") > len(said)
    for value in (MARKER, other):
        assert holding(scene.folder, value) == []
        assert value not in repr(said)


def test_a_decrypted_document_stands_in_the_file_that_was_asked_for_alone(fleet: Scene) -> None:
    scene, _ = watched(fleet, "git")
    ended = scene.run("decrypt", "systems/hq/secrets.yaml", "--output", "../clear.yaml")
    assert ended.status == 0, ended
    assert holding(scene.folder, MARKER) == [str(scene.folder / "clear.yaml")]
    assert MARKER not in ended.text + ended.stderr


@pytest.mark.parametrize("arguments", [("get", NAME), ("decrypt", "systems/hq/secrets.yaml")])
def test_a_fault_shows_frames_and_no_value(fleet: Scene, arguments: tuple[str, ...]) -> None:
    scene = fleet.with_variables(NIXSECRETS_TRACEBACK="1")
    ended = scene.start(sys.executable, "-c", BROKEN_STDOUT, *arguments)
    assert ended.status == 70, ended
    assert "ValueError\n" in ended.stderr
    assert "cli/app.py:" in ended.stderr
    assert MARKER not in ended.stderr


def test_a_full_stdout_is_told_without_the_value(fleet: Scene) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "nixsecrets", "get", NAME],
            env=fleet.environment,
            cwd=fleet.root,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
        )
    assert ended.returncode == 3
    assert "stdout cannot be written: no space left on device" in ended.stderr
    assert MARKER not in ended.stderr


def test_a_failing_test_shows_no_value(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILING_TEST)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-vv", "--showlocals", "-p", "no:cacheprovider", "."],
        env={**os.environ, "VALUE": MARKER},
        cwd=tmp_path,
        capture_output=True,
        check=False,
        text=True,
    )
    assert "1 failed" in ended.stdout
    assert "Plaintext(…)" in ended.stdout
    assert MARKER not in ended.stdout + ended.stderr


def test_a_journal_holds_ciphertext_only(fleet: Scene) -> None:
    fleet.done("rotate", "data-keys", "--yes")
    shown = json.loads(fleet.done("rotate", "data-keys", "--dry-run", "--json"))
    assert set(shown) == {"intent", "changes", "exports", "follow_ups", "warnings", "notes"}
    assert all("content" not in change for change in shown["changes"])
