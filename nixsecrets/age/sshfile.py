"""Private files of ssh, and what a passphrase does to them: OpenSSH's own format, and RSA in PEM.

By hand: loading `cryptography`'s serialization takes longer than everything else that `get` does.
"""

import os
import re
from base64 import b64decode, encodebytes
from collections.abc import Mapping
from io import BytesIO
from typing import NamedTuple

import bcrypt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR
from cryptography.hazmat.primitives.hashes import MD5, Hash

from nixsecrets.age.sshkey import SshPublicKey, ed25519_point, read_string, write_strings
from nixsecrets.errors import NoIdentityError
from nixsecrets.plaintext import Plaintext

PEM_RSA = "-----BEGIN RSA PRIVATE KEY-----"
OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----"
_PEM_RSA_END = "-----END RSA PRIVATE KEY-----"
_OPENSSH_END = "-----END OPENSSH PRIVATE KEY-----"
_MAGIC = b"openssh-key-v1\0"  # OpenSSH's PROTOCOL.key, for the whole structure
_ONE = (1).to_bytes(4)  # the number of identities in a file
_NONE = b"none"
_BLOCK_BYTES = 8  # of the cipher "none", for the padding
_MODES: Mapping[tuple[bytes, bytes], type[CBC] | type[CTR]] = {  # the same as sops takes
    (b"aes256-ctr", b"bcrypt"): CTR,
    (b"aes256-cbc", b"bcrypt"): CBC,
}
_AES256_BYTES = 32
_AES_BLOCK_BYTES = 16
_CHECK_BYTES = 4
_PEM_KEY_BYTES = {"AES-128-CBC": 16, "AES-192-CBC": 24, "AES-256-CBC": 32}
_PEM_SALT_BYTES = 8
_DER_SEQUENCE = b"\x30\x82"  # X.690: a sequence whose length is in the two bytes that follow
_DER_LENGTH_BYTES = 2
_CIPHER_NAME = r"[A-Za-z0-9]{2,8}-[A-Za-z0-9-]{2,10}(@openssh\.com)?"
_DAMAGED = "its ssh structure is damaged"
_REWRITE = "encrypt it anew: ssh-keygen -p -f FILE"


class OpenSshFile(NamedTuple):
    """OpenSSH's own format; `private` is encrypted unless `cipher` is "none"."""

    cipher: bytes
    derivation: bytes
    options: bytes
    blob: bytes
    private: Plaintext

    @property
    def is_protected(self) -> bool:
        return self.cipher != _NONE

    @property
    def public(self) -> SshPublicKey:
        algorithm = read_string(BytesIO(self.blob)).decode(errors="replace")
        return SshPublicKey(algorithm, self.blob, "")

    def render(self) -> Plaintext:
        structure = _MAGIC + write_strings(self.cipher, self.derivation, self.options) + _ONE
        structure += write_strings(self.blob, self.private.reveal())
        return Plaintext(
            b"%b\n%b%b\n" % (OPENSSH.encode(), encodebytes(structure), _OPENSSH_END.encode())
        )

    def unlocked(self, passphrase: Plaintext) -> "OpenSshFile | None":
        """Return the same file without protection; None if the passphrase is wrong."""
        derived = _derived(passphrase, self.options)
        key, start = derived[:_AES256_BYTES], derived[_AES256_BYTES:]
        mode = _MODES[self.cipher, self.derivation]
        private = _decrypted(key, mode(start), self.private.reveal())
        if private[:_CHECK_BYTES] != private[_CHECK_BYTES : 2 * _CHECK_BYTES]:
            return None
        return OpenSshFile(_NONE, _NONE, b"", self.blob, Plaintext(private))


def parse_openssh(text: str) -> OpenSshFile:
    """Read OpenSSH's own format.

    Raises:
        NoIdentityError: it is damaged, holds several identities, or is encrypted in a way that
            is not read here.
        RepositoryError: it ends too early.
    """
    structure = unarmor(text)
    if not structure.startswith(_MAGIC):
        raise NoIdentityError(_DAMAGED)
    stream = BytesIO(structure[len(_MAGIC) :])
    cipher, derivation, options = (read_string(stream) for _ in range(3))
    if stream.read(len(_ONE)) != _ONE:
        raise NoIdentityError(_DAMAGED)
    blob, private = read_string(stream), read_string(stream)
    if cipher != _NONE and (cipher, derivation) not in _MODES:
        shown = cipher.decode(errors="replace")
        raise _encrypted_with(shown, "aes256-ctr")
    return OpenSshFile(cipher, derivation, options, blob, Plaintext(private))


def ed25519_file(seed: Plaintext, public: SshPublicKey) -> OpenSshFile:
    """Return the unprotected file of an ssh-ed25519 identity."""
    point = ed25519_point(public)
    private = os.urandom(_CHECK_BYTES) * 2
    private += write_strings(b"ssh-ed25519", point, seed.reveal() + point, public.comment.encode())
    private += bytes(range(1, 1 + -len(private) % _BLOCK_BYTES))
    return OpenSshFile(_NONE, _NONE, b"", public.blob, Plaintext(private))


class ProtectedPem(NamedTuple):
    """RSA in PEM behind a passphrase, with the headers of RFC 1421; its public half is hidden."""

    key_bytes: int
    start: bytes
    content: bytes

    def unlocked(self, passphrase: Plaintext) -> Plaintext | None:
        """Return the file without protection; None if the passphrase is wrong.

        How a key comes of the passphrase is OpenSSL's way, which `ssh-keygen -m PEM` follows:
        EVP_BytesToKey with MD5, one round, the beginning of the IV as salt.
        """
        salted = passphrase.reveal() + self.start[:_PEM_SALT_BYTES]
        first = Hash.hash(MD5(), salted)  # noqa: S303  # OpenSSL's choice, see above
        second = Hash.hash(MD5(), first + salted)  # noqa: S303  # the same
        padded = _decrypted((first + second)[: self.key_bytes], CBC(self.start), self.content)
        der = padded[: -padded[-1]]
        head = BytesIO(der)
        is_sequence = head.read(len(_DER_SEQUENCE)) == _DER_SEQUENCE
        length = int.from_bytes(head.read(_DER_LENGTH_BYTES))
        if not is_sequence or length != len(der) - head.tell():
            return None
        return Plaintext(f"{PEM_RSA}\n{encodebytes(der).decode()}{_PEM_RSA_END}\n".encode())


def find_protected_pem(text: str) -> ProtectedPem | None:
    """Read RSA in PEM if a passphrase protects it.

    Raises:
        NoIdentityError: it is encrypted in a way that is not read here, or damaged.
    """
    head, _blank, body = text.strip().replace("\r", "").partition("\n\n")
    if "\nProc-Type: 4,ENCRYPTED" not in head:
        return None
    name, _comma, start = head.partition("DEK-Info: ")[2].partition("\n")[0].partition(",")
    if name not in _PEM_KEY_BYTES:
        raise _encrypted_with(name, "AES-128-CBC")
    try:
        return ProtectedPem(_PEM_KEY_BYTES[name], bytes.fromhex(start), unarmor(f"\n{body}"))
    except ValueError:
        raise NoIdentityError(_DAMAGED) from None


def unarmor(text: str) -> bytes:
    """Decode what stands between the first and the last line.

    Raises:
        NoIdentityError: it is no base64.
    """
    try:
        return b64decode("".join(text.split("\n")[1:-1]))
    except ValueError:
        raise NoIdentityError("its base64 does not hold") from None


def _encrypted_with(name: str, wanted: str) -> NoIdentityError:
    """Tell the cipher, unless what stands for its name may be a part of the identity."""
    if not re.fullmatch(_CIPHER_NAME, name):
        return NoIdentityError(_DAMAGED)
    return NoIdentityError(f"it is encrypted with {name}, not {wanted}", hint=_REWRITE)


def _derived(passphrase: Plaintext, options: bytes) -> bytes:
    stream = BytesIO(options)
    salt, rounds = read_string(stream), int.from_bytes(stream.read(4))
    length = _AES256_BYTES + _AES_BLOCK_BYTES
    try:
        return bcrypt.kdf(passphrase.reveal(), salt, length, rounds, ignore_few_rounds=True)
    except ValueError:
        raise NoIdentityError(_DAMAGED) from None


def _decrypted(key: bytes, mode: CBC | CTR, content: bytes) -> bytes:
    try:
        decryptor = Cipher(AES(key), mode).decryptor()
        return decryptor.update(content) + decryptor.finalize()
    except ValueError:
        raise NoIdentityError(_DAMAGED) from None
