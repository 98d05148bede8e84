"""A data key wrapped to recipients: one armored age message for each, as sops keeps them."""

from binascii import a2b_base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyrage

from nixsecrets.age.identity import Identity
from nixsecrets.age.recipient import Recipient, RecipientKind, canonical_text
from nixsecrets.errors import IntegrityError, NoIdentityError
from nixsecrets.plaintext import Plaintext

_BEGIN = "-----BEGIN AGE ENCRYPTED FILE-----"
_END = "-----END AGE ENCRYPTED FILE-----"
_COLUMNS = 64
_OWN_IDENTITY = "set SOPS_AGE_KEY_FILE to an identity file whose recipient is listed"


@dataclass(frozen=True, slots=True)
class Stanza:
    """One entry of a document's `age` list.

    Args:
        recipient: the label as it stands in the document. A claim: nothing ties it to `enc`.
        enc: the armored age message that holds the data key.
    """

    recipient: str
    enc: str


def wrap(data_key: Plaintext, recipient: Recipient) -> Stanza:
    """Wrap a data key; the armor ends with a newline, the label is `Recipient.label`."""
    armored = pyrage.encrypt(data_key.reveal(), [_public_half(recipient)], armored=True)
    return Stanza(recipient.label, armored.decode())


def unwrap(stanzas: Sequence[Stanza], identities: Sequence[Identity]) -> Plaintext:
    """Open the first stanza that opens; those that name an identity's recipient come first.

    Returns:
        The data key, or the share of one. Its length is for the caller to judge.

    Raises:
        NoIdentityError: nothing opens, and no stanza names the recipient of an identity.
        IntegrityError: a stanza names the recipient of an identity and does not open, nor does
            any other; or what opened is empty.
    """
    named = [(stanza, own) for stanza in stanzas for own in identities if _names(stanza, own)]
    data_key = _first_opened(named)
    if data_key is None:
        data_key = _first_opened((stanza, own) for stanza in stanzas for own in identities)
    if data_key is None:
        raise _unopened(stanzas, identities, [stanza for stanza, _own in named])
    if not data_key:
        raise IntegrityError("the data key is empty")
    return data_key


def open_stanza(stanza: Stanza, identity: Identity) -> Plaintext | None:
    """Return what is inside; None if it is not for this identity, or damaged."""
    message = _unarmor(stanza.enc)
    return None if message is None else identity.decrypt(message)


def _public_half(recipient: Recipient) -> pyrage.x25519.Recipient | pyrage.ssh.Recipient:
    match recipient.kind:
        case RecipientKind.X25519:
            return pyrage.x25519.Recipient.from_str(recipient.text)
        case RecipientKind.SSH_ED25519 | RecipientKind.SSH_RSA:
            return pyrage.ssh.Recipient.from_str(recipient.text)


def _names(stanza: Stanza, identity: Identity) -> bool:
    return canonical_text(stanza.recipient) == identity.recipient.text


def _first_opened(pairs: Iterable[tuple[Stanza, Identity]]) -> Plaintext | None:
    opened = (open_stanza(stanza, identity) for stanza, identity in pairs)
    return next((data_key for data_key in opened if data_key is not None), None)


def _unarmor(enc: str) -> bytes | None:
    """Decode armor, a third faster than pyrage does; as strict as sops on everything but blanks."""
    lines = enc.strip().replace("\r\n", "\n").split("\n")
    body = lines[1:-1]
    if lines[0] != _BEGIN or lines[-1] != _END or not body:
        return None
    if any(len(line) != _COLUMNS for line in body[:-1]) or len(body[-1]) > _COLUMNS:
        return None
    try:
        return a2b_base64("".join(body), strict_mode=True)
    except ValueError:
        return None


def _unopened(
    stanzas: Sequence[Stanza], identities: Sequence[Identity], named: Sequence[Stanza]
) -> NoIdentityError | IntegrityError:
    if named:
        return IntegrityError(
            f"the stanza of {named[0].recipient} is damaged, or was not wrapped to it"
        )
    if not stanzas:
        return NoIdentityError("the data key is wrapped to no age recipient")
    listed = f"{len(stanzas)} recipient{'s' if len(stanzas) > 1 else ''}"
    if not identities:
        return NoIdentityError(
            f"there is no identity to open the data key, wrapped to {listed}",
            hint=_OWN_IDENTITY,
        )
    tried = ", ".join(dict.fromkeys(identity.source for identity in identities))
    return NoIdentityError(
        f"none of {tried} opens the data key, wrapped to {listed}",
        hint=_OWN_IDENTITY,
    )
