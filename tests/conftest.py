"""What every test stands on: no identities, configuration or repository of the user's own."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# One and the same examples in every run; a machine under load is no failure.
settings.register_profile("gate", deadline=None, derandomize=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))

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
