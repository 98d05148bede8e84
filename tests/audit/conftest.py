from pathlib import Path

import pytest

from tests.audit.clean_fleet import Place, make_place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A copy of a fleet in which nothing is wrong."""
    return make_place(tmp_path / "fleet")
