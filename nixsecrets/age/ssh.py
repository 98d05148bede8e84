"""ssh-ed25519 as X25519: the one conversion by which a host's ssh identity opens documents."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nixsecrets.age.curve25519 import montgomery_from_edwards
from nixsecrets.age.recipient import Recipient, x25519_recipient
from nixsecrets.age.sshidentity import parse_private_key, render_private_key
from nixsecrets.age.sshkey import SshPublicKey, ed25519_point, parse_public_key, write_strings
from nixsecrets.errors import RepositoryError
from nixsecrets.plaintext import Plaintext

__all__ = [
    "SshPublicKey",
    "convert_public_key",
    "generate_ed25519",
    "parse_private_key",
    "parse_public_key",
]


def convert_public_key(key: SshPublicKey) -> Recipient:
    """Return the `age1…` of an ssh-ed25519 public half, as ssh-to-age prints it.

    Raises:
        RepositoryError: another algorithm, or a point that nothing may be wrapped to.
    """
    if key.algorithm != "ssh-ed25519":
        raise RepositoryError(
            f"{key.algorithm} cannot be made into an age recipient: "
            "sops-nix converts a host's ssh-ed25519 identity only",
            hint="give /etc/ssh/ssh_host_ed25519_key.pub of the host",
        )
    return x25519_recipient(montgomery_from_edwards(ed25519_point(key)))


def generate_ed25519(comment: str) -> tuple[Plaintext, SshPublicKey]:
    """Make a new ssh identity: its private file as OpenSSH writes it, and its public half."""
    secret = Ed25519PrivateKey.generate()
    blob = write_strings(b"ssh-ed25519", secret.public_key().public_bytes_raw())
    public = SshPublicKey("ssh-ed25519", blob, comment)
    return render_private_key(Plaintext(secret.private_bytes_raw()), public), public
