"""Identities of ssh private files, unprotected or behind a passphrase."""

from functools import partial
from io import BytesIO

import pyrage
from cryptography.hazmat.primitives.hashes import SHA512, Hash

from nixsecrets.age import bech32
from nixsecrets.age.curve25519 import montgomery_from_edwards
from nixsecrets.age.identity import PROTECTED, Effort, Identity, opened_by, x25519_identity
from nixsecrets.age.panics import panics_as
from nixsecrets.age.passphrase import Ask, Decrypt, Lock, Unlock
from nixsecrets.age.recipient import Recipient, recipient_of_ssh, x25519_recipient
from nixsecrets.age.sshfile import (
    OPENSSH,
    PEM_RSA,
    OpenSshFile,
    ProtectedPem,
    ed25519_file,
    find_protected_pem,
    parse_openssh,
    unarmor,
)
from nixsecrets.age.sshkey import (
    SshPublicKey,
    ed25519_point,
    parse_public_key,
    read_string,
    write_strings,
)
from nixsecrets.errors import NoIdentityError, RepositoryError
from nixsecrets.plaintext import Plaintext

_PEM = ("-----BEGIN PRIVATE KEY-----", "-----BEGIN ENCRYPTED PRIVATE KEY-----")
_SEED_BYTES = 32
_DER_SEQUENCE, _DER_INTEGER = 0x30, 0x02
_DER_LENGTH_BYTES = 2  # an RSA identity of 16384 bits has 9 KB


def parse_private_key(
    content: Plaintext, source: str, ask: Ask | None = None, public_line: str | None = None
) -> tuple[Identity, ...]:
    """Return what an ssh private file opens.

    For ssh-ed25519: ssh stanzas, and stanzas of the X25519 recipient that it converts to (as
    ssh-to-age and sops-nix convert it: the first half of the seed's SHA-512). For
    ssh-rsa: ssh stanzas. What a passphrase protects is unlocked when it is first used.

    Args:
        content: the file.
        source: what it is called in messages.
        ask: how the user is asked for a passphrase; without, a protected file is refused.
        public_line: the `.pub` file beside it, for PEM, which when protected hides that half.

    Raises:
        NoIdentityError: it cannot be used; the message says why and holds nothing of it.
    """
    text = content.reveal().decode("utf-8", errors="replace").strip()
    first_line = text.partition("\n")[0].strip()
    try:
        if first_line == OPENSSH:
            return _of_openssh(parse_openssh(text), source, ask)
        if first_line == PEM_RSA:
            return _of_pem(text, source, ask, public_line)
    except RepositoryError as error:
        raise NoIdentityError(error.problem, hint=error.hint) from None
    if first_line in _PEM:
        raise NoIdentityError(
            "it is in PKCS#8 form, which sops-nix does not read either",
            hint="rewrite it in the form of OpenSSH: ssh-keygen -p -f FILE",
        )
    raise NoIdentityError("it is not an ssh identity of OpenSSH's or PEM's RSA form")


def render_private_key(seed: Plaintext, public: SshPublicKey) -> Plaintext:
    """Return the unencrypted private file of an ssh-ed25519 identity."""
    return ed25519_file(seed, public).render()


def _of_openssh(file: OpenSshFile, source: str, ask: Ask | None) -> tuple[Identity, ...]:
    if file.is_protected:
        return _locked(file.public, _lock(source, partial(_unlocked, file, source), ask), source)
    ssh_identity = Identity(recipient_of_ssh(file.public), source, _opened_by(file.render()))
    if file.public.algorithm != "ssh-ed25519":
        return (ssh_identity,)
    private = BytesIO(file.private.reveal()[8:])  # two check numbers come first
    _algorithm, _point, seed_and_point = (read_string(private) for _ in range(3))
    seed = Plaintext(seed_and_point[:_SEED_BYTES])
    return ssh_identity, _converted(seed, _x25519_half(file.public), source)


def _of_pem(
    text: str, source: str, ask: Ask | None, public_line: str | None
) -> tuple[Identity, ...]:
    protected = find_protected_pem(text)
    if protected is None:
        recipient = recipient_of_ssh(_pkcs1_public(text))
        return (Identity(recipient, source, _opened_by(Plaintext(text.encode() + b"\n"))),)
    lock = _lock(source, partial(_unlocked_pem, protected), ask)
    if public_line is None:
        raise NoIdentityError(
            "it is protected by a passphrase and hides its public half, and no .pub is beside it",
            hint="write that half beside it: ssh-keygen -y -f FILE > FILE.pub",
        )
    return _locked(parse_public_key(public_line), lock, source)


def _lock(source: str, unlock: Unlock, ask: Ask | None) -> Lock:
    if ask is None:
        raise NoIdentityError(PROTECTED)
    return Lock(source, unlock, ask)


def _locked(public: SshPublicKey, lock: Lock, source: str) -> tuple[Identity, ...]:
    """Return an identity for each recipient, all behind the same lock."""
    recipients = [recipient_of_ssh(public)]
    if public.algorithm == "ssh-ed25519":
        recipients.append(_x25519_half(public))
    return tuple(Identity(one, source, lock.decrypt, Effort.PASSPHRASE) for one in recipients)


def _unlocked(file: OpenSshFile, source: str, passphrase: Plaintext) -> tuple[Decrypt, ...] | None:
    unlocked = file.unlocked(passphrase)
    if unlocked is None:
        return None
    return tuple(identity.decrypt for identity in _of_openssh(unlocked, source, None))


def _unlocked_pem(file: ProtectedPem, passphrase: Plaintext) -> tuple[Decrypt, ...] | None:
    unlocked = file.unlocked(passphrase)
    return None if unlocked is None else (_opened_by(unlocked),)


def _opened_by(content: Plaintext) -> Decrypt:
    damaged = NoIdentityError("its ssh structure is damaged")
    try:
        with panics_as(damaged):  # a prime of RSA that is zero
            return opened_by(pyrage.ssh.Identity.from_buffer(content.reveal()))
    except pyrage.IdentityError:
        raise damaged from None


def _pkcs1_public(text: str) -> SshPublicKey:
    """Read modulus and exponent of an RSAPrivateKey (RFC 8017 appendix A.1.2).

    A DER INTEGER and ssh's mpint have the same content.
    """
    stream = BytesIO(unarmor(text))
    _der_length(stream, _DER_SEQUENCE)
    _version, modulus, exponent = (stream.read(_der_length(stream, _DER_INTEGER)) for _ in range(3))
    return SshPublicKey("ssh-rsa", write_strings(b"ssh-rsa", exponent, modulus), "")


def _der_length(stream: BytesIO, tag: int) -> int:
    head = stream.read(2)
    if len(head) < 2 or head[0] != tag:  # noqa: PLR2004  # tag and length
        raise NoIdentityError("its PEM structure is damaged")
    long_form, length = divmod(head[1], 128)
    if long_form and length > _DER_LENGTH_BYTES:
        raise NoIdentityError("its PEM structure is damaged")
    return int.from_bytes(stream.read(length)) if long_form else length


def _x25519_half(public: SshPublicKey) -> Recipient:
    return x25519_recipient(montgomery_from_edwards(ed25519_point(public)))


def _converted(seed: Plaintext, expected: Recipient, source: str) -> Identity:
    scalar = Hash.hash(SHA512(), seed.reveal())[:32]
    identity = x25519_identity(bech32.encode("age-secret-key-", scalar).upper(), source)
    if identity.recipient != expected:
        raise NoIdentityError("its public and private halves do not belong together")
    return identity
