"""What each kind of expression comes to."""

import posixpath
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath

from tree_sitter import Node

from nixsecrets.nix.bindings import operator
from nixsecrets.nix.evaluation import Evaluation, Rule
from nixsecrets.nix.values import (
    UNKNOWN,
    FilePath,
    Items,
    Lambda,
    Lazy,
    Members,
    Name,
    Place,
    Scope,
    Text,
    Truth,
    Value,
    known,
)


def _field(node: Node, name: str) -> Node | None:
    return node.child_by_field_name(name)


def _variable(evaluation: Evaluation, node: Node, scope: Scope) -> Value:
    return evaluation.look_up(scope.file.source.text(node), scope)


def _inside(field: str) -> Rule:
    def rule(evaluation: Evaluation, node: Node, scope: Scope) -> Value:
        below = node.child_by_field_name(field)
        return UNKNOWN if below is None else evaluation.evaluate(below, scope)

    return rule


def _let(evaluation: Evaluation, node: Node, scope: Scope) -> Value:
    body = node.child_by_field_name("body")
    names = dict[str, Lazy]()
    inside = Scope(scope.file, names, scope)
    names.update(_members(evaluation, node, inside, scope).named)
    return UNKNOWN if body is None else evaluation.evaluate(body, inside)


def _with(evaluation: Evaluation, node: Node, scope: Scope) -> Value:
    environment, body = _field(node, "environment"), _field(node, "body")
    if environment is None or body is None:
        return UNKNOWN
    inside = Scope(scope.file, {}, scope, evaluation.lazy(environment, scope))
    return evaluation.evaluate(body, inside)


def _attributes(evaluation: Evaluation, node: Node, scope: Scope) -> Value:
    return _members(evaluation, node, scope, scope)


def _recursive(evaluation: Evaluation, node: Node, scope: Scope) -> Value:
    names = dict[str, Lazy]()
    found = _members(evaluation, node, Scope(scope.file, names, scope), scope)
    names.update(found.named)
    return found


def _list(evaluation: Evaluation, node: Node, scope: Scope) -> Value:
    elements = node.children_by_field_name("element")
    items = tuple(evaluation.lazy(element, scope) for element in elements)
    return Items(items, (Place(node, scope),))


def _function(_: Evaluation, node: Node, scope: Scope) -> Value:
    return Lambda(node, scope)


def _select(evaluation: Evaluation, node: Node, scope: Scope) -> Value:
    whole, path = _field(node, "expression"), _field(node, "attrpath")
    default = node.child_by_field_name("default")
    if whole is None or path is None:
        return UNKNOWN
    value = evaluation.evaluate(whole, scope)
    for attribute in path.children_by_field_name("attr"):
        name = _attribute(evaluation, attribute, scope)
        if name is None:
            return UNKNOWN
        if default is not None and isinstance(value, Members) and value.find(name) is None:
            return evaluation.evaluate(default, scope)
        value = evaluation.select(value, name)
    return value


def _apply(evaluation: Evaluation, node: Node, scope: Scope) -> Value:
    function, argument = _field(node, "function"), _field(node, "argument")
    if function is None or argument is None:
        return UNKNOWN
    return evaluation.apply(evaluation.evaluate(function, scope), evaluation.lazy(argument, scope))


def _if(evaluation: Evaluation, node: Node, scope: Scope) -> Value:
    condition = node.child_by_field_name("condition")
    value = UNKNOWN if condition is None else evaluation.evaluate(condition, scope)
    if not isinstance(value, Truth):
        return UNKNOWN
    branch = node.child_by_field_name("consequence" if value.holds else "alternative")
    return UNKNOWN if branch is None else evaluation.evaluate(branch, scope)


def _binary(evaluation: Evaluation, node: Node, scope: Scope) -> Value:
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    combine = _OPERATORS.get(operator(scope.file.source, node))
    if combine is None or left is None or right is None:
        return UNKNOWN
    return combine(evaluation.evaluate(left, scope), evaluation.evaluate(right, scope))


def _string(evaluation: Evaluation, node: Node, scope: Scope) -> Value:
    plain = scope.file.source.string(node)
    if plain is not None:
        return Text(plain)
    parts = [_part(evaluation, child, scope) for child in node.children[1:-1]]
    joined = parts[0] if parts else Text("")
    for part in parts[1:]:
        joined = joined_texts(joined, part)
    return joined


def _path(evaluation: Evaluation, node: Node, scope: Scope) -> Value:
    parts = [_part(evaluation, child, scope) for child in node.children]
    if not all(isinstance(part, Text) for part in parts):
        return UNKNOWN
    text = "".join(part.text for part in parts if isinstance(part, Text))
    return _below(scope.file.path.parent, text)


def _part(evaluation: Evaluation, node: Node, scope: Scope) -> Value:
    """Return what a fragment, an escape or an interpolation adds to a string or a path."""
    if node.type == "interpolation":
        value = _inside("expression")(evaluation, node, scope)
        return coerced(value)
    text = scope.file.source.text(node)
    return Text(text[1:] if node.type == "escape_sequence" else text)


def coerced(value: Value) -> Value:
    """Return a set that stands for a folder as that folder."""
    if isinstance(value, Members) and "outPath" in value.named:
        return value.named["outPath"].value
    return value


def joined_texts(left: Value, right: Value) -> Value:
    """Return `left + right` of paths and texts."""
    match coerced(left), right:
        case Text(first), Text(second):
            return Text(first + second)
        case FilePath(path), Text(second):
            return _below(path, f"./{second}") if second else FilePath(path)
        case Name(), Text(second) if second.endswith("/nixos/lib/eval-config.nix"):
            return Name(("eval-config.nix",))
        case _:
            return UNKNOWN


def joined_items(left: Value, right: Value) -> Value:
    parts = [side for side in (left, right) if isinstance(side, Items)]
    if not parts:
        return UNKNOWN
    return Items(
        tuple(item for part in parts for item in part.items),
        tuple(place for part in parts for place in part.literals),
    )


def updated(left: Value, right: Value) -> Value:
    """Return `left // right`; what is not known on one side takes nothing from the other."""
    match left, right:
        case Members(), Members():
            other = right.other or left.other
            return Members({**left.named, **right.named}, other)
        case Members(), _:
            return left
        case Name(steps), Members(named=named):
            beyond = right.other or (lambda name: known(Name((*steps, name))))
            return Members(named, beyond if steps else right.other)
        case _:
            return right


def _same(left: Value, right: Value) -> Value:
    match left, right:
        case Text(first), Text(second):
            return Truth(first == second)
        case _:
            return UNKNOWN


def _different(left: Value, right: Value) -> Value:
    same = _same(left, right)
    return Truth(not same.holds) if isinstance(same, Truth) else UNKNOWN


def _below(folder: PurePosixPath, text: str) -> Value:
    if text.startswith(("/", "~", "<")):
        return UNKNOWN
    path = posixpath.normpath(posixpath.join(str(folder), text))
    return UNKNOWN if path.startswith("..") else FilePath(PurePosixPath(path))


def _attribute(evaluation: Evaluation, node: Node, scope: Scope) -> str | None:
    """Return one component of an attribute path; None: it is computed from what is not known."""
    source = scope.file.source
    if node.type == "identifier":
        return source.text(node)
    value = _part(evaluation, node, scope)
    if node.type != "interpolation":
        value = evaluation.evaluate(node, scope)
    return value.text if isinstance(value, Text) else None


_Deeper = list[tuple[tuple[Node, ...], Lazy]]
_Spelled = dict[str | None, _Deeper]


def _members(evaluation: Evaluation, node: Node, inside: Scope, outside: Scope) -> Members:
    """Return what braces or a `let` bind; `inherit` alone looks at the scope outside."""
    spelled: _Spelled = {}
    for binding in _bindings(node):
        match binding.type:
            case "binding":
                path, value = _field(binding, "attrpath"), _field(binding, "expression")
                if path is not None and value is not None:
                    lazy = evaluation.lazy(value, inside)
                    first, *rest = path.children_by_field_name("attr")
                    name = _attribute(evaluation, first, inside)
                    spelled.setdefault(name, []).append((tuple(rest), lazy))
            case "inherit" | "inherit_from":
                for name, lazy in _inherited(evaluation, binding, inside, outside):
                    spelled.setdefault(name, []).append(((), lazy))
            case _:
                continue
    computed = _gathered(evaluation, spelled.pop(None), inside) if None in spelled else None
    named = {
        name: _gathered(evaluation, found, inside)
        for name, found in spelled.items()
        if name is not None
    }
    return Members(named, None if computed is None else lambda _: computed, Place(node, outside))


def _bindings(node: Node) -> Iterator[Node]:
    for child in node.children:
        if child.type == "binding_set":
            yield from child.children


def _inherited(
    evaluation: Evaluation, node: Node, inside: Scope, outside: Scope
) -> Iterator[tuple[str | None, Lazy]]:
    names, origin = _field(node, "attrs"), _field(node, "expression")
    source = inside.file.source
    for child in names.children_by_field_name("attr") if names is not None else ():
        name = source.attribute(child) or ""
        if origin is None:
            yield name, Lazy(partial(evaluation.look_up, name, outside))
        else:
            yield name, Lazy(partial(_selected, evaluation, evaluation.lazy(origin, inside), name))


def _selected(evaluation: Evaluation, whole: Lazy, name: str) -> Value:
    return evaluation.select(whole.value, name)


def _gathered(evaluation: Evaluation, found: _Deeper, scope: Scope) -> Lazy:
    """Return what `a = …;`, or `a.b = …; a.c = …;`, bind `a` to."""
    if len(found) == 1 and not found[0][0]:
        return found[0][1]

    def find() -> Value:
        whole: Value = Members({})
        deeper: _Spelled = {}
        for rest, lazy in found:
            if rest:
                name = _attribute(evaluation, rest[0], scope)
                deeper.setdefault(name, []).append((rest[1:], lazy))
            else:
                whole = updated(whole, lazy.value)
        named = {
            name: _gathered(evaluation, below, scope)
            for name, below in deeper.items()
            if name is not None
        }
        return updated(whole, Members(named))

    return Lazy(find, found[0][1].place)


_OPERATORS: Mapping[str, Callable[[Value, Value], Value]] = {
    "+": joined_texts,
    "++": joined_items,
    "//": updated,
    "==": _same,
    "!=": _different,
}

RULES: Mapping[str, Rule] = {
    "variable_expression": _variable,
    "parenthesized_expression": _inside("expression"),
    "assert_expression": _inside("body"),
    "let_expression": _let,
    "with_expression": _with,
    "attrset_expression": _attributes,
    "rec_attrset_expression": _recursive,
    "list_expression": _list,
    "function_expression": _function,
    "select_expression": _select,
    "apply_expression": _apply,
    "if_expression": _if,
    "binary_expression": _binary,
    "string_expression": _string,
    "path_expression": _path,
}
