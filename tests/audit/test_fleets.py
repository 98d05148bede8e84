"""The committed fleets, whose documents the real sops made."""

import shutil
import subprocess
from pathlib import Path

import pytest

from nixsecrets.audit import check
from nixsecrets.fleet.load import open_repository
from nixsecrets.system import git
from tests.audit.clean_fleet import NOW

FLEETS = Path(__file__).parents[1] / "fleets"
FOUND = {
    "adopted-without-manifest": [
        "warning declaration/not-a-string hosts/hq/secrets.yaml:4",
        "warning document/leaf-in-clear hosts/hq/secrets.yaml:5",
        "warning document/empty-value hosts/hq/secrets.yaml:6",
    ],
    "documents-behind-policy": [
        "error recipients/missing shared/wifi.yaml",
        "error recipients/surplus shared/wifi.yaml",
        "warning policy/unused-anchor .sops.yaml:3",
    ],
    "host-by-its-raw-ssh-line": [
        "error policy/anchor-differs .sops.yaml:3",
        "error recipients/raw-ssh .sops.yaml:5",
        "error wiring/missing systems/hq/secrets.nix",
        "error recipients/raw-ssh systems/hq/secrets.yaml",
    ],
    "key-groups-without-threshold": [
        "warning policy/several-groups .sops.yaml:2",
    ],
}


def test_every_fleet_has_a_policy_of_its_own_and_is_checked_here() -> None:
    folders = [each for each in FLEETS.iterdir() if each.is_dir() and each.name != "flakes"]
    assert sorted(folder.name for folder in folders) == sorted(FOUND)
    assert all((folder / ".sops.yaml").is_file() for folder in folders)


@pytest.mark.parametrize("name", FOUND)
def test_what_is_special_in_a_fleet_is_found(name: str, tmp_path: Path) -> None:
    root = tmp_path / "fleet"
    shutil.copytree(FLEETS / name, root)
    for arguments in (("init", "--quiet"), ("add", ".")):
        subprocess.run(["git", *arguments], cwd=root, check=True)
    index = git.list_paths(root)
    repository = open_repository(root, lambda: index.tracked)
    assert [
        f"{one.severity.value} {one.rule} {one.place}"
        for one in check.run(repository, index.tracked, NOW)
    ] == FOUND[name]
