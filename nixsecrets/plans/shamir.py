"""Split a document's data key over one key group more, or over one less."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from nixsecrets.age.recipient import Recipient
from nixsecrets.errors import NixsecretsError, RepositoryError, UsageError
from nixsecrets.fleet.model import Fleet
from nixsecrets.plans import documents, recipients
from nixsecrets.plans.draft import Draft, Unlock
from nixsecrets.sops import sealing
from nixsecrets.sops.document import Document
from nixsecrets.sops.keygroups import KeyGroups, groups_of, refuse_foreign
from nixsecrets.sops.metadata import Metadata


def add(
    draft: Draft,
    path: PurePosixPath,
    group: Sequence[Recipient],
    threshold: int | None,
    unlock: Unlock,
) -> Draft:
    """Return the draft with a document's data key split over one key group more, the last one.

    Args:
        draft: what has been decided before.
        path: the document's.
        group: whose share is new.
        threshold: how many groups are to be needed. None: what the policy says, or else as many
            as before, or else all of them.
        unlock: opens the document.

    Raises:
        RepositoryError: so many groups cannot have that threshold, or services other than age
            would need a new share.
        NoIdentityError: the document does not open.
    """
    sealed = documents.read(draft.repository, path)
    before = _present(draft.fleet, path, sealed.metadata)
    groups = (*before.groups, tuple(group))
    needed = threshold or _stated(draft.fleet, path) or _stored(before) or len(groups)
    return _split(draft, path, sealed, KeyGroups(groups, needed), unlock)


def delete(
    draft: Draft, path: PurePosixPath, index: int, threshold: int | None, unlock: Unlock
) -> Draft:
    """Return the draft with a document's data key split over one key group less.

    Args:
        draft: what has been decided before.
        path: the document's.
        index: of the group that goes, from 0.
        threshold: how many groups are to be needed. None: what the policy says, or else as many
            as before.
        unlock: opens the document.

    Raises:
        UsageError: there is no such group, or it is the only one.
        RepositoryError: fewer groups would stay than are needed, or services other than age would
            need a new share.
        NoIdentityError: the document does not open.
    """
    sealed = documents.read(draft.repository, path)
    metadata = sealed.metadata
    total = len(metadata.groups)
    if total == 1:
        raise UsageError(f"{path} has one key group, without which nobody could open it")
    if not 0 <= index < total:
        raise UsageError(f"{path} has no key group {index}", hint=f"they are 0 to {total - 1}")
    needed = threshold or _stated(draft.fleet, path) or metadata.threshold or total
    if needed >= total:
        raise RepositoryError(
            f"{needed} key groups are needed, and {total - 1} would stay",
            hint=f"--threshold {total - 1}, or less",
        ).within(path)
    groups = (*metadata.groups[:index], *metadata.groups[index + 1 :])
    staying = _present(draft.fleet, path, metadata._replace(groups=groups))
    return _split(draft, path, sealed, staying._replace(threshold=needed), unlock)


def _present(fleet: Fleet, path: PurePosixPath, metadata: Metadata) -> KeyGroups:
    try:
        refuse_foreign(metadata)
        return recipients.present(fleet, metadata)
    except NixsecretsError as error:
        raise error.within(path) from None


def _stated(fleet: Fleet, path: PurePosixPath) -> int | None:
    rule = fleet.policy.rule_for(path) if fleet.policy else None
    return rule.shamir_threshold if rule else None


def _stored(before: KeyGroups) -> int:
    """Return the threshold that a document is split by; that of a single group is nothing."""
    return before.threshold if len(before.groups) > 1 else 0


def _split(
    draft: Draft, path: PurePosixPath, sealed: Document, wanted: KeyGroups, unlock: Unlock
) -> Draft:
    try:
        readers = groups_of(wanted)
        content = sealing.rewrap(sealed, unlock(sealed), readers)
    except NixsecretsError as error:
        raise error.within(path) from None
    shown = recipients.describe_readers(draft.fleet, readers)
    draft = draft.changed(path, content, f"re-wrapped: {shown}")
    draft = recipients.warn_needing_others(draft, path, readers)
    draft = draft.warning(
        f"{path}: whoever could open it may keep the data key that it had; "
        f"`nixsecrets rotate data-keys {path}` makes a new one"
    )
    return _warn_of_policy(draft, path, readers)


def _warn_of_policy(draft: Draft, path: PurePosixPath, readers: KeyGroups) -> Draft:
    """Tell where the policy says otherwise, and what it would have to say."""
    fleet = draft.fleet
    rule = fleet.policy.rule_for(path) if fleet.policy else None
    if rule is None:
        return draft
    sealed = documents.read(draft.repository, path)
    if not recipients.drift(draft.repository, path, sealed):
        return draft
    place = f"{fleet.layout.policy}:{rule.line}"
    draft = draft.warning(f"{rule.named} says otherwise: `nixsecrets rekey` would undo this")
    lines = "\n".join(_spell(fleet, readers))
    return draft.noting(f"to keep it, the rule of {place} has to say\n{lines}")


def _spell(fleet: Fleet, readers: KeyGroups) -> Iterator[str]:
    """Yield the lines of a creation rule, by anchors where there are."""
    yield "    key_groups:"
    for group in readers.groups:
        yield "      - age:"
        for recipient in group:
            anchor = fleet.policy.name_of(recipient.text) if fleet.policy else None
            yield f"          - {f'*{anchor}' if anchor else recipient.text}"
    if readers.threshold:
        yield f"    shamir_threshold: {readers.threshold}"
