"""Flakes of many shapes, wired and held against what Nix makes of them before and after."""

import json
import shutil
from pathlib import Path

import pytest

from tests.fleet.fleets import a_recipient
from tests.nix.real import evaluate
from tests.plans.wiring_fleets import bring, repository

FLAKES = Path(__file__).parents[1] / "fleets" / "flakes"
SHAPES = sorted(folder.name for folder in FLAKES.iterdir() if folder.is_dir())

SYSTEMS = ("nixosConfigurations", "darwinConfigurations", "colmena", "colmenaHive")


def outputs(root: Path, state: Path) -> dict[str, object]:
    found = evaluate(f"import {FLAKES}/stub.nix {root}", state)
    assert isinstance(found, dict)
    return found


def modules(found: dict[str, object], attribute: str) -> list[list[str]]:
    """Return the modules of each system and node of a name."""
    every = [found[output].get(attribute) for output in SYSTEMS if output in found]
    return [
        [json.dumps(module) for module in (one["modules"] if isinstance(one, dict) else one)]
        for one in every
        if one is not None
    ]


def is_ours(module: str) -> bool:
    return "sops-nix for" in module or module.endswith('/secrets.nix"')


@pytest.mark.parametrize("shape", SHAPES)
def test_sops_nix_reaches_the_wired_hosts_and_nothing_else_changes(
    tmp_path: Path, shape: str
) -> None:
    root = tmp_path / "fleet"
    shutil.copytree(FLAKES / shape, root)
    known = repository(root, {})
    for host in known.fleet.hosts:
        key = root / "keys" / "hosts" / f"{host.name}.pub"
        key.parent.mkdir(parents=True, exist_ok=True)
        key.write_text(f"{a_recipient().text}\n")
    known = repository(root, {})
    before = outputs(root, tmp_path)

    plan = bring(known)
    for change in plan.changes:
        repository(root, {str(change.path): change.after or b""})
    after = outputs(root, tmp_path)

    assert plan.notes == ()
    assert without_ours(after) == without_ours(before)
    for host in known.fleet.hosts:
        for reached in modules(after, host.attribute or ""):
            kind = "nix-darwin" if shape == "darwin" and host.name == "book" else "NixOS"
            assert sum(f"sops-nix for {kind}" in module for module in reached) == 1, reached
            assert sum("secrets.nix" in module for module in reached) == 1, reached
    assert bring(repository(root, {})).changes == ()


def without_ours(found: object) -> object:
    if isinstance(found, dict):
        return {name: without_ours(value) for name, value in found.items()}
    if isinstance(found, list):
        return [without_ours(one) for one in found if not is_ours(json.dumps(one))]
    return found
