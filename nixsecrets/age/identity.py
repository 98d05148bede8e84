"""Who opens a stanza: identities, and the identity files of age."""

from collections.abc import Iterator
from enum import Enum, auto
from functools import partial
from typing import NamedTuple, final

import pyrage

from nixsecrets.age import bech32, hybrid
from nixsecrets.age import plugin as plugins
from nixsecrets.age.passphrase import (
    Decrypt,
    Lock,
    looks_protected,
    open_protected,
    parse_protected,
)
from nixsecrets.age.plugin import Person
from nixsecrets.age.recipient import Recipient, RecipientKind, parse_recipient
from nixsecrets.errors import NoIdentityError, RepositoryError
from nixsecrets.override import override
from nixsecrets.plaintext import Plaintext

PROTECTED = "it is protected by a passphrase: run this on a terminal"


class Effort(Enum):
    """What opening something with an identity takes; the members stand in the order of trying."""

    NONE = auto()
    PROGRAM = auto()  # it is started, and may want something done
    PASSPHRASE = auto()  # it is asked for, once


@final
class Identity:
    """A private half that prints only its recipient and the source it was read from.

    Args:
        recipient: None where only a plugin or a passphrase could tell it.
        source: where it was read.
        decrypt: opens a binary age message; it may raise NoIdentityError, with the reason.
        effort: what that takes.
    """

    __slots__ = ("_decrypt", "effort", "recipient", "source")

    def __init__(
        self,
        recipient: Recipient | None,
        source: str,
        decrypt: Decrypt,
        effort: Effort = Effort.NONE,
    ) -> None:
        self.recipient = recipient
        self.source = source
        self.effort = effort
        self._decrypt = decrypt

    def decrypt(self, message: bytes) -> Plaintext | None:
        """Open a binary age message; None if it is not for this identity, or damaged.

        Raises:
            NoIdentityError: it cannot be used: a plugin fails, or it stays locked.
        """
        return self._decrypt(message)

    @override
    def __repr__(self) -> str:
        recipient = self.recipient and self.recipient.text
        return f"Identity({recipient!r}, source={self.source!r})"


class IdentityFile(NamedTuple):
    """What was found in one source; `refused` names lines and reasons, never what they hold."""

    identities: tuple[Identity, ...]
    refused: tuple[str, ...]


def parse_identities(
    content: Plaintext, source: str, person: Person = plugins.NOBODY
) -> IdentityFile:
    """Parse an identity file of age.

    More lenient than age and sops, for which one bad line spoils the whole source: blanks around
    an identity, several of them on a line and comments behind them are taken, and only what is
    wrong is refused.

    A file that is protected by a passphrase is one identity without recipient, unlocked when it
    is first used.

    Args:
        content: the file.
        source: what it is called in messages.
        person: who is asked for a passphrase, and by plugins.
    """
    if looks_protected(content):
        return _protected(content, source, person)
    text = content.reveal().decode("utf-8-sig", errors="replace")
    if "PRIVATE KEY-----" in text:
        return IdentityFile((), ("it is an ssh identity where age identities belong",))
    identities: list[Identity] = []
    refused: list[str] = []
    for number, word, claimed in _words(text):
        try:
            identities.append(_parse(word, claimed, source, person))
        except NoIdentityError as error:
            refused.append(f"line {number}: {error.problem}")
    if not identities and not refused:
        refused.append("there is no identity in it")
    return IdentityFile(tuple(identities), tuple(refused))


def x25519_identity(text: str, source: str) -> Identity:
    """Parse one `AGE-SECRET-KEY-1…`.

    Raises:
        NoIdentityError: it is none; the message never quotes it.
    """
    if not text.startswith("AGE-SECRET-KEY-1"):
        raise NoIdentityError(_reason(text))
    try:
        secret = pyrage.x25519.Identity.from_str(text)
    except pyrage.IdentityError:
        raise NoIdentityError("a malformed age identity (cut off, or a wrong character)") from None
    recipient = Recipient(str(secret.to_public()), RecipientKind.X25519)
    return Identity(recipient, source, opened_by(secret))


def opened_by(secret: pyrage.x25519.Identity | pyrage.ssh.Identity) -> Decrypt:
    """Return what opens messages with a private half that pyrage holds."""

    def decrypt(message: bytes) -> Plaintext | None:
        try:
            return Plaintext(pyrage.decrypt(message, [secret]))  # str() of it: the private half
        except pyrage.DecryptError:
            return None

    return decrypt


def generate_identity() -> tuple[Plaintext, Recipient]:
    """Make a new X25519 identity; return the text of its identity file, and its recipient."""
    secret = pyrage.x25519.Identity.generate()
    recipient = Recipient(str(secret.to_public()), RecipientKind.X25519)
    return Plaintext(f"# public key: {recipient.text}\n{secret}\n".encode()), recipient


def _protected(content: Plaintext, source: str, person: Person) -> IdentityFile:
    try:
        protected = parse_protected(content)
    except NoIdentityError as error:
        return IdentityFile((), (error.problem,))
    if person.ask is None:
        return IdentityFile((), (PROTECTED,))
    lock = Lock(source, partial(_unlocked, protected, source, person), person.ask)
    return IdentityFile((Identity(None, source, lock.decrypt, Effort.PASSPHRASE),), ())


def _unlocked(
    protected: Plaintext, source: str, person: Person, passphrase: Plaintext
) -> tuple[Decrypt, ...] | None:
    inside = open_protected(protected, passphrase)
    if inside is None:
        return None
    found = parse_identities(inside, source, person)
    if not found.identities:
        raise NoIdentityError("; ".join(found.refused))
    return tuple(identity.decrypt for identity in found.identities)


def _words(text: str) -> Iterator[tuple[int, str, Recipient | None]]:
    """Yield what may be identities, with the recipient that a comment above them names."""
    claimed = None
    for number, line in enumerate(text.split("\n"), start=1):
        words, _mark, comment = line.partition("#")
        claimed = _claimed(comment) or claimed
        for word in words.split():
            yield number, word, claimed
            claimed = None


def _claimed(comment: str) -> Recipient | None:
    """Find the recipient that plugins write into a comment above their identity."""
    for word in comment.split():
        if word.startswith("age1"):
            try:
                return parse_recipient(word)
            except RepositoryError:
                return None
    return None


def _parse(text: str, claimed: Recipient | None, source: str, person: Person) -> Identity:
    if text.startswith("AGE-SECRET-KEY-PQ-1"):
        secret = hybrid.parse_identity(text)
        recipient = bech32.encode(hybrid.RECIPIENT_PREFIX, secret.public)
        return Identity(Recipient(recipient, RecipientKind.HYBRID), source, secret.decrypt)
    if text.startswith(plugins.IDENTITY_PREFIX):
        decrypt = plugins.parse_identity(text, person)
        return Identity(claimed, source, decrypt, Effort.PROGRAM)
    return x25519_identity(text, source)


def _reason(text: str) -> str:
    if text.upper().startswith(("AGE-SECRET-KEY-", "AGE-PLUGIN-")):
        return "an age identity that is not written in upper case"
    if text.startswith("age1"):
        return "a recipient, which opens nothing, where an identity belongs"
    return "not an age identity"
