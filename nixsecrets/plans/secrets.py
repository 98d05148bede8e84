"""Change what stands at one place: write it, or take it away."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet.access import (
    admins,
    delivered,
    document_of,
    names_of,
    possible_documents,
)
from nixsecrets.fleet.address import Place, place_of
from nixsecrets.fleet.layout import MANIFEST, public_half
from nixsecrets.fleet.model import Address, Admins, AtHome, Deliver, Fleet, Host, InFile
from nixsecrets.fleet.names import SecretName, clashes
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import dates, documents, policy, recipients, wiring
from nixsecrets.plans.documents import leaf_name
from nixsecrets.plans.draft import Draft, Unlock
from nixsecrets.sops import branch, document, sealing
from nixsecrets.sops.branch import Branch, is_one_value
from nixsecrets.sops.keygroups import KeyGroups
from nixsecrets.sops.sealing import Terms
from nixsecrets.sops.stores.formats import Format, format_of

_NOTHING = {Format.JSON: b"{}\n"}
"""Texts in clear without a value; in other formats that is an empty one."""


def set_value(draft: Draft, place: Place, value: Plaintext, unlock: Unlock, now: datetime) -> Draft:
    """Return the draft with a string at a place; as `set_branch` does."""
    return set_branch(draft, place, branch.text_value(value), unlock, now)


def set_branch(draft: Draft, place: Place, values: Branch, unlock: Unlock, now: datetime) -> Draft:
    """Return the draft with values at a place; a new document, rule and wiring come with it.

    What stands there already leaves the document untouched. An existing leaf changes its document
    only. A new one also changes the wiring of the hosts that are to have it: where it is declared,
    or where the manifest delivers everything.

    Raises:
        RepositoryError: the name cannot stand there, or no rule governs the document.
        NoIdentityError: the document does not open.
    """
    draft, difference = put(draft, place, values, unlock, now)
    for written in sorted(difference.written):
        public = public_half(place.path, written.name)
        if draft.repository.sources.find(public) is not None:
            draft = draft.warning(
                f"{public} stays as it is: see that it is {written}'s public half"
            )
    draft = dates.follow(draft, difference.written, difference.gone, now)
    return deliver(draft, place, difference)


def set_every(
    draft: Draft, name: SecretName, value: Callable[[], Plaintext], unlock: Unlock, now: datetime
) -> Draft:
    """Return the draft with a value of its own for each host that is to have one and has none.

    A host without a key file is passed over with a warning.

    Args:
        draft: so far.
        name: declared once for several hosts.
        value: makes a new one.
        unlock: opens the documents that exist.
        now: the time of the change.

    Raises:
        RepositoryError: nothing is declared under that name for several hosts.
        NoIdentityError: a document does not open.
    """
    declared = [one for one in draft.fleet.declarations if one.name == name and one.each]
    if not declared:
        raise RepositoryError(
            f"{name} is not declared for every host",
            hint=f"declare it under `secrets.each` of {MANIFEST}",
        )
    for place in (place_of(draft.fleet, declaration.address) for declaration in declared):
        (host,) = _reached(draft, place)
        if host.recipient is None:
            draft = draft.warning(f"{host.name}: no key yet: nixsecrets add-host {host.name}")
        elif not _holds(draft, place):
            draft = set_value(draft, place, value(), unlock, now)
    return draft


def remove(draft: Draft, place: Place, unlock: Unlock, now: datetime) -> Draft:
    """Return the draft without what stands at a place; declarations of it stay and are told.

    Raises:
        RepositoryError: there is nothing.
        NoIdentityError: the document does not open.
    """
    draft, difference = cut(draft, place, unlock, now)
    for gone in sorted(difference.gone):
        public = public_half(place.path, gone.name)
        if draft.repository.sources.find(public) is not None:
            draft = draft.changed(public, None, f"- the public half of {gone}")
    draft = dates.follow(draft, difference.written, difference.gone, now)
    return deliver(draft, place, difference)


class Difference(NamedTuple):
    """What has changed in a document.

    Args:
        added: the names of values that came.
        removed: the names of values that went.
        written: the declared values that are others now.
        gone: the declared values that went.
    """

    added: frozenset[SecretName] = frozenset()
    removed: frozenset[SecretName] = frozenset()
    written: frozenset[Address] = frozenset()
    gone: frozenset[Address] = frozenset()

    def joined(self, later: "Difference") -> "Difference":
        """Return what has changed by this and then by a later change of other values."""
        return Difference(
            self.added | later.added,
            self.removed | later.removed,
            self.written | later.written,
            self.gone | later.gone,
        )


def put(
    draft: Draft, place: Place, values: Branch, unlock: Unlock, now: datetime
) -> tuple[Draft, Difference]:
    """Return what `set_branch` does before the wiring, and what that has to be told."""
    documents.refuse_other_policies(draft.repository, place.path)
    if is_one_value(values) and not values[0].value:
        draft = draft.warning(f"{place.address} is empty, and an empty value is never encrypted")
    if draft.repository.sources.find(place.path) is None:
        draft = _new_document(draft, place, values, now)
        came = _difference(draft.fleet, place, (), values)
        return draft, came._replace(added=frozenset(_names(place, values)))
    opened = documents.open_at(draft.repository, place.path, unlock)
    present = branch.find_branch(opened, place.key_path)
    try:
        values = branch.fitted(values, opened.document.form)
        if values == present:
            return draft.noting(f"{place.address} has that value already"), Difference()
        content = branch.set_branch(opened, place.key_path, values, now)
    except NixsecretsError as error:
        raise error.within(place.path) from None
    before, after = _names(place, present), _names(place, values)
    signs = (
        *(("" if name in before else "+ ", name) for name in after),
        *(("- ", name) for name in before if name not in after),
    )
    why = (f"{sign}{_spelled(place, name)}" for sign, name in signs)
    draft = _warn_of_clear(draft.changed(place.path, content, *why), place)
    difference = _difference(draft.fleet, place, present, values)
    return draft, difference._replace(
        added=frozenset(after) - {*before}, removed=frozenset(before) - {*after}
    )


def cut(draft: Draft, place: Place, unlock: Unlock, now: datetime) -> tuple[Draft, Difference]:
    """Return what `remove` does before the wiring, and what that has to be told."""
    documents.refuse_other_policies(draft.repository, place.path)
    if draft.repository.sources.find(place.path) is None:
        raise _unknown(place)
    opened = documents.open_at(draft.repository, place.path, unlock)
    present = branch.find_branch(opened, place.key_path)
    gone = _names(place, present)
    if not gone:
        raise _unknown(place)
    try:
        content = branch.remove_branch(opened, place.key_path, now)
    except NixsecretsError as error:
        raise error.within(place.path) from None
    draft = draft.changed(place.path, content, *(f"- {_spelled(place, name)}" for name in gone))
    difference = _difference(draft.fleet, place, present, ())
    return draft, difference._replace(removed=frozenset(gone))


def _difference(fleet: Fleet, place: Place, before: Branch, after: Branch) -> Difference:
    """Return which declared values another branch at a place makes others, or takes away."""
    were, are = ({one.path: one for one in values} for values in (before, after))
    changed = [(*place.key_path, *path) for path, one in are.items() if were.get(path) != one]
    lost = [(*place.key_path, *path) for path in were.keys() - are.keys()]
    found = dates.touched(fleet, (place.address.scope, place.path), changed, lost)
    return Difference(written=found.written, gone=found.gone)


def deliver(draft: Draft, place: Place, difference: Difference) -> Draft:
    """Return the draft with the wiring of the hosts that read a document that was changed."""
    _refuse_clash(draft, place, difference.added)
    scope = place.address.scope
    declared = {one.name: one for one in draft.fleet.declarations if scope == one.scope}
    for name in sorted(difference.removed & declared.keys()):
        draft = draft.warning(
            f"{declared[name].address} is still declared ({MANIFEST}:{declared[name].line})"
            + ("; a host that is to have it will not build" if declared[name].deliver else "")
        )
    everything = draft.fleet.manifest.deliver is Deliver.ALL
    undeclared = (difference.added | difference.removed) - declared.keys()
    reached = map(draft.fleet.host, draft.fleet.manifest.hosts_wired(scope))
    hosts = [host for host in reached if host.recipient]
    if difference.added & declared.keys() or (everything and undeclared):
        return wiring.bring(draft, hosts)
    change = draft.repository.changes.get(place.path)
    if change is not None and change.before is None:
        return wiring.bring(draft, [host for host in hosts if _is_wired(draft, host)])
    return draft


def _is_wired(draft: Draft, host: Host) -> bool:
    """Say whether a host has wiring already, which names its document once there is one."""
    path = draft.fleet.layout.wiring(host.name, host.directory)
    return draft.repository.sources.find(path) is not None


def terms_of(
    draft: Draft, path: PurePosixPath, hint: str | None = None
) -> tuple[Draft, KeyGroups, Terms]:
    """Return the draft with a rule for a new document, its readers, and how it is made.

    Raises:
        RepositoryError: no rule governs it; with `hint`.
    """
    draft = policy.bring_rule_of(draft, path)
    readers = recipients.intended(draft.fleet, path)
    rule = draft.fleet.policy.rule_for(path) if draft.fleet.policy else None
    if rule is None or readers is None:
        raise RepositoryError(
            "no rule of the policy governs it, so that nobody could read it",
            hint=hint or f"add a creation rule for it to {draft.fleet.layout.policy}",
        ).within(path)
    _refuse_open_admins(draft, path, readers)
    if rule.foreign:
        kinds = ", ".join(dict.fromkeys(entry.kind for entry in rule.foreign))
        draft = draft.warning(f"{path} is made for age recipients only, without {kinds}")
    return draft, readers, Terms(format_of(path.name), rule.selection, rule.mac_only_encrypted)


def _refuse_open_admins(draft: Draft, path: PurePosixPath, readers: KeyGroups) -> None:
    """Refuse to make an admins' document where a rule of the people's lets others read it."""
    given = (one for one in possible_documents(draft.fleet) if one.path == path)
    if not any(isinstance(one.scope, Admins | InFile) for one in given):
        return
    own = {one.text for person in admins(draft.fleet) for one in person.recipients}
    others = [one for one in readers.recipients if one.text not in own]
    if others:
        names = ", ".join(names_of(draft.fleet, one.text) for one in others)
        raise RepositoryError(
            f"is for admins alone, and the rule that governs it names {names} too",
            hint=f"give {path} a rule of its own in {draft.fleet.layout.policy}, before that one",
        ).within(path)


def _holds(draft: Draft, place: Place) -> bool:
    if draft.repository.sources.find(place.path) is None:
        return False
    return documents.read(draft.repository, place.path).has_leaf(place.key_path)


def _unknown(place: Place) -> RepositoryError:
    return RepositoryError(f"no document has {place.address}", hint="`nixsecrets ls` lists all")


def _new_document(draft: Draft, place: Place, values: Branch, now: datetime) -> Draft:
    draft, wanted, terms = terms_of(draft, place.path, _hint_for_unruled(draft, place))
    try:
        values = branch.fitted(values, terms.form)
        if is_one_value(values):
            scalar = values[0].scalar
            content = sealing.seal_leaf(place.key_path, scalar, wanted, now, terms)
        else:
            clear = Plaintext(_NOTHING.get(terms.form, b""))
            clear = branch.insert_branch(clear, terms.form, place.key_path, values)
            content = sealing.seal(clear, wanted, now, terms)
    except NixsecretsError as error:
        raise error.within(place.path) from None
    names = recipients.describe_readers(draft.fleet, wanted)
    lines = (f"+ {_spelled(place, name)}" for name in _names(place, values))
    draft = draft.changed(place.path, content, f"new document for {names}", *lines)
    return _warn_of_clear(draft, place)


def _hint_for_unruled(draft: Draft, place: Place) -> str | None:
    match place.address.scope:
        case InFile():
            return None
        case Admins():
            return f"no admin has a key file yet; see {draft.fleet.layout.policy}"
        case AtHome(home, user):
            return f"nixsecrets add-user-key {home} {user} RECIPIENT"
        case _:
            hosts = [host.name for host in _reached(draft, place) if host.recipient is None]
            return " and ".join(f"nixsecrets add-host {name}" for name in hosts) or (
                f"its readers have no key file yet; see {draft.fleet.layout.policy}"
            )


def _names(place: Place, values: Branch) -> Sequence[SecretName]:
    return [SecretName(leaf_name((*place.key_path, *one.path))) for one in values]


def _spelled(place: Place, name: SecretName) -> str:
    return str(place.address._replace(name=name))


def _warn_of_clear(draft: Draft, place: Place) -> Draft:
    """Look at what was made: a rule about comments cannot be asked about a path alone."""
    source = draft.repository.sources.read(place.path)
    form = documents.form_of(place.path, source.content)
    for state in document.parse(source.content, form).leaf_states(place.key_path):
        if not (state.sealed_as or state.empty):
            address = _spelled(place, SecretName(leaf_name(state.path)))
            draft = draft.warning(
                f"{address} will stand in clear: its document's rule leaves it out"
            )
    return draft


def _reached(draft: Draft, place: Place) -> list[Host]:
    scope = place.address.scope
    elsewhere = place.declaration is not None and place.declaration.file == place.path
    if isinstance(scope, InFile) or not (
        elsewhere or document_of(draft.fleet, scope) == place.path
    ):
        return []
    return [draft.fleet.host(name) for name in draft.fleet.manifest.hosts_of(scope)]


def _refuse_clash(draft: Draft, place: Place, added: frozenset[SecretName]) -> None:
    for host in _reached(draft, place):
        names = {one.name for one in delivered(draft.fleet, host)} | added
        for outer, inner in clashes(sorted(names)):
            if {outer, inner} & added:
                raise RepositoryError(
                    f"{outer} beside {inner} on {host.name}: "
                    "a file and a folder of one name cannot both be delivered"
                )
