"""Where a host's key comes from, and who vouches for it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.scenes import MARKER, Ended, Scene
from tests.system.test_ssh import Server, make_pair, serve, unused_port
from tests.tools import require_tool

# The key of the machine under the tests is none of the tests' business.
THIS_MACHINE = """\
import sys
from pathlib import Path
from nixsecrets.cli import host_keys, main
host_keys.THIS_MACHINE = Path(sys.argv.pop(1))
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


def knowing(scene: Scene, *lines: str, hashed: bool = False) -> Scene:
    """Return the scene with lines of known_hosts, and no other configuration of ssh."""
    file = scene.home / "known_hosts"
    file.write_text("".join(f"{line}\n" for line in lines))
    if hashed:
        assert scene.start("ssh-keygen", "-q", "-H", "-f", str(file)).status == 0
        assert "127.0.0.1" not in file.read_text()
    files = f"-o UserKnownHostsFile={file} -o GlobalKnownHostsFile=/dev/null"
    return scene.with_variables(NIX_SSHOPTS=f"-F none {files}")


def line(server: Server, kind: str, mark: str = "") -> str:
    return f"{mark}[127.0.0.1]:{server.port} {server.public(kind)}"


def line_of_another(scene: Scene, server: Server) -> str:
    public = Path(scene.public("mac")).read_text().split()[:2]
    return f"[127.0.0.1]:{server.port} {' '.join(public)}"


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


@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
def test_known_hosts_vouches_for_a_scanned_key(
    fleet: Scene, server: Server, *, hashed: bool
) -> None:
    scene = knowing(fleet, line(server, "rsa"), line(server, "ed25519"), hashed=hashed)
    ended = scene.run("add-host", "t15g", "--scan", where(server), "--yes")
    assert (ended.status, "stands in known_hosts" in ended.stderr) == (0, True)


def test_a_known_host_that_answers_otherwise_stops(fleet: Scene, server: Server) -> None:
    scene = knowing(fleet, line(server, "rsa"), line_of_another(fleet, server))
    before = fleet.tree()
    ended = scene.run("add-host", "t15g", "--scan", where(server), "--yes")
    assert (ended.status, ended.text, fleet.tree()) == (1, "", before)
    assert f"answers with {fingerprint(server)}, and known_hosts has SHA256:" in ended.stderr
    forget = f"ssh-keygen -R '[127.0.0.1]:{server.port}' -f {fleet.home}/known_hosts"
    assert forget in ended.stderr
    assert scene.start("sh", "-c", forget).status == 0
    again = scene.run("add-host", "t15g", "--scan", where(server), "--yes")
    assert (again.status, "give --fingerprint" in again.stderr) == (2, True)


def test_a_fingerprint_counts_more_than_known_hosts(fleet: Scene, server: Server) -> None:
    scene = knowing(fleet, line_of_another(fleet, server))
    options = ("--scan", where(server), "--fingerprint", fingerprint(server))
    ended = scene.run("add-host", "t15g", *options, "--yes")
    assert (ended.status, "warning: known_hosts has another key" in ended.stderr) == (0, True)


def test_a_revoked_key_is_refused(fleet: Scene, server: Server) -> None:
    scene = knowing(fleet, line(server, "ed25519"), line(server, "ed25519", "@revoked "))
    options = ("--scan", where(server), "--fingerprint", fingerprint(server))
    ended = scene.run("add-host", "t15g", *options, "--yes")
    assert (ended.status, "is revoked in known_hosts" in ended.stderr) == (1, True)


def test_a_certificate_authority_vouches_for_no_plain_key(fleet: Scene, server: Server) -> None:
    scene = knowing(fleet, line(server, "ed25519", "@cert-authority "))
    ended = scene.run("add-host", "t15g", "--scan", where(server), "--yes")
    assert (ended.status, ended.text) == (2, "")
    assert "certificate authority" in ended.stderr
    assert "says nothing about this key" in ended.stderr


def test_an_alias_of_the_users_configuration_is_scanned(fleet: Scene, server: Server) -> None:
    (fleet.home / "config").write_text(
        f"Host desk\nHostName 127.0.0.1\nPort {server.port}\nHostKeyAlias nixt15g\n"
        f"UserKnownHostsFile {fleet.home}/known\n"
    )
    (fleet.home / "known").write_text(f"nixt15g {server.public('ed25519')}\n")
    scene = fleet.with_variables(NIX_SSHOPTS=f"-F {fleet.home}/config")
    ended = scene.run("add-host", "t15g", "--scan", "desk", "--yes")
    assert (ended.status, "stands in known_hosts" in ended.stderr) == (0, True)


def test_a_key_that_is_swapped_in_flight_is_not_the_one_that_was_compared(
    fleet: Scene, servers: Path, tmp_path: Path
) -> None:
    port = unused_port()
    with closing(serve(servers, "ed25519", port=port)) as one:
        shown = fingerprint(first := next(one))
    make_pair(tmp_path / "host_ed25519", "ed25519")
    with closing(serve(tmp_path, "ed25519", port=port)) as another:
        next(another)
        options = ("--scan", where(first), "--yes")
        answers = [
            fleet.run("add-host", "t15g", *options, "--fingerprint", shown),
            knowing(fleet, line(first, "ed25519")).run("add-host", "t15g", *options),
        ]
    assert [ended.status for ended in answers] == [1, 1]
    assert not (fleet.root / "keys/hosts/t15g.pub").exists()


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
