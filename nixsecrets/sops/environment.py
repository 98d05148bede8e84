"""A document's values for a program: as its environment, or as files."""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.errors import RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.stores.flat import shown
from nixsecrets.sops.stores.text import Scalar
from nixsecrets.sops.tree import Empty, KeyPath, Leaf

_NUL = b"\0"
_NO_FILES = frozenset({"", ".", ".."})


class Value(NamedTuple):
    """A value as a program is given it.

    Args:
        path: where it stands.
        line: 1-based.
        text: what sops makes of it for a program (`stores/stores.go`, `ValToString`).
        empty: what stands there in place of a value; `text` is empty then.
    """

    path: KeyPath
    line: int
    text: Plaintext
    empty: Empty | None = None


def values(opened: OpenDocument) -> tuple[Value, ...]:
    """Return the values of the first document of a stream; no others are addressed."""
    found = []
    for one in opened.items:
        if isinstance(one.item, Leaf) and not one.item.document:
            content = one.value.reveal() if one.value else b""
            path, line = one.item.path, one.item.line
            if isinstance(one.item.kind, Empty):
                found.append(Value(path, line, Plaintext(b""), one.item.kind))
            else:
                text = shown(Scalar(one.kind or one.item.kind, content))
                found.append(Value(path, line, Plaintext(text.encode("utf-8", "surrogateescape"))))
    return tuple(found)


def environment(chosen: Iterable[Value]) -> Mapping[str, Plaintext]:
    """Return the variables that top-level values are.

    Null is none, where `sops exec-env` gives the text `<nil>`.

    Raises:
        RepositoryError: a value is a mapping or a list, or stands there twice, or cannot be in
            an environment (environ(7)): `=` in a name, NUL in either.
    """
    variables: dict[str, Plaintext] = {}
    for value in chosen:
        name = _variable(value)
        if value.empty:
            continue
        if name in variables:
            raise RepositoryError(f"{name} stands there twice", line=value.line)
        if _NUL in value.text.reveal():
            raise RepositoryError(
                f"the value of {name} holds a NUL, which no variable can",
                hint="--files gives values as files",
                line=value.line,
            )
        variables[name] = value.text
    return variables


def files(chosen: Iterable[Value]) -> Mapping[PurePosixPath, Plaintext]:
    """Return a file for each value, below folders for mappings and lists; null is none.

    A value of a list has its position as its name, from 0.

    Raises:
        RepositoryError: a name cannot be a file's, or stands there twice.
    """
    found: dict[PurePosixPath, Plaintext] = {}
    for value in chosen:
        path = PurePosixPath(*(_file_name(step, value) for step in value.path))
        if value.empty:
            continue
        if path in found:
            raise RepositoryError(f"{path} stands there twice", line=value.line)
        found[path] = value.text
    return found


def _variable(value: Value) -> str:
    name = value.path[0]
    is_deep = len(value.path) > 1 or value.empty in (Empty.MAPPING, Empty.LIST)
    if is_deep or isinstance(name, int):
        raise RepositoryError(
            f"{name} is a mapping or a list, which no variable can hold",
            hint="--files gives values as files, --only NAME only some of them",
            line=value.line,
        )
    if not name or "=" in name or "\0" in name:
        raise RepositoryError(f"{name!r} cannot be a variable's name", line=value.line)
    return name


def _file_name(step: str | int, value: Value) -> str:
    name = str(step)
    if name in _NO_FILES or "/" in name or "\0" in name:
        raise RepositoryError(f"{name!r} cannot be a file's name", line=value.line)
    return name
