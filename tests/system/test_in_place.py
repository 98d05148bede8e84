"""A file that is replaced without journal or backup."""

import stat
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.change import digest
from nixsecrets.errors import BusyError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.system.in_place import replace, write_new

CLEAR = Plaintext(b"password: x\n")
PATH = PurePosixPath("a.yaml")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"before\n")
    return file


def test_a_file_is_replaced_and_nothing_else_is_left(file: Path) -> None:
    replace(file.parent, PATH, digest(b"before\n"), CLEAR, 0o600)
    assert file.read_bytes() == CLEAR.reveal()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_a_link_stays_and_what_it_leads_to_is_replaced(file: Path) -> None:
    link = file.with_name("link.yaml")
    link.symlink_to("a.yaml")
    replace(file.parent, PurePosixPath("link.yaml"), digest(b"before\n"), CLEAR, 0o600)
    assert link.is_symlink()
    assert file.read_bytes() == CLEAR.reveal()


def test_a_file_that_was_changed_meanwhile_stays(file: Path) -> None:
    with pytest.raises(BusyError, match=r"a\.yaml was changed meanwhile"):
        replace(file.parent, PATH, digest(b"other\n"), CLEAR, 0o600)
    assert file.read_bytes() == b"before\n"
    assert list(file.parent.iterdir()) == [file]


def test_a_path_outside_of_the_root_is_refused(file: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.yaml").symlink_to(file)
    with pytest.raises(RepositoryError, match="leads out of the repository"):
        replace(root, PurePosixPath("link.yaml"), digest(b"before\n"), CLEAR, 0o600)
    assert file.read_bytes() == b"before\n"


def test_a_new_file_is_private_and_takes_no_place_of_another(file: Path) -> None:
    new = file.with_name("b.yaml")
    write_new(new, CLEAR)
    assert new.read_bytes() == CLEAR.reveal()
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    with pytest.raises(RepositoryError, match="exists and is not overwritten"):
        write_new(file, CLEAR)
    assert file.read_bytes() == b"before\n"


def test_no_text_in_clear_is_written_into_a_work_tree(file: Path) -> None:
    (file.parent / ".git").mkdir()
    with pytest.raises(RepositoryError, match="would lie in a repository"):
        write_new(file.with_name("b.yaml"), CLEAR)
