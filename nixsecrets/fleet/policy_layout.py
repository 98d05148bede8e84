"""How the lines of a policy are written: columns, dashes, quotes, line ends."""

import json
import re
from dataclasses import dataclass, replace
from enum import Enum, auto

from nixsecrets.fleet.policy_nodes import (
    AliasNode,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
)
from nixsecrets.textedit import Edit, line_end, line_start

_PLAIN = re.compile(r"[A-Za-z0-9^/(.\\$](?:[^\x00-\x1f:#]|:(?! |$)|(?<! )#)*(?<! )")
_WIDTH = 2
_MAIN_FIELDS = frozenset({"path_regex", "key_groups", "age", "pgp"})


@dataclass(frozen=True, slots=True)
class Dash:
    """The dash of a list's items: its 0-based column, and how far on the item begins."""

    column: int
    width: int = _WIDTH

    def line(self, item: str) -> str:
        return " " * self.column + "-".ljust(self.width) + item


FIRST_DASH = Dash(_WIDTH)


class Shape(Enum):
    """How a rule names its recipients."""

    GROUPS = auto()
    LIST = auto()
    ALIAS = auto()


@dataclass(frozen=True, slots=True)
class RuleLayout:
    """How a rule is written.

    Args:
        rule: the rule's own dash.
        group: dash of a key group.
        entry: dash of a recipient.
        shape: how recipients are named.
        pattern_first: `path_regex` stands before the recipients.
        quote: quote of `path_regex`, or nothing.
        kinds: fields of recipients in their order.
    """

    rule: Dash
    group: Dash
    entry: Dash
    shape: Shape = Shape.GROUPS
    pattern_first: bool = True
    quote: str = ""
    kinds: tuple[str, ...] = ("age",)


def default_layout(rule: Dash) -> RuleLayout:
    """Return the tool's own layout, each level two columns further in."""
    group = Dash(rule.column + rule.width + _WIDTH)
    return RuleLayout(rule, group, Dash(group.column + group.width + _WIDTH))


def find_layout(text: str, rule: Node) -> RuleLayout | None:
    """Return how `rule` is written; None where it is not in block style."""
    dash = find_dash(text, rule)
    if dash is None or not isinstance(rule, MappingNode) or rule.flow:
        return None
    pattern = own_field(rule, "path_regex")
    first = next((name for name in _names_of(rule) if name in _MAIN_FIELDS), None)
    layout = replace(
        default_layout(dash),
        pattern_first=pattern is None or first == "path_regex",
        quote=pattern.style if isinstance(pattern, ScalarNode) and pattern.style in "'\"" else "",
    )
    groups = block_items(own_field(rule, "key_groups"))
    if groups:
        return _layout_of_group(text, layout, groups[0])
    return _layout_of_flat(text, layout, rule)


def _layout_of_group(text: str, layout: RuleLayout, group: Node) -> RuleLayout:
    dash = find_dash(text, group)
    if dash is None or not isinstance(group, MappingNode) or group.flow:
        return layout
    entries = (
        find_dash(text, items[0]) for _, value in group.pairs if (items := block_items(value))
    )
    entry = next((found for found in entries if found), None)
    if entry is None:
        return layout
    return replace(layout, group=dash, entry=entry, kinds=_names_of(group))


def _layout_of_flat(text: str, layout: RuleLayout, rule: MappingNode) -> RuleLayout:
    recipients = own_field(rule, "age")
    items = block_items(recipients)
    entry = find_dash(text, items[0]) if items else None
    if entry is not None:
        return replace(layout, entry=entry, shape=Shape.LIST, kinds=_names_of(rule))
    if isinstance(recipients, AliasNode):
        return replace(layout, shape=Shape.ALIAS, kinds=_names_of(rule))
    return layout


def _names_of(mapping: MappingNode) -> tuple[str, ...]:
    return tuple(name.text for name, _ in mapping.pairs if isinstance(name, ScalarNode))


def rule_lines(
    layout: RuleLayout, pattern_text: str, recipients: tuple[tuple[str, tuple[str, ...]], ...]
) -> tuple[str, ...]:
    """Return the lines of a rule.

    Args:
        layout: how they are written.
        pattern_text: the regular expression.
        recipients: the aliases and spelled texts under each kind.
    """
    ordered = sorted(recipients, key=lambda pair: (*layout.kinds, pair[0]).index(pair[0]))
    indent = " " * (layout.rule.column + layout.rule.width)
    pattern = [f"{indent}path_regex: {spell(pattern_text, layout.quote)}"]
    named = _recipient_lines(layout, indent, ordered)
    lines = pattern + named if layout.pattern_first else named + pattern
    return (layout.rule.line(lines[0].lstrip()), *lines[1:])


def _recipient_lines(
    layout: RuleLayout, indent: str, recipients: list[tuple[str, tuple[str, ...]]]
) -> list[str]:
    if layout.shape is Shape.ALIAS and all(len(words) == 1 for _, words in recipients):
        return [f"{indent}{kind}: {words[0]}" for kind, words in recipients]
    if layout.shape is Shape.LIST:
        return _list_lines(layout.entry, indent, recipients)
    fields = " " * (layout.group.column + layout.group.width)
    lines = _list_lines(layout.entry, fields, recipients)
    return [f"{indent}key_groups:", layout.group.line(lines[0].lstrip()), *lines[1:]]


def _list_lines(
    entry: Dash, indent: str, recipients: list[tuple[str, tuple[str, ...]]]
) -> list[str]:
    return [
        line for kind, words in recipients for line in (f"{indent}{kind}:", *map(entry.line, words))
    ]


def spell(text: str, quote: str) -> str:
    """Return a one-line text as YAML, quoted as wished, or where it must be."""
    match quote:
        case '"':
            return json.dumps(text, ensure_ascii=False)
        case "" if _PLAIN.fullmatch(text):
            return text
        case _:
            return "'" + text.replace("'", "''") + "'"


def own_field(mapping: Node | None, name: str) -> Node | None:
    """Return a field written in `mapping` itself, not merged in, the alias unresolved."""
    if not isinstance(mapping, MappingNode):
        return None
    values = (
        value for key, value in mapping.pairs if isinstance(key, ScalarNode) and key.text == name
    )
    return next(values, None)


def block_items(node: Node | None) -> tuple[Node, ...]:
    """Return the items of a block list that stands here; of anything else nothing."""
    return node.items if isinstance(node, SequenceNode) and not node.flow else ()


def find_dash(text: str, item: Node) -> Dash | None:
    """Return the dash before `item`; None where they do not share a line."""
    start = line_start(text, item.place.start)
    found = re.fullmatch(r"([^\t]*)(- +)", text[start : item.place.start])
    return Dash(len(found[1]), len(found[2])) if found else None


def anchor_line(
    text: str, beside: Node, among: tuple[Node, ...], spelled: tuple[str, str]
) -> str | None:
    """Return an anchor's line as its neighbours are written; None where they share lines.

    Args:
        text: the policy.
        beside: the item that the line follows.
        among: all items of its list; where their values stand in one column, this one does too.
        spelled: the anchor's name and its value.
    """
    dash = find_dash(text, beside)
    if dash is None:
        return None
    name, value = spelled
    quote = beside.style if isinstance(beside, ScalarNode) and beside.style in "'\"" else ""
    head = dash.line(f"&{name} ")
    places = [place for item in among if (place := _value_place(text, item))]
    own = _value_place(text, beside)
    if own and any(column == own[0] and gap > 1 for column, gap in places):
        head = head.ljust(own[0])
    return head + spell(value, quote)


def value_start(text: str, node: Node) -> int | None:
    """Return the offset of an anchored text's value; None where it is not all on one line."""
    written = text[node.place.start : node.place.end]
    found = re.match(r"&[\w-]+ +", written)
    return node.place.start + found.end() if found and "\n" not in written else None


def _value_place(text: str, item: Node) -> tuple[int, int] | None:
    """Return the column of an anchored value, and the blanks before it."""
    if not isinstance(item, ScalarNode) or item.anchor is None:
        return None
    start = value_start(text, item)
    if start is None:
        return None
    gap = start - item.place.start - len(item.anchor) - 1
    return start - line_start(text, item.place.start), gap


def line_after(text: str, node: Node) -> int:
    """Return the offset of the line after the last one of `node`."""
    written = text[node.place.start : node.place.end].rstrip()
    return line_end(text, node.place.start + len(written))


def insert_lines(text: str, offset: int, lines: tuple[str, ...]) -> Edit:
    """Put lines before the line at `offset`, with the line ends of the line above.

    A text that ends without a line break still does so afterwards.
    """
    above = text[:offset]
    sample = above if "\n" in above else text
    line_break = "\r\n" if sample.endswith("\r\n") else line_break_of(sample)
    if above and not above.endswith("\n"):
        return Edit(offset, offset, "".join(line_break + line for line in lines))
    return Edit(offset, offset, "".join(line + line_break for line in lines))


def line_break_of(text: str) -> str:
    end = text.find("\n")
    return "\r\n" if end > 0 and text[end - 1] == "\r" else "\n"
