"""A mapping of the manifest with a closed list of keys, read by type; each fault has its place."""

import re
from collections.abc import Callable, Collection, Iterable
from collections.abc import Mapping as Map
from enum import Enum
from typing import NamedTuple, TypeVar

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.names import nearest
from nixsecrets.fleet.outline import Entry, Mapping, Node, Scalar, Sequence, Span

# Plain scalars that are no strings: YAML 1.2, section 10.3.2.
TYPED = (
    r"|~|null|Null|NULL|true|True|TRUE|false|False|FALSE|[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
CONTROL = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"
CONTROL_IN_PROSE = r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}

PLURALS = {"host": "hosts", "group": "groups", "person": "people", "parameter": "parameters"}

Parsed = TypeVar("Parsed")
Choice = TypeVar("Choice", bound=Enum)


def parsed(scalar: Scalar, parse: Callable[[str], Parsed]) -> Parsed:
    """Return `parse` of a scalar's text; its refusal gets the scalar's place."""
    try:
        return parse(scalar.text)
    except RepositoryError as error:
        raise scalar.at.fault(error.problem, error.hint) from None


def parse_absolute(text: str) -> str:
    """Return `text`, a path on a host; `RepositoryError` where it is not absolute or has `..`."""
    if not text.startswith("/") or ".." in text.split("/"):
        raise RepositoryError(f"{text!r} is no absolute path", hint="it is a path on the host")
    return text


def distinct(names: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    """Return the names; raise at the second of two that are the same."""
    seen: set[str] = set()
    for name in names:
        if name.text in seen:
            raise name.at.fault(f"{name.text!r} stands here twice")
        seen.add(name.text)
    return names


def as_mapping(node: Node | None, what: str) -> Mapping:
    """Return a mapping; nothing, or nothing behind the colon, is an empty one."""
    if isinstance(node, Mapping):
        return node
    if node is None or (isinstance(node, Scalar) and node.null):
        return Mapping((), flow=False, at=node.at if node else Span(0, 0, 1, 1))
    raise node.at.fault(f"{what} must be a mapping")


def as_text(node: Node, what: str) -> Scalar:
    if not isinstance(node, Scalar):
        raise node.at.fault(f"{what} must be a string")
    if is_typed(node):
        raise node.at.fault(f"{what} must be a string", "write it in double quotes")
    if not node.text or re.search(CONTROL, node.text):
        raise node.at.fault(f"{what} must be one line of text")
    return node


def one_of(scalar: Scalar, what: str, known: Map[str, Parsed]) -> Parsed:
    """Return what a name of another section means; unknown ones get the nearest as a hint."""
    if scalar.text in known:
        return known[scalar.text]
    near = nearest(scalar.text, known)
    raise scalar.at.fault(
        f"unknown {what} {scalar.text!r}",
        f"did you mean {' or '.join(near)}?" if near else f"name it under `{PLURALS[what]}:` first",
    )


def as_list(node: Node, what: str) -> tuple[Node, ...]:
    if isinstance(node, Scalar) and node.null:
        return ()
    if not isinstance(node, Sequence):
        raise node.at.fault(f"{what} must be a list", "write it in square brackets")
    return node.items


def is_typed(scalar: Scalar) -> bool:
    """Tell a plain scalar that YAML reads as something else than a string."""
    return scalar.plain and re.fullmatch(TYPED, scalar.text) is not None


class Section(NamedTuple):
    mapping: Mapping

    def entry(self, name: str) -> Entry | None:
        return self.mapping.find(name)

    def node(self, name: str) -> Node | None:
        entry = self.mapping.find(name)
        return entry.value if entry else None

    def text(self, name: str) -> Scalar | None:
        node = self.node(name)
        return None if node is None else as_text(node, repr(name))

    def read(self, name: str, parse: Callable[[str], Parsed]) -> Parsed | None:
        text = self.text(name)
        return None if text is None else parsed(text, parse)

    def prose(self, name: str) -> str | None:
        """Return a text that may have several lines."""
        node = self.node(name)
        if node is None:
            return None
        if not isinstance(node, Scalar) or is_typed(node):
            return as_text(node, repr(name)).text
        if not node.text.strip():
            raise node.at.fault(f"{name!r} holds no text")
        if re.search(CONTROL_IN_PROSE, node.text):
            raise node.at.fault(f"{name!r} holds a control character")
        return node.text

    def texts(self, name: str) -> tuple[Scalar, ...]:
        node = self.node(name)
        items = () if node is None else as_list(node, repr(name))
        return tuple(as_text(item, f"each of {name!r}") for item in items)

    def names(self, name: str) -> tuple[Scalar, ...]:
        """Return a list of scalars; what looks like a number is a name all the same."""
        node = self.node(name)
        return tuple(
            item if isinstance(item, Scalar) and item.text else as_text(item, f"each of {name!r}")
            for item in (() if node is None else as_list(node, repr(name)))
        )

    def flag(self, name: str, *, default: bool) -> bool:
        node = self.node(name)
        if node is None:
            return default
        if isinstance(node, Scalar) and node.plain and node.text in _TRUTH:
            return _TRUTH[node.text]
        raise node.at.fault(f"{name!r} must be true or false")

    def choice(self, name: str, kind: type[Choice], later: Collection[str] = ()) -> Choice | None:
        """Return the member of `kind` that the text spells.

        Args:
            name: the manifest key.
            kind: an enum whose values are the spellings.
            later: spellings that the manifest's specification has and this version has not.
        """
        text = self.text(name)
        if text is None:
            return None
        known = {str(member.value): member for member in kind}
        if text.text in later:
            raise not_yet(text, f"{name}: {text.text}")
        if text.text not in known:
            raise text.at.fault(f"{text.text!r} is no {name!r}", f"use {' or '.join(known)}")
        return known[text.text]


def closed(
    node: Node | None, what: str, known: Iterable[str], later: Iterable[str] = ()
) -> Section:
    """Return a mapping that holds no other keys than `known`.

    Args:
        node: None stands for an empty mapping.
        what: what the mapping is, for messages (`a host`).
        known: its manifest keys.
        later: keys that the manifest's specification has and this version has not.

    Raises:
        RepositoryError: it is no mapping, or has another key; with line and column.
    """
    mapping = as_mapping(node, what)
    known = tuple(known)
    for entry in mapping.entries:
        if entry.name.text in later:
            raise not_yet(entry.name, f"the manifest key {entry.name.text!r}")
        if entry.name.text not in known:
            near = nearest(entry.name.text, known)
            raise entry.name.at.fault(
                f"unknown manifest key {entry.name.text!r} in {what}",
                f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}",
            )
    return Section(mapping)


def not_yet(scalar: Scalar, what: str) -> RepositoryError:
    return scalar.at.fault(f"{what} is not supported yet", "leave it out for now")
