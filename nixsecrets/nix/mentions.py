"""Where a Nix source bears the name of a host, and its renaming where that is safe."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import PurePosixPath

from tree_sitter import Node

from nixsecrets.nix.render import render_component, render_string
from nixsecrets.nix.syntax import Syntax, descendants, parse
from nixsecrets.nix.values import Kind
from nixsecrets.textedit import Edit, apply_edits

_OUTPUTS = frozenset({*(kind.value for kind in Kind), "colmenaHive"})
_HOST_NAME = ("networking", "hostName")
_NOWHERE = PurePosixPath("//")


class MentionKind(Enum):
    """What a mention is, and so whether a tool may rename it."""

    ATTRIBUTE = auto()
    """Its attribute among the systems of a flake, or the nodes of a hive."""
    PATH = auto()
    """A path literal to its directory, or to what lies below."""
    HOST_NAME = auto()
    """What `networking.hostName` is set to."""
    BUILT_PATH = auto()
    """A path that is built from `networking.hostName`: renaming the machine moves it."""
    TEXT = auto()
    """Any other string that is the name: what it means, only a person knows."""


@dataclass(frozen=True, slots=True)
class Mention:
    """One place; line and column are 1-based, the column counts characters."""

    line: int
    column: int
    text: str
    kind: MentionKind


@dataclass(frozen=True, slots=True)
class Old:
    """What of a host may be mentioned.

    Args:
        name: as attribute and as host name.
        directory: from the folder of the source (`../../systems/hq`, `systems/hq`).
    """

    name: str
    directory: PurePosixPath


def find_mentions(content: bytes, name: str, directory: PurePosixPath) -> tuple[Mention, ...]:
    """Return the places of a Nix source that bear a host's name, in order.

    Args:
        content: the source.
        name: the host's name, its attribute or its host name.
        directory: where it lives, relative to the folder of the source.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
    """
    source = parse(content)
    return tuple(
        _mention(source, node, kind) for node, kind in _found(source, Old(name, directory))
    )


def rename_mentions(content: bytes, kind: MentionKind, old: str, new: str) -> bytes:
    """Return a source with a name replaced where it is a mention of one kind.

    Args:
        content: the source.
        kind: ATTRIBUTE or HOST_NAME; of the others nothing is replaced.
        old: as of `find_mentions`.
        new: what stands there then.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
    """
    source = parse(content)
    # One character a byte, so that offsets hold.
    edits = [
        Edit(node.start_byte, node.end_byte, spelled.encode().decode("latin-1"))
        for node, found in _found(source, Old(old, _NOWHERE))
        if found is kind and (spelled := _renamed(node, kind, new)) is not None
    ]
    after = apply_edits(content.decode("latin-1"), edits).encode("latin-1")
    parse(after)
    return after


def _found(source: Syntax, old: Old) -> Iterator[tuple[Node, MentionKind]]:
    done = 0
    for node in descendants(source.root):
        kind = _kind(source, node, old) if node.start_byte >= done else None
        if kind is not None:
            done = node.end_byte
            yield node, kind


def _kind(source: Syntax, node: Node, old: Old) -> MentionKind | None:
    match node.type:
        case "path_expression":
            text = source.text(node)
            if _is_below(text, old.directory):
                return MentionKind.PATH
            return MentionKind.BUILT_PATH if _is_built(source, node) else None
        case "identifier" | "string_expression" if _is_attribute(node):
            named = source.attribute(node) == old.name and _is_system(source, node)
            return MentionKind.ATTRIBUTE if named else None
        case "string_expression" if source.string(node) == old.name:
            return MentionKind.HOST_NAME if _sets_host_name(source, node) else MentionKind.TEXT
        case "binary_expression" | "string_expression":
            return MentionKind.BUILT_PATH if _is_built(source, node) else None
        case _:
            return None


def _is_below(text: str, directory: PurePosixPath) -> bool:
    path = PurePosixPath(posixpath.normpath(text))
    return "${" not in text and path.is_relative_to(directory)


def _is_attribute(node: Node) -> bool:
    above = node.parent
    return above is not None and above.type == "attrpath"


def _is_system(source: Syntax, node: Node) -> bool:
    """Tell whether the attribute before this one, here or around, is one that holds systems."""
    path = node.parent
    names = [] if path is None else path.children_by_field_name("attr")
    before = [each for each in names if each.end_byte <= node.start_byte]
    if before:
        return source.attribute(before[-1]) in _OUTPUTS
    above = None if path is None else path.parent
    while above is not None and (above := above.parent) is not None:
        if above.type == "binding" and (around := above.child_by_field_name("attrpath")):
            last = around.children_by_field_name("attr")[-1]
            return source.attribute(last) in _OUTPUTS
    return False


def _sets_host_name(source: Syntax, node: Node) -> bool:
    """Tell whether a string is the value of `networking.hostName`, in one binding or in two."""
    names: list[str | None] = []
    above = node.parent
    while above is not None and len(names) < len(_HOST_NAME):
        path = above.child_by_field_name("attrpath") if above.type == "binding" else None
        if path is not None:
            spelled = path.children_by_field_name("attr")
            names = [*map(source.attribute, spelled), *names]
        above = above.parent
    return tuple(names[-2:]) == _HOST_NAME


def _is_built(source: Syntax, node: Node) -> bool:
    text = source.text(node)
    above = node.parent
    if "networking.hostName" not in text or (above is not None and above.type == node.type):
        return False
    return node.type != "string_expression" or "/" in text


def _mention(source: Syntax, node: Node, kind: MentionKind) -> Mention:
    row, column = node.start_point
    before = source.content[node.start_byte - column : node.start_byte]
    characters = len(before.decode(errors="replace"))
    return Mention(row + 1, characters + 1, source.text(node), kind)


def _renamed(node: Node, kind: MentionKind, new: str) -> str | None:
    match kind:
        case MentionKind.ATTRIBUTE if node.type == "identifier":
            return render_component(new)
        case MentionKind.ATTRIBUTE | MentionKind.HOST_NAME:
            return render_string(new)
        case MentionKind.PATH | MentionKind.BUILT_PATH | MentionKind.TEXT:
            return None
