"""Who opens a document: the data key wrapped to one group, or a share of it to each of several."""

from collections.abc import Sequence
from typing import NamedTuple

from nixsecrets.age.identity import Effort, Identity
from nixsecrets.age.keywrap import unwrap, wrap
from nixsecrets.age.recipient import Recipient, canonical_text
from nixsecrets.errors import IntegrityError, NixsecretsError, NoIdentityError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import shamir
from nixsecrets.sops.cipher import DATA_KEY_BYTES
from nixsecrets.sops.metadata import KeyGroup, Metadata

_NEW = KeyGroup(())


class KeyGroups(NamedTuple):
    """Recipients in groups, of which so many together open a document.

    Args:
        groups: any one recipient of a group opens what the group holds.
        threshold: how many groups are needed; 0: all of them. It says nothing of a single group.
    """

    groups: tuple[tuple[Recipient, ...], ...]
    threshold: int = 0

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """Those of all groups, each once."""
        return tuple(dict.fromkeys(one for group in self.groups for one in group))


Readers = Sequence[Recipient] | KeyGroups
"""Recipients each of whom opens a document alone, or groups of them."""


def groups_of(readers: Readers) -> KeyGroups:
    """Return readers as groups, each recipient once in its group, and the threshold spelled out.

    Raises:
        RepositoryError: a group is empty, or so many groups cannot have that threshold.
    """
    groups, threshold = readers if isinstance(readers, KeyGroups) else ((tuple(readers),), 0)
    unique = tuple(tuple(dict.fromkeys(group)) for group in groups)
    if not any(unique):
        raise RepositoryError("no recipient to seal it for")
    if not all(unique):
        raise RepositoryError(f"key group {unique.index(())} names no recipient")
    if len(unique) == 1:
        return KeyGroups(unique)
    threshold = threshold or len(unique)
    shamir.check(len(unique), threshold)
    return KeyGroups(unique, threshold)


def wrap_groups(
    data_key: Plaintext, readers: Readers, kept: Metadata | None = None
) -> tuple[tuple[KeyGroup, ...], int]:
    """Wrap a data key, or new shares of it.

    Args:
        data_key: 32 bytes.
        readers: exactly those who are to open it.
        kept: what a document says that has this data key already. In a single group a stanza is
            kept as it stands where recipients are merely added; any removal wraps anew for
            everyone, because labels are claims. Shares are always made anew, as sops does.

    Returns:
        `groups` and `threshold` of the document's metadata.

    Raises:
        RepositoryError: `groups_of` refuses the readers; or services other than age would need a
            new share, which they cannot be given.
        ProgramError: a recipient's plugin is missing, or fails.
    """
    wanted = groups_of(readers)
    is_alone = kept is None or len(kept.groups) == 1
    if kept and not (is_alone and len(wanted.groups) == 1):
        refuse_foreign(kept)
    if len(wanted.groups) > 1:
        shares = shamir.split(data_key, len(wanted.groups), wanted.threshold)
        pairs = zip(shares, wanted.groups, strict=True)
        return tuple(_wrapped(share, group) for share, group in pairs), wanted.threshold
    if kept and is_alone:
        return (_wrapped(data_key, wanted.groups[0], kept.groups[0]),), kept.threshold
    return (_wrapped(data_key, wanted.groups[0]),), 0


def refuse_foreign(metadata: Metadata) -> None:
    """Raise RepositoryError where services other than age would need a new share."""
    if metadata.foreign_services:
        services = ", ".join(metadata.foreign_services)
        raise RepositoryError(
            f"{services} could not be given a new share of the data key", hint="use sops"
        )


def open_data_key(metadata: Metadata, identities: Sequence[Identity]) -> Plaintext:
    """Return the data key.

    Of several groups, as many are opened as are needed. Without a threshold that is two at least,
    and more are taken where they open, as sops does: too few give a wrong data key then, which
    shows at the first value.

    Raises:
        NoIdentityError: none of `identities` opens it, or too few groups open.
        IntegrityError: what the stanzas hold is no data key, or a stanza that is named after one
            of `identities` is damaged.
    """
    if not metadata.stanzas:
        services = ", ".join(metadata.foreign_services) or "nobody"
        raise NoIdentityError(f"no age recipient can open it, only {services}")
    if len(metadata.groups) == 1:
        data_key = unwrap(metadata.stanzas, identities)
    else:
        data_key = shamir.combine(_open_shares(metadata, identities))
    if len(data_key) != DATA_KEY_BYTES:
        raise IntegrityError("a stanza opens, but what it holds is no data key of 32 bytes")
    return data_key


def _wrapped(
    content: Plaintext, recipients: Sequence[Recipient], before: KeyGroup = _NEW
) -> KeyGroup:
    kept = {canonical_text(stanza.recipient): stanza for stanza in before.stanzas}
    if kept.keys() - {recipient.text for recipient in recipients}:
        kept = {}
    stanzas = tuple(kept.get(one.text) or wrap(content, one) for one in recipients)
    return before._replace(stanzas=stanzas)


def _open_shares(metadata: Metadata, identities: Sequence[Identity]) -> Sequence[Plaintext]:
    """Return the shares of those groups that open with the least effort."""
    shares: dict[int, Plaintext] = {}
    failures: dict[int, list[NixsecretsError]] = {}
    for effort in Effort:
        usable = [own for own in identities if own.effort is effort]
        for number, group in enumerate(metadata.groups):
            is_enough = metadata.threshold and len(shares) >= _needed(metadata)
            if not usable or number in shares or is_enough:
                continue
            try:
                shares[number] = unwrap(group.stanzas, usable)
            except (NoIdentityError, IntegrityError) as error:
                failures.setdefault(number, []).append(error.within(f"key group {number}"))
    if len(shares) < _needed(metadata):
        closed = [
            error for number in sorted(failures.keys() - shares) for error in failures[number]
        ]
        raise _too_few(metadata, sorted(shares), closed)
    return list(shares.values())


def _needed(metadata: Metadata) -> int:
    return max(metadata.threshold, shamir.LEAST_THRESHOLD)


def _too_few(
    metadata: Metadata, opened: Sequence[int], failures: Sequence[NixsecretsError]
) -> NoIdentityError | IntegrityError:
    """Return the failure that tells which groups open, and of the others why they do not.

    Groups are counted from 0, as sops counts them.
    """
    damaged = next((error for error in failures if isinstance(error, IntegrityError)), None)
    if damaged:
        return IntegrityError(str(damaged))
    which = f"number {', '.join(map(str, opened))}" if opened else "none"
    reasons = "; ".join(map(str, failures)) or "there is no identity to open one"
    return NoIdentityError(
        f"of {len(metadata.groups)} key groups {which} opened, and {_needed(metadata)} are needed"
        f" ({reasons})",
        hint="give identities of further groups: SOPS_AGE_KEY_FILE may name a file that holds them",
    )
