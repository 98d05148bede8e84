"""Where a host's key comes from, and who vouches for it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.scenes import MARKER, Ended, Scene
from tests.system.test_ssh import Server, make_pair, serve
from tests.tools import require_tool

# The key of the machine under the tests is none of the tests' business.
THIS_MACHINE = """\
import sys
from pathlib import Path
from nixsecrets.cli import hosts, main
hosts.THIS_MACHINE = Path(sys.argv.pop(1))
main()
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_tool("ssh-keyscan")
    folder = tmp_path_factory.mktemp("sshd")
    for kind in ("ed25519", "rsa", "ecdsa"):
        make_pair(folder / f"host_{kind}", kind)
    make_pair(folder / "user", "ed25519")
    (folder / "authorized").write_bytes((folder / "user.pub").read_bytes())
    return folder


@pytest.fixture(scope="module")
def server(servers: Path) -> Iterator[Server]:
    yield from serve(servers, "ed25519", "rsa")


@pytest.fixture
def old_server(servers: Path) -> Iterator[Server]:
    yield from serve(servers, "rsa", "ecdsa")


def where(server: Server) -> str:
    return f"127.0.0.1:{server.port}"


def fingerprint(server: Server) -> str:
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(server.folder / "host_ed25519.pub")],
        capture_output=True,
        check=True,
        text=True,
    )
    return shown.stdout.split()[1]


def know(scene: Scene, server: Server, *kinds: str, mark: str = "") -> None:
    lines = (f"{mark}[127.0.0.1]:{server.port} {server.public(kind)}\n" for kind in kinds)
    (scene.home / ".ssh").mkdir()
    (scene.home / ".ssh/known_hosts").write_text("".join(lines))


def as_this_machine(scene: Scene, key: Path, *arguments: str) -> Ended:
    return scene.start(sys.executable, "-c", THIS_MACHINE, str(key), *arguments)


def test_a_fingerprint_vouches_for_a_scanned_key(fleet: Scene, server: Server) -> None:
    options = ("--scan", where(server), "--fingerprint", fingerprint(server))
    fleet.done("add-host", "t15g", *options, "--yes")
    assert fleet.read("keys/hosts/t15g.pub").split() == server.public("ed25519").split()


def test_another_fingerprint_is_no_host(fleet: Scene, server: Server) -> None:
    before = fleet.tree()
    wrong = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
    ended = fleet.run("add-host", "t15g", "--scan", where(server), "--fingerprint", wrong, "--yes")
    assert (ended.status, ended.text, fleet.tree()) == (1, "", before)
    assert f"answers with {fingerprint(server)}, not with {wrong}" in ended.stderr


def test_yes_never_answers_for_a_fingerprint(fleet: Scene, server: Server) -> None:
    before = fleet.tree()
    ended = fleet.run("add-host", "t15g", "--scan", where(server), "--yes")
    assert (ended.status, ended.text, fleet.tree()) == (2, "", before)
    assert "hint: give --fingerprint" in ended.stderr


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 130)])
def test_a_person_compares_a_fingerprint(
    fleet: Scene, server: Server, answer: str, status: int
) -> None:
    arguments = ("add-host", "t15g", "--scan", where(server), "--yes")
    ended, screen = fleet.talk(arguments, ("is it the same? [y/N] ", answer))
    assert (ended, fingerprint(server) in screen) == (status, True)
    assert (fleet.root / "keys/hosts/t15g.pub").exists() == (status == 0)


def test_known_hosts_vouches_for_a_scanned_key(fleet: Scene, server: Server) -> None:
    know(fleet, server, "rsa", "ed25519")
    ended = fleet.run("add-host", "t15g", "--scan", where(server), "--yes")
    assert (ended.status, "stands in known_hosts" in ended.stderr) == (0, True)


def test_a_known_host_that_answers_otherwise_is_told(fleet: Scene, server: Server) -> None:
    know(fleet, server, "rsa")
    known = fleet.home / ".ssh/known_hosts"
    known.write_text(
        f"{known.read_text()}[127.0.0.1]:{server.port} "
        f"{' '.join(Path(fleet.public('mac')).read_text().split()[:2])}\n"
    )
    ended = fleet.run("add-host", "t15g", "--scan", where(server), "--yes")
    assert ended.status == 2
    assert "warning: known_hosts has another ssh-ed25519 key" in ended.stderr


def test_a_revoked_key_is_refused(fleet: Scene, server: Server) -> None:
    know(fleet, server, "ed25519", mark="@revoked ")
    ended = fleet.run("add-host", "t15g", "--scan", where(server), "--yes")
    assert (ended.status, "is revoked in known_hosts" in ended.stderr) == (1, True)


def test_a_server_without_ed25519_is_refused_with_its_types(
    fleet: Scene, old_server: Server
) -> None:
    ended = fleet.run("add-host", "t15g", "--scan", where(old_server), "--yes")
    assert ended.status == 6
    assert "no ssh-ed25519 host key, only ecdsa-sha2-nistp256, ssh-rsa" in ended.stderr


def test_generated_halves_lie_where_they_were_asked_for(fleet: Scene) -> None:
    folder = fleet.folder / "stick"
    fleet.done("add-host", "t15g", "--generate", str(folder), "--yes")
    private, public = folder / "ssh_host_ed25519_key", folder / "ssh_host_ed25519_key.pub"
    modes = [file.stat().st_mode & 0o777 for file in (folder, private, public)]
    assert modes == [0o700, 0o600, 0o644]
    shown = fleet.start("ssh-keygen", "-y", "-f", str(private)).text
    assert shown.split()[:2] == public.read_text().split()[:2]
    assert fleet.read("keys/hosts/t15g.pub").split()[:2] == public.read_text().split()[:2]
    alone = {"HOME": str(folder), "SOPS_AGE_SSH_PRIVATE_KEY_FILE": str(private)}
    opened = fleet.with_variables(**alone).run("get", "shared:wifi/psk")
    assert opened.text == "of the whole house"


def test_generated_halves_replace_nothing(fleet: Scene) -> None:
    folder = fleet.folder / "stick"
    folder.mkdir()
    (folder / "ssh_host_ed25519_key").write_text("somebody's\n")
    before = fleet.tree()
    ended = fleet.run("add-host", "t15g", "--generate", str(folder), "--yes")
    assert (ended.status, fleet.tree()) == (3, before)
    assert "exists and is not overwritten" in ended.stderr


def test_this_machines_key_is_taken_for_this_machine_alone(fleet: Scene) -> None:
    here = fleet.start("uname", "-n").text.strip()
    public = Path(fleet.public("t15g"))
    before = fleet.tree()
    for arguments in (("t15g",), ("t15g", "--host-name", "another"), ("new-one",)):
        ended = as_this_machine(fleet, public, "add-host", *arguments, "--yes")
        assert (ended.status, fleet.tree()) == (2, before)
        assert f"this machine is {here}" in ended.stderr
    ended = as_this_machine(fleet, public, "add-host", "t15g", "--host-name", here, "--yes")
    assert ended.status == 0, ended
    assert fleet.read("keys/hosts/t15g.pub").split()[:2] == public.read_text().split()[:2]


def test_a_machine_without_a_host_key_is_told_what_to_do(fleet: Scene) -> None:
    here = fleet.start("uname", "-n").text.strip()
    nothing = fleet.folder / "nothing.pub"
    ended = as_this_machine(fleet, nothing, "add-host", "t15g", "--host-name", here)
    assert ended.status == 2
    assert "hint: run `ssh-keygen -A` as root, or give --age" in ended.stderr


def test_a_new_host_gets_a_line_with_what_the_flake_calls_it(fleet: Scene) -> None:
    fleet.edit("nixsecrets.yaml", "  t15g: { attribute: nixt15g }\n", "")
    fleet.commit()
    fleet.done("add-host", "t15g", "--key", fleet.public("t15g"), "--yes")
    paths = ("nixsecrets.yaml", ".sops.yaml", "flake.nix", "systems/t15g/configuration.nix")
    removed = [line.split()[1] for line in fleet.git("diff", "--numstat", *paths).splitlines()]
    assert removed == ["0", "0", "0", "0"]
    assert "  t15g: { attribute: nixt15g }\n" in fleet.read("nixsecrets.yaml")
    checked = json.loads(fleet.done("check", "--json"))
    assert [one for one in checked["findings"] if "t15g" in one["words"]] == []


def test_a_new_hosts_key_alone_opens_what_it_may_read_and_nothing_else(fleet: Scene) -> None:
    fleet.done("add-host", "t15g", "--key", fleet.public("t15g"), "--yes")
    key = fleet.key("t15g")
    alone = fleet.with_variables(HOME=str(key.parent), SOPS_AGE_SSH_PRIVATE_KEY_FILE=str(key))
    assert alone.run("get", "wifi/psk").text == "of the whole house"
    ended = alone.run("get", "host/hq:nextcloud/admin-password")
    assert (ended.status, ended.text, MARKER in ended.stderr) == (4, "", False)
    assert "it is wrapped for miscguy, hq" in ended.stderr


def test_a_plan_as_json_is_all_that_stdout_says(fleet: Scene) -> None:
    options = ("--key", fleet.public("t15g"), "--json")
    shown = json.loads(fleet.done("add-host", "t15g", *options, "--dry-run"))
    ended = fleet.run("add-host", "t15g", *options, "--yes")
    done = json.loads(ended.stdout)
    paths = [change["path"] for change in done["changes"]]
    assert (ended.status, [change["path"] for change in shown["changes"]]) == (0, paths)
    assert paths == [
        "keys/hosts/t15g.pub",
        ".sops.yaml",
        "shared/secrets.yaml",
        "systems/t15g/secrets.nix",
        "systems/t15g/configuration.nix",
        "flake.nix",
    ]
