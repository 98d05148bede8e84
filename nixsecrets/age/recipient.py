"""To whom a data key is wrapped: age's recipients, native and of plugins, and ssh public lines."""

from enum import Enum
from typing import NamedTuple

import pyrage

from nixsecrets.age import bech32, hybrid, plugin
from nixsecrets.age.curve25519 import is_small_order, montgomery_from_edwards
from nixsecrets.age.sshkey import (
    SshPublicKey,
    ed25519_point,
    holds_private_half,
    parse_public_key,
    rsa_modulus_bits,
)
from nixsecrets.errors import RepositoryError
from nixsecrets.override import override

_PREFIX = "age"
_X25519_BYTES = 32
_RSA_BITS = range(2048, 4096 + 1)  # what age (the lower end) and rage (both) take
_SPELLED = "a recipient is age1… in lower case, or an ssh-ed25519 or ssh-rsa line"


class RecipientKind(Enum):
    """What its stanza is made of: the recipient types of C2SP's age.md, and those of ssh."""

    X25519 = "X25519"
    HYBRID = "mlkem768x25519"
    TAG = "p256tag"
    TAG_HYBRID = "mlkem768p256tag"
    PLUGIN = "whatever its plugin makes"
    SSH_ED25519 = "ssh-ed25519"
    SSH_RSA = "ssh-rsa"

    @property
    def is_post_quantum(self) -> bool:
        """Say whether a quantum computer would not open its stanza; of a plugin nobody knows."""
        return self in (RecipientKind.HYBRID, RecipientKind.TAG_HYBRID)

    @property
    def is_classical(self) -> bool:
        """Say whether a quantum computer would open its stanza; of a plugin nobody knows."""
        return not self.is_post_quantum and self is not RecipientKind.PLUGIN


class Recipient(NamedTuple):
    """A public half; two are equal whatever the comments of their ssh lines say.

    Args:
        text: the canonical spelling: `age1…`, or `ssh-ed25519 AAAA…` without comment.
        kind: what its stanza is made of.
        comment: what follows on an ssh line, else empty.
    """

    text: str
    kind: RecipientKind
    comment: str = ""

    @property
    def label(self) -> str:
        """What sops puts into a document's `recipient`: with the comment of an ssh line.

        `sops updatekeys` compares labels as text, the comment included.
        """
        return f"{self.text} {self.comment}".rstrip()

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipient) and self[:-1] == other[:-1]

    @override
    def __ne__(self, other: object) -> bool:
        return not self == other

    @override
    def __hash__(self) -> int:
        return hash(self[:-1])


def x25519_recipient(montgomery: bytes) -> Recipient:
    """Make a recipient of a 32-byte X25519 public value that is known to be good."""
    return Recipient(bech32.encode(_PREFIX, montgomery), RecipientKind.X25519)


def canonical_text(label: str) -> str:
    """Return the `Recipient.text` that a document's label claims; any text is taken."""
    return " ".join(label.split(maxsplit=2)[:2])


def parse_recipient(text: str) -> Recipient:
    """Parse one recipient with blanks around it, in any spelling that sops takes.

    Raises:
        RepositoryError: it is none, or one of a kind that cannot be wrapped to; the message says
            which kind it is. A private identity is named as such and never quoted.
    """
    text = text.strip()
    if not text:
        raise RepositoryError("a recipient is empty", hint=_SPELLED)
    if holds_private_half(text):
        raise RepositoryError(
            "this is a private identity where a recipient belongs",
            hint="give its public half, and replace the identity if others have seen it here",
        )
    if text[:4].lower() == "age1":
        return _parse_age(text)
    if text.split()[0].startswith(("ssh-", "ecdsa-", "sk-")):
        return recipient_of_ssh(parse_public_key(text))
    raise RepositoryError("this is not a recipient", hint=_SPELLED)


def parse_recipients(text: str) -> tuple[Recipient, ...]:
    """Parse the text of a `.pub` file of ours: one recipient a line, blank and `#` lines between.

    Raises:
        RepositoryError: a line is no recipient (`line` tells which), or there is none at all.
    """
    recipients = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            recipients.append(_parse_line(line, number))
    if not recipients:
        raise RepositoryError("there is no recipient in it", hint=_SPELLED)
    return tuple(recipients)


def recipient_of_ssh(key: SshPublicKey) -> Recipient:
    """Make the recipient of age's ssh stanzas; `ssh.convert_public_key` makes an `age1…` one.

    Raises:
        RepositoryError: age has no stanza for its algorithm, or it is malformed or weak.
    """
    match key.algorithm:
        case "ssh-ed25519":
            montgomery_from_edwards(ed25519_point(key))
            kind = RecipientKind.SSH_ED25519
        case "ssh-rsa":
            bits = rsa_modulus_bits(key)
            if bits not in _RSA_BITS:
                raise RepositoryError(f"this ssh-rsa recipient has {bits} bits, not 2048 to 4096")
            kind = RecipientKind.SSH_RSA
        case other:
            raise RepositoryError(f"age takes no {other} recipient, only ssh-ed25519 and ssh-rsa")
    text = " ".join(key.line.split()[:2])
    try:
        pyrage.ssh.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise RepositoryError(f"this {key.algorithm} recipient is malformed") from None
    return Recipient(text, kind, key.comment)


def _parse_line(line: str, number: int) -> Recipient:
    try:
        return parse_recipient(line)
    except RepositoryError as error:
        raise RepositoryError(error.problem, hint=error.hint, line=number) from None


def _parse_age(text: str) -> Recipient:
    shown = text if len(text) <= 12 else f"{text[:12]}…"  # noqa: PLR2004  # enough to find it by
    if len(text.split()) > 1 or "," in text:
        raise RepositoryError(f"something follows {shown} where one recipient belongs")
    if text != text.lower():
        raise RepositoryError(f"{shown} is not written in lower case", hint=_SPELLED)
    try:
        prefix, data = bech32.decode(text)
        return Recipient(text, _checked_kind(text, prefix, data))
    except RepositoryError as error:
        raise RepositoryError(f"{shown} is no recipient: {error.problem}") from None
    except pyrage.RecipientError as error:
        raise RepositoryError(f"{shown} is no recipient: {error}") from None


def _checked_kind(text: str, prefix: str, data: bytes) -> RecipientKind:
    match prefix:
        case "age":
            _check_x25519(data)
            return RecipientKind.X25519
        case hybrid.RECIPIENT_PREFIX:
            hybrid.check_public(data)
            return RecipientKind.HYBRID
        case "age1tag":
            pyrage.tag.Recipient.from_str(text)
            return RecipientKind.TAG
        case "age1tagpq":
            pyrage.tagpq.Recipient.from_str(text)
            return RecipientKind.TAG_HYBRID
        case _:
            plugin.check_recipient(prefix)
            return RecipientKind.PLUGIN


def _check_x25519(data: bytes) -> None:
    if len(data) != _X25519_BYTES:
        raise RepositoryError(f"it holds {len(data)} bytes, not {_X25519_BYTES}")
    if is_small_order(data):
        raise RepositoryError("it has small order, so anyone could open what is wrapped to it")
