"""`flake.nix`: its inputs, and the arguments of its outputs."""

import re

from tree_sitter import Node

from nixsecrets.nix import insertion
from nixsecrets.nix.bindings import (
    ATTRIBUTE_SETS,
    Binding,
    bindings,
    direct,
    inner,
    plain,
)
from nixsecrets.nix.insertion import Addition
from nixsecrets.nix.render import render_component
from nixsecrets.nix.syntax import Syntax, parse

SOPS_NIX_URL = "github:Mic92/sops-nix"

# What stands between an argument and the comma behind it.
_COMMA = re.compile(rb"(?>\s+|#[^\r\n]*|/\*.*?\*/)*+,", re.DOTALL)

# Any way to fetch it: github:, git+https:, a tarball, FlakeHub, a checkout, somebody's fork.
_SOPS_NIX = re.compile(r"(?:^|[/:])sops-nix(?:\.git)?(?:[/?#]|$)")


def add_flake_input(content: bytes) -> bytes:
    """Declare sops-nix as an input, and let `outputs` take it.

    Args:
        content: a `flake.nix`.

    Returns:
        The new content; the same bytes where the input is declared, under whatever name, and
        `outputs` can reach it.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
        NotUnderstood: `inputs` or `outputs` has another shape.
    """
    _outputs(parse(content))
    return _add_argument(_add_input(content))


def sops_nix_reference(content: bytes) -> str:
    """Return how `outputs` spells the sops-nix input: `sops-nix`, `inputs.sops-nix`.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
        NotUnderstood: the input is not declared, or `outputs` does not take it.
    """
    source = parse(content)
    name = sops_nix_name(source)
    reference = None if name is None else _reference(source, _outputs(source), name)
    if reference is None:
        raise _input_addition(source).refused("sops-nix is no input that outputs takes")
    return reference


def _add_input(content: bytes) -> bytes:
    source = parse(content)
    if sops_nix_name(source) is not None:
        return content
    addition = _input_addition(source)
    top = _top(source)
    standing = _inputs(source)
    block = next((each for each in standing if each.path == ("inputs",)), None)
    if block is None:
        dotted = [each for each in direct(source, top) if each.path[0] == "inputs"]
        if not dotted:
            return insertion.first_into(source, top, addition)
        return insertion.after(source, dotted[-1].node, addition)
    attributes = None if block.value is None else next(plain(source, block.value), None)
    if attributes is None:
        raise addition.refused("inputs are not written as an attribute set", block.node)
    last = [each.node for each in direct(source, attributes)]
    if not last:
        return insertion.within(source, attributes, addition)
    return insertion.after(source, last[-1], addition)


def _input_addition(source: Syntax) -> Addition:
    standing = _inputs(source)
    names = {each.path[1] for each in standing if len(each.path) > 1}
    in_block = any(each.path == ("inputs",) for each in standing)
    prefix = "" if in_block else "inputs."
    where = "to the flake's `inputs`" if in_block else "to the flake"
    url = f'url = "{SOPS_NIX_URL}";'
    follows = 'inputs.nixpkgs.follows = "nixpkgs";'
    if "nixpkgs" not in names and not _braced(standing):
        return Addition((f"{prefix}sops-nix.{url}",), where)
    if _dotted(standing):
        return Addition((f"{prefix}sops-nix.{url}", f"{prefix}sops-nix.{follows}"), where)
    inside = (url, follows) if "nixpkgs" in names else (url,)
    return Addition((f"{prefix}sops-nix = {{", *(f"  {line}" for line in inside), "};"), where)


def _braced(standing: list[Binding]) -> bool:
    return any(each.path[1:] and not each.path[2:] for each in standing)


def _dotted(standing: list[Binding]) -> bool:
    """Tell whether an input with more than a URL is spelled `x.url = …; x.inputs.… = …;`."""
    return not _braced(standing) and any(each.path[2:3] == ("inputs",) for each in standing)


def _inputs(source: Syntax) -> list[Binding]:
    every = bindings(source, _top(source), plain)
    return [each for each in every if each.path[0] == "inputs"]


def _top(source: Syntax) -> Node:
    if source.root.type not in ATTRIBUTE_SETS:
        addition = Addition((f'inputs.sops-nix.url = "{SOPS_NIX_URL}";',), "to the flake")
        raise addition.refused("the flake is not an attribute set", source.root)
    return source.root


def sops_nix_name(source: Syntax) -> str | None:
    """Return the name of the input that is sops-nix by its URL, else by its name."""
    standing = [each for each in _inputs(source) if len(each.path) > 1]
    by_url = (
        each.path[1]
        for each in standing
        if each.path[2:] in {("url",), ("repo",), ("follows",)}
        and each.value is not None
        and _SOPS_NIX.search(source.string(each.value) or source.text(each.value))
    )
    by_name = (each.path[1] for each in standing if each.path[1] == "sops-nix")
    return next((name for name in (*by_url, *by_name) if name is not None), None)


def _outputs(source: Syntax) -> Node:
    """Return the function that `outputs` is."""
    for each in direct(source, _top(source)):
        if each.path == ("outputs",) and each.value is not None:
            value = inner(each.value)
            if value.type == "function_expression":
                return value
    raise _input_addition(source).refused("outputs is not written as a function")


def _reference(source: Syntax, function: Node, name: str) -> str | None:
    formals = function.child_by_field_name("formals")
    if formals is not None and name in _arguments(source, formals):
        return name
    whole = function.child_by_field_name("universal")
    open_end = formals is None or formals.child_by_field_name("ellipses") is not None
    return f"{source.text(whole)}.{render_component(name)}" if whole and open_end else None


def _arguments(source: Syntax, formals: Node) -> list[str]:
    names = (each.child_by_field_name("name") for each in formals.children_by_field_name("formal"))
    return [source.text(name) for name in names if name is not None]


def _add_argument(content: bytes) -> bytes:
    source = parse(content)
    function = _outputs(source)
    name = sops_nix_name(source)
    if name is not None and _reference(source, function, name) is not None:
        return content
    formals = function.child_by_field_name("formals")
    addition = Addition((name or "sops-nix",), "to the arguments of the flake's `outputs`")
    if name is None or formals is None or render_component(name) != name:
        raise addition.refused("the sops-nix input has no name that can be an argument", function)
    return into_formals(source, formals, addition)


def into_formals(source: Syntax, formals: Node, addition: Addition) -> bytes:
    """Put an argument after the last one that has a name, with commas as the others have them.

    Raises:
        NotUnderstood: the source would have changed in another way too.
    """
    named = formals.children_by_field_name("formal")
    if not named:
        closing = "," if formals.child_by_field_name("ellipses") else ""
        text = f" {addition.inline}{closing}"
        return insertion.insert(source, formals.children[0].end_byte, text, addition)
    last = named[-1]
    leading = next((each for each in formals.children if _leads_line(source, each)), None)
    if leading is not None:
        offset = insertion.end_of_remark(source, last.end_byte)
        text = f"{insertion.new_line(source, leading)}, {addition.inline}"
        return insertion.insert(source, offset, text, addition)
    if not insertion.starts_line(source, last.start_byte):
        return insertion.insert(source, last.end_byte, f", {addition.inline}", addition)
    margin = insertion.new_line(source, last)
    comma = _COMMA.match(source.content, last.end_byte)
    if comma is None:
        return insertion.insert(source, last.end_byte, f",{margin}{addition.inline}", addition)
    offset = insertion.end_of_remark(source, comma.end())
    return insertion.insert(source, offset, f"{margin}{addition.inline},", addition)


def _leads_line(source: Syntax, node: Node) -> bool:
    return node.type == "," and insertion.starts_line(source, node.start_byte)
