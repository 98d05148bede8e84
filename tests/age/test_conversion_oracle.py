"""Our conversion of ssh-ed25519 identities against one made of `cryptography` alone.

NIXSECRETS_SSH_TO_AGE may name a real ssh-to-age, which is then asked too.
"""

import os
import subprocess
from hashlib import sha512
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from nixsecrets.age.keywrap import wrap
from nixsecrets.age.recipient import Recipient
from nixsecrets.age.ssh import convert_public_key, parse_private_key, parse_public_key
from nixsecrets.plaintext import Plaintext
from tests.nixos.installer import age_identity, bech32
from tests.tools import require_tool

COUNT = 1000
OPENED = 20


def public_line(identity: Ed25519PrivateKey) -> str:
    public = identity.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return f"{public.decode()} root@t15g"


def private_file(identity: Ed25519PrivateKey) -> bytes:
    return identity.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def recipient_by_oracle(identity: Ed25519PrivateKey) -> str:
    """Return the public half of the X25519 identity of the same scalar (RFC 8032, 5.1.5)."""
    scalar = sha512(identity.private_bytes_raw()).digest()[:32]
    public = X25519PrivateKey.from_private_bytes(scalar).public_key()
    return bech32("age", public.public_bytes_raw())


def converted(identity: Ed25519PrivateKey) -> Recipient:
    return convert_public_key(parse_public_key(public_line(identity)))


def test_a_thousand_public_halves_convert_as_their_identities_do() -> None:
    made = [Ed25519PrivateKey.generate() for _ in range(COUNT)]
    for identity in made:
        assert converted(identity).text == recipient_by_oracle(identity)
    for identity in made[:OPENED]:
        assert parse_private_key(Plaintext(private_file(identity)), "host")[1].recipient == (
            converted(identity)
        )
    if program := os.environ.get("NIXSECRETS_SSH_TO_AGE"):
        lines = "\n".join(map(public_line, made))
        told = subprocess.run(
            [program], input=lines, check=True, capture_output=True, text=True
        ).stdout
        assert told.split() == [converted(identity).text for identity in made]


def test_age_opens_by_the_converted_identity_what_is_sealed_to_the_converted_half(
    tmp_path: Path,
) -> None:
    age = require_tool("age")
    file = tmp_path / "identity.txt"
    for _ in range(OPENED):
        identity = Ed25519PrivateKey.generate()
        file.write_text(f"{age_identity(private_file(identity))}\n")
        sealed = wrap(Plaintext(b"value"), converted(identity)).enc.encode()
        opened = subprocess.run(
            [age, "--decrypt", "--identity", file], input=sealed, check=True, capture_output=True
        )
        assert opened.stdout == b"value"
