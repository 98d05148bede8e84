"""Nobody is locked out: what no plan may do to a document that stays."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.age.identity import Identity
from nixsecrets.age.recipient import canonical_text
from nixsecrets.change import Change, Plan
from nixsecrets.errors import IntegrityError, NoIdentityError, RepositoryError
from nixsecrets.fleet.access import admins
from nixsecrets.fleet.load import Repository, Sources
from nixsecrets.fleet.model import Fleet, Person, Role
from nixsecrets.plans import documents
from nixsecrets.plans.recipients import opened_alike
from nixsecrets.sops import document
from nixsecrets.sops.document import Document

# Every spelling of a recipient in the metadata of a document, whatever its format; two
# expressions, since `re` searches for what one begins with faster than for one of two.
_LABELS = (re.compile(rb"age1[0-9a-z]+"), re.compile(rb"ssh-(?:rsa|ed25519) [A-Za-z0-9+/=]+"))


class _Narrowed(NamedTuple):
    """A document that a plan takes readers from."""

    path: PurePosixPath
    before: Document
    after: Document

    @property
    def labels_before(self) -> frozenset[str]:
        return frozenset(map(canonical_text, self.before.recipients))

    @property
    def labels_after(self) -> frozenset[str]:
        return frozenset(map(canonical_text, self.after.recipients))


def refuse(
    sources: Sources,
    plan: Plan,
    identities: Callable[[], Sequence[Identity]],
    read: Callable[[], Repository],
) -> None:
    """Refuse a plan that locks somebody out; documents that only gain readers cost nothing.

    Args:
        sources: the files as they are.
        plan: what is to be done.
        identities: those that are available here; asked only where a document loses readers.
        read: the repository as it is; likewise.

    Raises:
        RepositoryError: no available identity would open a document that one opens now, or a
            document would be left without any admin, or without an escrow that it names.
    """
    narrowed = tuple(_narrowed(sources, plan))
    if not narrowed:
        return
    repository = read()
    fleet, later = repository.fleet, _afterwards(repository, plan)
    found = identities()
    for one in narrowed:
        _refuse_no_identity(one, found)
        if fleet.managed:
            _refuse_no_admin(one, fleet, later)
            _refuse_no_escrow(one, later)


def _narrowed(sources: Sources, plan: Plan) -> Iterator[_Narrowed]:
    for change in plan.changes:
        before = sources.find(change.path) if change.before is not None else None
        if before is None or change.after is None:
            continue
        if _labels(before.content) - _labels(change.after):
            yield from _parsed(change, before.content)


def _labels(content: bytes) -> frozenset[bytes]:
    return frozenset(found for label in _LABELS for found in label.findall(content))


def _parsed(change: Change, before: bytes) -> Iterator[_Narrowed]:
    """Yield both states of a document; a file that is none is not meant here."""
    try:
        old, new = (
            document.parse(content, documents.form_of(change.path, content))
            for content in (before, change.after or b"")
        )
    except (RepositoryError, IntegrityError):
        return
    yield _Narrowed(change.path, old, new)


def _afterwards(repository: Repository, plan: Plan) -> Fleet:
    for change in plan.changes:
        if change.path in repository.spoken:
            repository = repository.changed(change.path, change.after)
    return repository.fleet


def _refuse_no_identity(one: _Narrowed, identities: Sequence[Identity]) -> None:
    own = {opened_alike(each.recipient) for each in identities if each.recipient}
    if len(one.after.metadata.groups) == 1 and own & one.labels_after:
        return
    if not _opens(one.after, identities) and _opens(one.before, identities):
        raise RepositoryError(
            "none of the identities that are available here would open it any more",
            hint="let somebody do this who keeps reading it, or make that identity available",
        ).within(one.path)


def _opens(sealed: Document, identities: Sequence[Identity]) -> bool:
    try:
        document.open_data_key(sealed, identities)
    except (NoIdentityError, IntegrityError):
        return False
    return True


def _refuse_no_admin(one: _Narrowed, fleet: Fleet, later: Fleet) -> None:
    had = one.labels_before & _texts(admins(fleet))
    if had and not one.labels_after & _texts(admins(later)):
        raise RepositoryError(
            "it would be left without any admin",
            hint="`nixsecrets add-admin NAME RECIPIENT` first",
        ).within(one.path)


def _refuse_no_escrow(one: _Narrowed, later: Fleet) -> None:
    for person in later.people:
        if person.role is not Role.ESCROW:
            continue
        texts = _texts((person,))
        if one.labels_before & texts and not one.labels_after & texts:
            raise RepositoryError(
                f"it would leave out {person.name}, whom every document must name as its escrow",
                hint=f"put {person.name} into its rule in {later.layout.policy}",
            ).within(one.path)


def _texts(people: Sequence[Person]) -> frozenset[str]:
    return frozenset(one.text for person in people for one in person.recipients)
