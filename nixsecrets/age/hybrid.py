"""age's post-quantum recipient type `mlkem768x25519`: HPKE over ML-KEM-768 and X25519 together.

C2SP age.md, "The MLKEM768-X25519 (i.e. X-Wing) hybrid post-quantum recipient type"; the spelling
of the halves is that of draft-ietf-hpke-pq and draft-connolly-cfrg-xwing-kem.
"""

import os

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHAKE256, Hash
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from nixsecrets.age import bech32, message
from nixsecrets.age.curve25519 import is_small_order
from nixsecrets.errors import IntegrityError, NoIdentityError, RepositoryError
from nixsecrets.plaintext import Plaintext

RECIPIENT_PREFIX = "age1pq"
IDENTITY_PREFIX = "age-secret-key-pq-"
_TYPE = "mlkem768x25519"
_INFO = b"age-encryption.org/mlkem768x25519"
_SEED_BYTES = 32
_MLKEM_SEED_BYTES, _X25519_BYTES = 64, 32
_MLKEM_PUBLIC_BYTES = 1184
_PUBLIC_BYTES = _MLKEM_PUBLIC_BYTES + _X25519_BYTES
_ENCAPSULATED_BYTES = 1120
_BODY_BYTES = message.FILE_KEY_BYTES + 16
_WITHOUT = "the cryptography package here is built without ML-KEM"


class HybridSecret:
    """The private half: a 32-byte seed, expanded."""

    __slots__ = ("_private", "public")

    def __init__(self, seed: Plaintext) -> None:
        expanded = Hash.hash(SHAKE256(_MLKEM_SEED_BYTES + _X25519_BYTES), seed.reveal())
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_BYTES])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_BYTES:])
        self.public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        self._private = MLKEM768X25519PrivateKey(mlkem, x25519)

    def decrypt(self, content: bytes) -> Plaintext | None:
        """Open a binary age message; None if it is not for this identity, or damaged."""
        try:
            opened = message.parse(content)
            file_key = self._file_key(opened.stanzas)
            return None if file_key is None else message.open_payload(opened, file_key)
        except IntegrityError:
            return None

    def _file_key(self, stanzas: tuple[message.HeaderStanza, ...]) -> Plaintext | None:
        sealed = [_sealed(stanza) for stanza in stanzas if stanza.arguments[0] == _TYPE]
        opened = (self._opened(one) for one in sealed)
        return next((file_key for file_key in opened if file_key is not None), None)

    def _opened(self, sealed: bytes) -> Plaintext | None:
        try:
            return Plaintext(_suite().decrypt(sealed, self._private, _INFO))
        except InvalidTag:
            return None


def parse_identity(text: str) -> HybridSecret:
    """Parse one `AGE-SECRET-KEY-PQ-1…`.

    Raises:
        NoIdentityError: it is none, or cannot be used here; the message never quotes it.
    """
    try:
        prefix, seed = bech32.decode(text)
        if prefix == IDENTITY_PREFIX and len(seed) == _SEED_BYTES:
            return HybridSecret(Plaintext(seed))
    except RepositoryError as error:
        raise NoIdentityError(f"a malformed post-quantum identity: {error.problem}") from None
    except UnsupportedAlgorithm:
        raise NoIdentityError(_WITHOUT) from None
    raise NoIdentityError("a malformed post-quantum identity (cut off?)")


def check_public(public: bytes) -> None:
    """Refuse what nothing may be wrapped to.

    Raises:
        RepositoryError: it is not 1216 bytes, not a public half in canonical form (FIPS 203
            section 7.2), or of small order.
    """
    _public_half(public)


def encrypt(data_key: Plaintext, public: bytes) -> bytes:
    """Return a binary age message for one recipient, given as its 1216 bytes."""
    file_key = Plaintext(os.urandom(message.FILE_KEY_BYTES))
    sealed = _suite().encrypt(file_key.reveal(), _public_half(public), _INFO)
    encapsulated, body = sealed[:_ENCAPSULATED_BYTES], sealed[_ENCAPSULATED_BYTES:]
    stanza = message.HeaderStanza((_TYPE, message.encode(encapsulated)), body)
    return message.seal(data_key, file_key, [stanza])


def _suite() -> Suite:
    return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def _public_half(public: bytes) -> MLKEM768X25519PublicKey:
    if len(public) != _PUBLIC_BYTES:
        raise RepositoryError(f"it holds {len(public)} bytes, not {_PUBLIC_BYTES}")
    mlkem, x25519 = public[:_MLKEM_PUBLIC_BYTES], public[_MLKEM_PUBLIC_BYTES:]
    if is_small_order(x25519):
        raise RepositoryError("its X25519 half has small order")
    try:
        return MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(mlkem), X25519PublicKey.from_public_bytes(x25519)
        )
    except ValueError:
        raise RepositoryError("its ML-KEM half is not in canonical form") from None
    except UnsupportedAlgorithm:
        raise RepositoryError(_WITHOUT) from None


def _sealed(stanza: message.HeaderStanza) -> bytes:
    """Return the HPKE message of a stanza of ours: encapsulated key and ciphertext."""
    spelled = stanza.arguments[1:]
    encapsulated = message.decode(spelled[0]) if len(spelled) == 1 else b""
    if len(encapsulated) != _ENCAPSULATED_BYTES or len(stanza.body) != _BODY_BYTES:
        raise IntegrityError(f"a stanza {_TYPE} of the age message is malformed")
    return encapsulated + stanza.body
