"""Expressions followed as far as the text of the repository goes. Runs nothing, fetches nothing.

What is not known (an input, a file that is not there, a function of a library that `known` does
not have) is a `Name`, and whatever depends on it is another. Depth and number of steps are
bounded: what lies beyond them is not known either.
"""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from tree_sitter import Node

from nixsecrets.nix.syntax import NixSyntaxError, parse
from nixsecrets.nix.values import (
    INPUTS,
    UNKNOWN,
    File,
    FilePath,
    Lambda,
    Lazy,
    Members,
    Name,
    Partial,
    Place,
    Scope,
    Truth,
    Value,
    known,
)

Read = Callable[[PurePosixPath], bytes | None]
"""Returns a file by its path relative to the folder of the flake; None: there is none."""

Primitive = Callable[["Evaluation", tuple[Lazy, ...]], Value]
Rule = Callable[["Evaluation", Node, Scope], Value]

_DEPTH = 100
_STEPS = 2_000_000
_GLOBAL = frozenset({"abort", "baseNameOf", "builtins", "import", "map", "removeAttrs", "toString"})
_TRUTHS = {"true": Truth(holds=True), "false": Truth(holds=False)}
_ROOT = PurePosixPath()


def read_nothing(_: PurePosixPath) -> bytes | None:
    return None


class Evaluation:
    """One reading of a flake and of the files that it names literally.

    Args:
        read: gives the files.
        rules: what the kinds of expressions come to.
        primitives: the functions that are known, by name, with the number of their arguments.
    """

    def __init__(
        self,
        read: Read,
        rules: Mapping[str, Rule],
        primitives: Mapping[str, tuple[int, Primitive]],
    ) -> None:
        self._read = read
        self._rules = rules
        self._primitives = primitives
        self._depth = 0
        self._steps = 0
        self._files: dict[PurePosixPath, Value] = {}
        self.outputs: Lazy = known(UNKNOWN)
        outside = Members({"outPath": known(FilePath(_ROOT)), "inputs": known(INPUTS)})
        self.itself = Members(outside.named, self._of_outputs)

    def of_file(self, content: bytes, path: PurePosixPath) -> Value:
        """Return what a file comes to.

        Raises:
            NixSyntaxError: `content` is no Nix expression.
        """
        file = File(path, parse(content))
        return self.evaluate(file.source.root, Scope(file))

    def imported(self, path: PurePosixPath) -> Value:
        """Return what the file of a literal path comes to, or the `default.nix` of a folder."""
        if path not in self._files:
            self._files[path] = UNKNOWN
            place = path if path.suffix == ".nix" else path / "default.nix"
            content = self._read(place)
            if content is not None:
                try:
                    self._files[path] = self.of_file(content, place)
                except NixSyntaxError:
                    return UNKNOWN
        return self._files[path]

    def lazy(self, node: Node, scope: Scope) -> Lazy:
        return Lazy(lambda: self.evaluate(node, scope), Place(node, scope))

    def evaluate(self, node: Node, scope: Scope) -> Value:
        rule = self._rules.get(node.type)
        self._steps += 1
        if rule is None or self._depth >= _DEPTH or self._steps > _STEPS:
            return UNKNOWN
        self._depth += 1
        try:
            return rule(self, node, scope)
        finally:
            self._depth -= 1

    def apply(self, function: Value, argument: Lazy) -> Value:
        match function:
            case Lambda(node, scope):
                return self._call(node, scope, argument)
            case Partial(name, arguments):
                return self._known(name, (*arguments, argument))
            case Name() if function.last in self._primitives:
                return self._known(function.last, (argument,))
            case Members(named=named) if "__functor" in named:
                first = self.apply(named["__functor"].value, known(function))
                return self.apply(first, argument)
            case _:
                return UNKNOWN

    def select(self, value: Value, name: str) -> Value:
        match value:
            case Members():
                found = value.find(name)
                return Name((name,)) if found is None else found.value
            case Name() if value is INPUTS and name == "self":
                return self.itself
            case Name(steps):
                return Name((*steps, name))
            case _:
                return Name((name,))

    def look_up(self, name: str, scope: Scope) -> Value:
        for each in scope.around():
            if name in each.names:
                return each.names[name].value
        if name in _TRUTHS:
            return _TRUTHS[name]
        environments = (each.environment for each in scope.around())
        for environment in environments if name not in _GLOBAL else ():
            value = UNKNOWN if environment is None else environment.value
            if isinstance(value, Members) and value.find(name):
                return self.select(value, name)
            if isinstance(value, Name) and value.steps:
                return self.select(value, name)
        return Name((name,))

    def _known(self, name: str, arguments: tuple[Lazy, ...]) -> Value:
        arity, primitive = self._primitives[name]
        return primitive(self, arguments) if len(arguments) >= arity else Partial(name, arguments)

    def _of_outputs(self, name: str) -> Lazy:
        return Lazy(lambda: self.select(self.outputs.value, name))

    def _call(self, node: Node, scope: Scope, argument: Lazy) -> Value:
        source, names = scope.file.source, dict[str, Lazy]()
        inside = Scope(scope.file, names, scope)
        universal, formals = (
            node.child_by_field_name("universal"),
            node.child_by_field_name("formals"),
        )
        if universal is not None:
            names[source.text(universal)] = argument
        for formal in formals.children_by_field_name("formal") if formals else ():
            spelled = formal.child_by_field_name("name")
            if spelled is not None:
                name = source.text(spelled)
                names[name] = self._formal(formal, name, inside, argument)
        body = node.child_by_field_name("body")
        return UNKNOWN if body is None else self.evaluate(body, inside)

    def _formal(self, formal: Node, name: str, scope: Scope, argument: Lazy) -> Lazy:
        default = formal.child_by_field_name("default")

        def find() -> Value:
            given = argument.value
            missing = isinstance(given, Members) and given.find(name) is None
            if missing and default is not None:
                return self.evaluate(default, scope)
            return self.select(given, name)

        return Lazy(find)
