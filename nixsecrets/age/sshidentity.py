"""Identities of unencrypted ssh private files: OpenSSH's own format, and RSA in PEM.

By hand: loading `cryptography`'s serialization takes longer than everything else that `get` does.
"""

import os
from base64 import b64decode, encodebytes
from hashlib import sha512
from io import BytesIO

import pyrage

from nixsecrets.age import bech32
from nixsecrets.age.curve25519 import montgomery_from_edwards
from nixsecrets.age.identity import Identity, x25519_identity
from nixsecrets.age.recipient import Recipient, recipient_of_ssh, x25519_recipient
from nixsecrets.age.sshkey import SshPublicKey, ed25519_point, read_string, write_strings
from nixsecrets.errors import NoIdentityError, RepositoryError
from nixsecrets.plaintext import Plaintext

_OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----"
_OPENSSH_END = "-----END OPENSSH PRIVATE KEY-----"
_PEM_RSA = "-----BEGIN RSA PRIVATE KEY-----"
_PEM = ("-----BEGIN PRIVATE KEY-----", "-----BEGIN ENCRYPTED PRIVATE KEY-----")
_MAGIC = b"openssh-key-v1\0"  # OpenSSH's PROTOCOL.key, for the whole structure below
_PASSPHRASE = "it is protected by a passphrase, which is not supported yet"  # noqa: S105  # a message
_ONE = (1).to_bytes(4)  # the number of identities in a file
_BLOCK_BYTES = 8  # of the cipher "none", for the padding
_SEED_BYTES = 32
_DER_SEQUENCE, _DER_INTEGER = 0x30, 0x02


def parse_private_key(content: Plaintext, source: str) -> tuple[Identity, ...]:
    """Return what an ssh private file opens.

    For ssh-ed25519: ssh stanzas, and stanzas of the X25519 recipient that it converts to (as
    ssh-to-age and sops-nix convert it: the first half of the seed's SHA-512). For
    ssh-rsa: ssh stanzas.

    Raises:
        NoIdentityError: it cannot be used; the message says why and holds nothing of it.
    """
    text = content.reveal().decode("utf-8", errors="replace").strip()
    try:
        public, seed = _halves(text)
        recipient = recipient_of_ssh(public)
        secret = pyrage.ssh.Identity.from_buffer(text.encode() + b"\n")
    except RepositoryError as error:
        raise NoIdentityError(error.problem, hint=error.hint) from None
    except pyrage.IdentityError:
        raise NoIdentityError("its ssh structure is damaged") from None
    ssh_identity = Identity(recipient, source, secret)
    if seed is None:
        return (ssh_identity,)
    return ssh_identity, _converted(seed, _x25519_half(public), source)


def render_private_key(seed: Plaintext, public: SshPublicKey) -> Plaintext:
    """Return the unencrypted private file of an ssh-ed25519 identity."""
    point = ed25519_point(public)
    private = os.urandom(4) * 2  # the two check numbers
    private += write_strings(b"ssh-ed25519", point, seed.reveal() + point, public.comment.encode())
    private += bytes(range(1, 1 + -len(private) % _BLOCK_BYTES))
    structure = _MAGIC + write_strings(b"none", b"none", b"") + _ONE
    structure += write_strings(public.blob, private)
    return Plaintext(
        b"%b\n%b%b\n" % (_OPENSSH.encode(), encodebytes(structure), _OPENSSH_END.encode())
    )


def _halves(text: str) -> tuple[SshPublicKey, Plaintext | None]:
    """Return the public half and, for ssh-ed25519, the seed."""
    first_line = text.partition("\n")[0].strip()
    if first_line == _OPENSSH:
        return _openssh_halves(_unarmor(text))
    if first_line == _PEM_RSA:
        return _pkcs1_public(text), None
    if first_line in _PEM:
        raise NoIdentityError(
            "it is in PKCS#8 form, which sops-nix does not read either",
            hint="rewrite it in the form of OpenSSH: ssh-keygen -p -f FILE",
        )
    raise NoIdentityError("it is not an ssh identity of OpenSSH's or PEM's RSA form")


def _unarmor(text: str) -> bytes:
    try:
        return b64decode("".join(text.split("\n")[1:-1]))
    except ValueError:
        raise NoIdentityError("its base64 does not hold") from None


def _openssh_halves(structure: bytes) -> tuple[SshPublicKey, Plaintext | None]:
    if not structure.startswith(_MAGIC):
        raise NoIdentityError("its ssh structure is damaged")
    stream = BytesIO(structure[len(_MAGIC) :])
    cipher, _derivation, _options = (read_string(stream) for _ in range(3))
    if cipher != b"none":
        raise NoIdentityError(_PASSPHRASE)
    stream.read(len(_ONE))
    blob = read_string(stream)
    algorithm = read_string(BytesIO(blob)).decode(errors="replace")
    public = SshPublicKey(algorithm, blob, "")
    if algorithm != "ssh-ed25519":
        return public, None
    private = BytesIO(read_string(stream)[8:])  # two check numbers come first
    _algorithm, _point, seed_and_point = (read_string(private) for _ in range(3))
    return public, Plaintext(seed_and_point[:_SEED_BYTES])


def _pkcs1_public(text: str) -> SshPublicKey:
    """Read modulus and exponent of an RSAPrivateKey (RFC 8017 appendix A.1.2).

    A DER INTEGER and ssh's mpint have the same content.
    """
    if "ENCRYPTED" in text:
        raise NoIdentityError(_PASSPHRASE)
    stream = BytesIO(_unarmor(text))
    _der_length(stream, _DER_SEQUENCE)
    _version, modulus, exponent = (stream.read(_der_length(stream, _DER_INTEGER)) for _ in range(3))
    return SshPublicKey("ssh-rsa", write_strings(b"ssh-rsa", exponent, modulus), "")


def _der_length(stream: BytesIO, tag: int) -> int:
    head = stream.read(2)
    if len(head) < 2 or head[0] != tag:  # noqa: PLR2004  # tag and length
        raise NoIdentityError("its PEM structure is damaged")
    long_form, length = divmod(head[1], 128)
    return int.from_bytes(stream.read(length)) if long_form else length


def _x25519_half(public: SshPublicKey) -> Recipient:
    return x25519_recipient(montgomery_from_edwards(ed25519_point(public)))


def _converted(seed: Plaintext, expected: Recipient, source: str) -> Identity:
    scalar = sha512(seed.reveal()).digest()[:32]
    identity = x25519_identity(bech32.encode("age-secret-key-", scalar).upper(), source)
    if identity.recipient != expected:
        raise NoIdentityError("its public and private halves do not belong together")
    return identity
