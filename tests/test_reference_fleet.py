"""The main job on the reference fleet: t15g, taken out of a copy, comes back by one command."""

import difflib
import os
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.age.ssh import generate_ed25519
from tests.test_readme import ROOT
from tests.tools import require_sops, require_tool

HAND_WRITTEN = (
    "nixsecrets.yaml",
    ".sops.yaml",
    "flake.nix",
    "systems/t15g/configuration.nix",
)
DOCUMENTS = ("shared/secrets.yaml", "shared/secrets/laptops.yaml", "systems/hq/secrets.yaml")


def _run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    environment.setdefault("SOPS_AGE_KEY_FILE", str(folder / "tests/reference/admin-identity.txt"))
    return subprocess.run(
        [sys.executable, "-m", "nixsecrets", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )


def _without(text: str, *marks: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not any(mark in line for mark in marks))


@pytest.fixture
def before(reference_fleet: Path) -> Path:
    """Take t15g out of keys, manifest, policy, wiring and documents."""
    fleet = reference_fleet
    (fleet / "keys/hosts/t15g.pub").unlink()
    (fleet / "systems/t15g/secrets.nix").unlink()
    manifest = (fleet / "nixsecrets.yaml").read_text()
    whole = "  t15g:\n    attribute: nixt15g\n    address: root@nixt15g\n"
    assert whole in manifest
    (fleet / "nixsecrets.yaml").write_text(_without(manifest.replace(whole, ""), "- t15g"))
    policy = (fleet / ".sops.yaml").read_text()
    rule = policy.index(r"  - path_regex: ^systems/t15g/")
    (fleet / ".sops.yaml").write_text(_without(policy[:rule], "t15g"))
    configuration = fleet / "systems/t15g/configuration.nix"
    configuration.write_text(_without(configuration.read_text(), "./secrets.nix"))
    flake = fleet / "flake.nix"
    head, mark, tail = flake.read_text().partition("./systems/t15g/configuration.nix")
    flake.write_text(head + mark + _without(tail, "inputs.sops-nix.nixosModules.sops"))
    assert _run(fleet, "rekey", "--yes").returncode == 0
    assert _run(fleet, "check").returncode == 0
    subprocess.run(["git", "-C", fleet, "add", "--all"], check=True)
    subprocess.run(["git", "-C", fleet, "commit", "-q", "-m", "without t15g"], check=True)
    return fleet


def test_a_host_comes_by_one_command(before: Path, tmp_path: Path) -> None:
    private, public = generate_ed25519("root@nixt15g")
    key = tmp_path / "t15g"
    key.write_bytes(private.reveal())
    key.chmod(0o600)
    texts = {name: (before / name).read_text() for name in HAND_WRITTEN}
    arguments = ("--address", "root@nixt15g", "--group", "laptops", "--yes")

    ended = _run(before, "add-host", "t15g", "--key", public.line, *arguments)

    assert ended.returncode == 0, ended.stderr
    for name, text in texts.items():
        lines = (before / name).read_text().splitlines()
        compared = list(difflib.ndiff(text.splitlines(), lines))
        assert not [line for line in compared if line.startswith("- ")], name
        assert [line for line in compared if line.startswith("+ ")], name
    checked = _run(before, "check")
    assert checked.returncode == 0, checked.stdout
    own = {"SOPS_AGE_KEY_FILE": "", "SOPS_AGE_SSH_PRIVATE_KEY_FILE": str(key), "HOME": "/nowhere"}
    assert _run(before, "get", "wifi/home.env", **own).stdout.startswith("HOME_PSK=")
    assert _run(before, "get", "nextcloud/admin-password", **own).returncode == 4


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_real_sops_opens_the_documents(document: str) -> None:
    identity = (ROOT / "tests/reference/admin-identity.txt").read_text().splitlines()[-1]
    ended = subprocess.run(
        [require_sops(), "decrypt", str(ROOT / PurePosixPath(document))],
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", "SOPS_AGE_KEY": identity},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_every_source_of_the_fleet_is_nix(tmp_path: Path) -> None:
    program = require_tool("nix-instantiate")
    sources = [ROOT / "flake.nix", *(ROOT / "systems").rglob("*.nix"), *ROOT.glob("shared/*.nix")]
    state = {**os.environ, "NIX_STATE_DIR": str(tmp_path), "NIX_REMOTE": ""}
    arguments = [program, "--parse", "--readonly-mode", *map(str, sources)]
    ended = subprocess.run(arguments, env=state, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
