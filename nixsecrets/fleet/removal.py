"""Entries and list items of a YAML text taken out or named anew by spans; the rest stays.

The caller, who knows what the result must mean, parses it again, as with `insertion`.
"""

import re
from collections.abc import Iterator
from collections.abc import Sequence as Listed

from nixsecrets.fleet.insertion import end_of, spell_flow, spell_text
from nixsecrets.fleet.outline import Entry, Mapping, Node, Scalar, Sequence, parse_outline
from nixsecrets.textedit import Edit, apply_edits, line_end, line_start

Path = tuple[str, ...]

_COMMA = re.compile(r"\s*,")


def find(text: str, path: Path) -> Entry | None:
    """Return the entry at `path`; None: there is none."""
    node, entry = parse_outline(text), None
    for name in path:
        entry = node.find(name) if isinstance(node, Mapping) else None
        if entry is None:
            return None
        node = entry.value
    return entry


def below(text: str, path: Path) -> tuple[Entry, ...]:
    """Return the entries of the mapping at `path`; none where there is no such mapping."""
    entry = find(text, path)
    return entry.value.entries if entry and isinstance(entry.value, Mapping) else ()


def items_at(text: str, path: Path) -> tuple[str, ...]:
    """Return the scalars of the list at `path`; none where there is no such list."""
    entry = find(text, path)
    items = entry.value.items if entry and isinstance(entry.value, Sequence) else ()
    return tuple(item.text for item in items if isinstance(item, Scalar))


def remove_entry(text: str, path: Path) -> str:
    """Return `text` without the entry at `path`, if there is one.

    Comments inside it and behind it on its line go with it; those above it stay.
    """
    entry = find(text, path)
    above = find(text, path[:-1])
    holder = above.value if above else parse_outline(text)
    if entry is None or not isinstance(holder, Mapping):
        return text
    return _without(text, holder, holder.entries.index(entry))


def remove_item(text: str, path: Path, item: str) -> str:
    """Return `text` without `item` in the list at `path`, if it is there; comments as above."""
    items = items_at(text, path)
    entry = find(text, path)
    if entry is None or item not in items or not isinstance(entry.value, Sequence):
        return text
    if len(items) == 1 and not entry.value.flow:
        lines = _lines(text, entry.value.items[0], entry.name.at.column)
        return apply_edits(text, [Edit(entry.name.at.end + 1, entry.name.at.end + 1, " []"), lines])
    return _without(text, entry.value, items.index(item))


def rename_entry(text: str, path: Path, name: str) -> str:
    """Return `text` with the entry at `path`, if there is one, under another name."""
    entry = find(text, path)
    return text if entry is None else apply_edits(text, [_respelled(text, entry.name, name)])


def rename_item(text: str, path: Path, item: str, name: str) -> str:
    """Return `text` with another text for `item` in the list at `path`, if it is there."""
    entry = find(text, path)
    items = entry.value.items if entry and isinstance(entry.value, Sequence) else ()
    edits = [
        _respelled(text, node, name)
        for node in items
        if isinstance(node, Scalar) and node.text == item
    ]
    return apply_edits(text, edits)


def replace_value(text: str, path: Path, value: str) -> str:
    """Return `text` with another scalar at `path`, where there is one."""
    entry = find(text, path)
    if entry is None or not isinstance(entry.value, Scalar):
        return text
    return apply_edits(text, [_respelled(text, entry.value, value)])


def replace_prefix(text: str, path: Path, old: str, new: str) -> str:
    """Return `text` with another beginning for the scalars below `path` that begin with `old`."""
    entry = find(text, path)
    edits = [
        _respelled(text, scalar, new + scalar.text.removeprefix(old))
        for scalar in _scalars(entry.value if entry else None)
        if scalar.text.startswith(old)
    ]
    return apply_edits(text, edits)


def _scalars(node: Node | None) -> Iterator[Scalar]:
    match node:
        case Scalar():
            yield node
        case Sequence(items):
            for item in items:
                yield from _scalars(item)
        case Mapping(entries):
            for entry in entries:
                yield from _scalars(entry.value)
        case None:
            return


def _respelled(text: str, scalar: Scalar, new: str) -> Edit:
    spelled = spell_text(new) if scalar.plain else spell_flow(new)
    return Edit(scalar.at.start, end_of(text, scalar), spelled)


def _without(text: str, holder: Mapping | Sequence, index: int) -> str:
    inside: Listed[Entry | Node] = holder.entries if isinstance(holder, Mapping) else holder.items
    if not holder.flow:
        return apply_edits(text, [_lines(text, inside[index], holder.at.column)])
    if len(inside) == 1:
        return apply_edits(text, [Edit(holder.at.start + 1, holder.at.end - 1, "")])
    return apply_edits(text, _from_flow(text, inside, index))


def _start(item: Entry | Node) -> int:
    return (item.name if isinstance(item, Entry) else item).at.start


def _lines(text: str, item: Entry | Node, column: int) -> Edit:
    """Cut the lines of an item, with deeper comments below it, and one of two blank lines.

    Args:
        text: the whole.
        item: of a block; nothing else stands on its lines.
        column: 1-based; comments behind it belong to the item.
    """
    start, end = line_start(text, _start(item)), line_end(text, end_of(text, item))
    while _is_comment(text, end, column):
        end = line_end(text, end)
    before = text[line_start(text, start - 1) : start] if start else ""
    after = text[end : line_end(text, end)]
    if not before.strip() and end < len(text) and not after.strip():
        end = line_end(text, end)
    return Edit(start, end, "")


def _is_comment(text: str, offset: int, column: int) -> bool:
    line = text[offset : line_end(text, offset)]
    return line.lstrip().startswith("#") and len(line) - len(line.lstrip()) >= column


def _from_flow(text: str, inside: Listed[Entry | Node], index: int) -> Iterator[Edit]:
    """Cut one of several items in brackets or braces, its whole line where it has one."""
    start, end = _start(inside[index]), end_of(text, inside[index])
    comma = _COMMA.match(text, end)
    after = comma.end() if comma else end
    rest = text[after : line_end(text, after)].strip()
    is_last = index == len(inside) - 1
    if not text[line_start(text, start) : start].strip() and (not rest or rest.startswith("#")):
        yield Edit(line_start(text, start), line_end(text, after), "")
        if is_last and not comma:
            previous = end_of(text, inside[index - 1])
            freed = _COMMA.match(text, previous)
            yield Edit(previous, freed.end() if freed else previous, "")
    elif is_last:
        yield Edit(end_of(text, inside[index - 1]), end, "")
    else:
        yield Edit(start, _start(inside[index + 1]), "")
