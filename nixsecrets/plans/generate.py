"""The values that declarations ask for and that do not exist yet, in one plan."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import TypeAlias

from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet import dependencies
from nixsecrets.fleet.address import Place, place_of
from nixsecrets.fleet.generator import Reference
from nixsecrets.fleet.layout import public_half
from nixsecrets.fleet.model import Address, AtHome, Declaration, OnHost
from nixsecrets.generators.generated import Generated, Inputs
from nixsecrets.plans import dates, documents, secrets
from nixsecrets.plans.draft import Draft, Unlock
from nixsecrets.plans.secrets import Difference
from nixsecrets.sops import branch

Make = Callable[[Declaration, Inputs], Generated]
"""Makes one value; it may ask a person or run a program."""
_ByDocument: TypeAlias = dict[PurePosixPath, tuple[Place, Difference]]


def generate(
    draft: Draft, wanted: Collection[Address], unlock: Unlock, make: Make, now: datetime
) -> Draft:
    """Return the draft with every missing value, inputs first; what exists stays as it is.

    Public halves are written in clear beside the documents. A host or a home that has no key file
    is passed over with a warning.

    Args:
        draft: so far.
        wanted: of these declarations, and of what they are made from; none: of all.
        unlock: opens the documents that exist.
        make: called once for each value.
        now: the time of the change.

    Raises:
        RepositoryError: an address is not declared with a generator, or is made from a value that
            is to be set by hand and is not there.
        NoIdentityError: a document does not open.
    """
    declared = {one.address: one for one in draft.fleet.declarations}
    for address in wanted:
        _require_generator(declared, address)
    asked = wanted or [address for address, one in declared.items() if one.generator]
    draft, asked = _without_unreadable(draft, asked)
    missing = _missing(draft, declared)
    inputs = dependencies.inputs_of_all({one.address: one.generator for one in declared.values()})
    order = dependencies.in_order(
        {one: own if one in missing else {} for one, own in inputs.items()},
        [address for address in asked if address in missing],
    )
    made: dict[Address, Generated] = {}
    for address in (address for address in order if address in missing):
        own = inputs_for(draft, inputs[address], made, unlock)
        made[address] = _made(make, declared[address], own)
    draft = write(draft, made, unlock, now)
    return _told_of_older(draft, dependencies.dependants(inputs, made), missing)


def write(draft: Draft, made: Mapping[Address, Generated], unlock: Unlock, now: datetime) -> Draft:
    """Return the draft with new values and their public halves, the lock file, and the wiring."""
    new: _ByDocument = {}
    for address, one in made.items():
        place = place_of(draft.fleet, address)
        draft, difference = secrets.put(draft, place, branch.text_value(one.value), unlock, now)
        _, earlier = new.get(place.path, (place, Difference()))
        new[place.path] = place, earlier.joined(difference)
        draft = _with_public_half(draft, place, one.public)
    written = [address for _, difference in new.values() for address in difference.written]
    draft = dates.follow(draft, written, (), now)
    for place, difference in new.values():
        draft = secrets.deliver(draft, place, difference)
    return draft


def inputs_for(
    draft: Draft,
    needed: Mapping[Reference, Address],
    made: Mapping[Address, Generated],
    unlock: Unlock,
) -> Inputs:
    """Return what a value is made from: what was made just now, else what there is.

    Errors as of `value_of`.
    """
    declared = {one.address: one for one in draft.fleet.declarations} if needed else {}
    return {
        reference: made[one] if one in made else value_of(draft, declared[one], unlock)
        for reference, one in needed.items()
    }


def value_of(draft: Draft, declaration: Declaration, unlock: Unlock) -> Generated:
    """Return a value that exists, and its public half where it has one.

    Raises:
        RepositoryError: there is none.
        NoIdentityError: its document does not open.
    """
    place = place_of(draft.fleet, declaration.address)
    public = draft.repository.sources.find(public_half(place.path, place.address.name))
    if draft.repository.sources.find(place.path) is not None:
        opened = documents.value_at(draft.repository, place.path, place.key_path, unlock)
        if opened is not None and opened.value is not None:
            return Generated(opened.value, public.content if public else None)
    raise RepositoryError(
        f"{declaration.address} has no value, and others are made from it",
        hint=f"nixsecrets {'generate' if declaration.generator else 'set'} {declaration.address}",
    )


def _with_public_half(draft: Draft, place: Place, public: bytes | None) -> Draft:
    if public is None:
        return draft
    return draft.changed(
        public_half(place.path, place.address.name), public, f"the public half of {place.address}"
    )


def _made(make: Make, declaration: Declaration, inputs: Inputs) -> Generated:
    try:
        return make(declaration, inputs)
    except NixsecretsError as error:
        raise error.within(declaration.address) from None


def _missing(draft: Draft, declared: Mapping[Address, Declaration]) -> frozenset[Address]:
    """Return the addresses with a generator and without a value; nothing is decrypted."""
    places = [place_of(draft.fleet, one) for one, found in declared.items() if found.generator]
    paths = {place.path for place in places}
    known = {
        path: documents.read(draft.repository, path)
        for path in paths
        if draft.repository.sources.find(path) is not None
    }
    return frozenset(
        place.address
        for place in places
        if place.path not in known or not known[place.path].has_leaf(place.key_path)
    )


def _without_unreadable(
    draft: Draft, asked: Collection[Address]
) -> tuple[Draft, tuple[Address, ...]]:
    """Leave out what a host or a home is to read that has no key file; warn of it."""
    kept: list[Address] = []
    for address in asked:
        help_ = _hint_without_reader(draft, address)
        if help_:
            draft = draft.warning(f"{address}: its reader has no key yet: {help_}")
        else:
            kept.append(address)
    return draft, tuple(kept)


def _hint_without_reader(draft: Draft, address: Address) -> str | None:
    match address.scope:
        case OnHost(host) if draft.fleet.host(host).recipient is None:
            return f"nixsecrets add-host {host}"
        case AtHome(host, user) if not draft.fleet.user(host, user).recipients:
            return f"nixsecrets add-user-key {host} {user} RECIPIENT"
        case _:
            return None


def _told_of_older(
    draft: Draft, dependants: Collection[Address], missing: frozenset[Address]
) -> Draft:
    """Warn of what stands already and was made from another value than the one made now."""
    for address in dependants:
        if address not in missing:
            draft = draft.warning(f"{address} is made from a value that is new now: it is stale")
    return draft


def _require_generator(declared: Mapping[Address, Declaration], address: Address) -> None:
    if address not in declared:
        raise RepositoryError(f"{address} is not declared", hint="`nixsecrets ls` lists all")
    if declared[address].generator is None:
        raise RepositoryError(
            f"{address} is declared without a generator", hint=f"nixsecrets set {address}"
        )
