"""What a declaration's `generator` asks for: how its value is to be made."""

from enum import Enum
from typing import Literal, NamedTuple, NewType, TypeAlias

Reference = NewType("Reference", str)
"""Another declaration, as it is spelled: a full address, or a bare name."""

LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()
DIGITS = "0123456789"
LETTERS_AND_DIGITS = LOWER + UPPER + DIGITS


class Password(NamedTuple):
    """`signs`: distinct, each as likely as another."""

    length: int = 32
    signs: str = LETTERS_AND_DIGITS
    kind: Literal["password"] = "password"


class Passphrase(NamedTuple):
    words: int = 6
    separator: str = "-"
    kind: Literal["passphrase"] = "passphrase"


class Hex(NamedTuple):
    length_bytes: int = 32
    kind: Literal["hex"] = "hex"


class Base64(NamedTuple):
    length_bytes: int = 32
    kind: Literal["base64"] = "base64"


class Uuid(NamedTuple):
    kind: Literal["uuid"] = "uuid"


class ResticPassword(NamedTuple):
    kind: Literal["restic-password"] = "restic-password"


class SshEd25519(NamedTuple):
    comment: str = ""
    kind: Literal["ssh-ed25519"] = "ssh-ed25519"


class Wireguard(NamedTuple):
    kind: Literal["wireguard"] = "wireguard"


class WireguardPreshared(NamedTuple):
    kind: Literal["wireguard-preshared"] = "wireguard-preshared"


class Age(NamedTuple):
    kind: Literal["age"] = "age"


class HashMethod(Enum):
    YESCRYPT = "yescrypt"
    SHA512 = "sha512-crypt"
    BCRYPT = "bcrypt"


class HashedPassword(NamedTuple):
    of: Reference
    method: HashMethod = HashMethod.YESCRYPT
    kind: Literal["hashed-password"] = "hashed-password"


class Htpasswd(NamedTuple):
    """`of`: user names, each with its password; in the file's order."""

    of: tuple[tuple[str, Reference], ...]
    kind: Literal["htpasswd"] = "htpasswd"


class X509(NamedTuple):
    """A certificate and its private half.

    Args:
        subject: the common name.
        days: how long it is valid.
        names: DNS names and addresses that it speaks for; of an authority: none.
        by: the authority that signs it; None: it signs itself.
        authority: it signs others.
    """

    subject: str
    days: int
    names: tuple[str, ...] = ()
    by: Reference | None = None
    authority: bool = False
    kind: Literal["x509"] = "x509"


class Command(NamedTuple):
    """A program and what it is given; what it says on stdout is the value."""

    arguments: tuple[str, ...]
    kind: Literal["command"] = "command"


class Asked(Enum):
    """How a person types a value."""

    HIDDEN = "hidden"
    LINE = "line"
    MULTI_LINE = "multi-line"


class Prompt(NamedTuple):
    asked: Asked = Asked.HIDDEN
    kind: Literal["prompt"] = "prompt"


Generator: TypeAlias = (
    Password
    | Passphrase
    | Hex
    | Base64
    | Uuid
    | ResticPassword
    | SshEd25519
    | Wireguard
    | WireguardPreshared
    | Age
    | HashedPassword
    | Htpasswd
    | X509
    | Command
    | Prompt
)


def references(generator: Generator) -> tuple[Reference, ...]:
    """Return the declarations whose values a generator needs, each once."""
    match generator:
        case HashedPassword(of):
            return (of,)
        case Htpasswd(users):
            return tuple(dict.fromkeys(password for _, password in users))
        case X509(by=by):
            return () if by is None else (by,)
        case (
            Password()
            | Passphrase()
            | Hex()
            | Base64()
            | Uuid()
            | ResticPassword()
            | SshEd25519()
            | Wireguard()
            | WireguardPreshared()
            | Age()
            | Command()
            | Prompt()
        ):
            return ()
