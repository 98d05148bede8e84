"""What an expression comes to, as far as the text of the repository alone shows it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePosixPath
from typing import TypeAlias

from tree_sitter import Node

from nixsecrets.nix.syntax import Syntax


class Kind(Enum):
    """What a flake says systems with, by the name of the output that holds them."""

    NIXOS = "nixosConfigurations"
    DARWIN = "darwinConfigurations"
    HOME = "homeConfigurations"
    COLMENA = "colmena"


@dataclass(frozen=True, slots=True)
class File:
    """A parsed file and where it stands, relative to the folder of the flake."""

    path: PurePosixPath
    source: Syntax


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """What names mean at a place.

    Args:
        file: the place's file.
        names: those of the innermost `let`, function or `rec`.
        parent: the scope around it; None: the file.
        environment: of a `with`, whose names everything else shadows.
    """

    file: File
    names: Mapping[str, "Lazy"] = field(default_factory=dict)
    parent: "Scope | None" = None
    environment: "Lazy | None" = None

    def around(self) -> Iterator["Scope"]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """An expression where it stands."""

    node: Node
    scope: Scope

    @property
    def file(self) -> File:
        return self.scope.file

    @property
    def line(self) -> int:
        return self.node.start_point.row + 1

    @property
    def key(self) -> tuple[PurePosixPath, int, int]:
        return (self.file.path, self.node.start_byte, self.node.end_byte)


class Lazy:
    """A value that is found when it is asked for, once; one that needs itself is unknown."""

    __slots__ = ("_find", "_value", "place")

    def __init__(self, find: "Callable[[], Value]", place: Place | None = None) -> None:
        self._find: Callable[[], Value] | None = find
        self._value: Value = UNKNOWN
        self.place = place

    @property
    def value(self) -> "Value":
        find, self._find = self._find, None
        if find is not None:
            self._value = find()
        return self._value


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class FilePath:
    """A path, relative to the folder of the flake."""

    path: PurePosixPath


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    holds: bool


@dataclass(frozen=True, slots=True, eq=False)
class Name:
    """What the text does not say: how it is selected, from something that is not known."""

    steps: tuple[str, ...]

    @property
    def last(self) -> str:
        return self.steps[-1] if self.steps else ""


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """A list: its elements, and the literals that they stand in."""

    items: tuple[Lazy, ...] = ()
    literals: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """An attribute set.

    Args:
        named: the attributes whose names are known.
        other: gives what any other name is bound to; None: there are no others.
        place: the literal, where it is one.
    """

    named: Mapping[str, Lazy]
    other: Callable[[str], Lazy] | None = None
    place: Place | None = None

    def find(self, name: str) -> Lazy | None:
        found = self.named.get(name)
        return found if found is not None or self.other is None else self.other(name)


@dataclass(frozen=True, slots=True, eq=False)
class Lambda:
    node: Node
    scope: Scope


@dataclass(frozen=True, slots=True, eq=False)
class Partial:
    """A known function of several arguments that has not got all of them yet."""

    name: str
    arguments: tuple[Lazy, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """A system: the list of its modules, and where one goes that it does not have.

    Args:
        modules: None: it has no list.
        special: the arguments that its modules take beside the usual ones.
        holder: an attribute set that can take `binding`; None: no list may be begun.
        binding: what the list is called there.
    """

    kind: Kind
    modules: Lazy | None
    special: Lazy | None = None
    holder: Place | None = None
    binding: str = "modules"


Value: TypeAlias = Text | FilePath | Truth | Name | Items | Members | Lambda | Partial | Built

UNKNOWN = Name(())
INPUTS = Name(("inputs of the flake",))
"""The inputs of the flake; one of them is selected from it."""


def known(value: Value) -> Lazy:
    return Lazy(lambda: value)


def input_of(value: Value) -> str | None:
    """Return which of the flake's inputs a value is; the empty text: the set of them."""
    match value:
        case Name((origin,)) if (origin,) == INPUTS.steps:
            return ""
        case Name((origin, name)) if (origin,) == INPUTS.steps:
            return name
        case _:
            return None
