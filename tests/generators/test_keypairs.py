"""Private halves, read by the programs that they are for."""

import subprocess
from base64 import b64decode
from pathlib import Path

from nixsecrets.generators import keypairs
from nixsecrets.generators.generated import Generated
from tests.tools import require_tool


def program(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    name, *rest = arguments
    ended = subprocess.run(
        [require_tool(str(name)), *rest], input=stdin, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    return ended.stdout


def private_file(folder: Path, made: Generated) -> Path:
    file = folder / "private"
    file.touch(0o600)
    file.write_bytes(made.value.reveal())
    return file


def test_ssh_keygen_finds_the_public_half(tmp_path: Path) -> None:
    made = keypairs.ssh_ed25519("root@hq")
    assert program("ssh-keygen", "-y", "-f", private_file(tmp_path, made)) == made.public
    assert made.public is not None
    assert made.public.startswith(b"ssh-ed25519 AAAA")
    assert made.public.endswith(b" root@hq\n")


def test_an_ssh_identity_needs_no_comment(tmp_path: Path) -> None:
    made = keypairs.ssh_ed25519("")
    assert program("ssh-keygen", "-y", "-f", private_file(tmp_path, made)) == made.public


def test_age_keygen_finds_the_recipient() -> None:
    made = keypairs.age()
    assert program("age-keygen", "-y", stdin=made.value.reveal()) == made.public


def test_what_is_encrypted_for_the_recipient_age_decrypts(tmp_path: Path) -> None:
    made = keypairs.age()
    assert made.public is not None
    sealed = program("age", "-r", made.public.decode().strip(), stdin=b"words")
    assert program("age", "-d", "-i", private_file(tmp_path, made), stdin=sealed) == b"words"


def test_wg_finds_the_public_half() -> None:
    made = keypairs.wireguard()
    assert program("wg", "pubkey", stdin=made.value.reveal()) == made.public


def test_a_wireguard_scalar_is_clamped_as_wg_genkey_does() -> None:
    drawn = bytes([255]) * 32
    scalar = b64decode(keypairs._wireguard(drawn).value.reveal())
    assert (scalar[0], scalar[1:31], scalar[31]) == (248, drawn[1:31], 127)
    assert b64decode(keypairs._wireguard(bytes(32)).value.reveal()) == bytes(31) + bytes([64])


def test_a_preshared_one_is_32_bytes_without_a_public_half() -> None:
    made = keypairs.wireguard_preshared()
    assert (len(b64decode(made.value.reveal(), validate=True)), made.public) == (32, None)


def test_no_identity_comes_twice() -> None:
    for make in (keypairs.age, keypairs.wireguard, keypairs.wireguard_preshared):
        assert make().value != make().value
    assert keypairs.ssh_ed25519("").value != keypairs.ssh_ed25519("").value


def test_no_private_half_prints_itself() -> None:
    for made in (keypairs.age(), keypairs.wireguard(), keypairs.ssh_ed25519("")):
        assert made.value.reveal().decode().split()[-1] not in repr(made)
