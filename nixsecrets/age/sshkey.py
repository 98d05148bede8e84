"""An ssh public key line and the structure inside it (RFC 4253 section 6.6, RFC 8709, RFC 5656)."""

from base64 import b64decode, b64encode
from io import BytesIO
from typing import NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256, Hash

from nixsecrets.errors import RepositoryError

_ALGORITHMS = {
    "ssh-ed25519",
    "ssh-rsa",
    "ssh-dss",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
}
_CERTIFICATE = "-cert-v01@openssh.com"
_WANTED = "give the one line of a file such as /etc/ssh/ssh_host_ed25519_key.pub"


class SshPublicKey(NamedTuple):
    """The public half of an ssh identity; `blob` is the decoded second word of its line."""

    algorithm: str
    blob: bytes
    comment: str

    @property
    def line(self) -> str:
        return f"{self.algorithm} {b64encode(self.blob).decode()} {self.comment}".rstrip()

    @property
    def fingerprint(self) -> str:
        """`SHA256:…`, as `ssh-keygen -l` prints it."""
        return "SHA256:" + b64encode(Hash.hash(SHA256(), self.blob)).decode().rstrip("=")


def parse_public_key(line: str) -> SshPublicKey:
    """Parse one line as it stands in `ssh_host_ed25519_key.pub`, of whatever algorithm.

    Raises:
        RepositoryError: it is anything else: a private identity, a certificate, several lines, a
            line of `authorized_keys` with options or of `known_hosts`, damaged.
    """
    text = line.strip()
    if holds_private_half(text):
        raise RepositoryError(
            "this is a private identity where its public half belongs",
            hint="give the file whose name ends in .pub",
        )
    if not text.isprintable():
        raise RepositoryError(
            "an ssh public line is one line without control characters", hint=_WANTED
        )
    words = text.split(maxsplit=2)
    if len(words) < 2 or words[0] not in _ALGORITHMS:  # noqa: PLR2004  # algorithm and blob
        raise _not_a_line(text)
    return SshPublicKey(words[0], _decode(words[0], words[1]), "".join(words[2:]))


def holds_private_half(text: str) -> bool:
    """Say whether a text must never be quoted: it has an identity of age or ssh in it."""
    marks = ("AGE-SECRET-KEY-", "AGE-PLUGIN-", "PRIVATE KEY-----")
    return any(mark in text.upper() for mark in marks)


def read_string(stream: BytesIO) -> bytes:
    """Read one length-prefixed string (RFC 4251 section 5).

    Raises:
        RepositoryError: the stream ends before it.
    """
    length = stream.read(4)
    content = stream.read(int.from_bytes(length))
    if len(length) < 4 or len(content) < int.from_bytes(length):  # noqa: PLR2004  # uint32
        raise RepositoryError("its ssh structure ends too early")
    return content


def write_strings(*contents: bytes) -> bytes:
    return b"".join(len(content).to_bytes(4) + content for content in contents)


def ed25519_point(key: SshPublicKey) -> bytes:
    """Return what stands for the point; its length is for the curve's arithmetic to judge.

    Raises:
        RepositoryError: something is missing or follows.
    """
    return _fields(key, 2)[1]


def rsa_modulus_bits(key: SshPublicKey) -> int:
    """Return the length of the modulus in bits.

    Raises:
        RepositoryError: something is missing or follows.
    """
    return int.from_bytes(_fields(key, 3)[2]).bit_length()


def _fields(key: SshPublicKey, count: int) -> list[bytes]:
    fields = _strings(key.blob)
    if len(fields) != count:
        raise RepositoryError(f"its ssh structure has {len(fields)} parts where {count} belong")
    return fields


def _strings(blob: bytes) -> list[bytes]:
    stream = BytesIO(blob)
    strings = []
    while stream.tell() < len(blob):
        strings.append(read_string(stream))
    return strings


def _decode(algorithm: str, encoded: str) -> bytes:
    try:
        blob = b64decode(encoded, validate=True)
    except ValueError:
        raise RepositoryError(
            f"the base64 of this {algorithm} line does not hold (cut off?)", hint=_WANTED
        ) from None
    if _strings(blob)[:1] != [algorithm.encode()]:
        raise RepositoryError(f"this line says {algorithm} and holds another algorithm")
    return blob


def _not_a_line(text: str) -> RepositoryError:
    first, _blank, rest = text.partition(" ")
    if first.endswith(_CERTIFICATE):
        return RepositoryError(
            "this is an ssh certificate, not an ssh public line",
            hint="give the .pub file beside it whose name has no -cert",
        )
    if _ALGORITHMS.intersection(rest.split()):
        return RepositoryError(
            "something stands before the algorithm (options, or the host of a known_hosts line)",
            hint="leave it out: the line begins with ssh-ed25519",
        )
    return RepositoryError("this is not an ssh public line", hint=_WANTED)
