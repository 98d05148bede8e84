"""What every test stands on: no identities, configuration or repository of the user's own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import settings

from tests.tools import require_tool

# One and the same examples in every run; a machine under load is no failure.
settings.register_profile("gate", deadline=None, derandomize=True, database=None)
settings.register_profile("long", deadline=None, max_examples=2000, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))

ROOT = Path(__file__).parent.parent
FLEET = (
    ".gitignore",
    ".sops.yaml",
    "flake.nix",
    "keys",
    "nixsecrets.yaml",
    "shared",
    "systems",
    "tests/reference",
)
_FOREIGN = ("SOPS_", "NIXSECRETS_ROOT", "NIX_SSHOPTS", "GIT_", "XDG_", "EDITOR", "VISUAL")


@pytest.fixture(autouse=True)
def own_environment(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Give each test an empty home and git without the user's configuration; return the home."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (home / "gitconfig").write_text(
        "[user]\n\tname = Test\n\temail = test@example.org\n[init]\n\tdefaultBranch = main\n"
    )
    return home


@pytest.fixture
def reference_fleet(tmp_path: Path) -> Path:
    """Return a copy of the project's own fleet, in a git repository of its own."""
    for name in FLEET:
        source, target = ROOT / name, tmp_path / "fleet" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("rebuild.log"))
        else:
            shutil.copy(source, target)
    git = require_tool("git")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "the fleet")):
        subprocess.run([git, "-C", tmp_path / "fleet", *arguments], check=True)
    return tmp_path / "fleet"
