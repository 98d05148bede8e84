"""What recipes give the reference fleet evaluates: by a stub, and by the real sops-nix."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nix.real import evaluate
from tests.test_readme import ROOT

HERE = Path(__file__).parent
CHECKOUTS = {name: os.environ.get(name, "") for name in ("SOPS_NIX", "NIXPKGS_LIB")}
"""As they are said to pytest: a test's own environment has none of `SOPS_*`."""
ADDED = (
    ("nextcloud", "--host", "hq"),
    ("nextcloud-backup", "--host", "hq"),
    ("user-password", "--for", "miscguy", "--shared"),
    ("nix-access-token", "--shared", "--value-from", "nix/github-token=-"),
)
TOKENS = {
    "content": "access-tokens = github.com=<nix/github-token>\n",
    "group": "wheel",
    "mode": "0440",
    "path": "/run/secrets/rendered/nix-access-tokens.conf",
}
OF_EVERY_HOST = {
    "miscguy/hashed-password": {
        "neededForUsers": True,
        "path": "/run/secrets-for-users/miscguy/hashed-password",
    },
    "nix/github-token": {"path": "/run/secrets/nix/github-token"},
}
OF_HQ = {
    "nextcloud/admin-password": {
        "group": "nextcloud",
        "mode": "0400",
        "owner": "nextcloud",
        "path": "/run/secrets/nextcloud/admin-password",
    },
    "restic/nextcloud-password": {"path": "/run/secrets/restic/nextcloud-password"},
}
USERS = {
    "users": {"miscguy": {"hashedPasswordFile": "/run/secrets-for-users/miscguy/hashed-password"}}
}


def run(fleet: Path, *arguments: str, stdin: str = "") -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment["SOPS_AGE_KEY_FILE"] = str(fleet / "tests/reference/admin-identity.txt")
    command = (sys.executable, "-m", "nixsecrets", *arguments)
    ended = subprocess.run(
        command,
        cwd=fleet,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture
def before(reference_fleet: Path) -> Path:
    """Take what is declared out of the manifest, and those values out of the documents."""
    manifest = reference_fleet / "nixsecrets.yaml"
    manifest.write_text(re.sub(r"(?m)^secrets:\n( .*\n|\n)*", "", manifest.read_text()))
    run(reference_fleet, "rm", "host/hq:nextcloud/admin-password", "--yes")
    run(reference_fleet, "rm", "shared:miscguy/hashed-password", "--yes")
    run(reference_fleet, "wire", "--yes")
    return reference_fleet


def stubbed(fleet: Path, host: str, state: Path) -> object:
    wiring = fleet / "systems" / host / "secrets.nix"
    return evaluate(f"import {HERE}/sops-nix-stub.nix {{ wiring = {wiring}; }}", state)


def test_the_wiring_that_recipes_bring_evaluates(before: Path, tmp_path: Path) -> None:
    for arguments in ADDED:
        run(before, "add", *arguments, "--yes", stdin="ghp_example")

    assert stubbed(before, "hq", tmp_path) == {
        "secrets": {**OF_EVERY_HOST, **OF_HQ},
        "templates": {"nix-access-tokens.conf": TOKENS},
        "users": USERS,
        "services": {
            "nextcloud": {"config": {"adminpassFile": "/run/secrets/nextcloud/admin-password"}},
            "restic": {
                "backups": {"nextcloud": {"passwordFile": "/run/secrets/restic/nextcloud-password"}}
            },
        },
    }
    assert stubbed(before, "t460", tmp_path) == {
        "secrets": OF_EVERY_HOST,
        "templates": {"nix-access-tokens.conf": TOKENS},
        "users": USERS,
    }
    run(before, "check")
    login = run(before, "get", "admins:miscguy/password")
    hashed = run(before, "get", "shared:miscguy/hashed-password")
    assert hashed.startswith("$y$")
    assert login not in hashed


def test_the_real_sops_nix_takes_it() -> None:
    if not all(CHECKOUTS.values()):
        pytest.skip("SOPS_NIX and NIXPKGS_LIB name no checkouts")
    environment = {**os.environ, **CHECKOUTS, "PYTHON": sys.executable}
    ended = subprocess.run(
        [HERE / "evaluate.sh"], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
