"""The demo: the main job on a throwaway fleet, and the proof at its end."""

import os
import resource
from pathlib import Path

import pytest

from tests.cli.scenes import Scene
from tests.tools import require_tool

LONGEST_CPU_S = 15.0


@pytest.fixture
def stranger(tmp_path: Path) -> Scene:
    """Return a user whose identities cannot be read without being noticed: it would block."""
    require_tool("git")
    require_tool("ssh-keygen")
    scene = Scene(tmp_path)
    scene.root.mkdir()
    (scene.home / ".ssh").mkdir(parents=True)
    scene.identity_file.parent.mkdir(parents=True)
    for file in (scene.identity_file, scene.home / ".ssh/id_ed25519", scene.home / ".ssh/id_rsa"):
        os.mkfifo(file)
    return scene.with_variables(
        SOPS_AGE_KEY_FILE=str(scene.identity_file),
        SOPS_AGE_KEY_CMD="touch ../noticed",
        SOPS_AGE_SSH_PRIVATE_KEY_FILE=str(scene.home / ".ssh/id_ed25519"),
        XDG_CONFIG_HOME=str(scene.home / ".config"),
        TMPDIR=str(scene.root),
    )


def test_the_demo_does_the_main_job_and_proves_it(stranger: Scene) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = stranger.run("demo")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = ended.text + ended.stderr
    assert ended.status == 0, said
    shown = [line.split()[2] for line in ended.text.splitlines() if line.startswith("$ nixsecrets")]
    assert shown == ["init", *["add-host"] * 5, "set", "wire", "check", "rotate", "rebuild"]
    (folder,) = stranger.root.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "hq's SSH host key opens the password; t15g's does not" in said
    assert f"the fleet lies in {folder / 'fleet'}" in said
    assert not (stranger.folder / "noticed").exists()
    value = as_told(stranger, folder, "get", "nextcloud/admin-password")
    assert (len(value), value in said) == (32, False)
    assert "no errors" in as_told(stranger, folder, "check")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert cpu_s < LONGEST_CPU_S


def as_told(stranger: Scene, folder: Path, *arguments: str) -> str:
    """Look around in the demo's fleet, with the identity that it names at its end."""
    scene = stranger.with_variables(
        HOME=str(folder),
        XDG_CONFIG_HOME=str(folder),
        SOPS_AGE_KEY_FILE=str(folder / "home/.config/sops/age/keys.txt"),
        SOPS_AGE_KEY_CMD="",
        SOPS_AGE_SSH_PRIVATE_KEY_FILE="",
    )
    place = (folder / "fleet").relative_to(stranger.folder)
    return scene.run(*arguments, folder=str(place)).text


def test_the_demo_touches_no_folder_that_holds_something(stranger: Scene) -> None:
    (stranger.root / "mine").write_text("of somebody\n")
    ended = stranger.run("demo", ".")
    assert (ended.status, ended.text) == (2, "")
    assert "is not empty" in ended.stderr
    assert [file.name for file in stranger.root.iterdir()] == ["mine"]
