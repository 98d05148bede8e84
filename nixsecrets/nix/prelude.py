"""The functions of Nix, nixpkgs' lib and well-known flakes that lists of systems are made with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial, reduce

from nixsecrets.nix.evaluation import Evaluation, Primitive
from nixsecrets.nix.expressions import joined_items, updated
from nixsecrets.nix.values import (
    INPUTS,
    UNKNOWN,
    Built,
    FilePath,
    Items,
    Kind,
    Lambda,
    Lazy,
    Members,
    Name,
    Partial,
    Text,
    Truth,
    Value,
    known,
)

Arguments = tuple[Lazy, ...]

_NO_ITEMS: Value = Items()
_NO_MEMBERS: Value = Members({})
_MODULES = 1000


def module(evaluation: Evaluation, value: Value) -> Value:
    """Return what a module sets: a path's file, a function with the arguments of modules."""
    if isinstance(value, FilePath):
        value = evaluation.imported(value.path)
    if isinstance(value, Lambda):
        usual = {"inputs": known(INPUTS), "self": known(evaluation.itself)}
        value = evaluation.apply(value, known(Members(usual, lambda name: known(Name((name,))))))
    return value


def texts(value: Value) -> list[str] | None:
    """Return the texts of a list; None: not all of it is known."""
    if not isinstance(value, Items):
        return None
    found = [item.value for item in value.items]
    known_texts = [each.text for each in found if isinstance(each, Text)]
    return known_texts if len(known_texts) == len(found) else None


def member(value: Value, *path: str) -> Lazy | None:
    """Return what a path of attributes is bound to; None: nothing, as far as is known."""
    found = known(value)
    for name in path:
        whole = found.value
        below = whole.named.get(name) if isinstance(whole, Members) else None
        if below is None:
            return None
        found = below
    return found


def _apply(evaluation: Evaluation, function: Lazy, *arguments: Lazy) -> Value:
    return reduce(evaluation.apply, arguments, function.value)


def _applied(evaluation: Evaluation, function: Lazy, *arguments: Lazy) -> Lazy:
    return Lazy(partial(_apply, evaluation, function, *arguments))


def _import(evaluation: Evaluation, arguments: Arguments) -> Value:
    match arguments[0].value:
        case FilePath(path):
            return evaluation.imported(path)
        case Name(steps):
            return Name(steps)
        case _:
            return UNKNOWN


def _map(evaluation: Evaluation, arguments: Arguments) -> Value:
    function, over = arguments
    value = over.value
    if not isinstance(value, Items):
        return UNKNOWN
    return Items(tuple(_applied(evaluation, function, item) for item in value.items))


def _for_each(evaluation: Evaluation, arguments: Arguments) -> Value:
    return _map(evaluation, arguments[::-1])


def _concat_map(evaluation: Evaluation, arguments: Arguments) -> Value:
    return _flatten(evaluation, (known(_map(evaluation, arguments)),))


def _flatten(_: Evaluation, arguments: Arguments) -> Value:
    value = arguments[0].value
    if not isinstance(value, Items):
        return UNKNOWN
    parts = (item.value for item in value.items)
    return reduce(joined_items, parts, _NO_ITEMS)


def _gen_attrs(evaluation: Evaluation, arguments: Arguments) -> Value:
    over, function = arguments
    names = texts(over.value)

    def named(name: str) -> Lazy:
        return _applied(evaluation, function, known(Text(name)))

    if names is None:
        return Members({}, named)
    return Members({name: named(name) for name in names})


def _map_attrs(evaluation: Evaluation, arguments: Arguments) -> Value:
    function, over = arguments
    value = over.value

    def named(name: str) -> Lazy:
        found = value.find(name) if isinstance(value, Members) else None
        return _applied(evaluation, function, known(Text(name)), found or known(UNKNOWN))

    if not isinstance(value, Members):
        return Members({}, named)
    return Members({name: named(name) for name in value.named}, named if value.other else None)


def _map_attrs_to_list(evaluation: Evaluation, arguments: Arguments) -> Value:
    mapped = _map_attrs(evaluation, arguments)
    return _attr_values(evaluation, (known(mapped),))


def _map_attrs_prime(evaluation: Evaluation, arguments: Arguments) -> Value:
    return _list_to_attrs(evaluation, (known(_map_attrs_to_list(evaluation, arguments)),))


def _list_to_attrs(evaluation: Evaluation, arguments: Arguments) -> Value:
    value = arguments[0].value
    if not isinstance(value, Items):
        return UNKNOWN
    found = dict[str, Lazy]()
    for item in value.items:
        name = evaluation.select(item.value, "name")
        if isinstance(name, Text):
            found[name.text] = Lazy(partial(_value_of, evaluation, item))
    return Members(found)


def _value_of(evaluation: Evaluation, pair: Lazy) -> Value:
    return evaluation.select(pair.value, "value")


def _pair(_: Evaluation, arguments: Arguments) -> Value:
    return Members({"name": arguments[0], "value": arguments[1]})


def _attr_names(_: Evaluation, arguments: Arguments) -> Value:
    value = arguments[0].value
    if not isinstance(value, Members) or value.other is not None:
        return UNKNOWN
    return Items(tuple(known(Text(name)) for name in value.named))


def _attr_values(_: Evaluation, arguments: Arguments) -> Value:
    value = arguments[0].value
    if not isinstance(value, Members) or value.other is not None:
        return UNKNOWN
    return Items(tuple(value.named.values()))


def _filter_attrs(evaluation: Evaluation, arguments: Arguments) -> Value:
    """Keep what is known to be kept; where that is not known, any name may be."""
    test, over = arguments
    value = over.value
    if not isinstance(value, Members):
        return UNKNOWN
    verdicts = {
        name: _apply(evaluation, test, known(Text(name)), found)
        for name, found in value.named.items()
    }
    if not all(isinstance(verdict, Truth) for verdict in verdicts.values()):
        return Members({}, lambda name: value.find(name) or known(UNKNOWN))
    kept = (n for n, verdict in verdicts.items() if isinstance(verdict, Truth) and verdict.holds)
    return Members({name: value.named[name] for name in kept})


def _optionals(_: Evaluation, arguments: Arguments) -> Value:
    condition, taken = arguments[0].value, arguments[1]
    if isinstance(condition, Truth) and condition.holds:
        return taken.value
    return Items() if isinstance(condition, Truth) else UNKNOWN


def _optional(_: Evaluation, arguments: Arguments) -> Value:
    condition, taken = arguments[0].value, arguments[1]
    return Items((taken,)) if isinstance(condition, Truth) and condition.holds else Items()


def _update(_: Evaluation, arguments: Arguments) -> Value:
    return merged(arguments[0].value, arguments[1].value)


def merged(left: Value, right: Value) -> Value:
    """Return two sets as one, with their sets below merged likewise."""
    if not isinstance(left, Members) or not isinstance(right, Members):
        return updated(left, right)
    both = {
        name: Lazy(partial(_merged_lazily, left.named[name], found))
        for name, found in right.named.items()
        if name in left.named
    }
    whole = updated(left, right)
    return updated(whole, Members(both)) if both else whole


def _merged_lazily(left: Lazy, right: Lazy) -> Value:
    one, other = left.value, right.value
    if isinstance(one, Items) and isinstance(other, Items):
        return joined_items(one, other)
    return merged(one, other) if isinstance(one, Members) else other


def _merge_all(_: Evaluation, arguments: Arguments) -> Value:
    value = arguments[0].value
    parts: Sequence[Lazy] = value.items if isinstance(value, Items) else ()
    return reduce(merged, (part.value for part in parts), _NO_MEMBERS)


def _fold(evaluation: Evaluation, arguments: Arguments) -> Value:
    function, start, over = arguments
    value, result = over.value, start
    if not isinstance(value, Items):
        return UNKNOWN
    for item in value.items:
        result = _applied(evaluation, function, result, item)
    return result.value


def _last(_: Evaluation, arguments: Arguments) -> Value:
    return arguments[-1].value


def _flip(evaluation: Evaluation, arguments: Arguments) -> Value:
    return _apply(evaluation, arguments[0], arguments[2], arguments[1])


def _with_system(evaluation: Evaluation, arguments: Arguments) -> Value:
    return module(evaluation, arguments[1].value)


def _system(kind: Kind, special: str) -> Primitive:
    def build(_: Evaluation, arguments: Arguments) -> Value:
        argument = arguments[0].value
        return Built(kind, member(argument, "modules"), member(argument, special))

    return build


def _flake(evaluation: Evaluation, arguments: Arguments) -> Value:
    """Return what snowfall, or flake-parts, makes of the arguments of `mkFlake`."""
    first = arguments[0].value
    if member(first, "src") is not None:
        return _snowfall(first)
    if len(arguments) == 1:
        return Partial("mkFlake", arguments)
    parts = _flake_parts(evaluation, arguments[1].value)
    return reduce(merged, parts, _NO_MEMBERS)


def _flake_parts(evaluation: Evaluation, value: Value) -> Iterator[Value]:
    waiting = [value]
    for _ in range(_MODULES):
        if not waiting:
            return
        found = module(evaluation, waiting.pop())
        if part := member(found, "flake"):
            yield part.value
        imports = member(found, "imports")
        below = imports.value if imports else None
        if isinstance(below, Items):
            waiting.extend(item.value for item in reversed(below.items))


def _snowfall(argument: Value) -> Value:
    """Return any name as a system: snowfall finds them in folders, `systems/<system>/<name>`."""
    systems = member(argument, "systems")
    place = argument.place if isinstance(argument, Members) else None

    def named(kind: Kind, where: str) -> Callable[[str], Lazy]:
        modules = member(argument, "systems", "modules", where)

        def find(name: str) -> Lazy:
            own = member(systems.value, "hosts", name, "modules") if systems else None
            lists = [each.value for each in (own, modules) if each]
            found = known(reduce(joined_items, lists, _NO_ITEMS)) if lists else None
            return known(Built(kind, found, None, place, f"systems.modules.{where}"))

        return find

    return Members(
        {
            Kind.NIXOS.value: known(Members({}, named(Kind.NIXOS, "nixos"))),
            Kind.DARWIN.value: known(Members({}, named(Kind.DARWIN, "darwin"))),
        }
    )


PRIMITIVES: Mapping[str, tuple[int, Primitive]] = {
    "attrNames": (1, _attr_names),
    "attrValues": (1, _attr_values),
    "concatLists": (1, _flatten),
    "concatMap": (2, _concat_map),
    "darwinSystem": (1, _system(Kind.DARWIN, "specialArgs")),
    "eval-config.nix": (1, _system(Kind.NIXOS, "specialArgs")),
    "filterAttrs": (2, _filter_attrs),
    "flatten": (1, _flatten),
    "flip": (3, _flip),
    "foldl": (3, _fold),
    "foldl'": (3, _fold),
    "foldr": (3, _fold),
    "forEach": (2, _for_each),
    "genAttrs": (2, _gen_attrs),
    "homeManagerConfiguration": (1, _system(Kind.HOME, "extraSpecialArgs")),
    "import": (1, _import),
    "listToAttrs": (1, _list_to_attrs),
    "makeHive": (1, _last),
    "map": (2, _map),
    "mapAttrs": (2, _map_attrs),
    "mapAttrs'": (2, _map_attrs_prime),
    "mapAttrsToList": (2, _map_attrs_to_list),
    "mergeAttrs": (2, _update),
    "mergeAttrsList": (1, _merge_all),
    "mkDefault": (1, _last),
    "mkFlake": (1, _flake),
    "mkForce": (1, _last),
    "mkIf": (2, _last),
    "mkMerge": (1, _merge_all),
    "nameValuePair": (2, _pair),
    "nixosSystem": (1, _system(Kind.NIXOS, "specialArgs")),
    "optional": (2, _optional),
    "optionals": (2, _optionals),
    "recursiveUpdate": (2, _update),
    "toString": (1, _last),
    "withSystem": (2, _with_system),
}
