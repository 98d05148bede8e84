"""What a Nix source binds to what, read from its tree without evaluating anything."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tree_sitter import Node

from nixsecrets.nix.syntax import Syntax

ATTRIBUTE_SETS = frozenset({"attrset_expression", "rec_attrset_expression"})

_INNER = {
    "parenthesized_expression": "expression",
    "let_expression": "body",
    "with_expression": "body",
    "assert_expression": "body",
}

# Functions of nixpkgs' lib whose last argument (of some: each argument) is merged into the module.
_MERGING = frozenset(
    {
        "mkAfter",
        "mkBefore",
        "mkDefault",
        "mkForce",
        "mkIf",
        "mkMerge",
        "mkOptionDefault",
        "mkOrder",
        "mkOverride",
        "optionalAttrs",
        "recursiveUpdate",
    }
)

Reach = Callable[[Syntax, Node], Iterator[Node]]
"""Gives the attribute sets that an expression's value is made of: `plain` or `merged`."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One `a.b = value;`, or one name of an `inherit`.

    Args:
        path: the whole attribute path from where the walk began; None: a computed component.
        node: the binding's node; an `inherit` is shared by its names.
        value: None for what is inherited.
    """

    path: tuple[str | None, ...]
    node: Node
    value: Node | None

    @property
    def line(self) -> int:
        return self.node.start_point.row + 1


def inner(node: Node) -> Node:
    """Return what parentheses, `let`, `with` and `assert` around an expression lead to."""
    while (field := _INNER.get(node.type)) and (below := node.child_by_field_name(field)):
        node = below
    return node


def body(node: Node) -> Node:
    """Return what a function, of however many arguments, returns."""
    node = inner(node)
    while node.type == "function_expression" and (below := node.child_by_field_name("body")):
        node = inner(below)
    return node


def direct(source: Syntax, attributes: Node) -> Iterator[Binding]:
    """Yield what stands in one attribute set, nothing below it."""
    for child in attributes.children:
        if child.type == "binding_set":
            for node in child.children:
                yield from _spelled(source, node)


def bindings(source: Syntax, root: Node, reach: Reach) -> Iterator[Binding]:
    """Yield every binding below the expression `root`, in the order of the source.

    Each has its whole path: `a = { b.c = 1; };` is `a` and `a.b.c`.
    """
    waiting = [Binding((), root, root)]
    while waiting:
        found = waiting.pop()
        if found.path:
            yield found
        if found.value is not None:
            below = [
                Binding(found.path + each.path, each.node, each.value)
                for attributes in reach(source, found.value)
                for each in direct(source, attributes)
            ]
            waiting.extend(reversed(below))


def plain(_: Syntax, node: Node) -> Iterator[Node]:
    """Yield the attribute set that `node` is, with nothing that might leave it out."""
    node = inner(node)
    if node.type in ATTRIBUTE_SETS:
        yield node


def merged(source: Syntax, node: Node) -> Iterator[Node]:
    """Yield all attribute sets that may be part of `node`: of `//`, of `mkIf`, of either branch."""
    waiting = [node]
    while waiting:
        node = inner(waiting.pop())
        if node.type in ATTRIBUTE_SETS:
            yield node
        else:
            waiting.extend(reversed(_parts(source, node)))


def lists(source: Syntax, node: Node) -> Iterator[Node]:
    """Yield the list literals that are joined by `++` to make `node`, in order."""
    waiting = [node]
    while waiting:
        node = inner(waiting.pop())
        if node.type == "list_expression":
            yield node
        elif operator(source, node) == "++":
            waiting.extend(reversed(_operands(node)))


def elements(node: Node) -> tuple[Node, ...]:
    """Return the elements of a list literal."""
    return tuple(node.children_by_field_name("element"))


def call(source: Syntax, node: Node) -> tuple[str, Node] | None:
    """Return the last name of the function that is called, and its one argument."""
    function = node.child_by_field_name("function")
    argument = node.child_by_field_name("argument")
    if node.type != "apply_expression" or function is None or argument is None:
        return None
    return source.text(function).rpartition(".")[2].strip(), argument


def operator(source: Syntax, node: Node) -> str:
    """Return the binary operator of `node`, `++`; nothing for another expression."""
    sign = node.child_by_field_name("operator")
    return source.text(sign) if sign is not None else ""


def _spelled(source: Syntax, node: Node) -> Iterator[Binding]:
    match node.type:
        case "binding":
            path, value = (
                node.child_by_field_name("attrpath"),
                node.child_by_field_name("expression"),
            )
            if path is not None:
                names = tuple(map(source.attribute, path.children_by_field_name("attr")))
                yield Binding(names, node, value)
        case "inherit" | "inherit_from":
            inherited = node.child_by_field_name("attrs")
            for name in inherited.children_by_field_name("attr") if inherited is not None else ():
                yield Binding((source.attribute(name),), node, None)
        case _:
            return


def _operands(node: Node) -> list[Node]:
    sides = (node.child_by_field_name("left"), node.child_by_field_name("right"))
    return [side for side in sides if side is not None]


def _parts(source: Syntax, node: Node) -> list[Node]:
    match node.type:
        case "binary_expression" if operator(source, node) == "//":
            return _operands(node)
        case "if_expression":
            branches = (node.child_by_field_name(name) for name in ("consequence", "alternative"))
            return [branch for branch in branches if branch is not None]
        case "apply_expression":
            return _merged_arguments(source, node)
        case _:
            return []


def _merged_arguments(source: Syntax, node: Node) -> list[Node]:
    arguments: list[Node] = []
    while function := node.child_by_field_name("function"):
        arguments = [*node.children_by_field_name("argument"), *arguments]
        node = function
    if source.text(node).rpartition(".")[2] not in _MERGING:
        return []
    return [
        part
        for argument in map(inner, arguments)
        for part in (elements(argument) if argument.type == "list_expression" else (argument,))
    ]
