"""Plaintext for programs lies in memory, and only for as long as it is meant to."""

import os
import signal
import stat
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.errors import UsageError
from nixsecrets.plaintext import Plaintext
from nixsecrets.system import memory
from nixsecrets.system.memory import lies_in_memory, private_folder

VALUE = Plaintext(b"correct-horse-battery-staple")
# Tells its folder, then sends itself the signal that its argument names, twice.
SIGNALLED = """
import os, signal, sys
from pathlib import PurePosixPath
from nixsecrets.plaintext import Plaintext
from nixsecrets.system.memory import private_folder
with private_folder({}, None) as folder:
    folder.write(PurePosixPath("a/b"), Plaintext(b"value"))
    print(folder.path, flush=True)
    try:
        signal.raise_signal(signal.Signals[sys.argv[1]])
    finally:
        signal.raise_signal(signal.Signals[sys.argv[1]])
"""


def mode(file: Path) -> int:
    return stat.S_IMODE(file.lstat().st_mode)


def test_a_folder_lies_in_memory_and_is_private() -> None:
    with private_folder({}, None) as folder:
        file = folder.write(PurePosixPath("a/b"), VALUE)
        assert folder.in_memory
        assert [mode(one) for one in (folder.path, file.parent, file)] == [0o700, 0o700, 0o600]
        assert file.read_bytes() == VALUE.reveal()


def test_the_users_own_folder_in_memory_is_taken_first() -> None:
    with private_folder({}, None) as own:
        mine = {"XDG_RUNTIME_DIR": str(own.path)}
        with private_folder(mine, None) as folder:
            assert folder.path.parent == own.path


@pytest.mark.parametrize("named", ["", "relative", "/nowhere"])
def test_a_folder_that_is_none_is_passed_over(named: str) -> None:
    with private_folder({"XDG_RUNTIME_DIR": named}, None) as folder:
        assert folder.in_memory


def test_a_folder_on_a_disk_is_not_taken_for_memory_by_its_name(tmp_path: Path) -> None:
    if lies_in_memory(tmp_path):
        pytest.skip("the tests' own folder lies in memory")
    with private_folder({"XDG_RUNTIME_DIR": str(tmp_path)}, None) as folder:
        assert not folder.path.is_relative_to(tmp_path)
        assert folder.in_memory
    with private_folder({}, tmp_path) as folder:
        assert folder.path.parent == tmp_path
        assert not folder.in_memory


def test_a_machine_without_a_folder_in_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(Path("/proc/self/mountinfo").read_text().replace(" - tmpfs ", " - ext4 "))
    monkeypatch.setattr(memory, "_MOUNTS", mounts)
    told = "no folder of this machine lies in memory"
    with pytest.raises(UsageError, match=told) as caught, private_folder({}, None):
        pytest.fail("there is a folder")
    assert "--tmpdir DIR" in (caught.value.hint or "")


def test_a_folder_that_is_asked_for_is_to_exist(tmp_path: Path) -> None:
    asked = tmp_path / "missing"
    with pytest.raises(UsageError, match="missing is no folder"), private_folder({}, asked):
        pytest.fail("there is a folder")


@pytest.mark.parametrize("fault", [None, RuntimeError("the body"), KeyboardInterrupt()], ids=repr)
def test_a_folder_is_gone_afterwards_and_its_files_are_zeros(
    tmp_path: Path, fault: BaseException | None
) -> None:
    kept = tmp_path / "kept"
    expected = pytest.raises(type(fault)) if fault else nullcontext()
    with expected, private_folder({}, tmp_path) as folder:
        file = folder.write(PurePosixPath("a/b"), VALUE)
        kept.hardlink_to(file)
        (folder.path / "link").symlink_to(tmp_path / "of somebody else")
        (tmp_path / "of somebody else").write_text("untouched")
        os.mkfifo(folder.path / "pipe")
        if fault:
            raise fault
    assert not folder.path.exists()
    assert kept.read_bytes() == bytes(len(VALUE))
    assert (tmp_path / "of somebody else").read_text() == "untouched"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_process_after_the_folder_is_gone(name: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SIGNALLED, name], stdout=subprocess.PIPE, text=True, check=False
    )
    assert ended.returncode == -signal.Signals[name]
    assert not Path(ended.stdout.strip()).exists()
