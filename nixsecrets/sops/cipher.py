"""One leaf and its spelling `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]` (sops `aes/cipher.go`)."""

import os
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nixsecrets.errors import IntegrityError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops.tree import KeyPath, keys_of

DATA_KEY_BYTES = 32
_IV_BYTES = 32
_TAG_BYTES = 16
_PREFIX = "ENC[AES256_GCM,"
_SPELLING = (
    r"ENC\[AES256_GCM,data:([A-Za-z0-9+/=]+),iv:([A-Za-z0-9+/=]+),"
    r"tag:([A-Za-z0-9+/=]+),type:([a-z]+)\]"
)


_FIELDS = re.compile(rb"ENC\[AES256_GCM,data:([^,]+),iv:([^,]+),tag:([^,]+),type:([a-z]+)\]")
"""The same for `open`, which finds out what is no base64 when it decodes."""


def looks_sealed(spelled: str) -> bool:
    return spelled.startswith(_PREFIX)


def holds_sealed(content: bytes) -> bool:
    """Say whether a text has a sealed leaf in it, whole or cut off."""
    return _PREFIX.encode() in content


def spelled_type(spelled: str) -> str | None:
    """Return what stands behind `type:` of a sealed leaf, None where `spelled` is none."""
    match = re.fullmatch(_SPELLING, spelled)
    return match[4] if match else None


class Cipher:
    """Seals and opens the leaves of one document.

    Args:
        data_key: the document's data key, 32 bytes (on reading, 16 or 24 are taken too).

    Raises:
        IntegrityError: `data_key` has another length.
    """

    __slots__ = ("_aes",)

    def __init__(self, data_key: Plaintext) -> None:
        try:
            self._aes = AESGCM(data_key.reveal())
        except ValueError:
            raise IntegrityError("the data key does not have the length of an AES key") from None

    def seal(self, plaintext: Plaintext, type_name: str, aad: bytes) -> str:
        """Return `plaintext` as a sealed leaf under a fresh IV.

        Args:
            plaintext: at least one byte; sops rejects a sealed leaf without data.
            type_name: what stands behind `type:`.
            aad: what the leaf is bound to, see `path_aad`.
        """
        return self._seal(plaintext, type_name, aad, os.urandom(_IV_BYTES))

    def _seal(self, plaintext: Plaintext, type_name: str, aad: bytes, iv: bytes) -> str:
        sealed = self._aes.encrypt(iv, plaintext.reveal(), aad)
        data, tag = _base64(sealed[:-_TAG_BYTES]), _base64(sealed[-_TAG_BYTES:])
        return f"{_PREFIX}data:{data},iv:{_base64(iv)},tag:{tag},type:{type_name}]"

    def open(self, spelled: str, aad: bytes) -> tuple[str, Plaintext]:
        """Return the type's name and the plaintext of one sealed leaf.

        Stricter than sops, which ignores what follows the closing bracket.

        Raises:
            IntegrityError: `spelled` is not a leaf that this data key sealed for `aad`. Which of
                the three is wrong cannot be told apart.
        """
        name, plaintext = self.open_bytes(spelled.encode("utf-8", "surrogateescape"), aad)
        return name.decode(), plaintext

    def open_bytes(self, spelled: bytes, aad: bytes) -> tuple[bytes, Plaintext]:
        """Do what `open` does, with the bytes as they stand in the document.

        Raises:
            IntegrityError: as of `open`.
        """
        match = _FIELDS.fullmatch(spelled)
        if match is None:
            raise IntegrityError("is not a sealed leaf, though its rule says it is encrypted")
        data, iv, tag, name = match.groups()
        try:
            sealed = a2b_base64(data, strict_mode=True) + a2b_base64(tag, strict_mode=True)
            plaintext = self._aes.decrypt(a2b_base64(iv, strict_mode=True), sealed, aad)
        except (Base64Error, ValueError, InvalidTag):
            raise IntegrityError("the ciphertext does not hold") from None
        return name, Plaintext(plaintext)


def path_aad(keys: tuple[str, ...]) -> bytes:
    """Return what a leaf is bound to: the mapping keys above and of it, each with a colon.

    A comment at top level is bound to a lone colon (sops `sops.go`, `Tree.Encrypt`).
    """
    return (":".join(keys) + ":").encode("utf-8", "surrogateescape")


class Bonds:
    """What leaves are bound to, asked for one after the other: most share all keys but the last."""

    __slots__ = ("_above", "_keys")

    def __init__(self) -> None:
        self._above: KeyPath = ()
        self._keys = ""

    def of(self, path: KeyPath) -> bytes:
        """Return what `path_aad` does for the keys of a leaf's path."""
        above, step = path[:-1], path[-1]
        if above != self._above:
            self._above = above
            self._keys = "".join([f"{key}:" for key in keys_of(above)])
        keys = self._keys
        text = f"{keys}{step}:" if isinstance(step, str) else keys or ":"
        return text.encode("utf-8", "surrogateescape")


def _base64(content: bytes) -> str:
    return b2a_base64(content, newline=False).decode()
