"""New values in the place of those that stand: what is made from them follows."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet import dependencies, lockfile
from nixsecrets.fleet.address import Place, place_of
from nixsecrets.fleet.dependencies import Inputs
from nixsecrets.fleet.model import Address, Admins, AtHome, Declaration, Fleet, Template
from nixsecrets.generators import generated
from nixsecrets.generators.generated import Generated
from nixsecrets.plans import dates, documents, generate
from nixsecrets.plans.draft import Draft, Unlock

Renew = Callable[[Place, generated.Inputs], Generated]
"""Makes another value for a place, or asks a person for one; it may run a program."""


def rotate(
    draft: Draft, wanted: Sequence[Place], unlock: Unlock, renew: Renew, now: datetime
) -> Draft:
    """Return the draft with other values, and all that is made from them made anew.

    Who uses each, and what a person is to do then, are notes. The wiring stays as it is.

    Args:
        draft: so far.
        wanted: the values that are to be others.
        unlock: opens the documents.
        renew: called once for each value, inputs first.
        now: the time of the change.

    Raises:
        RepositoryError: there is no such value yet, or none of what it is made from.
        NoIdentityError: a document does not open.
    """
    for place in wanted:
        _require_value(draft, place)
    declared = {one.address: one.generator for one in draft.fleet.declarations}
    inputs = dependencies.inputs_of_all(declared)
    places = {place.address: place for place in _with_dependants(draft, wanted, inputs)}
    draft = _told(draft, tuple(places.values()), inputs)
    made: dict[Address, Generated] = {}
    for address, place in places.items():
        own = generate.inputs_for(draft, inputs.get(address, {}), made, unlock)
        try:
            made[address] = renew(place, own)
        except NixsecretsError as error:
            raise error.within(address) from None
    return generate.write(draft, made, unlock, now)


def due(draft: Draft, now: datetime) -> tuple[Place, ...]:
    """Return the values that are older than their declarations allow; of unknown age: none.

    Raises:
        RepositoryError: the lock file is damaged.
    """
    known, today = dates.known(draft), now.date()
    late = [
        place_of(draft.fleet, one.address)
        for one in draft.fleet.declarations
        if lockfile.is_over_age(one, known, today)
    ]
    return tuple(place for place in late if has_value(draft, place))


def has_value(draft: Draft, place: Place) -> bool:
    """Say whether a place holds a value; nothing is decrypted."""
    if draft.repository.sources.find(place.path) is None:
        return False
    return documents.read(draft.repository, place.path).has_leaf(place.key_path)


def _require_value(draft: Draft, place: Place) -> None:
    if not has_value(draft, place):
        is_made = place.declaration is not None and place.declaration.generator is not None
        raise RepositoryError(
            f"{place.address} has no value yet",
            hint=f"nixsecrets {'generate' if is_made else 'set'} {place.address}",
        )


def _with_dependants(draft: Draft, wanted: Sequence[Place], inputs: Inputs) -> tuple[Place, ...]:
    """Return the places with those of all that is made from them and exists, inputs first."""
    given = {place.address: place for place in wanted}
    following = dependencies.dependants(inputs, [one for one in given if one in inputs])
    found = [place_of(draft.fleet, address) for address in following]
    given.update((place.address, place) for place in found if has_value(draft, place))
    undeclared = [place for address, place in given.items() if address not in inputs]
    order = dependencies.in_order(inputs, [one for one in given if one in inputs])
    return (*undeclared, *(given[address] for address in order if address in given))


def _told(draft: Draft, places: Sequence[Place], inputs: Inputs) -> Draft:
    renewed = {place.address for place in places}
    for place in places:
        draft = draft.noting(f"{place.address} {_uses(draft.fleet, place)}")
    for place in places:
        stays = [one for one in inputs.get(place.address, {}).values() if one not in renewed]
        for one in stays:
            draft = draft.noting(f"{place.address} is made from {one}, which stays as it is")
    for place in places:
        if place.declaration is not None and place.declaration.rotation:
            draft = draft.noting(f"{place.address}, afterwards: {place.declaration.rotation}")
    return draft


def _uses(fleet: Fleet, place: Place) -> str:
    """Say who is given a value and what it sets going there, a predicate."""
    declaration = place.declaration
    if declaration is None:
        return "is not declared: nothing tells what uses it"
    templates = _templates_with(fleet, declaration) if declaration.deliver else []
    clauses = [f"is for {_readers(fleet, declaration)}"]
    if declaration.consumers:
        clauses.append(f"is read by {_listed(declaration.consumers)}")
    if templates:
        clauses.append(f"stands in {_listed([one.name for one in templates])}")
    users: Sequence[Declaration | Template] = (declaration, *templates)
    restarted = _distinct(unit for one in users for unit in one.restart_units)
    reloaded = _distinct(unit for one in users for unit in one.reload_units)
    if restarted:
        clauses.append(f"restarts {_listed(restarted)}")
    if reloaded:
        clauses.append(f"reloads {_listed(reloaded)}")
    return ", ".join(clauses)


def _readers(fleet: Fleet, declaration: Declaration) -> str:
    match declaration.scope:
        case Admins():
            return "the admins alone"
        case AtHome(host, user):
            return f"{user}@{host}"
        case scope:
            reached = map(fleet.host, fleet.manifest.hosts_of(scope))
            hosts = [host.name for host in reached if host.recipient]
            return _listed(hosts) if hosts and declaration.deliver else "no host"


def _templates_with(fleet: Fleet, declaration: Declaration) -> list[Template]:
    hosts = {*fleet.manifest.hosts_of(declaration.scope)}
    return [
        one
        for one in fleet.templates
        if declaration.name in one.names
        and not hosts.isdisjoint(fleet.manifest.hosts_of(one.scope))
    ]


def _distinct(units: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(units))


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
