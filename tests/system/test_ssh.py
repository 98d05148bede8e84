import getpass
import socket
import subprocess
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest

from nixsecrets.errors import ProgramError, UsageError
from nixsecrets.system import known_hosts
from nixsecrets.system.hostproof import Proof, prove
from nixsecrets.system.known_hosts import KnownHost, Standing, Verdict
from nixsecrets.system.ssh import (
    Address,
    Endpoint,
    options_from,
    resolve,
    run_script,
    scan,
    validate_address,
)
from tests.tools import require_tool

DEADLINE_S = 20
NO_CONFIGURATION = ("-F", "none")


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


def serve(folder: Path, *kinds: str, port: int | None = None) -> Generator[Server, None, None]:
    sshd = require_tool("sshd")
    Path("/run/sshd").mkdir(exist_ok=True)  # Debian's sshd refuses to start without it
    port = port or unused_port()
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
    assert scan(server.address, NO_CONFIGURATION) == (server.public("ed25519"),)


def test_a_host_without_ed25519_is_told_what_it_has(old_server: Server) -> None:
    with pytest.raises(ProgramError) as caught:
        scan(old_server.address, NO_CONFIGURATION)
    assert caught.value.problem == (
        "127.0.0.1 has no ssh-ed25519 host key, only ecdsa-sha2-nistp256, ssh-rsa, which sops-nix "
        "makes no age identity of"
    )
    assert "ssh-keygen -A" in (caught.value.hint or "")
    assert "services.openssh.hostKeys" in (caught.value.hint or "")


def test_nobody_answering_is_told() -> None:
    port = unused_port()
    with pytest.raises(ProgramError, match=f"no SSH server answered at 127.0.0.1, port {port}"):
        scan(Address(None, "127.0.0.1", port), NO_CONFIGURATION)


@pytest.mark.parametrize(
    ("text", "options", "endpoint"),
    [
        ("NixHQ", "", ("nixhq", 22, "nixhq", False)),
        ("root@nixhq:2222", "", ("nixhq", 2222, "[nixhq]:2222", False)),
        ("[::1]:2222", "", ("::1", 2222, "[::1]:2222", False)),
        (
            "hq",
            "Host hq\nHostName 10.0.0.7\nPort 2222",
            ("10.0.0.7", 2222, "[10.0.0.7]:2222", False),
        ),
        ("hq:22", "Host hq\nHostName 10.0.0.7\nPort 2222", ("10.0.0.7", 22, "10.0.0.7", False)),
        ("hq", "Host hq\nHostKeyAlias desk\nPort 2222", ("hq", 2222, "desk", False)),
        ("hq", "Host hq\nProxyJump gate", ("hq", 22, "hq", True)),
        ("hq", "Host hq\nProxyCommand nc %h %p", ("hq", 22, "hq", True)),
        ("hq", "Host hq\nProxyJump none", ("hq", 22, "hq", False)),
    ],
)
def test_the_users_configuration_says_where_a_host_is(
    tmp_path: Path, text: str, options: str, endpoint: tuple[str, int, str, bool]
) -> None:
    require_tool("ssh")
    configuration = tmp_path / "config"
    configuration.write_text(
        f"UserKnownHostsFile {tmp_path}/%k {tmp_path}/more\nGlobalKnownHostsFile none\n{options}\n"
    )
    found = resolve(validate_address(text), ("-F", str(configuration)))
    host, port, name, proxied = endpoint
    alias = found.known_hosts[0].name
    assert found == Endpoint(host, port, name, (tmp_path / alias, tmp_path / "more"), proxied)


def test_the_usual_known_hosts_are_the_users_and_the_machines() -> None:
    require_tool("ssh")
    files = [str(file) for file in resolve(Address(None, "nixhq"), NO_CONFIGURATION).known_hosts]
    assert [file.rpartition("/.ssh/")[2] for file in files[:2]] == ["known_hosts", "known_hosts2"]
    assert files[2:] == ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]


def test_a_configuration_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Nonsense yes\n")
    with pytest.raises(ProgramError, match="ssh failed with status 255"):
        resolve(Address(None, "nixhq"), ("-F", str(tmp_path / "config")))


def test_a_host_behind_another_is_not_scanned(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host hq\nProxyJump gate\n")
    with pytest.raises(UsageError) as caught:
        scan(Address("root", "hq"), ("-F", str(tmp_path / "config")))
    assert 'cat /etc/ssh/ssh_host_ed25519_key.pub)"' in (caught.value.hint or "")


@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("nixhq", {"ed25519": Standing.KNOWN, "rsa": Standing.REVOKED}),
        ("10.0.0.7", {"ed25519": Standing.KNOWN}),
        ("[nixhq]:2222", {"ecdsa": Standing.KNOWN}),
        ("other", {}),
        ("vm01", {"ed25519": Standing.AUTHORITY}),
        ("a.vm.example.org", {"rsa": Standing.AUTHORITY}),
    ],
    ids=["name", "address", "port", "unknown", "authority", "pattern"],
)
def test_known_hosts_is_read(
    folder: Path, tmp_path: Path, name: str, kinds: dict[str, Standing], *, hashed: bool
) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(
        f"# a comment\nnixhq,10.0.0.7 {public(folder, 'ed25519')} the desktop\n"
        f"@revoked nixhq {public(folder, 'rsa')}\n[nixhq]:2222 {public(folder, 'ecdsa')}\n"
        f"@cert-authority vm01 {public(folder, 'ed25519')}\n"
        f"@cert-authority *.vm.example.org {public(folder, 'rsa')}\n"
    )
    if hashed:
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    assert known_hosts.look_up(name, [tmp_path / "missing", file]) == tuple(
        KnownHost(public(folder, kind), standing) for kind, standing in kinds.items()
    )


def public(folder: Path, kind: str) -> str:
    return " ".join((folder / f"host_{kind}.pub").read_text().split()[:2])


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        ([], Verdict.NOTHING),
        ([("ssh-ed25519 A", Standing.KNOWN)], Verdict.SAME),
        ([("ssh-ed25519 B", Standing.KNOWN)], Verdict.ANOTHER),
        ([("ssh-ed25519 B", Standing.KNOWN), ("ssh-ed25519 A", Standing.KNOWN)], Verdict.SAME),
        ([("ssh-rsa B", Standing.KNOWN)], Verdict.NOTHING),
        ([("ssh-ed25519 A", Standing.KNOWN), ("ssh-ed25519 A", Standing.REVOKED)], Verdict.REVOKED),
        ([("ssh-ed25519 B", Standing.REVOKED)], Verdict.NOTHING),
        ([("ssh-ed25519 A", Standing.AUTHORITY)], Verdict.AUTHORITY),
        ([("ssh-rsa B", Standing.AUTHORITY), ("ssh-ed25519 B", Standing.KNOWN)], Verdict.ANOTHER),
    ],
)
def test_the_lines_of_a_host_are_one_verdict(
    lines: list[tuple[str, Standing]], verdict: Verdict
) -> None:
    known = [KnownHost(line, standing) for line, standing in lines]
    assert known_hosts.judge("ssh-ed25519 A", known) is verdict


def test_every_file_that_ssh_looks_into_is_looked_into(folder: Path, tmp_path: Path) -> None:
    names = ("first", "second", "global")
    for name, kind in zip(names, ("ed25519", "rsa", "ecdsa"), strict=True):
        (tmp_path / name).write_text(f"nixhq {public(folder, kind)}\n")
    user = f"UserKnownHostsFile={tmp_path}/first {tmp_path}/second"
    options = (*NO_CONFIGURATION, "-o", user, "-o", f"GlobalKnownHostsFile={tmp_path}/global")
    found = known_hosts.known(Address("root", "nixhq"), options)
    assert [(one.public, one.file) for one in found] == [
        (public(folder, kind), tmp_path / name)
        for name, kind in zip(names, ("ed25519", "rsa", "ecdsa"), strict=True)
    ]


@pytest.mark.parametrize(
    ("kind", "proof"), [("ed25519", Proof.HELD), ("other", Proof.OTHER)], ids=["own", "another"]
)
def test_a_host_proves_its_own_key_alone(
    server: Server, tmp_path: Path, kind: str, proof: Proof
) -> None:
    if kind == "other":
        make_pair(tmp_path / "host_other", "ed25519")
    line = public(server.folder if kind == "ed25519" else tmp_path, kind)
    assert prove(server.address, line, tmp_path, NO_CONFIGURATION) is proof


def test_a_host_without_such_a_key_proves_nothing(old_server: Server, tmp_path: Path) -> None:
    line = public(old_server.folder, "ed25519")
    assert prove(old_server.address, line, tmp_path, NO_CONFIGURATION) is Proof.OTHER
    nobody = Address(None, "127.0.0.1", unused_port())
    assert prove(nobody, line, tmp_path, NO_CONFIGURATION) is Proof.UNKNOWN


@pytest.mark.parametrize(
    "line",
    ["LogLevel QUIET", "NoHostAuthenticationForLocalhost yes", "RemoteCommand id", "User nobody"],
)
def test_no_configuration_of_the_user_passes_for_a_proof(
    server: Server, tmp_path: Path, line: str
) -> None:
    make_pair(tmp_path / "host_other", "ed25519")
    (tmp_path / "config").write_text(f"{line}\n")
    options = ("-F", str(tmp_path / "config"))
    address = Address(None, "localhost", server.port)
    assert prove(address, public(server.folder, "ed25519"), tmp_path, options) is Proof.HELD
    assert prove(address, public(tmp_path, "other"), tmp_path, options) is Proof.OTHER


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
