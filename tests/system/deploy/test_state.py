import getpass
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.errors import ProgramError
from nixsecrets.system import verification
from nixsecrets.system.deploy import state
from nixsecrets.system.deploy.state import Activation
from nixsecrets.system.ssh import Address
from nixsecrets.system.verification import Question, Seen
from tests.system.test_ssh import make_pair, serve
from tests.tools import require_tool

_NOISY = '#!/bin/sh\necho welcome\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n'


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Address]:
    """A real sshd whose login shell talks before it does anything."""
    require_tool("ssh")
    make_pair(tmp_path / "host_ed25519", "ed25519")
    make_pair(tmp_path / "user", "ed25519")
    (tmp_path / "noisy").write_text(_NOISY)
    (tmp_path / "noisy").chmod(0o755)
    public = (tmp_path / "user.pub").read_text()
    (tmp_path / "authorized").write_text(f'command="{tmp_path}/noisy" {public}')
    for server in serve(tmp_path, "ed25519"):
        known = f"UserKnownHostsFile={tmp_path}/known_hosts-{server.port}"
        options = f"-F none -i {tmp_path}/user -o {known} -o BatchMode=yes"
        monkeypatch.setenv("NIX_SSHOPTS", options)
        yield Address(getpass.getuser(), "127.0.0.1", server.port)


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
    found = state.read(None, PurePosixPath(tmp_path / "system"))
    assert found is not None
    assert found.generation == generation


def test_a_host_behind_ssh_tells_its_generations(machine: Address, tmp_path: Path) -> None:
    folder = tmp_path / "my profiles"
    folder.mkdir()
    for number in (9, 10):
        (folder / f"system-{number}-link").symlink_to("/nix/store/abc")
    (folder / "system").symlink_to("system-9-link")
    found = state.read(machine, PurePosixPath(folder / "system"))
    made = int((folder / "system-9-link").lstat().st_mtime)
    assert found is not None
    assert found._replace(failed=frozenset()) == (9, made, (9, 10), frozenset())


def test_a_host_that_does_not_answer_has_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    require_tool("ssh")
    monkeypatch.setenv("NIX_SSHOPTS", "-F none -o ProxyCommand=/bin/false")
    assert state.read(Address("jane", "nixt460")) is None


def test_there_is_no_way_to_a_generation_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="there is no generation 3"):
        state.go_to(None, 3, Activation.SWITCH, PurePosixPath(tmp_path / "system"))


@pytest.mark.skipif(getpass.getuser() != "root", reason="looking at files takes root")
def test_files_are_seen_whatever_they_are_called(machine: Address, tmp_path: Path) -> None:
    odd = tmp_path / "a $(touch b) 'c' \\ -e"
    odd.write_bytes(b"value\x00\xff")
    odd.chmod(0o440)
    link = tmp_path / "link"
    link.symlink_to(odd)
    nonce = verification.make_nonce()
    asked = [Question(str(odd), content=True), Question(str(link), content=False)]
    asked += [Question("/nowhere", content=True)]
    seen = verification.look(machine, nonce, asked)
    total = sha256(nonce.encode() + b"value\x00\xff" + nonce.encode()).hexdigest()
    assert seen == {
        str(odd): Seen("root", "root", "440", total),
        str(link): Seen("root", "root", "440", "-"),
        "/nowhere": None,
    }
    assert not (tmp_path / "b").exists()
