"""Who opens a stanza: identities, and the identity files of age."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import pyrage

from nixsecrets.age.recipient import Recipient, RecipientKind
from nixsecrets.errors import NoIdentityError
from nixsecrets.override import override
from nixsecrets.plaintext import Plaintext

_PASSPHRASE_MARKS = ("age-encryption", "-----BEGIN AGE")  # as sops tells them, age/keysource.go


@final
class Identity:
    """A private half that prints only its recipient and the source it was read from."""

    __slots__ = ("_secret", "recipient", "source")

    def __init__(
        self,
        recipient: Recipient,
        source: str,
        secret: pyrage.x25519.Identity | pyrage.ssh.Identity,
    ) -> None:
        self.recipient = recipient
        self.source = source
        self._secret = secret  # str() of it would be the private half

    def decrypt(self, message: bytes) -> Plaintext | None:
        """Open a binary age message; None if it is not for this identity, or damaged."""
        try:
            return Plaintext(pyrage.decrypt(message, [self._secret]))
        except pyrage.DecryptError:
            return None

    @override
    def __repr__(self) -> str:
        return f"Identity({self.recipient.text!r}, source={self.source!r})"


@dataclass(frozen=True, slots=True)
class IdentityFile:
    """What was found in one source; `refused` names lines and reasons, never what they hold."""

    identities: tuple[Identity, ...]
    refused: tuple[str, ...]


def parse_identities(content: Plaintext, source: str) -> IdentityFile:
    """Parse an identity file of age.

    More lenient than age and sops, for which one bad line spoils the whole source: blanks around
    an identity, several of them on a line and comments behind them are taken, and only what is
    wrong is refused.
    """
    text = content.reveal().decode("utf-8-sig", errors="replace")
    if text.lstrip().startswith(_PASSPHRASE_MARKS):
        return IdentityFile((), ("it is protected by a passphrase, which is not supported yet",))
    if "PRIVATE KEY-----" in text:
        return IdentityFile((), ("it is an ssh identity where age identities belong",))
    identities: list[Identity] = []
    refused: list[str] = []
    for number, word in _words(text):
        try:
            identities.append(x25519_identity(word, source))
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
    return Identity(Recipient(str(secret.to_public()), RecipientKind.X25519), source, secret)


def generate_identity() -> tuple[Plaintext, Recipient]:
    """Make a new X25519 identity; return the text of its identity file, and its recipient."""
    secret = pyrage.x25519.Identity.generate()
    recipient = Recipient(str(secret.to_public()), RecipientKind.X25519)
    return Plaintext(f"# public key: {recipient.text}\n{secret}\n".encode()), recipient


def _words(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        for word in line.partition("#")[0].split():
            yield number, word


def _reason(text: str) -> str:
    if text.startswith("AGE-SECRET-KEY-PQ-"):
        return "a post-quantum identity, which is not supported yet"
    if text.startswith("AGE-PLUGIN-"):
        return "an identity of a plugin, which is not supported yet"
    if text.upper().startswith("AGE-SECRET-KEY-"):
        return "an age identity that is not written in upper case"
    if text.startswith("age1"):
        return "a recipient, which opens nothing, where an identity belongs"
    return "not an age identity"
