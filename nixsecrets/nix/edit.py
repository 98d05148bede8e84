"""Edits of hand-written Nix that only insert: what stands there stays, to the last blank."""

import posixpath
from collections.abc import Iterator

from tree_sitter import Node

from nixsecrets.nix import insertion
from nixsecrets.nix.bindings import (
    ATTRIBUTE_SETS,
    Binding,
    body,
    direct,
    elements,
    inner,
    lists,
)
from nixsecrets.nix.flake import add_flake_input, into_formals, sops_nix_reference
from nixsecrets.nix.insertion import Addition, NotUnderstood
from nixsecrets.nix.options import binds_option, binds_true, declared_secrets
from nixsecrets.nix.placing import add_module
from nixsecrets.nix.render import render_path
from nixsecrets.nix.syntax import Syntax, descendants, parse
from nixsecrets.nix.systems import System, find_systems, has_module

__all__ = [
    "NotUnderstood",
    "System",
    "add_argument",
    "add_flake_input",
    "add_import",
    "add_import_expression",
    "add_imported_input",
    "add_module",
    "binds_option",
    "binds_true",
    "declared_secrets",
    "find_systems",
    "has_import",
    "has_module",
    "imported_expressions",
    "sops_nix_reference",
]


def has_import(content: bytes, path: str) -> bool:
    """Tell whether the module names `path` in its `imports`, under a condition or not.

    Args:
        content: a module.
        path: relative to the module, `./secrets.nix`.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
    """
    source = parse(content)
    bound = _imports(source)
    wanted = posixpath.normpath(path)
    return bound is not None and bound.value is not None and wanted in _paths(source, bound.value)


def add_import(content: bytes, path: str) -> bytes:
    """Put `path` at the end of the module's `imports`, which are made where there are none.

    Args:
        content: a module: an attribute set, or a function that returns one.
        path: relative to the module, `./secrets.nix`.

    Returns:
        The new content; the same bytes where the import is there already.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
        NotUnderstood: the module, or what its `imports` are bound to, has another shape.
    """
    if has_import(content, path):
        return content
    source = parse(content)
    bound = _imports(source)
    if bound is not None:
        return insertion.into_list(source, bound, _import(path))
    return _first_binding(source, _import(path).inline)


def add_imported_input(content: bytes, module: str) -> bytes:
    """Put an input's module into a module's `imports`, and its first name into its arguments.

    Args:
        content: a module: an attribute set, or a function of named arguments.
        module: selected from an argument of modules (`inputs.sops-nix.nixosModules.sops`).

    Raises:
        NixSyntaxError: `content` is no Nix expression.
        NotUnderstood: the module, its arguments or its `imports` have another shape.
    """
    return add_argument(add_import_expression(content, module), module.partition(".")[0])


def add_import_expression(content: bytes, element: str) -> bytes:
    """Put an expression at the end of the module's `imports`.

    Args:
        content: a module: an attribute set, or a function that returns one.
        element: spelled as a list element.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
        NotUnderstood: the module, or what its `imports` are bound to, has another shape.
    """
    source = parse(content)
    bound = _imports(source)
    addition = Addition((element,), "to the module's `imports`")
    if bound is not None:
        return insertion.into_list(source, bound, addition)
    return _first_binding(source, element)


def add_argument(content: bytes, name: str) -> bytes:
    """Let a module take an argument by its name; the same bytes where it does.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
        NotUnderstood: it takes its arguments under one name.
    """
    source = parse(content)
    addition = Addition((name,), "to the arguments of the module")
    module = inner(source.root)
    if module.type in ATTRIBUTE_SETS:
        text = f"{{ {name}, ... }}:\n"
        return insertion.insert(source, source.root.start_byte, text, addition)
    formals = module.child_by_field_name("formals")
    if formals is None:
        raise addition.refused("the module does not take its arguments by their names", module)
    names = (each.child_by_field_name("name") for each in formals.children_by_field_name("formal"))
    if name in {source.text(each) for each in names if each is not None}:
        return content
    return into_formals(source, formals, addition)


def imported_expressions(content: bytes) -> tuple[str, ...]:
    """Return the elements of the lists that a module's `imports` spell.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
    """
    source = parse(content)
    bound = _imports(source)
    if bound is None or bound.value is None:
        return ()
    spelled = lists(source, bound.value)
    return tuple(source.text(element) for literal in spelled for element in elements(literal))


def _first_binding(source: Syntax, element: str) -> bytes:
    addition = Addition((f"imports = [ {element} ];",), "to the module")
    module = body(source.root)
    if module.type not in ATTRIBUTE_SETS:
        raise addition.refused("the module is not written as an attribute set", module)
    return insertion.first_into(source, module, addition)


def _import(path: str) -> Addition:
    literal = render_path(path)
    return Addition((f"({literal})" if " " in literal else literal,), "to the module's `imports`")


def _imports(source: Syntax) -> Binding | None:
    module = body(source.root)
    if module.type not in ATTRIBUTE_SETS:
        return None
    return next((each for each in direct(source, module) if each.path == ("imports",)), None)


def _paths(source: Syntax, value: Node) -> Iterator[str]:
    """Yield the relative paths in `value`, `./. + "/x"` included, without detours."""
    for node in descendants(value):
        if node.type == "path_expression":
            yield posixpath.normpath(source.text(node))
        elif node.type == "binary_expression":
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            below = source.string(right) if right is not None else None
            if left is not None and left.type == "path_expression" and below is not None:
                yield posixpath.normpath(source.text(left) + below)
