"""A data key wrapped to recipients: one armored age message for each, as sops keeps them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyrage

from nixsecrets.age import bech32, hybrid, plugin
from nixsecrets.age.armor import armor, unarmor
from nixsecrets.age.identity import Effort, Identity
from nixsecrets.age.recipient import Recipient, RecipientKind, canonical_text
from nixsecrets.errors import IntegrityError, NoIdentityError
from nixsecrets.plaintext import Plaintext

_SHOWN = 100  # characters of a label
_OWN_IDENTITY = "set SOPS_AGE_KEY_FILE to an identity file whose recipient is listed"


class Stanza(NamedTuple):
    """One entry of a document's `age` list.

    Args:
        recipient: the label as it stands in the document. A claim: nothing ties it to `enc`.
        enc: the armored age message that holds the data key.
    """

    recipient: str
    enc: str


def wrap(data_key: Plaintext, recipient: Recipient) -> Stanza:
    """Wrap a data key; the armor ends with a newline, the label is `Recipient.label`.

    Raises:
        ProgramError: the recipient's plugin is missing, or fails.
    """
    return Stanza(recipient.label, armor(_message(data_key, recipient)))


def unwrap(stanzas: Sequence[Stanza], identities: Sequence[Identity]) -> Plaintext:
    """Open the first stanza that opens.

    Plugins are started only where no other identity opens one, and a passphrase is asked for only
    where no plugin does either, and only if it may help: what is locked is an identity file, or
    the ssh identity whose recipient a stanza names. Among equals, those that a stanza names come
    first.

    Returns:
        The data key, or the share of one. Its length is for the caller to judge.

    Raises:
        NoIdentityError: nothing opens, and no stanza names the recipient of an identity that
            could be used; the reason is told of those that could not.
        IntegrityError: a stanza names the recipient of an identity and does not open, nor does
            any other; or what opened is empty.
    """
    attempts = _Attempts()
    opened = (attempts.open(stanza, own) for stanza, own in _in_order(stanzas, identities))
    data_key = next((found for found in opened if found is not None), None)
    if data_key is None:
        raise _unopened(stanzas, identities, attempts)
    if not data_key:
        raise IntegrityError("the data key is empty")
    return data_key


def open_stanza(stanza: Stanza, identity: Identity) -> Plaintext | None:
    """Return what is inside; None if it is not for this identity, or damaged.

    Raises:
        NoIdentityError: the identity cannot be used: its plugin fails, or it stays locked.
    """
    message = unarmor(stanza.enc)
    return None if message is None else identity.decrypt(message)


def _message(data_key: Plaintext, recipient: Recipient) -> bytes:
    match recipient.kind:
        case RecipientKind.X25519:
            public_half = pyrage.x25519.Recipient.from_str(recipient.text)
            return pyrage.encrypt(data_key.reveal(), [public_half])
        case RecipientKind.SSH_ED25519 | RecipientKind.SSH_RSA:
            line = pyrage.ssh.Recipient.from_str(recipient.text)
            return pyrage.encrypt(data_key.reveal(), [line])
        case RecipientKind.TAG:
            tag = pyrage.tag.Recipient.from_str(recipient.text)
            return pyrage.encrypt(data_key.reveal(), [tag])
        case RecipientKind.TAG_HYBRID:
            tag_hybrid = pyrage.tagpq.Recipient.from_str(recipient.text)
            return pyrage.encrypt(data_key.reveal(), [tag_hybrid])
        case RecipientKind.HYBRID:
            _prefix, public = bech32.decode(recipient.text)
            return hybrid.encrypt(data_key, public)
        case RecipientKind.PLUGIN:
            return plugin.encrypt(data_key, recipient.text)


class _Attempts:
    """What did not open: stanzas that should have, and identities that could not be used."""

    def __init__(self) -> None:
        self.damaged: list[Stanza] = []
        self.unusable: list[str] = []

    def open(self, stanza: Stanza, identity: Identity) -> Plaintext | None:
        try:
            data_key = open_stanza(stanza, identity)
        except NoIdentityError as error:
            self.unusable.append(error.problem)
            return None
        if data_key is None and _names(stanza, identity):
            self.damaged.append(stanza)
        return data_key


def _in_order(
    stanzas: Sequence[Stanza], identities: Sequence[Identity]
) -> Iterator[tuple[Stanza, Identity]]:
    for effort in Effort:
        pairs = ((stanza, own) for stanza in stanzas for own in identities if own.effort is effort)
        yield from sorted(
            (pair for pair in pairs if _may_open(*pair)), key=lambda pair: not _names(*pair)
        )


def _names(stanza: Stanza, identity: Identity) -> bool:
    recipient = identity.recipient
    return recipient is not None and canonical_text(stanza.recipient) == recipient.text


def _may_open(stanza: Stanza, identity: Identity) -> bool:
    match identity.effort:
        case Effort.NONE | Effort.PROGRAM:
            return True
        case Effort.PASSPHRASE if identity.recipient:
            return _names(stanza, identity)
        case Effort.PASSPHRASE:
            return not stanza.recipient.startswith("ssh-")  # a locked file holds no ssh identity


def _unopened(
    stanzas: Sequence[Stanza], identities: Sequence[Identity], attempts: _Attempts
) -> NoIdentityError | IntegrityError:
    if attempts.damaged:
        label = attempts.damaged[0].recipient
        shown = label if len(label) <= _SHOWN else f"{label[:_SHOWN]}…"
        return IntegrityError(f"the stanza of {shown} is damaged, or was not wrapped to it")
    if not stanzas:
        return NoIdentityError("the data key is wrapped to no age recipient")
    listed = f"{len(stanzas)} recipient{'s' if len(stanzas) > 1 else ''}"
    if not identities:
        return NoIdentityError(
            f"there is no identity to open the data key, wrapped to {listed}",
            hint=_OWN_IDENTITY,
        )
    tried = ", ".join(dict.fromkeys(identity.source for identity in identities))
    unusable = "; ".join(dict.fromkeys(attempts.unusable))
    return NoIdentityError(
        f"none of {tried} opens the data key, wrapped to {listed}"
        + (f" ({unusable})" if unusable else ""),
        hint=_OWN_IDENTITY,
    )
