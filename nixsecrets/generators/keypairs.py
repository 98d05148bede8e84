"""Private halves with their public ones: ssh, age, WireGuard."""

import secrets
from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nixsecrets.age.identity import generate_identity
from nixsecrets.age.ssh import generate_ed25519
from nixsecrets.generators.generated import Generated
from nixsecrets.plaintext import Plaintext

_WIREGUARD_BYTES = 32


def ssh_ed25519(comment: str) -> Generated:
    """Return an identity as OpenSSH writes it; public is the line of its `.pub` file."""
    private, public = generate_ed25519(comment)
    return Generated(private, f"{public.line}\n".encode())


def age() -> Generated:
    """Return the text of an identity file; public is its recipient."""
    identity, recipient = generate_identity()
    return Generated(identity, f"{recipient.text}\n".encode())


def wireguard() -> Generated:
    """Return what `wg genkey` prints; public is what `wg pubkey` prints of it."""
    return _wireguard(secrets.token_bytes(_WIREGUARD_BYTES))


def wireguard_preshared() -> Generated:
    """Return what `wg genpsk` prints."""
    return Generated(Plaintext(b64encode(secrets.token_bytes(_WIREGUARD_BYTES))))


def _wireguard(drawn: bytes) -> Generated:
    """Clamp the scalar as `wg genkey` does (RFC 7748, section 5)."""
    scalar = bytes([drawn[0] & 248, *drawn[1:31], drawn[31] & 127 | 64])
    public = X25519PrivateKey.from_private_bytes(scalar).public_key().public_bytes_raw()
    return Generated(Plaintext(b64encode(scalar)), b64encode(public) + b"\n")
