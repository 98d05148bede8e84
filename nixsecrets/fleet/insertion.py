"""One more entry or list item in a YAML text, inserted in the style of what stands beside.

The caller, who knows what the result must mean, parses it again: shapes that these insertions do
not suit are found there and not here.
"""

import json
import re
from collections.abc import Sequence as Listed
from dataclasses import dataclass
from typing import TypeAlias

from nixsecrets.fleet.outline import Entry, Mapping, Node, Scalar, Sequence, parse_outline
from nixsecrets.textedit import Edit, apply_edits, line_end, line_start

# Plain, and nothing but a string, in YAML 1.1 and 1.2, in blocks and in flows.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./@+-]*|\.[A-Za-z_][A-Za-z0-9_./@+-]{3,}")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_COMMA = re.compile(r"\s*,")
_DASH = re.compile(r" *-( +)?")
_USUAL_STEP = 2


@dataclass(frozen=True, slots=True)
class Map:
    """A mapping to be written.

    Args:
        entries: in their order.
        block: each of them takes a line of its own, unless what stands around is in braces.
    """

    entries: "tuple[tuple[str, Value], ...]" = ()
    block: bool = False


@dataclass(frozen=True, slots=True)
class Typed:
    """A scalar that is no string: a number, true or false, as YAML spells it."""

    text: str


Value: TypeAlias = str | Typed | tuple[str, ...] | Map


def spell_text(text: str) -> str:
    """Return `text` as a scalar, quoted wherever any YAML would not read that string."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a double-quoted one of YAML's


def spell_flow(value: Value, pad: str = " ") -> str:
    """Return `value` on one line; `pad` stands inside the braces of a mapping."""
    match value:
        case str():
            return spell_text(value)
        case Typed(text):
            return text
        case tuple():
            return f"[{', '.join(map(spell_text, value))}]"
        case Map(()):
            return "{}"
        case Map(entries):
            inside = ", ".join(f"{spell_text(k)}: {spell_flow(v, pad)}" for k, v in entries)
            return f"{{{pad}{inside}{pad}}}"


def spell_block(name: str, value: Value, indent: int, *, step: int | None) -> list[str]:
    """Return lines for an entry; with a `step` its value's own entries take lines below it."""
    lead = " " * indent + spell_text(name)
    if step and isinstance(value, Map) and value.entries:
        inner = (spell_block(k, v, indent + step, step=_step_of(v, step)) for k, v in value.entries)
        return [f"{lead}:", *(line for lines in inner for line in lines)]
    return [f"{lead}: {spell_flow(value)}"]


def _step_of(value: Value, step: int) -> int | None:
    return step if isinstance(value, Map) and value.block else None


def add_entry(
    text: str, path: tuple[str, ...], entry: tuple[str, Value], order: Listed[str]
) -> str:
    """Return `text` with one more entry, the last of its mapping.

    Args:
        text: whose top level is a mapping.
        path: down to the mapping that takes the entry; the mapping may be empty or null and, at
            the top level, missing.
        entry: its name and value.
        order: the usual order of the top level, for a mapping that is missing there.
    """
    draft = _draft(text)
    if draft.root.find(path[0]) is None:
        return apply_edits(text, draft.new_section(path[0], Map((entry,)), order))
    above, holder = draft.walk(path)
    match holder.value:
        case Mapping() as mapping:
            return apply_edits(text, draft.into_mapping(mapping, entry))
        case _ if above.flow:
            start, end = _null(text, holder)
            return apply_edits(text, [Edit(start, end, f" {spell_flow(Map((entry,)))}")])
        case _:
            column = holder.name.at.column
            step = _step_of(entry[1], draft.step)
            lines = spell_block(*entry, column - 1 + draft.step, step=step)
            gone = Edit(*_null(text, holder), "")
            return apply_edits(text, [gone, draft.below(holder.name.at.end, lines, column)])


def add_item(text: str, path: tuple[str, ...], item: str) -> str:
    """Return `text` with `item` as the last of the list at `path`, which may be empty or null."""
    draft = _draft(text)
    _, holder = draft.walk(path)
    match holder.value:
        case Sequence(items, flow=True) as node:
            return apply_edits(text, draft.into_flow(node, items, spell_text(item)))
        case Sequence((*_, last)):
            dash = _DASH.match(text, line_start(text, last.at.start))
            lead = dash.group() if dash else "- "
            line = lead + spell_text(item)
            return apply_edits(text, [draft.below(_end(text, last), [line], len(lead))])
        case _:
            start, end = _null(text, holder)
            return apply_edits(text, [Edit(start, end, f" {spell_flow((item,))}")])


@dataclass(frozen=True, slots=True)
class _Draft:
    text: str
    root: Mapping

    @property
    def newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    @property
    def step(self) -> int:
        """The indentation of the first block mapping below the top level."""
        for entry in self.root.entries:
            inner = entry.value
            if isinstance(inner, Mapping) and inner.entries and not inner.flow:
                return inner.entries[0].name.at.column - entry.name.at.column
        return _USUAL_STEP

    def walk(self, path: tuple[str, ...]) -> tuple[Mapping, Entry]:
        """Return the entry at `path` with the mapping it stands in."""
        above = self.root
        for name in path[:-1]:
            entry = above.find(name)
            if entry is None or not isinstance(entry.value, Mapping):
                raise KeyError(path)
            above = entry.value
        holder = above.find(path[-1])
        if holder is None:
            raise KeyError(path)
        return above, holder

    def new_section(self, name: str, value: Map, order: Listed[str]) -> list[Edit]:
        if self.root.flow:
            return self.into_mapping(self.root, (name, value))
        before = order[: order.index(name)]
        earlier = [entry for entry in self.root.entries if entry.name.text in before]
        lines = spell_block(name, value, self.root.at.column - 1, step=self.step)
        blank = [""] if len(self.root.entries) == 1 or self.spaced(self.root) else []
        place = (earlier or self.root.entries)[-1]
        return [self.below(end_of(self.text, place), [*blank, *lines], self.root.at.column)]

    def into_mapping(self, mapping: Mapping, entry: tuple[str, Value]) -> list[Edit]:
        name, value = entry
        if mapping.flow:
            piece = f"{spell_text(name)}: {spell_flow(value, self.pad(mapping))}"
            return self.into_flow(mapping, mapping.entries, piece)
        last = mapping.entries[-1]
        beside = last.value if isinstance(last.value, Mapping) else None
        step = self.step if beside and not beside.flow else _step_of(value, self.step)
        if beside and beside.entries and not beside.flow:
            step = beside.entries[0].name.at.column - last.name.at.column
        lines = spell_block(name, value, last.name.at.column - 1, step=step)
        blank = [""] if self.spaced(mapping) else []
        return [self.below(end_of(self.text, last), [*blank, *lines], last.name.at.column)]

    def into_flow(
        self, node: Mapping | Sequence, inside: Listed[Entry | Node], piece: str
    ) -> list[Edit]:
        """Add to a list in brackets or braces, on a line of its own where the last one has it."""
        if not inside:
            at = node.at.start + 1
            pad = " " if isinstance(node, Mapping) else ""
            return [Edit(at, at, f"{pad}{piece}{pad if self.text[at] == '}' else ''}")]
        last = inside[-1]
        start = (last.name if isinstance(last, Entry) else last).at.start
        end = end_of(self.text, last)
        comma = _COMMA.match(self.text, end)
        after = comma.end() if comma else end
        indent = self.text[line_start(self.text, start) : start]
        next_line = line_end(self.text, after)
        rest = self.text[after:next_line].strip()
        if not indent.strip() and (not rest or rest.startswith("#")):
            line = f"{indent}{piece}{',' if comma else ''}{self.newline}"
            missing = [] if comma else [Edit(end, end, ",")]
            return [*missing, Edit(next_line, next_line, line)]
        return [Edit(after, after, f" {piece}," if comma else f", {piece}")]

    def pad(self, mapping: Mapping) -> str:
        """Return what stands inside the braces beside: of the last mapping in it, or its own."""
        within = [entry.value for entry in mapping.entries]
        shown = [node for node in within if isinstance(node, Mapping) and node.entries]
        start = (shown[-1] if shown else mapping).at.start
        return "" if mapping.entries and self.text[start + 1] not in " \r\n" else " "

    def spaced(self, mapping: Mapping) -> bool:
        """Tell whether a blank line stands before the last entry of a block mapping."""
        if len(mapping.entries) == 1:
            return False
        before, last = mapping.entries[-2:]
        between = self.text[end_of(self.text, before) : last.name.at.start]
        return any(not line.strip() for line in between.split("\n")[1:-1])

    def below(self, offset: int, lines: list[str], column: int) -> Edit:
        """Insert below the line of `offset` and the comments right below it that go with it.

        Those comments are indented: they stand in `column` (0-based) or behind it.
        """
        at = line_end(self.text, offset)
        while self._is_comment(at, column):
            at = line_end(self.text, at)
        inserted = "".join(line + self.newline for line in lines)
        open_line = at > 0 and self.text[at - 1] != "\n"
        return Edit(at, at, self.newline + inserted if open_line else inserted)

    def _is_comment(self, at: int, column: int) -> bool:
        line = self.text[at : line_end(self.text, at)]
        return line.lstrip().startswith("#") and len(line) - len(line.lstrip()) >= column


def _draft(text: str) -> _Draft:
    root = parse_outline(text)
    if not isinstance(root, Mapping):
        raise TypeError("the top level is no mapping")
    return _Draft(text, root)


def _null(text: str, entry: Entry) -> tuple[int, int]:
    """Return from where to where a null stands behind the colon, with the blanks before it."""
    colon = text.index(":", entry.name.at.end) + 1
    return colon, max(colon, entry.value.at.end)


def end_of(text: str, item: Entry | Node) -> int:
    """Return where an entry or item ends: the parser's block ends lie behind later comments."""
    if isinstance(item, Entry):
        written = item.value.at.end > item.value.at.start
        return _end(text, item.value) if written else item.name.at.end
    return _end(text, item)


def _end(text: str, node: Node) -> int:
    match node:
        case Scalar(at=at):
            return at.start + len(text[at.start : at.end].rstrip())
        case Mapping((*_, last), flow=False):
            return end_of(text, last)
        case Sequence((*_, item), flow=False):
            return _end(text, item)
        case Mapping(at=at) | Sequence(at=at):
            return at.end
