import os
import signal
from pathlib import Path

import pytest

from nixsecrets.errors import BusyError, RepositoryError
from nixsecrets.system.lock import exclusive, is_held, state_directory


def test_state_lies_in_gits_directory_or_in_a_folder_of_its_own() -> None:
    root = Path("/fleet")
    assert state_directory(root, root / ".git") == root / ".git/nixsecrets"
    assert state_directory(root, None) == root / ".nixsecrets"


def test_a_second_process_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    state = tmp_path / "state"
    holder = _start_holder(state)
    with pytest.raises(BusyError, match=f"^process {holder} is changing"), exclusive(state):
        pass
    assert is_held(state)
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)


def test_the_lock_of_a_dead_process_is_free(tmp_path: Path) -> None:
    state = tmp_path / "state"
    holder = _start_holder(state)
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    assert not is_held(state)
    with exclusive(state):
        assert is_held(state)
    assert not is_held(state)


def test_looking_at_the_lock_makes_nothing(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "state")
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_no_place_for_the_lock(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").symlink_to("elsewhere")
    with pytest.raises(RepositoryError, match="is a link"), exclusive(tmp_path / "state"):
        pass
    assert list((tmp_path / "elsewhere").iterdir()) == []


def _start_holder(state: Path) -> int:
    """Fork a process that holds the lock until it is killed; return its id once it does."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        with exclusive(state):
            os.write(writing, b"held")
            signal.pause()
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read(4) == b"held"
    return pid
