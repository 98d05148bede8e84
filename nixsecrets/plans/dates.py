"""The lock file's dates, kept in step with the values of declarations."""

from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.fleet import lockfile
from nixsecrets.fleet.access import document_of
from nixsecrets.fleet.layout import LOCK
from nixsecrets.fleet.lockfile import Entry
from nixsecrets.fleet.model import Address, Declaration, Fleet, InFile, Scope
from nixsecrets.fleet.names import HostName
from nixsecrets.generators.specification import spec_of
from nixsecrets.plans.draft import Draft
from nixsecrets.sops.tree import KeyPath


def known(draft: Draft) -> Mapping[str, Entry]:
    """Return what the lock file knows, by the addresses as they are spelled; without it nothing.

    Raises:
        RepositoryError: it is damaged.
    """
    source = draft.repository.sources.find(LOCK)
    return lockfile.parse_lock(source.content) if source else {}


def follow(
    draft: Draft, written: Collection[Address], gone: Collection[Address], now: datetime
) -> Draft:
    """Return the draft whose lock file has today's date for what was written, without what is gone.

    Args:
        draft: so far.
        written: declared values that are others than before.
        gone: declared values that are no longer there.
        now: the time of the change.

    Raises:
        RepositoryError: the lock file is damaged.
    """
    declared = {one.address: one for one in draft.fleet.declarations} if written else {}
    entries = {one: Entry(now.date(), spec_of(declared[one].generator)) for one in written}
    return _with(draft, entries, gone)


def carry(draft: Draft, between: Mapping[Address, Address], before: Mapping[str, Entry]) -> Draft:
    """Return the draft in which copies are as old as what they were copied from.

    Args:
        draft: with the copies.
        between: from where to where; what is not declared there has no entry.
        before: what was known before they were made.
    """
    now = known(draft)
    entries = {
        target: Entry(before[str(source)].changed, now[str(target)].spec)
        for source, target in between.items()
        if str(source) in before and str(target) in now
    }
    return _with(draft, entries, ())


def rename(draft: Draft, hosts: Mapping[HostName, HostName]) -> Draft:
    """Return the draft in which the values of hosts and of their homes are known by new names."""
    source = draft.repository.sources.find(LOCK)
    if source is None:
        return draft
    addresses = {}
    for name in lockfile.parse_lock(source.content):
        kind, _, rest = name.partition("/")
        host = next((one for one in hosts if rest.startswith((f"{one}:", f"{one}/"))), None)
        if kind in ("host", "home") and host is not None:
            addresses[name] = f"{kind}/{hosts[host]}{rest.removeprefix(host)}"
    if not addresses:
        return draft
    return draft.changed(LOCK, lockfile.readdressed(source.content, addresses))


def forget(draft: Draft, gone: HostName) -> Draft:
    """Return the draft without what was known of a host's values, and of its homes'."""
    mine = (f"host/{gone}:", f"home/{gone}/")
    names = [name for name in known(draft) if name.startswith(mine)]
    return _with(draft, {}, names)


class Touched(NamedTuple):
    """Declared values that a change of a document makes others, or takes away."""

    written: frozenset[Address]
    gone: frozenset[Address]


def touched(
    fleet: Fleet,
    document: tuple[Scope | InFile, PurePosixPath],
    changed: Collection[KeyPath],
    lost: Collection[KeyPath],
) -> Touched:
    """Return which declared values a change is of.

    Args:
        fleet: with its declarations.
        document: whose it is, and where it stands.
        changed: the leaves that are new or others.
        lost: the leaves that went.
    """
    written = {one.address for one in _declared_at(fleet, document, changed)}
    less = _declared_at(fleet, document, lost)
    written.update(one.address for one in less if one.whole_file)
    gone = {one.address for one in less} - written
    return Touched(frozenset(written), frozenset(gone))


def _declared_at(
    fleet: Fleet, document: tuple[Scope | InFile, PurePosixPath], leaves: Collection[KeyPath]
) -> tuple[Declaration, ...]:
    scope, path = document
    is_own = not isinstance(scope, InFile) and document_of(fleet, scope) == path
    return tuple(
        one
        for one in fleet.declarations
        if (one.file == path if one.file else is_own and one.scope == scope)
        if any(leaf[: len(one.key_path)] == one.key_path for leaf in leaves)
    )


def _with(draft: Draft, entries: Mapping[Address, Entry], gone: Collection[Address | str]) -> Draft:
    source = draft.repository.sources.find(LOCK)
    if not entries and (source is None or not gone):
        return draft
    before = source.content if source else None
    content = lockfile.with_entries(before, entries) if entries else before
    if content is not None and gone:
        content = lockfile.without(content, gone)
    return draft.changed(LOCK, content)
