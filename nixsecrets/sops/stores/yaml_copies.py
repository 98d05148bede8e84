"""Copies of a node of a YAML text, spelled for another place."""

from collections.abc import Sequence
from typing import NamedTuple

import yaml
from yaml.events import (
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from nixsecrets.sops.stores.yaml_scalars import resolve_plain
from nixsecrets.sops.stores.yaml_spelling import quote
from nixsecrets.sops.tree import LeafType

_CORE_TAG = "tag:yaml.org,2002:"
_FLOW_INDICATORS = frozenset(",[]{}?:")


class Node(NamedTuple):
    """What an anchor names, its own aliases written out.

    Args:
        text: of a block collection its lines, comments above its first entry included; of a flow
            collection what stands in brackets; of a block scalar its header and its lines; of
            another scalar nothing.
        flow: it is a flow collection, or stands in one.
        column: that of a block collection.
        parent: column of the block collection around it; -1: there is none.
        events: from its start to its end.
    """

    text: str
    flow: bool
    column: int
    parent: int
    events: tuple[yaml.Event, ...]


def shifted(text: str, by: int, *, first: bool = False) -> str:
    """Return a text with its lines moved to the right (to the left where `by` is negative).

    Args:
        text: one or more lines.
        by: number of columns.
        first: the first line moves too.
    """
    head, *rest = text.split("\n")
    lines = [_moved(line, by) for line in rest]
    return "\n".join((_moved(head, by) if first else head, *lines))


def flow_text(events: Sequence[yaml.Event]) -> str:
    """Return a node as one line of flow style."""
    out: list[str] = []
    counts: list[int] = []
    mappings: list[bool] = []
    for event in events:
        if isinstance(event, MappingEndEvent | SequenceEndEvent):
            out.append("}" if mappings.pop() else "]")
            counts.pop()
            continue
        if counts:
            is_value = mappings[-1] and counts[-1] % 2
            out.append(": " if is_value else ", " if counts[-1] else "")
            counts[-1] += 1
        if isinstance(event, ScalarEvent):
            out.append(scalar_text(event, flow=True))
        else:
            mappings.append(isinstance(event, MappingStartEvent))
            counts.append(0)
            out.append("{" if mappings[-1] else "[")
    return "".join(out)


def scalar_text(event: ScalarEvent, *, flow: bool) -> str:
    """Return a scalar on one line, with the quotes it has unless its new place asks for others."""
    tag = spell_tag(event)
    if not event.value and not event.style:
        return "null" if tag in ("", "!!null") else f'{tag} ""'
    return f"{tag} {_value_text(event, flow=flow)}".lstrip()


def spell_tag(event: ScalarEvent) -> str:
    if event.tag is None:
        return ""
    if event.tag.startswith(_CORE_TAG):
        return "!!" + event.tag.removeprefix(_CORE_TAG)
    return "!" if event.tag == "!" else f"!<{event.tag}>"


def _value_text(event: ScalarEvent, *, flow: bool) -> str:
    text: str = event.value
    if event.style == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    if event.style or "\n" in text:
        return quote(text)
    is_awkward = flow and not _FLOW_INDICATORS.isdisjoint(text)
    return quote(text) if is_awkward and resolve_plain(text)[0] is LeafType.STR else text


def _moved(line: str, by: int) -> str:
    if not line.strip():
        return line
    blanks = len(line) - len(line.lstrip(" "))
    return " " * by + line if by > 0 else line[min(-by, blanks) :]
