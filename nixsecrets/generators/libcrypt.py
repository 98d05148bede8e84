"""crypt(3) as libxcrypt has it: the hashes that NixOS logs its users in with."""

import ctypes
from collections.abc import Iterable
from functools import cache

from nixsecrets.plaintext import Plaintext

# What the dynamic loader knows, and where NixOS links the libraries of installed packages.
_NAMES = tuple(
    f"{folder}libcrypt.so.{version}"
    for folder in ("", "/run/current-system/sw/lib/")
    for version in (2, 1)
)
_DATA_BYTES = 32768  # sizeof(struct crypt_data); crypt.h
_SETTING_BYTES = 192  # CRYPT_GENSALT_OUTPUT_SIZE; crypt.h
_DEFAULT_COST = 0


def crypt(phrase: Plaintext, prefix: bytes, salt: bytes) -> bytes | None:
    """Return the hash of a phrase; None where there is no library that can make it.

    Args:
        phrase: without NUL, at most 511 bytes.
        prefix: of the method: `$y$`, `$6$`; crypt(5).
        salt: random bytes, at least as many as the method needs (16).
    """
    library = _library(_NAMES)
    if library is None:
        return None
    setting = ctypes.create_string_buffer(_SETTING_BYTES)
    library.crypt_gensalt_rn.restype = ctypes.c_char_p
    made = library.crypt_gensalt_rn(
        prefix, ctypes.c_ulong(_DEFAULT_COST), salt, len(salt), setting, _SETTING_BYTES
    )
    return _hashed(library, phrase, made) if made else None


def _hashed(library: ctypes.CDLL, phrase: Plaintext, setting: bytes) -> bytes | None:
    data = ctypes.create_string_buffer(_DATA_BYTES)
    library.crypt_rn.restype = ctypes.c_char_p
    try:
        hashed: bytes | None = library.crypt_rn(phrase.reveal(), setting, data, _DATA_BYTES)
        return hashed
    finally:
        ctypes.memset(data, 0, _DATA_BYTES)


@cache
def _library(names: Iterable[str]) -> ctypes.CDLL | None:
    """Return the first that is libxcrypt: another crypt(3) makes no salts."""
    for name in names:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        if hasattr(library, "crypt_gensalt_rn"):
            return library
    return None
