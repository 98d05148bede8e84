"""A generated wiring is evaluated by Nix and installed with the host's SSH identity alone.

NIXSECRETS_INSTALLER may name a real sops-install-secrets; `installer.py` re-states it elsewhere.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nixsecrets.age.ssh import convert_public_key, parse_public_key
from tests.cli.machines import Machine, make_machine
from tests.cli.scenes import MARKER, Scene, copied, make_bare, make_fleet
from tests.tools import require_sops, require_tool

HERE = Path(__file__).parent
HQ = "systems/hq/secrets.yaml"
HASH = "$y$j9T$of$nobody"
INSTALLER = os.environ.get("NIXSECRETS_INSTALLER") or f"{sys.executable} {HERE}/installer.py"
DECLARED = """
secrets:
  shared:
    wifi/psk: { group: daemon, mode: "0440" }
    miscguy/hashed-password: { needed-for-users: true }
  hosts:
    hq:
      nextcloud/admin-password: { owner: daemon, group: daemon, path: /run/nextcloud/password }
      restic/password: { owner: daemon }

templates:
  hosts:
    hq:
      nextcloud.env: { content: "PASSWORD={{ nextcloud/admin-password }}\\n", owner: daemon }

wiring:
  deliver: declared
"""
# It builds as NixOS does: the source is copied to the store, the manifests are made and checked.
BUILD = """\
#!/bin/sh
set -eu
[ "$1" != --help ] || {{ echo "[--sudo]"; exit; }}
cd "{folder}"
number=$(($(ls store | wc -l) + 1)); system={folder}/store/$number; mkdir -p "$system/bin"
cp -r fleet "$system/source"; cp bin/activate "$system/bin/switch-to-configuration"
NIX_STATE_DIR={folder}/nix NIX_STORE_DIR={folder}/nix nix-instantiate --eval --strict --json \\
  --readonly-mode {here}/manifest.nix --arg wiring "$system/source/systems/hq/secrets.nix" \\
  --arg groups '{{ root = "root"; daemon = "daemon"; }}' --argstr hostKey {key} >"$system/both"
for name in manifest manifest-for-users; do
  {python} -c 'import json, sys; json.dump(json.load(sys.stdin)[sys.argv[1]], sys.stdout)' \\
    "$name.json" <"$system/both" >"$system/$name.json"
  {installer} -check-mode=sopsfile "$system/$name.json"
done
ln -s "$system" "profiles/system-$number-link"
ln -sfn "system-$number-link" profiles/system
exec "$system/bin/switch-to-configuration" "$1"
"""
ACTIVATE = """\
#!/bin/sh
export HOME=/var/empty
system=$(dirname "$(dirname "$(readlink -f "$0")")")
{installer} -ignore-passwd "$system/manifest-for-users.json" &&
{installer} "$system/manifest.json" || exit 2
"""
# What a check of the user's sees on the machine, when all is installed.
LOOK = """\
#!/bin/sh
cd /run
find -L secrets secrets-for-users nextcloud -type f -exec stat -L -c '%n %U %G %a' {} + >"$0.seen"
find -L secrets secrets-for-users nextcloud -type f -exec tail -vn +1 {} + >"$0.contents"
"""
GHOST = "restic/password: { owner: ghost, group: root }"
SEEN = {
    "nextcloud/password daemon daemon 400",
    "secrets-for-users/miscguy/hashed-password root root 400",
    "secrets/nextcloud/admin-password daemon daemon 400",
    "secrets/rendered/nextcloud.env daemon daemon 400",
    "secrets/restic/password daemon daemon 400",
    "secrets/wifi/psk root daemon 440",
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Make a fleet whose hq is given secrets of each kind."""
    for name in ("git", "ssh-keygen", "nix-instantiate"):
        require_tool(name)
    if os.geteuid() != 0:
        pytest.skip("files are given to other users, which takes root")
    bare = make_bare(tmp_path_factory.mktemp("bare"))
    fleet = make_fleet(bare, tmp_path_factory.mktemp("fleet"))
    fleet.edit("nixsecrets.yaml", "\nwiring:\n  deliver: all\n", DECLARED)
    fleet.done("set", "shared:miscguy/hashed-password", "--yes", stdin=HASH.encode())
    fleet.done("wire", "--yes")
    fleet.commit()
    return fleet


@pytest.fixture
def machine(template: Scene, tmp_path: Path) -> Machine:
    fleet = copied(template, tmp_path)
    made = make_machine(fleet)
    (tmp_path / "bin/sops").symlink_to(require_sops())
    words = {
        "folder": tmp_path,
        "here": HERE,
        "installer": INSTALLER,
        "key": fleet.key("hq"),
        "python": sys.executable,
    }
    for name, text in (("nixos-rebuild", BUILD), ("activate", ACTIVATE)):
        (tmp_path / "bin" / name).write_text(text.format(**words))
        (tmp_path / "bin" / name).chmod(0o755)
    return made


def test_what_is_wired_is_installed_and_verified(machine: Machine) -> None:
    fleet = machine.fleet
    fleet.write("systems/hq/checks/look", LOOK)
    look = fleet.root / "systems/hq/checks/look"
    look.chmod(0o755)
    ended = machine.rebuild()
    assert ended.status == 0, ended.stderr
    assert "hq: 5 files of secrets verified\n" in ended.stderr
    assert "not compared" not in ended.stderr
    assert set(look.with_suffix(".seen").read_text().splitlines()) == SEEN
    contents = look.with_suffix(".contents").read_text()
    for path, value in (
        ("nextcloud/password", MARKER),
        ("secrets/rendered/nextcloud.env", f"PASSWORD={MARKER}\n"),
        ("secrets/restic/password", "of hq"),
        ("secrets/wifi/psk", "of the whole house"),
        ("secrets-for-users/miscguy/hashed-password", HASH),
    ):
        assert f"==> {path} <==\n{value}" in contents


def drop_stanza(machine: Machine) -> None:
    lines = machine.fleet.read("keys/hosts/hq.pub")
    recipient = convert_public_key(parse_public_key(lines.splitlines()[-1])).text
    by_sops(machine, "rotate", "--in-place", "--rm-age", recipient, HQ)


def make_integer(machine: Machine) -> None:
    by_sops(machine, "set", HQ, '["restic"]["password"]', "5")


def decrypt_in_place(machine: Machine) -> None:
    by_sops(machine, "decrypt", "--in-place", HQ)


def unquote_mapping_key(machine: Machine) -> None:
    machine.fleet.done("set", "host/hq:restic/on", "--yes", stdin=b"x")
    machine.fleet.edit(HQ, '"on":', "on:")


def by_sops(machine: Machine, *arguments: str) -> None:
    identity = str(machine.fleet.identity_file)
    sops = machine.fleet.with_variables(SOPS_AGE_KEY_FILE=identity)
    ended = sops.start(require_sops(), *arguments)
    assert ended.status == 0, ended.stderr


@pytest.mark.parametrize(
    ("fault", "finding", "problem", "builds"),
    [
        (drop_stanza, "recipients/missing", "failed to decrypt", True),
        (make_integer, "declaration/not-a-string", "is not a string", True),
        (decrypt_in_place, "document/not-encrypted", "failed to decrypt", True),
        (unquote_mapping_key, "document/key-not-a-string", "bool, not string", False),
    ],
    ids=["missing stanza", "integer", "clear document", "YAML 1.1 key"],
)
def test_what_the_installer_would_refuse_is_not_built(
    machine: Machine,
    fault: Callable[[Machine], None],
    finding: str,
    problem: str,
    builds: bool,  # noqa: FBT001  # a column of the table
) -> None:
    fault(machine)
    machine.fleet.commit()
    ended = machine.rebuild()
    assert ended.status == 1
    assert f"error   {finding} " in ended.text
    assert "the checks found errors, so nothing was built" in ended.stderr
    assert not list((machine.folder / "store").iterdir())

    forced = machine.rebuild("--no-check", "--no-verify")
    assert forced.status == 6
    assert problem in forced.stderr
    assert not (machine.folder / "run/secrets").is_symlink()
    assert (machine.folder / "profiles/system").is_symlink() == builds


def test_an_owner_that_the_machine_lacks_is_found_by_its_activation(machine: Machine) -> None:
    """Whether a user exists is known to Nix and to the machine only."""
    assert machine.rebuild().status == 0
    fleet = machine.fleet
    fleet.edit("nixsecrets.yaml", "restic/password: { owner: daemon }", GHOST)
    fleet.done("wire", "--yes")
    fleet.commit()
    ended = machine.rebuild()
    assert ended.status == 6
    assert "ghost" in ended.stderr
    assert "hq is back at generation 1\n" in ended.stderr
    assert machine.generation == "system-1-link"
