"""Modules put into the lists of a flake's systems, all in one pass over each file."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from nixsecrets.nix.bindings import lists
from nixsecrets.nix.insertion import (
    Addition,
    Insertion,
    NotUnderstood,
    at_end,
    at_start,
    inserted,
    joined,
)
from nixsecrets.nix.systems import FLAKE, Flake, Found, read_flake
from nixsecrets.nix.values import Kind, Place

Element = Callable[[Place], str | None]
"""Spells a module for the place it is to stand in; None: its names are not in reach there."""

Wanted = tuple[Kind, str]

_BUILDERS = {
    Kind.NIXOS: "nixosSystem",
    Kind.DARWIN: "darwinSystem",
    Kind.HOME: "homeManagerConfiguration",
    Kind.COLMENA: "node",
}


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of a module that systems are to have.

    Args:
        files: the new contents, by their paths from the folder of the flake.
        refused: the systems that no list was found for, and why.
    """

    files: Mapping[PurePosixPath, bytes]
    refused: tuple[tuple[Wanted, NotUnderstood], ...]


@dataclass(frozen=True, slots=True)
class Module:
    """A module that systems are to have.

    Args:
        spell: spells it for a place.
        text: how it is spelled where a person is told to add it.
        alone: it may stand in no list that other systems share.
    """

    spell: Element
    text: str
    alone: bool = False


@dataclass(frozen=True, slots=True)
class _Spot:
    place: Place
    insertion: Insertion


def add_modules(flake: Flake, wanted: Sequence[Wanted], module: Module) -> Placed:
    """Put a module into systems.

    A list that is part of none but wanted systems is taken before the systems' own lists; one
    that others share, last.

    Args:
        flake: with the systems.
        wanted: kind and attribute of each, without those that have the module.
        module: what they are to have.
    """
    spots: dict[tuple[PurePosixPath, int], _Spot] = {}
    refused: list[tuple[Wanted, NotUnderstood]] = []
    found = [(one, system) for one in wanted for system in flake.find(one[1], one[0])]
    for kind, attribute in wanted:
        if not flake.find(attribute, kind):
            problem = f"{attribute} is not one literal {_BUILDERS[kind]} of the flake"
            addition = _addition(kind, attribute, module.text)
            refused.append(((kind, attribute), addition.refused(problem)))
    for one, system in found:
        try:
            spot = _spot(flake, system, frozenset(wanted), module)
        except NotUnderstood as error:
            refused.append((one, error))
        else:
            spots.setdefault((spot.place.file.path, spot.insertion.offset), spot)
    return Placed(_written(spots.values()), tuple(refused))


def add_module(content: bytes, attribute: str, module: str) -> bytes:
    """Put a module into the list of modules of one NixOS system.

    Args:
        content: a `flake.nix`.
        attribute: the system's name under `nixosConfigurations`.
        module: an expression that is a list element as it stands
            (`inputs.sops-nix.nixosModules.sops`).

    Returns:
        The new content; the same bytes where the module is there already.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
        NotUnderstood: the flake's text shows no such system, or no list of its modules.
    """
    flake = read_flake(content)
    if any(flake.has(found, module) for found in flake.find(attribute)):
        return content
    placed = add_modules(flake, [(Kind.NIXOS, attribute)], Module(lambda _: module, module))
    for _, refusal in placed.refused:
        raise refusal
    return placed.files.get(FLAKE, content)


def _addition(kind: Kind, attribute: str, text: str) -> Addition:
    where = "imports" if kind is Kind.COLMENA else "modules"
    return Addition((text,), f"to the `{where}` of {kind.value}.{attribute}")


def _spot(flake: Flake, system: Found, wanted: frozenset[Wanted], module: Module) -> _Spot:
    """Return where a module goes.

    Raises:
        NotUnderstood: nowhere, as far as the text shows.
    """
    kind = system.built.kind
    addition = _addition(kind, system.attribute, module.text)
    candidates = sorted(_candidates(system), key=lambda each: _order(flake, each, wanted))
    for place in candidates:
        if module.alone and len(flake.reached(place)) > 1:
            continue
        if (text := module.spell(place)) is not None:
            spelled = Addition((text,), addition.where)
            return _Spot(place, at_end(place.file.source, place.node, spelled))
    if candidates and not module.alone:
        problem = "the inputs of the flake are not in reach where the modules are listed"
        raise addition.refused(problem, candidates[0].node).within(candidates[0].file.path)
    return _begun(system, module, addition)


def _begun(system: Found, module: Module, addition: Addition) -> _Spot:
    """Return where `++` goes behind a list without a literal, or where a new list is bound.

    Raises:
        NotUnderstood: nowhere.
    """
    built, holder = system.built, system.built.holder
    place = built.modules.place if built.modules is not None else holder
    if place is None:
        node = system.place.node if system.place else None
        problem = "has no list of modules that can be followed"
        raise addition.refused(f"{system.attribute} {problem}", node)
    text = module.spell(place)
    if text is None or (module.alone and place is holder and len(system.literals) > 1):
        raise addition.refused("the inputs of the flake are not in reach there", place.node)
    if built.modules is not None:
        spelled = Addition((text,), addition.where)
        return _Spot(place, joined(place.file.source, place.node, spelled))
    binding = Addition((f"{built.binding} = [ {text} ];",), addition.where)
    return _Spot(place, at_start(place.file.source, place.node, binding))


def _candidates(system: Found) -> Iterator[Place]:
    """Yield the literals of a system, those first that its own list spells."""
    bound = system.built.modules.place if system.built.modules else None
    literals = system.literals
    if bound is not None:
        own = {node.id for node in lists(bound.file.source, bound.node)}
        literals = (
            *(each for each in literals if each.node.id in own),
            *(each for each in literals if each.node.id not in own),
        )
    yield from literals


def _order(flake: Flake, place: Place, wanted: frozenset[Wanted]) -> tuple[bool, bool, int]:
    """Return what lists are sorted by: those of a `let` may be part of other things too."""
    reached = flake.reached(place)
    exactly = reached <= wanted
    return (_is_named(place), not exactly, -len(reached) if exactly else len(reached))


def _is_named(place: Place) -> bool:
    above = place.node.parent
    holder = above.parent.parent if above is not None and above.parent is not None else None
    bound = above is not None and above.type == "binding"
    return bound and holder is not None and holder.type == "let_expression"


def _written(spots: Iterable[_Spot]) -> Mapping[PurePosixPath, bytes]:
    by_file: dict[PurePosixPath, list[_Spot]] = defaultdict(list)
    for spot in spots:
        by_file[spot.place.file.path].append(spot)
    return {
        path: inserted(found[0].place.file.source, [spot.insertion for spot in found])
        for path, found in by_file.items()
    }
