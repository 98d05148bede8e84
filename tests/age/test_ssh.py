import subprocess
from base64 import b64decode, b64encode
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from nixsecrets.age.recipient import parse_recipient
from nixsecrets.age.ssh import (
    SshPublicKey,
    convert_public_key,
    generate_ed25519,
    parse_private_key,
    parse_public_key,
)
from nixsecrets.age.sshkey import write_strings
from nixsecrets.errors import NoIdentityError, RepositoryError
from nixsecrets.plaintext import Plaintext
from tests.tools import require_tool


def make(directory: Path, *options: str) -> tuple[Plaintext, SshPublicKey]:
    """Make an ssh identity by ssh-keygen; return its private file and its public half."""
    file = directory / "made"
    passphrase = () if "-N" in options else ("-N", "")
    subprocess.run(
        [require_tool("ssh-keygen"), "-q", *passphrase, "-C", "root@t15g", *options, "-f", file],
        check=True,
    )
    return Plaintext(file.read_bytes()), parse_public_key((directory / "made.pub").read_text())


@pytest.mark.parametrize(
    ("blob", "recipient"),
    [  # the lines among ssh-to-age's test assets, and what its README shows for them
        (
            "AAAAC3NzaC1lZDI1NTE5AAAAIOHz+U0YtjINc54dZiJNclfmEFifF7RXCFlNlTbuZBji",
            "age17044m9wgakla6pzftf4srtl3h5mcsr85jysgt5fg23zpnta8sfdqhzn452",
        ),
        (
            "AAAAC3NzaC1lZDI1NTE5AAAAIF/KPU3Z5LSjbBI6hrq25wCcseq2UpqSzUFZRr+ux6LM",
            "age1hjm3aujg9e79f5yth8a2cejzdjg5n9vnu96l05p70uvfpeltnpms7yy3pp",
        ),
        (
            "AAAAC3NzaC1lZDI1NTE5AAAAIIL2vjdqpppuCn7yPdF2muINriAG7zBWrsELKpPWkhn5",
            "age1v8zjc47jmlqwefyu66s0d4ke98qr4vnuj3cpvs4z9npfdw833dxqwjrhzv",
        ),
    ],
)
def test_a_public_half_converts_as_ssh_to_age_converts_it(blob: str, recipient: str) -> None:
    key = parse_public_key(f"ssh-ed25519 {blob} joerg@turingmachine")
    assert convert_public_key(key) == parse_recipient(recipient)


def test_what_is_wrapped_to_the_converted_half_opens_with_the_ssh_host_identity(
    tmp_path: Path,
) -> None:
    for number in range(20):
        (tmp_path / str(number)).mkdir()
        content, public = make(tmp_path / str(number), "-t", "ed25519")
        recipient = convert_public_key(public)
        message = pyrage.encrypt(b"value", [pyrage.x25519.Recipient.from_str(recipient.text)])
        ssh_identity, converted = parse_private_key(content, "host")
        assert converted.recipient == recipient
        assert converted.decrypt(message) == Plaintext(b"value")
        assert ssh_identity.decrypt(message) is None


@pytest.mark.parametrize(
    "options",
    [
        ["-t", "ed25519"],
        ["-t", "rsa", "-b", "2048"],
        ["-t", "rsa", "-b", "2048", "-m", "PEM"],
    ],
    ids=["ed25519", "rsa", "rsa in PEM"],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_what_age_encrypts_to_an_ssh_line_opens_with_the_ssh_identity(
    options: list[str], line_end: bytes, tmp_path: Path
) -> None:
    content, public = make(tmp_path, *options)
    message = subprocess.run(
        [require_tool("age"), "-r", public.line], input=b"value", check=True, capture_output=True
    ).stdout
    content = Plaintext(content.reveal().replace(b"\n", line_end))
    identity = parse_private_key(content, "id")[0]
    assert identity.recipient == parse_recipient(public.line)
    assert identity.source == "id"
    assert identity.decrypt(message) == Plaintext(b"value")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            ["-t", "ed25519", "-N", "secret"],
            "it is protected by a passphrase: run this on a terminal",
        ),
        (
            ["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "secret"],
            "it is protected by a passphrase: run this on a terminal",
        ),
        (
            ["-t", "rsa", "-b", "2048", "-m", "PKCS8"],
            "it is in PKCS#8 form, which sops-nix does not read either",
        ),
        (
            ["-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", "secret"],
            "it is in PKCS#8 form, which sops-nix does not read either",
        ),
        (
            ["-t", "ecdsa"],
            "age takes no ecdsa-sha2-nistp256 recipient, only ssh-ed25519 and ssh-rsa",
        ),
        (
            ["-t", "ecdsa", "-m", "PEM"],
            "it is not an ssh identity of OpenSSH's or PEM's RSA form",
        ),
        (
            ["-t", "rsa", "-b", "1024"],
            "this ssh-rsa recipient has 1024 bits, not 2048 to 4096",
        ),
    ],
    ids=[
        "passphrase",
        "PEM, passphrase",
        "PKCS#8",
        "PKCS#8, passphrase",
        "ecdsa",
        "ecdsa in PEM",
        "short rsa",
    ],
)
def test_private_files_of_no_use_are_refused(
    options: list[str], problem: str, tmp_path: Path
) -> None:
    content, _public = make(tmp_path, *options)
    with pytest.raises(NoIdentityError) as caught:
        parse_private_key(content, "id")
    assert str(caught.value) == problem


@pytest.mark.parametrize("options", [["-t", "ed25519"], ["-t", "rsa", "-b", "2048", "-m", "PEM"]])
def test_a_private_file_cut_off_anywhere_is_refused(options: list[str], tmp_path: Path) -> None:
    content, _public = make(tmp_path, *options)
    text = content.reveal().rstrip()
    for length in range(0, len(text) - 30, 7):
        with pytest.raises(NoIdentityError):
            parse_private_key(Plaintext(text[:length]), "id")


def test_halves_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    content, public = make(tmp_path / "a", "-t", "ed25519")
    _other, other_public = make(tmp_path / "b", "-t", "ed25519")
    begin, *body, end = content.reveal().splitlines()
    mixed = b64decode(b"".join(body)).replace(public.blob, other_public.blob, 1)
    text = b"\n".join([begin, b64encode(mixed), end])
    with pytest.raises(NoIdentityError):
        parse_private_key(Plaintext(text), "id")


def test_a_pkcs8_ed25519_file_is_refused_as_sops_nix_does() -> None:
    secret = Ed25519PrivateKey.generate()
    content = secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(NoIdentityError, match="it is in PKCS#8 form"):
        parse_private_key(Plaintext(content), "id")


@pytest.mark.parametrize("comment", ["root@t15g", "", "a", "größer und mit Leerzeichen"])
def test_a_new_host_identity_is_read_by_ssh_keygen(comment: str, tmp_path: Path) -> None:
    content, public = generate_ed25519(comment)
    file = tmp_path / "host"
    file.touch(mode=0o600)
    file.write_bytes(content.reveal())
    shown = subprocess.run(
        [require_tool("ssh-keygen"), "-y", "-f", file], check=True, capture_output=True, text=True
    ).stdout
    assert shown.strip() == public.line
    assert parse_public_key(public.line) == public
    assert parse_private_key(content, "host")[1].recipient == convert_public_key(public)


def test_a_new_host_identity_signs_and_is_verified(tmp_path: Path) -> None:
    content, public = generate_ed25519("root@t15g")
    file = tmp_path / "host"
    file.touch(mode=0o600)
    file.write_bytes(content.reveal())
    (tmp_path / "allowed").write_text(f"t15g {public.line}\n")
    ssh_keygen = require_tool("ssh-keygen")
    signature = subprocess.run(
        [ssh_keygen, "-Y", "sign", "-n", "file", "-f", file],
        input=b"text",
        check=True,
        capture_output=True,
    ).stdout
    (tmp_path / "signature").write_bytes(signature)
    verify = ["-I", "t15g", "-n", "file", "-f", "allowed", "-s", "signature"]
    subprocess.run([ssh_keygen, "-Y", "verify", *verify], input=b"text", check=True, cwd=tmp_path)


@pytest.mark.parametrize(
    "options", [["-t", "rsa", "-b", "2048"], ["-t", "ecdsa"]], ids=["rsa", "ecdsa"]
)
def test_only_ed25519_becomes_an_age_recipient(options: list[str], tmp_path: Path) -> None:
    _content, public = make(tmp_path, *options)
    with pytest.raises(RepositoryError) as caught:
        convert_public_key(public)
    assert str(caught.value) == (
        f"{public.algorithm} cannot be made into an age recipient: "
        "sops-nix converts a host's ssh-ed25519 identity only"
    )
    assert caught.value.hint == "give /etc/ssh/ssh_host_ed25519_key.pub of the host"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ((b"\x01" + bytes(31),), "its point has small order: anyone could open what"),
        ((b"\xff" * 32,), "its point is not in canonical form"),
        ((b"\x02" + bytes(31),), "its point does not lie on the curve"),
        ((b"\x05" * 31,), "its point has 31 bytes where 32 belong"),
        ((), "its ssh structure has 1 parts where 2 belong"),
        ((bytes(32), b"more"), "its ssh structure has 3 parts where 2 belong"),
    ],
    ids=["small order", "not canonical", "off the curve", "short", "no point", "something left"],
)
def test_malformed_points_are_refused_by_reason(fields: tuple[bytes, ...], problem: str) -> None:
    blob = b64encode(write_strings(b"ssh-ed25519", *fields)).decode()
    with pytest.raises(RepositoryError, match=problem):
        convert_public_key(parse_public_key(f"ssh-ed25519 {blob}"))
