"""The house's rules, read off the syntax trees of a package.

Each check takes one module and yields what it does wrong as `path:line: words`.
"""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

COINS = frozenset({"errors", "plaintext", "change", "override"})
FORMATS = frozenset({"textedit", "age", "sops", "nix"})
DOORS = {
    "__init__": frozenset(),
    "__main__": frozenset({"cli"}),
    "override": frozenset(),
    "errors": frozenset(),
    "plaintext": frozenset(),
    "change": frozenset({"plaintext"}),
    "textedit": frozenset({"errors", "plaintext"}),
    "age": frozenset({"errors", "plaintext"}),
    "nix": frozenset({"errors", "textedit"}),
    "sops": frozenset({"errors", "plaintext", "textedit", "age"}),
    "fleet": frozenset({"errors", "change"}) | FORMATS,
    "generators": frozenset({"errors", "plaintext", "age", "fleet"}),
    "plans": COINS | {"age", "sops", "nix", "fleet", "generators"},
    "audit": COINS | {"age", "sops", "nix", "fleet", "generators", "plans"},
    "system": COINS | {"age"},
    "report": frozenset({"errors", "change", "audit"}),
    "cli": COINS | {"age", "sops", "fleet", "generators", "plans", "audit", "system", "report"},
}

# Path, or folder with its slash, below the package.
MACHINE = ("system/", "fleet/load.py", "cli/app.py")
WRITERS = (
    "system/transaction.py",
    "system/disk.py",  # the transaction's hands; nobody outside of system/ imports it
    "system/lock.py",  # its own lock, in the folder of the journal
    "system/memory.py",  # what a program is to read: a folder in memory, gone when that ends
)
PROGRAMS = (
    "system/process.py",
    "system/execute.py",  # the user's own programs, at the user's own terminal
)
LAZY = (
    "cli/__init__.py",
    "sops/__init__.py",  # who needs one module of it does not wait for all
    "sops/stores/formats.py",  # most documents are YAML, and each store takes its milliseconds
)
LAST = ("cli/__init__.py",)  # where errors end that nobody expected
EXCEPTIONS = {
    ("cli/__init__.py", "os.chdir"),  # `-C` holds for the whole process
    ("cli/__init__.py", "os.environ"),  # completion, and how faults of the tool are shown
}

MODULE_LINES = 300
FUNCTION_LINES = 50
NAMELESS = frozenset({"utils", "util", "helpers", "common", "base", "manager", "core", "misc"})

_PURE_OS = frozenset({"urandom", "fspath", "fsencode", "fsdecode", "PathLike"})
_TOUCHING_MODULES = re.compile(
    "asyncio|fcntl|getpass|glob|grp|http|mmap|multiprocessing|platform|pty|pwd|select|"
    "shutil|socket|sqlite3|tempfile|termios|time|urllib"
)
_TOUCHING_NAMES = re.compile(
    r"open|input|io\.open|io\.FileIO|sys\.stdin|importlib\.metadata|"
    r"datetime\.datetime\.(now|utcnow|today)|datetime\.date\.today|"
    r"click\.(File|open_file|edit|launch)|"
    r"posixpath\.(exists|lexists|isfile|isdir|islink|realpath|abspath|expanduser|expandvars)"
)
_TOUCHING_METHODS = re.compile(  # of a pathlib.Path, where they take no positional argument
    "absolute|cwd|exists|expanduser|home|is_dir|is_file|is_mount|is_socket|is_symlink|iterdir|"
    "lstat|mkdir|open|owner|read_bytes|read_text|readlink|resolve|rmdir|stat|touch|unlink"
)
_RESOURCE_METHODS = frozenset({"is_dir", "is_file", "iterdir", "open", "read_bytes", "read_text"})
_WRITING_METHODS = re.compile(
    "chmod|hardlink_to|lchmod|mkdir|rmdir|symlink_to|touch|unlink|write_bytes|write_text"
)
_WRITING_OS = re.compile(
    r"os\.(O_APPEND|O_CREAT|O_RDWR|O_TRUNC|O_WRONLY|[fl]?chflags|[fl]?chmod|[fl]?chown|f?truncate|"
    r"link|makedirs|mkdir|mkfifo|mknod|pwrite|remove|removedirs|removexattr|rename|renames|replace|"
    r"rmdir|setxattr|symlink|unlink|utime)"
)
_WRITING_MODULES = frozenset({"shutil", "tempfile"})
_STARTING_MODULES = frozenset({"asyncio", "multiprocessing", "pty", "subprocess"})
_STARTING_NAMES = re.compile(
    r"os\.(fork|exec|spawn|posix_spawn|system$|popen$)|concurrent\.futures\.ProcessPoolExecutor"
)
_MODE = re.compile(r"[rwaxbt+]{1,3}")
_SILENCED = re.compile(r"#\s*(noqa|type:\s*ignore)")
_SILENCED_WITH_REASON = re.compile(
    r"#\s*(noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*|type: ignore\[[\w, -]+\])\W+\w"
)
_BUILTINS = frozenset({"open", "input", "print", "exit", "quit", "SystemExit", "__import__"})


@dataclass(frozen=True)
class Module:
    """A module of a package: its path below the package, its source, its syntax tree."""

    path: str
    source: str
    tree: ast.Module
    imported: dict[str, str] = field(default_factory=dict)

    @property
    def room(self) -> str:
        return PurePosixPath(self.path).parts[0].removesuffix(".py")

    def lies_in(self, places: tuple[str, ...]) -> bool:
        return any(
            self.path.startswith(place) if place.endswith("/") else self.path == place
            for place in places
        )

    def at(self, node: ast.AST, words: str) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {words}"

    def uses(self) -> Iterator[tuple[ast.expr, str]]:
        """Yield each name in use with the dotted name of what it stands for."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name | ast.Attribute) and (name := self.dotted(node)):
                yield node, name

    def dotted(self, node: ast.expr) -> str | None:
        match node:
            case ast.Name(id=name):
                return self.imported.get(name, name if name in _BUILTINS else None)
            case ast.Attribute(value=value, attr=name):
                above = self.dotted(value)
                return f"{above}.{name}" if above else None
            case _:
                return None


Check = Callable[[Module], Iterator[str]]


@cache
def read_package(package: Path) -> tuple[Module, ...]:
    return tuple(_read(package, file) for file in sorted(package.rglob("*.py")))


def doors(module: Module) -> Iterator[str]:
    """Who may import whom; absolutely, at the top of a module."""
    if module.room not in DOORS:
        yield module.at(module.tree, f"{module.room} is no room of the house")
        return
    open_doors = DOORS[module.room] | {module.room, "override"}
    for node, name in _imports(module.tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield module.at(node, "relative import")
        own, _, below = name.partition(".")
        if own == "nixsecrets" and (room := below.partition(".")[0]) not in open_doors:
            yield module.at(node, f"{module.room} may not import {room or 'the whole package'}")


def lazy_imports(module: Module) -> Iterator[str]:
    at_top = set(_top(module.tree.body))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and node not in at_top:
            yield module.at(node, "import below the top of the module")
    if not module.lies_in(LAZY):
        for node, name in module.uses():
            if name in {"importlib.import_module", "__import__"}:
                yield module.at(node, f"{name} outside of the lazy places")


def machine(module: Module) -> Iterator[str]:
    """Who touches disk, environment and clock."""
    if module.lies_in(MACHINE):
        return
    for node, name in _imports(module.tree):
        if _TOUCHING_MODULES.fullmatch(name.partition(".")[0]):
            yield module.at(node, f"{name} touches the machine")
    for node, name in module.uses():
        words = name.split(".")
        touching = words[0] == "os" and len(words) == 2 and words[1] not in _PURE_OS
        if (touching or _TOUCHING_NAMES.fullmatch(name)) and (module.path, name) not in EXCEPTIONS:
            yield module.at(node, f"{name} touches the machine")
    free = _RESOURCE_METHODS if "importlib.resources" in _imported_modules(module) else frozenset()
    for call, method in _method_calls(module):
        touching = _TOUCHING_METHODS.fullmatch(method) and not call.args
        if (touching and method not in free) or (method == "open" and _mode(call.args[:1])):
            yield module.at(call, f".{method}() touches the machine")


def programs(module: Module) -> Iterator[str]:
    if module.lies_in(PROGRAMS):
        return
    for node, name in _imports(module.tree):
        if name.partition(".")[0] in _STARTING_MODULES:
            yield module.at(node, f"{name} starts programs")
    for node, name in module.uses():
        if _STARTING_NAMES.match(name):
            yield module.at(node, f"{name} starts programs")


def writes(module: Module) -> Iterator[str]:
    if module.lies_in(WRITERS):
        return
    for node, name in _imports(module.tree):
        if name.partition(".")[0] in _WRITING_MODULES:
            yield module.at(node, f"{name} writes")
        if name.startswith("nixsecrets.system.disk") and module.room != "system":
            yield module.at(node, "system/disk is the transaction's")
    yield from _writing_calls(module)


def click_is_cli(module: Module) -> Iterator[str]:
    for node, name in _imports(module.tree):
        if name.partition(".")[0] == "click" and module.room != "cli":
            yield module.at(node, "only cli knows Click")


def talk(module: Module) -> Iterator[str]:
    """Who prints and who ends the process."""
    for node, name in module.uses():
        if name in {"exit", "quit", "SystemExit", "sys.exit", "os._exit"} and module.room != "cli":
            yield module.at(node, f"{name} outside of cli")
        if name == "print" and module.room not in {"cli", "report"}:
            yield module.at(node, "print outside of report and cli")
        if name in {"sys.stdout", "sys.stderr", "sys.argv"} and module.room not in {
            "cli",
            "system",
        }:
            yield module.at(node, f"{name} outside of cli and system")


def sizes(module: Module) -> Iterator[str]:
    lines = _code_lines(module)
    if len(lines) > MODULE_LINES:
        yield module.at(module.tree, f"{len(lines)} code lines, at most {MODULE_LINES}")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = len(lines & set(range(node.lineno, (node.end_lineno or 0) + 1)))
            if length > FUNCTION_LINES:
                yield module.at(node, f"{node.name}: {length} lines, at most {FUNCTION_LINES}")


def names(module: Module) -> Iterator[str]:
    for part in PurePosixPath(module.path).with_suffix("").parts:
        if part.strip("_") in NAMELESS:
            yield module.at(module.tree, f"{part} is no noun of the domain")


def habits(module: Module) -> Iterator[str]:
    """What is never done: swallowing, Any, a shell, silence without a reason."""
    for node, name in module.uses():
        if name in {"typing.Any", "typing.cast"}:
            yield module.at(node, name)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            yield from _swallowing(module, node)
        elif isinstance(node, ast.keyword) and node.arg == "shell":
            yield module.at(node.value, "shell=")
    for token in tokenize.generate_tokens(io.StringIO(module.source).readline):
        comment = token.string if token.type == tokenize.COMMENT else ""
        if _SILENCED.match(comment) and not _SILENCED_WITH_REASON.match(comment):
            yield f"{module.path}:{token.start[0]}: silenced without code and reason"


def _read(package: Path, file: Path) -> Module:
    source = file.read_text()
    tree = ast.parse(source)
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    imported = dict.fromkeys(own, "")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                imported |= {alias.asname: alias.name} if alias.asname else {top: top}
        elif isinstance(node, ast.ImportFrom):
            imported |= {
                alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names
            }
    return Module(file.relative_to(package).as_posix(), source, tree, imported)


def _imports(tree: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node, f"{node.module or ''}.{alias.name}") for alias in node.names)


def _imported_modules(module: Module) -> set[str]:
    found = {name for _, name in _imports(module.tree)}
    return found | {name.rpartition(".")[0] for name in found}


def _top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module that run when it is imported, in no function or class."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from _top([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _top([*node.body, *node.orelse, *node.finalbody])
            yield from (inner for handler in node.handlers for inner in _top(handler.body))


def _method_calls(module: Module) -> Iterator[tuple[ast.Call, str]]:
    """Yield the calls of methods that may be a Path's: those of imported modules are not."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = module.dotted(node.func)
            if name is None or name.startswith("pathlib."):
                yield node, node.func.attr


def _writing_calls(module: Module) -> Iterator[str]:
    for node, name in module.uses():
        if _WRITING_OS.fullmatch(name):
            yield module.at(node, f"{name} writes")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and _opens_to_write(module, node):
            yield module.at(node, "open() writes")
    for node, method in _method_calls(module):
        if _writes(node, method):
            yield module.at(node, f".{method}() writes")


def _opens_to_write(module: Module, call: ast.Call) -> bool:
    opens = module.dotted(call.func) in {"open", "io.open"}
    return opens and _mode([*call.args[1:2], *_mode_keyword(call)], "wax+")


def _writes(call: ast.Call, method: str) -> bool:
    match method:
        case "replace" | "rename":
            # str.replace takes two arguments, dataclasses' and datetime's keywords.
            return len(call.args) == 1 and not call.keywords
        case "open":
            return _mode([*call.args[:1], *_mode_keyword(call)], "wax+")
        case _:
            return _WRITING_METHODS.fullmatch(method) is not None


def _mode_keyword(call: ast.Call) -> list[ast.expr]:
    return [keyword.value for keyword in call.keywords if keyword.arg == "mode"]


def _mode(arguments: list[ast.expr], letters: str = "rwaxbt+") -> bool:
    return any(
        isinstance(argument, ast.Constant)
        and isinstance(argument.value, str)
        and _MODE.fullmatch(argument.value) is not None
        and any(letter in argument.value for letter in letters)
        for argument in arguments
    )


def _swallowing(module: Module, handler: ast.ExceptHandler) -> Iterator[str]:
    caught = ast.unparse(handler.type) if handler.type else "everything"
    raises_again = any(isinstance(node, ast.Raise) for node in handler.body)
    if (
        re.search(r"\b(everything|Exception|BaseException)\b", caught)
        and not raises_again
        and not module.lies_in(LAST)
    ):
        yield module.at(handler, f"catches {caught}")
    if all(isinstance(node, ast.Pass) for node in handler.body):
        yield module.at(handler, "pass in except")


def _code_lines(module: Module) -> set[int]:
    """Return the numbers of the lines that hold code: no blanks, comments, docstrings."""
    empty = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(module.source).readline):
        if token.type not in empty | {tokenize.ENDMARKER}:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if first is not None and ast.get_docstring(node, clean=False) is not None:
                lines -= set(range(first.lineno, (first.end_lineno or 0) + 1))
    return lines
