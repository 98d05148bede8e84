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
)
from nixsecrets.nix.flake import add_flake_input, sops_nix_reference
from nixsecrets.nix.insertion import Addition, NotUnderstood
from nixsecrets.nix.options import binds_option, binds_true, declared_secrets
from nixsecrets.nix.render import render_path
from nixsecrets.nix.syntax import Syntax, descendants, parse
from nixsecrets.nix.systems import System, add_module, find_systems, has_module

__all__ = [
    "NotUnderstood",
    "System",
    "add_flake_input",
    "add_import",
    "add_module",
    "binds_option",
    "binds_true",
    "declared_secrets",
    "find_systems",
    "has_import",
    "has_module",
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
    return _first_binding(source, path)


def _first_binding(source: Syntax, path: str) -> bytes:
    addition = Addition((f"imports = [ {_import(path).inline} ];",), "to the module")
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
