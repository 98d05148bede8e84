import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from nixsecrets.age.sshkey import parse_public_key, write_strings
from nixsecrets.errors import RepositoryError
from tests.tools import require_tool

GOOD = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL1+gQkMnQgix6wKsPHVUppeGYG8htQZYYt/LhmZdRgm root@t15g"


@pytest.mark.parametrize(
    "options",
    [["-t", "ed25519"], ["-t", "rsa", "-b", "2048"], ["-t", "ecdsa"]],
    ids=["ed25519", "rsa", "ecdsa"],
)
def test_a_line_of_ssh_keygen_is_read_and_spelled_again(options: list[str], tmp_path: Path) -> None:
    file = tmp_path / "host"
    ssh_keygen = require_tool("ssh-keygen")
    subprocess.run(
        [ssh_keygen, "-q", *options, "-N", "", "-C", "root@t15g  by hand", "-f", file],
        check=True,
    )
    line = (tmp_path / "host.pub").read_text()
    shown = subprocess.run(
        [ssh_keygen, "-l", "-f", file], check=True, capture_output=True, text=True
    ).stdout
    key = parse_public_key(line)
    assert key.line == line.strip()
    assert key.fingerprint == shown.split()[1]
    assert key.comment == "root@t15g  by hand"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param("", "this is not an ssh public line", id="nothing"),
        pytest.param("ssh-ed25519", "this is not an ssh public line", id="algorithm alone"),
        pytest.param("hello there world", "this is not an ssh public line", id="prose"),
        pytest.param(
            f"{GOOD}\n{GOOD}",
            "an ssh public line is one line without control characters",
            id="two lines",
        ),
        pytest.param(
            f"{GOOD}\x1b[2J",
            "an ssh public line is one line without control characters",
            id="escape sequence in the comment",
        ),
        pytest.param(
            f'from="10.0.0.0/8",no-pty {GOOD}',
            "something stands before the algorithm (options, or the host of a known_hosts line)",
            id="options",
        ),
        pytest.param(
            f'command="echo hello there" {GOOD}',
            "something stands before the algorithm (options, or the host of a known_hosts line)",
            id="options with blanks",
        ),
        pytest.param(
            f"t15g.lan {GOOD}",
            "something stands before the algorithm (options, or the host of a known_hosts line)",
            id="known_hosts",
        ),
        pytest.param(
            "ssh-ed25519-cert-v01@openssh.com AAAA me",
            "this is an ssh certificate, not an ssh public line",
            id="certificate",
        ),
        pytest.param(
            GOOD[:40], "its ssh structure ends too early", id="cut off between base64 groups"
        ),
        pytest.param(
            GOOD[:39],
            "the base64 of this ssh-ed25519 line does not hold (cut off?)",
            id="cut off within a base64 group",
        ),
        pytest.param(
            GOOD.replace("ssh-ed25519", "ssh-rsa"),
            "this line says ssh-rsa and holds another algorithm",
            id="algorithm and structure differ",
        ),
    ],
)
def test_other_texts_are_refused(line: str, problem: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        parse_public_key(line)
    assert str(caught.value) == problem


def test_a_private_file_is_refused_and_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "host"
    subprocess.run(
        [require_tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", file], check=True
    )
    with pytest.raises(RepositoryError) as caught:
        parse_public_key(file.read_text())
    assert str(caught.value) == "this is a private identity where its public half belongs"


def test_the_word_private_key_in_a_comment_is_no_private_identity() -> None:
    assert parse_public_key(f"{GOOD} private key of root").comment.endswith("of root")


def test_base64_without_its_padding_is_refused() -> None:
    blob = b64encode(write_strings(b"ssh-ed25519", bytes(32), b"")).decode()
    assert blob.endswith("=")
    with pytest.raises(RepositoryError, match="base64"):
        parse_public_key(f"ssh-ed25519 {blob.rstrip('=')}")
