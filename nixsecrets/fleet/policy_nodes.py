"""The policy's YAML as nodes that know their place, aliases kept apart from what they mean.

Built from libyaml's events: PyYAML's `compose` gives an alias the place of its anchor, and refuses
an anchor that is defined twice, which sops takes. sops reads with go-yaml, a port of libyaml.
"""

from collections.abc import Iterator
from typing import NamedTuple

import yaml

from nixsecrets.errors import RepositoryError

_DEEPEST = 64
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})  # go-yaml resolve.go


class Place(NamedTuple):
    """Offsets in characters, and the 1-based line and column of the start.

    A node begins at its anchor where it has one; a block collection ends with its last child.
    """

    start: int
    end: int
    line: int
    column: int


class ScalarNode(NamedTuple):
    """A text; `style` is its quote, `|` or `>`, or nothing where it is plain."""

    place: Place
    anchor: str | None
    text: str
    style: str

    @property
    def null(self) -> bool:
        return not self.style and self.text in _NULLS


class SequenceNode(NamedTuple):
    place: Place
    anchor: str | None
    flow: bool
    items: tuple["Node", ...]


class MappingNode(NamedTuple):
    place: Place
    anchor: str | None
    flow: bool
    pairs: tuple[tuple["Node", "Node"], ...]


class AliasNode(NamedTuple):
    place: Place
    name: str
    target: "Content"


Content = ScalarNode | SequenceNode | MappingNode
Node = Content | AliasNode


class Composition(NamedTuple):
    """The first document of a stream (all that sops reads), and its anchored nodes in order."""

    root: Node | None
    anchored: tuple[Content, ...]


def resolve(node: Node) -> Content:
    return node.target if isinstance(node, AliasNode) else node


def is_null(node: Node) -> bool:
    target = resolve(node)
    return isinstance(target, ScalarNode) and target.null


def compose(text: str) -> Composition:
    """Return the nodes of `text`.

    Raises:
        RepositoryError: it is not YAML, an alias has no anchor before it, or it is nested deeper
            than any policy.
    """
    try:
        return _Composer().compose(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RepositoryError(
            f"not readable as YAML: {error.problem or error.context}",
            line=mark.line + 1 if mark else None,
            column=mark.column + 1 if mark else None,
        ) from None
    except yaml.reader.ReaderError as error:
        head = text[: error.position]
        raise RepositoryError(
            f"not readable as YAML: {error.reason}",
            line=head.count("\n") + 1,
            column=error.position - head.rfind("\n"),
        ) from None


class _Open(NamedTuple):
    event: yaml.CollectionStartEvent | None
    children: list[Node]


class _Composer:
    def __init__(self) -> None:
        self._stack = [_Open(None, [])]
        self._by_anchor: dict[str, Content] = {}
        self._anchored: list[Content] = []

    def compose(self, events: Iterator[yaml.Event]) -> Composition:
        for event in events:
            if isinstance(event, yaml.DocumentEndEvent):
                break
            self._take(event)
        roots = self._stack[0].children
        anchored = sorted(self._anchored, key=lambda node: node.place.start)
        return Composition(roots[0] if roots else None, tuple(anchored))

    def _take(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                self._add(ScalarNode(_place(event), event.anchor, event.value, _style(event.style)))
            case yaml.AliasEvent():
                self._stack[-1].children.append(self._alias(event))
            case yaml.CollectionStartEvent():
                if len(self._stack) > _DEEPEST:
                    place = _place(event)
                    raise RepositoryError("nested too deeply", line=place.line, column=place.column)
                self._stack.append(_Open(event, []))
            case yaml.CollectionEndEvent():
                self._close(event)
            case _:
                return

    def _alias(self, event: yaml.AliasEvent) -> AliasNode:
        name, place = event.anchor or "", _place(event)
        target = self._by_anchor.get(name)
        if target is None:
            raise RepositoryError(
                f"alias *{name} has no anchor before it", line=place.line, column=place.column
            )
        return AliasNode(place, name, target)

    def _close(self, end: yaml.CollectionEndEvent) -> None:
        opened = self._stack.pop()
        start, children = opened.event, opened.children
        if start is None:  # the stream's own entry is never closed by an event
            return
        flow = bool(start.flow_style)
        first, last = _place(start), _place(end)
        stop = last.end if flow or not children else children[-1].place.end
        place = Place(first.start, stop, first.line, first.column)
        if isinstance(start, yaml.MappingStartEvent):
            pairs = tuple(zip(children[::2], children[1::2], strict=True))
            self._add(MappingNode(place, start.anchor, flow, pairs))
        else:
            self._add(SequenceNode(place, start.anchor, flow, tuple(children)))

    def _add(self, node: Content) -> None:
        self._stack[-1].children.append(node)
        if node.anchor is not None:
            self._by_anchor[node.anchor] = node
            self._anchored.append(node)


def _style(style: str | None) -> str:
    return (style or "").strip()


def _place(event: yaml.Event) -> Place:
    start, end = event.start_mark, event.end_mark
    if start is None or end is None:
        raise AssertionError("libyaml marks every event")
    return Place(start.index, end.index, start.line + 1, start.column + 1)
