"""`hosts --verify` against a real sshd, whose host key is recorded, old, or another."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from tests.cli.scenes import Scene
from tests.tools import require_tool

DEADLINE_S = 20


@contextmanager
def machine(scene: Scene, name: str, folder: Path) -> Iterator[str]:
    """Let a real sshd answer with a machine's host key, and give its address."""
    sshd = require_tool("sshd")
    Path("/run/sshd").mkdir(exist_ok=True)  # Debian's sshd refuses to start without it
    folder.mkdir()
    shutil.copy(scene.key(name), folder / "host_ed25519")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"HostKey {folder}/host_ed25519\nAuthorizedKeysFile none\n"
    )
    arguments = [sshd, "-D", "-e", "-f", str(folder / "config")]
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as running:
        try:
            wait_for(port)
            yield f"127.0.0.1:{port}"
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


def placed(scene: Scene, address: str) -> None:
    before = "t460: { attribute: nixt460"
    scene.edit("nixsecrets.yaml", before, f'{before}, address: "{address}"')


def verdict(text: str) -> str:
    return text.splitlines()[1].split("  ")[-1].strip()


def test_a_host_that_holds_its_recorded_key_proves_it(fleet: Scene, tmp_path: Path) -> None:
    with machine(fleet, "t460", tmp_path / "sshd") as address:
        placed(fleet, address)
        assert verdict(fleet.done("hosts", "--verify", "t460")) == "holds its key"


def test_another_key_is_found(fleet: Scene, tmp_path: Path) -> None:
    with machine(fleet, "mac", tmp_path / "sshd") as address:
        placed(fleet, address)
        ended = fleet.run("hosts", "--verify", "t460")
    assert (ended.status, verdict(ended.text)) == (1, "has another key")


def test_silence_is_told_and_no_finding(fleet: Scene, tmp_path: Path) -> None:
    with machine(fleet, "t460", tmp_path / "sshd") as address:
        placed(fleet, address)
    assert verdict(fleet.done("hosts", "--verify", "t460")) == "not reached"


def test_known_hosts_may_disagree(fleet: Scene, tmp_path: Path) -> None:
    other = Path(fleet.public("mac")).read_text()
    with machine(fleet, "t460", tmp_path / "sshd") as address:
        placed(fleet, address)
        port = address.partition(":")[2]
        (fleet.home / "known").write_text(f"[127.0.0.1]:{port} {other}")
        known = fleet.with_variables(NIX_SSHOPTS=f"-o UserKnownHostsFile={fleet.home}/known")
        ended = known.run("hosts", "--verify", "t460")
    assert (ended.status, verdict(ended.text)) == (1, "another in known_hosts")


def test_a_proof_lets_a_rotation_be_finished(fleet: Scene, tmp_path: Path) -> None:
    fleet.done("rotate", "host", "t460", "--key", fleet.public("t15g"), "--yes")
    with machine(fleet, "t460", tmp_path / "old") as address:
        placed(fleet, address)
        assert verdict(fleet.done("hosts", "--verify", "t460")) == "still has its old key"
    assert fleet.run("rotate", "host", "t460", "--finish", "--yes").status == 1
    with machine(fleet, "t15g", tmp_path / "new") as new:
        fleet.edit("nixsecrets.yaml", address, new)
        assert verdict(fleet.done("hosts", "--verify", "t460")) == "holds its key"
    fleet.done("rotate", "host", "t460", "--finish", "--yes")
