"""The file format of age, for messages that hold a data key: one chunk (C2SP age.md).

pyrage reads and writes the messages of every recipient type that it knows; this is for the others.
Every command loads this module, though few need it: it defines named tuples, which take a seventh
of a dataclass's time to make, and compiles its expressions when they are used.
"""

import os
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from nixsecrets.errors import IntegrityError
from nixsecrets.plaintext import Plaintext

FILE_KEY_BYTES = 16
_DATA_KEY_MOST_BYTES = 33  # 32, and one that numbers a Shamir share
_KEY_BYTES = 32
_NONCE_BYTES = 16
_TAG_BYTES = 16
_COLUMNS = 64
_ONLY_CHUNK = bytes(11) + b"\x01"  # number 0, and the last

# "ABNF definition of file header"
_BASE64 = rb"[A-Za-z0-9+/]"
_STANZA = rb"-> ([!-~]+(?: [!-~]+)*)\n((?:%b{64}\n)*%b{0,63}\n)" % (_BASE64, _BASE64)
_HEADER = rb"(age-encryption\.org/v1\n(?:%b)+---) (%b{43})\n" % (_STANZA, _BASE64)


class HeaderStanza(NamedTuple):
    """One way to the file key; the first of its arguments is the recipient type."""

    arguments: tuple[str, ...]
    body: bytes


class Message(NamedTuple):
    """A binary message whose header is well-formed; nothing of it is authenticated yet.

    Args:
        stanzas: at least one.
        authenticated: the bytes under the header's MAC.
        mac: the header's MAC.
        payload: everything behind the header.
    """

    stanzas: tuple[HeaderStanza, ...]
    authenticated: bytes
    mac: bytes
    payload: bytes


def parse(content: bytes) -> Message:
    """Read the header of a binary message.

    Raises:
        IntegrityError: it is not what the specification's grammar allows.
    """
    header = re.match(_HEADER, content)
    if header is None:
        raise IntegrityError("the header of the age message is malformed")
    stanzas = tuple(
        HeaderStanza(tuple(found[1].decode().split(" ")), decode(found[2].replace(b"\n", b"")))
        for found in re.finditer(_STANZA, header[1])
    )
    return Message(
        stanzas, header[1], decode(header[header.lastindex or 0]), content[header.end() :]
    )


def open_payload(message: Message, file_key: Plaintext) -> Plaintext:
    """Check the header with the file key and return what the message holds.

    Raises:
        IntegrityError: the header or the payload does not hold, or is longer than any data key.
    """
    try:
        _mac(message.authenticated, file_key).verify(message.mac)
    except InvalidSignature:
        raise IntegrityError("the header of the age message does not hold") from None
    nonce, chunk = message.payload[:_NONCE_BYTES], message.payload[_NONCE_BYTES:]
    if not _TAG_BYTES <= len(chunk) <= _DATA_KEY_MOST_BYTES + _TAG_BYTES:
        raise IntegrityError(f"the age message holds {len(chunk)} bytes, which is no data key")
    try:
        return Plaintext(_payload_cipher(file_key, nonce).decrypt(_ONLY_CHUNK, chunk, None))
    except InvalidTag:
        raise IntegrityError("the payload of the age message does not hold") from None


def seal(data_key: Plaintext, file_key: Plaintext, stanzas: Sequence[HeaderStanza]) -> bytes:
    """Return the binary message.

    Args:
        data_key: what it holds, at most 33 bytes.
        file_key: 16 random bytes, used for this message only.
        stanzas: each wraps the file key.

    Raises:
        IntegrityError: there is too much to hold.
    """
    if len(data_key) > _DATA_KEY_MOST_BYTES:
        raise IntegrityError(f"a data key has at most {_DATA_KEY_MOST_BYTES} bytes")
    lines = b"".join(map(_spelled, stanzas))
    authenticated = b"age-encryption.org/v1\n" + lines + b"---"
    mac = encode(_mac(authenticated, file_key).finalize()).encode()
    nonce = os.urandom(_NONCE_BYTES)
    chunk = _payload_cipher(file_key, nonce).encrypt(_ONLY_CHUNK, data_key.reveal(), None)
    return authenticated + b" " + mac + b"\n" + nonce + chunk


def encode(content: bytes) -> str:
    """Spell base64 as headers have it: canonical and without padding."""
    return b2a_base64(content, newline=False).rstrip(b"=").decode()


def decode(text: str | bytes) -> bytes:
    """Read base64 as headers have it.

    Raises:
        IntegrityError: it is another spelling.
    """
    spelled = text.encode() if isinstance(text, str) else text
    try:
        content = a2b_base64(spelled + b"=" * (-len(spelled) % 4), strict_mode=True)
    except ValueError:
        content = b""
    if encode(content).encode() != spelled:
        raise IntegrityError("the base64 in the header of the age message is not canonical")
    return content


def _spelled(stanza: HeaderStanza) -> bytes:
    body = encode(stanza.body)
    lines = [body[start : start + _COLUMNS] for start in range(0, len(body) + 1, _COLUMNS)]
    return "\n".join([f"-> {' '.join(stanza.arguments)}", *lines, ""]).encode()


def _mac(authenticated: bytes, file_key: Plaintext) -> HMAC:
    mac = HMAC(_derived(file_key, None, b"header"), SHA256())
    mac.update(authenticated)
    return mac


def _payload_cipher(file_key: Plaintext, nonce: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(_derived(file_key, nonce, b"payload"))


def _derived(file_key: Plaintext, salt: bytes | None, info: bytes) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, salt, info).derive(file_key.reveal())
