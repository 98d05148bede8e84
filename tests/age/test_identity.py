import subprocess
from pathlib import Path

import pyrage
import pytest

from nixsecrets.age.identity import Identity, generate_identity, parse_identities
from nixsecrets.plaintext import Plaintext
from tests.age import plugins
from tests.tools import require_tool


def made() -> tuple[str, str]:
    """Return an age identity and its recipient."""
    secret = pyrage.x25519.Identity.generate()
    return str(secret), str(secret.to_public())


def recipients(identities: tuple[Identity, ...]) -> list[str | None]:
    return [identity.recipient and identity.recipient.text for identity in identities]


def test_the_file_of_age_keygen_is_read(tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    subprocess.run(
        [require_tool("age-keygen"), "-o", file], check=True, capture_output=True, text=True
    )
    shown = subprocess.run(
        [require_tool("age-keygen"), "-y", file], check=True, capture_output=True, text=True
    ).stdout.strip()
    found = parse_identities(Plaintext(file.read_bytes()), "keys.txt")
    assert recipients(found.identities) == [shown]
    assert found.identities[0].source == "keys.txt"
    assert found.refused == ()


def test_a_new_identity_is_a_file_that_age_keygen_reads(tmp_path: Path) -> None:
    content, recipient = generate_identity()
    (tmp_path / "keys.txt").write_bytes(content.reveal())
    shown = subprocess.run(
        [require_tool("age-keygen"), "-y", tmp_path / "keys.txt"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    assert shown == recipient.text
    assert content.reveal().startswith(f"# public key: {recipient.text}\n".encode())


def test_blanks_line_ends_comments_and_several_on_a_line_are_taken() -> None:
    (one, first), (two, second), (three, third) = made(), made(), made()
    text = f"\ufeff# mine\r\n\r\n  {one}\t{two} # the old one\r\n{three}"
    found = parse_identities(Plaintext(text.encode()), "SOPS_AGE_KEY")
    assert recipients(found.identities) == [first, second, third]
    assert found.refused == ()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (made()[0][:-1], "a malformed age identity (cut off, or a wrong character)"),
        (made()[0].lower(), "an age identity that is not written in upper case"),
        (
            "AGE-SECRET-KEY-PQ-1QQQQ",
            "a malformed post-quantum identity: it is too short to hold a checksum",
        ),
        ("AGE-PLUGIN-ABSENT-1QQQQ", "a malformed identity of a plugin (cut off?)"),
        (plugins.identity(name="absent"), "age-plugin-absent is not on PATH; install it"),
        (
            plugins.identity(name="../up"),
            "an identity of a plugin without name, or with one that is none",
        ),
        (made()[1], "a recipient, which opens nothing, where an identity belongs"),
        ("hunter2", "not an age identity"),
        ("\udcff", "not an age identity"),
    ],
    ids=[
        "cut off",
        "lower case",
        "post-quantum, cut off",
        "plugin, cut off",
        "plugin that is missing",
        "plugin that is no name",
        "recipient",
        "word",
        "not UTF-8",
    ],
)
def test_only_a_bad_line_is_refused_by_number_and_reason(bad: str, reason: str) -> None:
    secret, recipient = made()
    text = f"# mine\n{bad}\n{secret}\n"
    found = parse_identities(Plaintext(text.encode(errors="surrogateescape")), "keys.txt")
    assert recipients(found.identities) == [recipient]
    assert found.refused == (f"line 2: {reason}",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            pyrage.passphrase.encrypt(b"x", "p", armored=True),
            "it is protected by a passphrase: run this on a terminal",
        ),
        (
            pyrage.passphrase.encrypt(b"x", "p"),
            "it is protected by a passphrase: run this on a terminal",
        ),
        (
            pyrage.encrypt(b"x", [pyrage.x25519.Recipient.from_str(made()[1])]),
            "it is an age message, but not one that a passphrase opens",
        ),
        (b"age-encryption.org/v1\n-> X", "it is an age message, and a damaged one"),
        (
            b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
            "it is an ssh identity where age identities belong",
        ),
        (b"# later\n", "there is no identity in it"),
    ],
    ids=[
        "armored, passphrase",
        "binary, passphrase",
        "wrapped to a recipient",
        "damaged message",
        "ssh",
        "empty",
    ],
)
def test_a_source_of_another_kind_is_refused_whole(content: bytes, reason: str) -> None:
    found = parse_identities(Plaintext(content), "keys.txt")
    assert found.identities == ()
    assert found.refused == (reason,)


def test_an_identity_prints_its_recipient_and_source_only() -> None:
    secret, recipient = made()
    (identity,) = parse_identities(Plaintext(secret.encode()), "keys.txt").identities
    assert repr(identity) == str(identity) == f"Identity({recipient!r}, source='keys.txt')"


def test_the_recipient_of_a_plugin_is_read_from_the_comment_above_its_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", plugins.install(tmp_path))
    text = (
        f"#       Serial: 5\n#    Recipient: {plugins.recipient()}\n{plugins.identity('1')}\n"
        f"{plugins.identity('2')}\n# public key: age1broken\n{plugins.identity('3')}\n"
    )
    found = parse_identities(Plaintext(text.encode()), "keys.txt")
    assert recipients(found.identities) == [plugins.recipient(), None, None]
    assert repr(found.identities[1]) == "Identity(None, source='keys.txt')"
