"""Values that are nothing but randomness."""

import secrets
import string
from base64 import b64encode
from collections.abc import Callable
from uuid import UUID

from nixsecrets.plaintext import Plaintext

PASSWORD_LENGTH = 32
_LETTERS_AND_DIGITS = string.ascii_letters + string.digits
_UUID_BYTES = 16


def password(length: int = PASSWORD_LENGTH, signs: str = _LETTERS_AND_DIGITS) -> Plaintext:
    """Return signs, each drawn evenly by the operating system's randomness."""
    return _password(length, signs, secrets.randbelow)


def hexadecimal(length_bytes: int) -> Plaintext:
    return Plaintext(secrets.token_bytes(length_bytes).hex().encode())


def base64(length_bytes: int) -> Plaintext:
    return Plaintext(b64encode(secrets.token_bytes(length_bytes)))


def uuid() -> Plaintext:
    """Return a random UUID, version 4."""
    return _uuid(secrets.token_bytes(_UUID_BYTES))


def _password(length: int, signs: str, below: Callable[[int], int]) -> Plaintext:
    return Plaintext("".join(signs[below(len(signs))] for _ in range(length)).encode())


def _uuid(drawn: bytes) -> Plaintext:
    return Plaintext(str(UUID(bytes=drawn, version=4)).encode())
