"""Fleets for the tests of commands: made once by the tool itself, copied for each test."""

from pathlib import Path

import pytest

from tests.cli.adopted import make_adopted
from tests.cli.scenes import Scene, copied, make_bare, make_clear, make_fleet
from tests.tools import require_tool


@pytest.fixture(scope="session")
def bare_template(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    require_tool("git")
    require_tool("ssh-keygen")
    return make_bare(tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="session")
def fleet_template(bare_template: Scene, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make_fleet(bare_template, tmp_path_factory.mktemp("template"))


@pytest.fixture
def bare(bare_template: Scene, tmp_path: Path) -> Scene:
    """Return a flake of machines that knows no secrets yet; the user has no identity."""
    return copied(bare_template, tmp_path)


@pytest.fixture
def fleet(fleet_template: Scene, tmp_path: Path) -> Scene:
    """Return a fleet with an admin, hq and t460 (in the group laptops), and a few values."""
    return copied(fleet_template, tmp_path)


@pytest.fixture
def clear(bare: Scene) -> Scene:
    """Return a fleet of hq and t460 whose Nextcloud has its passwords in clear, in the store."""
    return make_clear(bare)


@pytest.fixture
def adopted(bare: Scene) -> Scene:
    """Return a flake that has had sops-nix for years, by hand and by the real sops."""
    return make_adopted(bare)
