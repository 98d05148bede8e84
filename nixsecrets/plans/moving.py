"""Copy or move what stands at one place to another, sealed anew there."""

from collections.abc import Mapping
from datetime import datetime

from nixsecrets.errors import NixsecretsError, RepositoryError, UsageError
from nixsecrets.fleet.address import Address, Place
from nixsecrets.fleet.names import SecretName
from nixsecrets.plans import dates, documents, secrets
from nixsecrets.plans.draft import Draft, Unlock
from nixsecrets.plans.secrets import Difference
from nixsecrets.sops import branch
from nixsecrets.sops.branch import Branch
from nixsecrets.sops.tree import KeyPath


def copy(
    draft: Draft, between: tuple[Place, Place], unlock: Unlock, now: datetime, *, force: bool
) -> Draft:
    """Return the draft with the values of one place at another one too, their types kept.

    Args:
        draft: so far.
        between: from where, and to where.
        unlock: opens both documents.
        now: the time of the change.
        force: what stands at the other place goes; else that is an error.

    Raises:
        RepositoryError: nothing stands there, or something at the other place.
        UsageError: one place lies within the other.
        NoIdentityError: a document does not open.
    """
    before = dates.known(draft)
    draft, difference = _copied(draft, between, unlock, now, force=force)
    draft = dates.follow(draft, difference.written, difference.gone, now)
    draft = dates.carry(draft, _pairs(between, difference), before)
    return secrets.deliver(draft, between[1], difference)


def move(
    draft: Draft, between: tuple[Place, Place], unlock: Unlock, now: datetime, *, force: bool
) -> Draft:
    """Return the draft as `copy` does, with nothing left at the first place."""
    source, target = between
    before = dates.known(draft)
    draft, added = _copied(draft, between, unlock, now, force=force)
    draft, removed = secrets.cut(draft, source, unlock, now)
    both = added.joined(removed)
    draft = dates.follow(draft, both.written, both.gone, now)
    draft = dates.carry(draft, _pairs(between, added), before)
    return secrets.deliver(secrets.deliver(draft, source, removed), target, added)


def _copied(
    draft: Draft, between: tuple[Place, Place], unlock: Unlock, now: datetime, *, force: bool
) -> tuple[Draft, Difference]:
    source, target = between
    _refuse_overlap(source, target)
    values = _values(draft, source, unlock)
    documents.refuse_other_policies(draft.repository, target.path)
    present = _present(draft, target, unlock)
    if present and not force:
        raise RepositoryError(
            f"{target.address} has a value already", hint="--force puts another in its place"
        )
    removed = Difference()
    if len(present) > 1 and branch.is_one_value(values):
        draft, removed = secrets.cut(draft, target, unlock, now)
    draft, added = secrets.put(draft, target, values, unlock, now)
    return draft, removed.joined(added)._replace(gone=(removed.gone | added.gone) - added.written)


def _pairs(between: tuple[Place, Place], copied: Difference) -> Mapping[Address, Address]:
    """Return from where each declared value came that was copied; also where that is undeclared."""
    source, target = (place.address for place in between)
    pairs = {}
    for address in copied.written:
        below = str(address.name).removeprefix(target.name)
        pairs[source._replace(name=SecretName(f"{source.name}{below}"))] = address
    return pairs


def _values(draft: Draft, source: Place, unlock: Unlock) -> Branch:
    documents.refuse_other_policies(draft.repository, source.path)
    found = _present(draft, source, unlock)
    if not found:
        raise RepositoryError(f"{source.address} has no value", hint="`nixsecrets ls` lists all")
    return found


def _present(draft: Draft, place: Place, unlock: Unlock) -> Branch:
    if draft.repository.sources.find(place.path) is None:
        return ()
    try:
        opened = documents.open_at(draft.repository, place.path, unlock)
        return branch.find_branch(opened, place.key_path)
    except NixsecretsError as error:
        raise error.within(place.path) from None


def _refuse_overlap(source: Place, target: Place) -> None:
    if source.path != target.path:
        return
    if _begins(source.key_path, target.key_path) or _begins(target.key_path, source.key_path):
        raise UsageError(f"{source.address} and {target.address} lie within one another")


def _begins(path: KeyPath, start: KeyPath) -> bool:
    return path[: len(start)] == start
