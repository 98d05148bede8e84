import os
import tempfile
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.system.deploy.nixos_rebuild import (
    Privilege,
    command,
    find_privilege,
)
from nixsecrets.system.deploy.target import Action, Configuration, Flake, System, Target
from nixsecrets.system.ssh import Address
from tests.system.children import become_nobody, in_child

ROOT = Path("/home/jane/nixos")
HQ = Flake("nixhq")
MAC = Configuration(PurePosixPath("systems/mac/configuration.nix"))
JANE = Address("jane", "nixt460")


@pytest.mark.parametrize(
    ("system", "address", "privilege", "line"),
    [
        (HQ, None, Privilege.OURS, "nixos-rebuild switch --flake .#nixhq"),
        (HQ, None, Privilege.BY_OPTION, "nixos-rebuild switch --flake .#nixhq --sudo"),
        (HQ, None, Privilege.BEFORE, "sudo nixos-rebuild switch --flake .#nixhq"),
        (
            *(HQ, JANE, Privilege.BEFORE),
            "nixos-rebuild switch --flake .#nixhq --target-host jane@nixt460 --use-remote-sudo",
        ),
        (
            *(MAC, None, Privilege.BEFORE),
            f"sudo nixos-rebuild switch -I nixos-config={ROOT}/systems/mac/configuration.nix",
        ),
    ],
    ids=["root", "recent", "older", "older at a target", "no flake"],
)
def test_root_is_become_as_this_nixos_rebuild_can(
    system: System, address: Address | None, privilege: Privilege, line: str
) -> None:
    target = Target("hq", system, Action.SWITCH, address)
    assert " ".join(command(target, ROOT, privilege)) == line


def test_a_flake_of_the_machine_is_not_taken_for_a_system_without_one(tmp_path: Path) -> None:
    (tmp_path / "flake.nix").touch()
    target = Target("mac", MAC, Action.BOOT)
    line = command(target, ROOT, Privilege.OURS, tmp_path / "flake.nix")
    assert line[2:] == ("-I", f"nixos-config={ROOT}/{MAC.path}", "--no-flake")


@pytest.mark.parametrize(
    ("help_text", "privilege"),
    [
        ("usage: nixos-rebuild [--sudo] [--ask-sudo-password]", "BY_OPTION"),
        ("nixos-rebuild [--use-remote-sudo]", "BEFORE"),
        ("", "BY_OPTION"),
        (None, "BY_OPTION"),
    ],
    ids=["recent", "older", "no manual pages", "no program"],
)
def test_a_user_who_is_not_root_is_told_apart_by_the_help(
    help_text: str | None, privilege: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        Path(folder).chmod(0o755)
        if help_text is not None:
            program = Path(folder, "nixos-rebuild")
            program.write_text(f"#!/bin/sh\nprintf '%s' '{help_text}'\n")
            program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

        def find() -> str:
            become_nobody()
            return find_privilege(Target("hq", HQ, Action.SWITCH)).name

        assert in_child(find) == privilege


@pytest.mark.parametrize(
    ("action", "address"),
    [
        (Action.BUILD, None),
        (Action.BUILD, JANE),
        (Action.SWITCH, Address("root", "nixt15g")),
        *([(Action.SWITCH, None), (Action.TEST, Address(None, "nixhq"))] * (os.geteuid() == 0)),
    ],
    ids=str,
)
def test_nobody_becomes_root_where_it_is_not_needed(
    action: Action, address: Address | None
) -> None:
    assert find_privilege(Target("hq", HQ, action, address)) is Privilege.OURS
