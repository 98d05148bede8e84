"""Which declarations' values are made from which others': inputs before what needs them."""

from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple, TypeAlias

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.generator import Generator, Reference, references
from nixsecrets.fleet.model import Address
from nixsecrets.fleet.names import nearest

Generators: TypeAlias = Mapping[Address, Generator | None]
"""Every declaration, in the manifest's order; None: its value is not generated."""
Inputs: TypeAlias = Mapping[Address, Mapping[Reference, Address]]
"""What each declaration's value is made from, by how its generator spells it."""


class Declared(NamedTuple):
    """The addresses of a manifest by what a reference may be."""

    spelled: Mapping[str, Address]
    named: Mapping[str, tuple[Address, ...]]

    @classmethod
    def of(cls, addresses: Collection[Address]) -> "Declared":
        named: dict[str, tuple[Address, ...]] = {}
        for address in addresses:
            named[address.name] = (*named.get(address.name, ()), address)
        return cls({str(address): address for address in addresses}, named)

    def find(self, reference: Reference, beside: Address) -> Address:
        """Return what a reference of the declaration `beside` means.

        A bare name is the declaration of `beside`'s own scope, else the only one of that name.

        Raises:
            RepositoryError: nothing is declared so, or several are; with what was meant, perhaps.
        """
        if reference in self.spelled:
            return self.spelled[reference]
        named = self.named.get(reference, ())
        own = [address for address in named if address.scope == beside.scope]
        if len(own or named) == 1:
            return (own or named)[0]
        if named:
            raise RepositoryError(
                f"{beside} is made from {reference!r}, which is {len(named)} secrets",
                hint=f"say which one: {', '.join(map(str, named))}",
            )
        near = nearest(reference, self.spelled) or nearest(reference, self.named)
        raise RepositoryError(
            f"{beside} is made from {reference!r}, which is not declared",
            hint=f"did you mean {' or '.join(near)}?" if near else "declare it under `secrets:`",
        )


def inputs_of(
    address: Address, generator: Generator | None, known: Declared
) -> Mapping[Reference, Address]:
    """Return what the value of one declaration is made from; raises as `Declared.find`."""
    spelled = () if generator is None else references(generator)
    return {reference: known.find(reference, address) for reference in spelled}


def inputs_of_all(generators: Generators) -> Inputs:
    """Return what each value is made from.

    Raises:
        RepositoryError: an input is not declared, or not the only one of its name.
    """
    known = Declared.of(generators.keys())
    return {address: inputs_of(address, one, known) for address, one in generators.items()}


def in_order(inputs: Inputs, wanted: Collection[Address]) -> tuple[Address, ...]:
    """Return `wanted` and all that they are made from, in any depth, inputs first.

    Raises:
        RepositoryError: values are made from each other in a circle, which the message shows.
    """
    return _sorted(inputs, _reached({one: inputs[one].values() for one in inputs}, wanted))


def dependants(inputs: Inputs, changed: Collection[Address]) -> tuple[Address, ...]:
    """Return all that is made from one of `changed`, in any depth, inputs first; without those.

    Raises:
        RepositoryError: as of `in_order`.
    """
    made_from: dict[Address, list[Address]] = {address: [] for address in inputs}
    for address, own in inputs.items():
        for one in own.values():
            made_from[one].append(address)
    found = _sorted(inputs, _reached(made_from, changed))
    return tuple(address for address in found if address not in changed)


def find_circle(inputs: Inputs) -> tuple[Address, ...]:
    """Return the addresses of a circle, the first one again at its end; none: empty."""
    try:
        TopologicalSorter(_graph(inputs, inputs.keys())).prepare()
    except CycleError as error:
        return _circle(error, tuple(inputs))
    return ()


def circle_error(circle: tuple[Address, ...]) -> RepositoryError:
    return RepositoryError(
        f"values are made from each other in a circle: {' → '.join(map(str, circle))}",
        hint="give one of them another generator",
    )


def _reached(
    graph: Mapping[Address, Collection[Address]], start: Collection[Address]
) -> frozenset[Address]:
    found, waiting = set(start), list(start)
    while waiting:
        new = [address for address in graph[waiting.pop()] if address not in found]
        found.update(new)
        waiting.extend(new)
    return frozenset(found)


def _sorted(inputs: Inputs, among: frozenset[Address]) -> tuple[Address, ...]:
    ordered = tuple(address for address in inputs if address in among)
    try:
        return tuple(TopologicalSorter(_graph(inputs, ordered)).static_order())
    except CycleError as error:
        raise circle_error(_circle(error, ordered)) from None


def _graph(inputs: Inputs, among: Collection[Address]) -> dict[Address, list[Address]]:
    inside = frozenset(among)
    return {
        address: [one for one in inputs[address].values() if one in inside] for address in among
    }


def _circle(error: CycleError, order: tuple[Address, ...]) -> tuple[Address, ...]:
    """Turn graphlib's circle so that each is made from the next and the first declared leads."""
    around: list[Address] = list(reversed(error.args[1]))[:-1]
    first = around.index(min(around, key=order.index))
    turned = around[first:] + around[:first]
    return (*turned, turned[0])
