import getpass
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest

from nixsecrets.errors import ProgramError, UsageError
from nixsecrets.system.ssh import (
    Address,
    KnownHost,
    Standing,
    known,
    options_from,
    run_script,
    scan,
    validate_address,
)
from tests.tools import require_tool

DEADLINE_S = 20


@dataclass(frozen=True)
class Server:
    """A real sshd on this machine, with a folder of its own."""

    folder: Path
    port: int

    @property
    def address(self) -> Address:
        return Address(getpass.getuser(), "127.0.0.1", self.port)

    @property
    def options(self) -> tuple[str, ...]:
        known_hosts = f"UserKnownHostsFile={self.folder}/known_hosts-{self.port}"
        return ("-F", "none", "-i", f"{self.folder}/user", "-o", known_hosts, "-o", "BatchMode=yes")

    def public(self, kind: str) -> str:
        return " ".join((self.folder / f"host_{kind}.pub").read_text().split()[:2])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_tool("ssh-keygen")
    folder = tmp_path_factory.mktemp("sshd")
    for kind in ("ed25519", "rsa", "ecdsa"):
        make_pair(folder / f"host_{kind}", kind)
    make_pair(folder / "user", "ed25519")
    (folder / "authorized").write_bytes((folder / "user.pub").read_bytes())
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    yield from serve(folder, "ed25519", "rsa")


@pytest.fixture
def old_server(folder: Path) -> Iterator[Server]:
    yield from serve(folder, "rsa", "ecdsa")


def make_pair(file: Path, kind: str) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(file)], check=True)


def serve(folder: Path, *kinds: str) -> Iterator[Server]:
    sshd = require_tool("sshd")
    Path("/run/sshd").mkdir(exist_ok=True)  # Debian's sshd refuses to start without it
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / f"config-{port}"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"PermitRootLogin yes\nAuthorizedKeysFile {folder}/authorized\n"
        + "".join(f"HostKey {folder}/host_{kind}\n" for kind in kinds)
    )
    arguments = [sshd, "-D", "-e", "-f", str(config)]
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as running:
        try:
            wait_for(port)
            names = "".join(
                f"[127.0.0.1]:{port} {(folder / f'host_{kind}.pub').read_text()}" for kind in kinds
            )
            (folder / f"known_hosts-{port}").write_text(names)
            yield Server(folder, port)
        finally:
            running.terminate()


def wait_for(port: int) -> None:
    end = monotonic() + DEADLINE_S
    while monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            continue
        return
    pytest.fail(f"sshd does not answer on port {port}")


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("nixhq", Address(None, "nixhq")),
        ("root@nixt15g", Address("root", "nixt15g")),
        ("jane@corp@host.example.org:2222", Address("jane@corp", "host.example.org", 2222)),
        ("10.0.0.7:22", Address(None, "10.0.0.7", 22)),
        ("fe80::1%eth0", Address(None, "fe80::1%eth0")),
        ("root@::1", Address("root", "::1")),
        ("root@[::1]:2222", Address("root", "::1", 2222)),
        ("under_score", Address(None, "under_score")),
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    assert validate_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-oProxyCommand=id",
        "root@-oProxyCommand=id",
        "-l@host",
        "ho st",
        "host\n",
        "host\x1b[31m",
        "host;id",
        "$(id)",
        "`id`@host",
        "@host",
        "root@",
        "host:",
        "host:0",
        "host:65536",
        "host:port",
        "ssh://host",
        "hóst",
        "[host]",
        "host/../x",
    ],
)
def test_what_might_be_an_option_or_a_command_is_no_address(text: str) -> None:
    with pytest.raises(UsageError):
        validate_address(text)


def test_a_scan_returns_the_ed25519_key_alone(server: Server) -> None:
    assert scan(server.address) == (server.public("ed25519"),)


def test_a_host_without_ed25519_is_told_what_it_has(old_server: Server) -> None:
    with pytest.raises(ProgramError) as caught:
        scan(old_server.address)
    assert caught.value.problem == (
        "127.0.0.1 has no ssh-ed25519 host key, only ecdsa-sha2-nistp256, ssh-rsa"
    )


def test_nobody_answering_is_told() -> None:
    port = unused_port()
    with pytest.raises(ProgramError, match=f"no SSH server answered at 127.0.0.1, port {port}"):
        scan(Address(None, "127.0.0.1", port))


@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
@pytest.mark.parametrize(
    ("address", "kinds"),
    [
        (Address(None, "nixhq"), {"ed25519": Standing.KNOWN, "rsa": Standing.REVOKED}),
        (Address("root", "nixhq", 22), {"ed25519": Standing.KNOWN, "rsa": Standing.REVOKED}),
        (Address(None, "nixhq", 2222), {"ecdsa": Standing.KNOWN}),
        (Address(None, "other"), {}),
        (Address(None, "vm01"), {}),
    ],
    ids=["name", "default port", "port", "unknown", "authority"],
)
def test_known_hosts_is_read(
    folder: Path, tmp_path: Path, address: Address, kinds: dict[str, Standing], *, hashed: bool
) -> None:
    publics = {
        kind: " ".join((folder / f"host_{kind}.pub").read_text().split()[:2])
        for kind in ("ed25519", "rsa", "ecdsa")
    }
    file = tmp_path / "known_hosts"
    file.write_text(
        f"# a comment\nnixhq,10.0.0.7 {publics['ed25519']} the desktop\n"
        f"@revoked nixhq {publics['rsa']}\n[nixhq]:2222 {publics['ecdsa']}\n"
        f"@cert-authority vm01 {publics['ed25519']}\n"
    )
    if hashed:
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    assert known(address, file) == tuple(
        KnownHost(publics[kind], standing) for kind, standing in kinds.items()
    )


def test_the_users_own_known_hosts_is_looked_at(folder: Path, own_environment: Path) -> None:
    public = (folder / "host_ed25519.pub").read_text()
    (own_environment / ".ssh").mkdir()
    (own_environment / ".ssh/known_hosts").write_text(f"only.example.org {public}")
    assert known(Address(None, "only.example.org")) == (
        KnownHost(" ".join(public.split()[:2]), Standing.KNOWN),
    )


def test_no_known_hosts_knows_nobody(tmp_path: Path) -> None:
    assert known(Address(None, "nixhq"), tmp_path / "missing") == ()


def test_a_script_runs_on_the_host(server: Server) -> None:
    ended = run_script(server.address, "echo here; echo talk >&2; exit 7\n", server.options)
    assert (ended.status, ended.stdout) == (7, b"here\n")
    assert b"talk" in ended.stderr


def test_a_host_that_does_not_answer_is_status_255(server: Server) -> None:
    nobody = Address(None, "127.0.0.1", unused_port())
    assert run_script(nobody, "true\n", server.options).status == 255


def test_ssh_options_come_from_the_environment() -> None:
    assert options_from({"NIX_SSHOPTS": "-p 22 -o 'Proxy Jump=a b'"}) == (
        *("-p", "22"),
        *("-o", "Proxy Jump=a b"),
    )
    assert options_from({}) == ()
    with pytest.raises(UsageError):
        options_from({"NIX_SSHOPTS": "-o 'open"})
