"""The NixOS systems that a flake spells out."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from tree_sitter import Node

from nixsecrets.nix import insertion
from nixsecrets.nix.bindings import (
    ATTRIBUTE_SETS,
    Binding,
    call,
    direct,
    elements,
    inner,
    lists,
    merged,
    plain,
)
from nixsecrets.nix.insertion import Addition
from nixsecrets.nix.syntax import Syntax, descendants, parse

_SOPS_MODULE = ".nixosModules.sops"
_SOPS_DEFAULT = ".nixosModules.default"


@dataclass(frozen=True, slots=True)
class System:
    """One literal `nixosSystem { … }` under `nixosConfigurations`.

    Args:
        attribute: its name.
        modules: the path literals of its `modules` as they stand (`./hosts/hq/configuration.nix`).
        line: 1-based, of the attribute.
    """

    attribute: str
    modules: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class _Call:
    """The attribute set that `nixosSystem` is called with, and the attribute it is bound to."""

    attribute: str
    argument: Node
    line: int


def find_systems(content: bytes) -> tuple[System, ...]:
    """Return the systems whose name and `nixosSystem` stand in the flake literally, in order.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
    """
    source = parse(content)
    return tuple(
        System(each.attribute, tuple(_module_paths(source, each)), each.line)
        for each in _calls(source)
    )


def has_module(content: bytes, attribute: str, module: str) -> bool:
    """Tell whether a literal system has `module`, or sops-nix's module under another input name.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
    """
    return attribute in _attributes_with(content, module)


@lru_cache(maxsize=8)
def _attributes_with(content: bytes, module: str) -> frozenset[str]:
    """Return the systems that have a module; remembered, since every host of a fleet asks."""
    source = parse(content)
    return frozenset(
        each.attribute
        for each in _calls(source)
        for bound in [_modules(source, each)]
        if bound is not None
        and bound.value is not None
        and _names_module(source, bound.value, module)
    )


def add_module(content: bytes, attribute: str, module: str) -> bytes:
    """Put `module` at the end of the `modules` of a literal system.

    Args:
        content: a `flake.nix`.
        attribute: the system's name under `nixosConfigurations`.
        module: an expression that is a list element as it stands
            (`inputs.sops-nix.nixosModules.sops`).

    Returns:
        The new content; the same bytes where the module is there already.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
        NotUnderstood: no system of that name stands there literally, or several, or its
            `modules` are computed.
    """
    if has_module(content, attribute, module):
        return content
    source = parse(content)
    addition = Addition((module,), f"to the `modules` of nixosConfigurations.{attribute}")
    found = [each for each in _calls(source) if each.attribute == attribute]
    if len(found) != 1:
        raise addition.refused(f"{attribute} is not one literal nixosSystem of the flake")
    bound = _modules(source, found[0])
    if bound is None:
        raise addition.refused(f"{attribute} has no list of modules", found[0].argument)
    return insertion.into_list(source, bound, addition)


def _calls(source: Syntax) -> Iterator[_Call]:
    for bound in _configurations(source):
        value = None if bound.value is None else inner(bound.value)
        called = None if value is None else call(source, value)
        if called is not None and called[0] == "nixosSystem" and bound.path[0] is not None:
            for argument in plain(source, called[1]):
                yield _Call(bound.path[0], argument, bound.line)


def _configurations(source: Syntax) -> Iterator[Binding]:
    """Yield what is bound right below any `nixosConfigurations`."""
    for node in descendants(source.root):
        if node.type in ATTRIBUTE_SETS:
            for bound in direct(source, node):
                yield from _below_configurations(source, bound)


def _below_configurations(source: Syntax, bound: Binding) -> Iterator[Binding]:
    if "nixosConfigurations" not in bound.path:
        return
    below = bound.path[bound.path.index("nixosConfigurations") + 1 :]
    if len(below) == 1:
        yield Binding(below, bound.node, bound.value)
    if not below and bound.value is not None:
        for attributes in merged(source, bound.value):
            yield from (each for each in direct(source, attributes) if len(each.path) == 1)


def _modules(source: Syntax, found: _Call) -> Binding | None:
    every = direct(source, found.argument)
    return next((each for each in every if each.path == ("modules",)), None)


def _module_paths(source: Syntax, found: _Call) -> Iterator[str]:
    bound = _modules(source, found)
    if bound is not None and bound.value is not None:
        for literal in lists(source, bound.value):
            for element in elements(literal):
                if element.type == "path_expression":
                    yield source.text(element)


def _names_module(source: Syntax, value: Node, module: str) -> bool:
    spelled = {
        "".join(source.text(node).split())
        for node in descendants(value)
        if node.type in {"path_expression", "select_expression", "variable_expression"}
    }
    if module.endswith(_SOPS_MODULE):
        default = module.removesuffix(_SOPS_MODULE) + _SOPS_DEFAULT
        return default in spelled or any(name.endswith(_SOPS_MODULE) for name in spelled)
    return module in spelled
