import getpass
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.system.deploy.nixos_rebuild import (
    Privilege,
    command,
    find_generation,
    find_privilege,
)
from nixsecrets.system.deploy.target import Action, Configuration, Flake, System, Target
from nixsecrets.system.ssh import Address
from tests.system.children import become_nobody, in_child
from tests.system.test_ssh import make_pair, serve
from tests.tools import require_tool

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


@pytest.mark.parametrize(
    ("link", "generation"),
    [
        ("system-425-link", 425),
        ("/nix/var/nix/profiles/system-7-link", 7),
        ("/nix/store/abc-nixos-system", None),
        ("system-425-link/..", None),
        ("other-1-link", None),
    ],
)
def test_the_generation_is_read_from_the_profile(
    tmp_path: Path, link: str, generation: int | None
) -> None:
    (tmp_path / "system").symlink_to(link)
    assert find_generation(None, tmp_path / "system") == generation


def test_a_machine_without_a_profile_has_no_generation(tmp_path: Path) -> None:
    assert find_generation(None, tmp_path / "system") is None


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Address]:
    """A real sshd; the machine behind it answers `readlink` from a file of the test's."""
    require_tool("ssh")
    make_pair(tmp_path / "host_ed25519", "ed25519")
    make_pair(tmp_path / "user", "ed25519")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "readlink").write_text(
        f'#!/bin/sh\n[ "$1" = /nix/var/nix/profiles/system ] && cat {tmp_path}/link\n'
    )
    (tools / "readlink").chmod(0o755)
    public = (tmp_path / "user.pub").read_text()
    (tmp_path / "authorized").write_text(f'command="PATH={tools}:/usr/bin:/bin sh -s" {public}')
    for server in serve(tmp_path, "ed25519"):
        known = f"UserKnownHostsFile={tmp_path}/known_hosts-{server.port}"
        options = f"-F none -i {tmp_path}/user -o {known} -o BatchMode=yes"
        monkeypatch.setenv("NIX_SSHOPTS", options)
        yield Address(getpass.getuser(), "127.0.0.1", server.port)


def test_the_generation_of_a_target_is_read_over_ssh(machine: Address, tmp_path: Path) -> None:
    (tmp_path / "link").write_text("system-31-link\n")
    assert find_generation(machine) == 31
    (tmp_path / "link").unlink()
    assert find_generation(machine) is None


def test_a_target_that_does_not_answer_has_no_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    require_tool("ssh")
    monkeypatch.setenv("NIX_SSHOPTS", "-F none -o ProxyCommand=/bin/false")
    assert find_generation(Address("jane", "nixt460")) is None
