import os
import pty
from contextlib import suppress
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from nixsecrets.age import message
from nixsecrets.age.armor import armor
from nixsecrets.age.identity import Identity, generate_identity, parse_identities
from nixsecrets.age.keywrap import Stanza, unwrap, wrap
from nixsecrets.age.message import HeaderStanza
from nixsecrets.age.plugin import Person
from nixsecrets.age.recipient import Recipient, parse_recipient
from nixsecrets.age.ssh import generate_ed25519
from nixsecrets.errors import NoIdentityError, UsageError
from nixsecrets.plaintext import Plaintext
from tests.age.typist import Typist
from tests.tools import require_tool

DATA_KEY = Plaintext(bytes(range(32)))
CONTENT, RECIPIENT = generate_identity()


def protect(content: bytes, work: int = 2) -> bytes:
    """Return an age message behind the passphrase `hunter2`, made to be opened at once.

    What pyrage makes takes a second to open, by design. The key of the stanza is that of the
    age specification, "scrypt recipient stanza".
    """
    salt, file_key = os.urandom(16), os.urandom(16)
    labelled = b"age-encryption.org/v1/scrypt" + salt
    wrapping = ChaCha20Poly1305(Scrypt(labelled, 32, 1 << 2, 8, 1).derive(b"hunter2"))
    body = wrapping.encrypt(bytes(12), file_key, None)
    arguments = ("scrypt", message.encode(salt), str(work))
    sealed = message.seal(Plaintext(b""), Plaintext(file_key), [HeaderStanza(arguments, body)])
    header, nonce = sealed[:-32], sealed[-32:-16]
    cipher = message._payload_cipher(Plaintext(file_key), nonce)
    return header + nonce + cipher.encrypt(bytes(11) + b"\x01", content, None)


PROTECTED = protect(CONTENT.reveal())


def locked(ask: Typist, content: bytes = PROTECTED) -> Identity:
    (identity,) = parse_identities(Plaintext(content), "keys.txt", Person(ask)).identities
    return identity


def stanza(recipient: Recipient = RECIPIENT) -> Stanza:
    return wrap(DATA_KEY, recipient)


def foreign() -> Stanza:
    return stanza(generate_identity()[1])


def protected_by_age(passphrase: str, file: Path) -> bytes:
    """Encrypt the identity file with the real age, which asks on a terminal only."""
    plain = file.with_suffix(".plain")
    plain.write_bytes(CONTENT.reveal())
    program = require_tool("age")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(program, [program, "-p", "-o", file, plain])  # noqa: S606  # at its own terminal
    for prompt in (b"Enter passphrase", b"Confirm passphrase"):
        screen = b""
        while prompt not in screen:
            screen += os.read(terminal, 4096)
        os.write(terminal, f"{passphrase}\n".encode())
    with suppress(OSError):  # the other end of a terminal is gone: EIO (pty(7))
        while os.read(terminal, 4096):
            continue
    os.waitpid(pid, 0)
    os.close(terminal)
    return file.read_bytes()


def test_a_file_protected_by_age_is_unlocked_when_first_used(tmp_path: Path) -> None:
    ask = Typist("correct horse")
    identity = locked(ask, protected_by_age("correct horse", tmp_path / "keys.age"))
    assert identity.recipient is None
    assert ask.prompts == []
    assert unwrap([stanza()], [identity]) == DATA_KEY
    assert ask.prompts == ["passphrase of keys.txt: "]


@pytest.mark.parametrize(
    "content",
    [
        PROTECTED,
        armor(PROTECTED).encode(),
        b"\n" + armor(PROTECTED).encode().replace(b"\n", b"\r\n") + b"\n",
        pyrage.passphrase.encrypt(CONTENT.reveal(), "hunter2"),
    ],
    ids=["binary", "armored", "armored among blanks", "of pyrage"],
)
def test_a_passphrase_is_asked_for_once(content: bytes) -> None:
    ask = Typist("hunter2")
    identity = locked(ask, content)
    for _ in range(3):
        assert unwrap([foreign(), stanza()], [identity]) == DATA_KEY
    assert len(ask.prompts) == 1


def test_a_wrong_passphrase_is_asked_for_again() -> None:
    ask = Typist("hunter1", "hunter2")
    assert unwrap([stanza()], [locked(ask)]) == DATA_KEY
    assert ask.prompts == [
        "passphrase of keys.txt: ",
        "that is not it; passphrase of keys.txt: ",
    ]


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        (["a", "b", "c"], "the passphrase of keys.txt was wrong 3 times"),
        (["a", ""], "no passphrase was given for keys.txt"),
    ],
    ids=["three wrong ones", "nothing typed"],
)
def test_a_file_that_stays_locked_is_named_and_not_asked_for_again(
    typed: list[str], reason: str
) -> None:
    ask = Typist(*typed)
    identity = locked(ask)
    for _ in range(2):
        with pytest.raises(NoIdentityError) as caught:
            unwrap([stanza(), foreign()], [identity])
        assert str(caught.value) == (
            f"none of keys.txt opens the data key, wrapped to 2 recipients ({reason})"
        )
    assert len(ask.prompts) == len(typed)


def test_a_terminal_that_is_missing_is_told_once() -> None:
    def ask(_prompt: str) -> Plaintext:
        raise UsageError("stdin is no terminal, so nobody can be asked")

    (identity,) = parse_identities(Plaintext(PROTECTED), "keys.txt", Person(ask)).identities
    with pytest.raises(NoIdentityError) as caught:
        unwrap([stanza(), foreign()], [identity])
    assert str(caught.value) == (
        "none of keys.txt opens the data key, wrapped to 2 recipients "
        "(keys.txt: stdin is no terminal, so nobody can be asked)"
    )


def test_no_passphrase_is_asked_for_where_another_identity_opens() -> None:
    ask = Typist()
    other, recipient = generate_identity()
    identities = [locked(ask), *parse_identities(other, "other").identities]
    assert unwrap([stanza(), stanza(recipient)], identities) == DATA_KEY
    assert ask.prompts == []


def test_no_passphrase_is_asked_for_where_every_stanza_is_of_ssh() -> None:
    ask = Typist()
    _content, public = generate_ed25519("me")
    with pytest.raises(NoIdentityError, match="none of keys"):
        unwrap([stanza(parse_recipient(public.line))], [locked(ask)])
    assert ask.prompts == []


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        (b"hunter3\n", "line 1: not an age identity"),
        (b"", "there is no identity in it"),
    ],
    ids=["no identity", "empty"],
)
def test_a_file_with_nothing_in_it_that_opens_is_named(inside: bytes, reason: str) -> None:
    identity = locked(Typist("hunter2"), protect(inside))
    with pytest.raises(NoIdentityError) as caught:
        unwrap([stanza()], [identity])
    assert str(caught.value).endswith(f"(keys.txt: {reason})")


def test_one_that_takes_too_long_to_unlock_is_refused_without_waiting() -> None:
    ask = Typist("hunter2")
    with pytest.raises(NoIdentityError) as caught:
        unwrap([stanza()], [locked(ask, protect(CONTENT.reveal(), work=40))])
    assert "Excessive work parameter for passphrase" in str(caught.value)
    assert len(ask.prompts) == 1
