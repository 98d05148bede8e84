"""The systems of a flake: what it says of each, and the lists that their modules stand in."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from nixsecrets.nix.evaluation import Evaluation, Read, read_nothing
from nixsecrets.nix.expressions import RULES
from nixsecrets.nix.flake import sops_nix_name
from nixsecrets.nix.prelude import PRIMITIVES, member, module
from nixsecrets.nix.syntax import Syntax, descendants, parse
from nixsecrets.nix.values import (
    INPUTS,
    UNKNOWN,
    Built,
    FilePath,
    Items,
    Kind,
    Lazy,
    Members,
    Name,
    Place,
    Scope,
    Value,
    input_of,
    known,
)

FLAKE = PurePosixPath("flake.nix")

_HIVES = ("colmena", "colmenaHive")
_NO_NODES = frozenset({"defaults", "meta", "network"})
_SPELLED = frozenset({"path_expression", "select_expression", "variable_expression"})

Key = tuple[PurePosixPath, int, int]


@dataclass(frozen=True, slots=True)
class System:
    """One system whose name the flake's text shows.

    Args:
        attribute: its name.
        modules: the paths among its modules, from the folder of the flake
            (`./hosts/hq/configuration.nix`).
        line: 1-based, of what the attribute is bound to.
        path: the file that binds it, from the folder of the flake.
        kind: the output it stands in.
        inputs: how a module of it reaches the sops-nix input (`inputs.sops-nix`); None: not by
            its arguments, as far as the text shows.
    """

    attribute: str
    modules: tuple[str, ...]
    line: int
    path: PurePosixPath = FLAKE
    kind: Kind = Kind.NIXOS
    inputs: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A system with the places that its list of modules is made of.

    Args:
        attribute: its name.
        place: what the name is bound to.
        built: what that comes to.
    """

    attribute: str
    place: Place | None
    built: Built

    @property
    def items(self) -> tuple[Value, ...]:
        value = UNKNOWN if self.built.modules is None else self.built.modules.value
        return tuple(item.value for item in value.items) if isinstance(value, Items) else ()

    @property
    def literals(self) -> tuple[Place, ...]:
        value = UNKNOWN if self.built.modules is None else self.built.modules.value
        return value.literals if isinstance(value, Items) else ()


class Flake:
    """A flake's systems, read once.

    Args:
        content: a `flake.nix`.
        read: gives the files that it imports literally.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
    """

    def __init__(self, content: bytes, read: Read = read_nothing) -> None:
        self.source: Syntax = parse(content)
        evaluation = Evaluation(read, RULES, PRIMITIVES)
        flake = evaluation.of_file(content, FLAKE)
        evaluation.outputs = Lazy(
            lambda: evaluation.apply(evaluation.select(flake, "outputs"), known(INPUTS))
        )
        self._evaluation = evaluation
        self._outputs = evaluation.outputs.value
        self._sops_nix = sops_nix_name(self.source)
        self._reached: dict[Key, set[tuple[Kind, str]]] = defaultdict(set)
        self._found: dict[tuple[str, Kind], tuple[Found, ...]] = {}
        self.systems = tuple(self._named())
        for found in self.systems:
            self._note(found)

    def find(self, attribute: str, kind: Kind = Kind.NIXOS) -> tuple[Found, ...]:
        """Return the systems of a name; also one whose name the text does not show.

        A list of functions over names that come from elsewhere gives a system of any name.
        """
        key = (attribute, kind)
        if key not in self._found:
            self._found[key] = tuple(self._of_name(attribute, kind))
        return self._found[key]

    def reached(self, place: Place) -> frozenset[tuple[Kind, str]]:
        """Return the systems that a literal is known to be part of."""
        return frozenset(self._reached[place.key])

    def reference(self, scope: Scope) -> str | None:
        """Return how sops-nix is spelled in a scope; None: it is not in reach."""
        if self._sops_nix is None:
            return None
        for each in scope.around():
            for name, lazy in each.names.items():
                if (spelled := self._spelled(name, lazy.value)) is not None:
                    return spelled
        return None

    def carried(self, built: Built) -> str | None:
        """Return how sops-nix is spelled in a module that takes a system's special arguments."""
        special = UNKNOWN if built.special is None else built.special.value
        if input_of(special) == "":
            return self._sops_nix
        named = special.named if isinstance(special, Members) else {}
        spelled = (self._spelled(name, lazy.value) for name, lazy in named.items())
        return next((each for each in spelled if each is not None), None)

    def has(self, found: Found, wanted: str) -> bool:
        """Tell whether a system has a module, or sops-nix's under another input's name."""
        source = _without_input(wanted)
        values = (item for item in found.items if isinstance(item, Name))
        if any(source is not None and _names(item.steps, source) for item in values):
            return True
        return any(_mentions(literal, wanted) for literal in found.literals)

    def _spelled(self, name: str, value: Value) -> str | None:
        match input_of(value):
            case None:
                return None
            case "":
                return f"{name}.{self._sops_nix}" if self._sops_nix else None
            case one:
                return name if one == self._sops_nix else None

    def _note(self, found: Found) -> None:
        for literal in found.literals:
            self._reached[literal.key].add((found.built.kind, found.attribute))

    def _named(self) -> Iterator[Found]:
        for output, kind in _outputs():
            value = self._evaluation.select(self._outputs, output)
            for name in value.named if isinstance(value, Members) else ():
                yield from self._one(value, name, kind)

    def _of_name(self, attribute: str, kind: Kind) -> Iterator[Found]:
        standing = [f for f in self.systems if (f.attribute, f.built.kind) == (attribute, kind)]
        yield from standing
        for output, of_kind in _outputs():
            if of_kind is kind and not standing:
                value = self._evaluation.select(self._outputs, output)
                for found in self._one(value, attribute, kind):
                    self._note(found)
                    yield found

    def _one(self, whole: Value, name: str, kind: Kind) -> Iterator[Found]:
        lazy = whole.find(name) if isinstance(whole, Members) else None
        if lazy is None:
            return
        match lazy.value:
            case Built() as built if built.kind is kind:
                yield Found(name, lazy.place, built)
            case Built():
                return
            case value if kind is Kind.COLMENA and name not in _NO_NODES:
                yield Found(name, lazy.place, self._node(whole, value))
            case _:
                return

    def _node(self, hive: Value, value: Value) -> Built:
        """Return a node of a colmena hive, which is a module."""
        node = module(self._evaluation, value)
        place = node.place if isinstance(node, Members) else None
        if isinstance(value, FilePath):
            listed = Items((known(value),))
            return Built(Kind.COLMENA, known(listed), member(hive, "meta", "specialArgs"))
        imports = member(node, "imports")
        return Built(Kind.COLMENA, imports, member(hive, "meta", "specialArgs"), place, "imports")


def find_systems(content: bytes, read: Read = read_nothing) -> tuple[System, ...]:
    """Return the systems whose names the flake's text shows, in the order of its outputs.

    Args:
        content: a `flake.nix`.
        read: gives the files that it imports literally.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
    """
    flake = read_flake(content) if read is read_nothing else Flake(content, read)
    return tuple(describe(flake, found) for found in flake.systems)


@lru_cache(maxsize=8)
def read_flake(content: bytes) -> Flake:
    """Return the systems that a flake shows alone; remembered, since all hosts ask in turn."""
    return Flake(content)


def describe(flake: Flake, found: Found) -> System:
    paths = tuple(f"./{item.path}" for item in found.items if isinstance(item, FilePath))
    line = found.place.line if found.place else 1
    path = found.place.file.path if found.place else FLAKE
    return System(found.attribute, paths, line, path, found.built.kind, flake.carried(found.built))


def has_module(content: bytes, attribute: str, wanted: str) -> bool:
    """Tell whether a system has a module, or sops-nix's module under another input name.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
    """
    flake = read_flake(content)
    return any(flake.has(found, wanted) for found in flake.find(attribute))


def _outputs() -> Iterable[tuple[str, Kind]]:
    yield from ((kind.value, kind) for kind in Kind)
    yield _HIVES[1], Kind.COLMENA


def _without_input(wanted: str) -> tuple[str, ...] | None:
    """Return `nixosModules.sops` of any spelling of sops-nix's module; None: another module."""
    steps = tuple(wanted.split("."))
    return steps[-2:] if steps[-1] == "sops" and len(steps) > len(steps[-2:]) else None


def _names(steps: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    modules = _MODULES_OF.get(wanted[0], (wanted[0],))
    if len(steps) < len(wanted) or steps[-2] not in modules:
        return False
    return steps[-1] == "sops" or (steps[-1] == "default" and "sops-nix" in steps)


_MODULES_OF = {"homeManagerModules": ("homeManagerModules", "homeModules")}


def _mentions(literal: Place, wanted: str) -> bool:
    source, module_of = literal.file.source, _without_input(wanted)
    for node in descendants(literal.node):
        if node.type in _SPELLED:
            spelled = "".join(source.text(node).split())
            if spelled == wanted:
                return True
            if module_of is not None and _names(tuple(spelled.split(".")), module_of):
                return True
    return False
