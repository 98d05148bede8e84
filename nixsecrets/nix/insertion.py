"""Text put into a Nix source between two of its tokens, in the manner of what stands beside it."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tree_sitter import Node

from nixsecrets.errors import RepositoryError
from nixsecrets.nix.bindings import Binding, direct, elements, lists, operator
from nixsecrets.nix.syntax import NixSyntaxError, Syntax, parse

# What a person wrote behind a token belongs to it.
_REST_OF_LINE = re.compile(rb"(?:[ \t]*/\*.*?\*/)*(?:[ \t]*#[^\r\n]*)?", re.DOTALL)
_MARGIN = re.compile(rb"[ \t]*")
# Expressions that `++` takes as they stand.
_OPERANDS = frozenset(
    {
        "apply_expression",
        "parenthesized_expression",
        "select_expression",
        "variable_expression",
    }
)
_BLANK_LINE = re.compile(rb"\n[ \t]*\r?\n")


class NotUnderstood(RepositoryError):  # noqa: N818 - no fault of the source, it is left to a person
    """The source has a shape that no edit is known for.

    Args:
        problem: one clause.
        text: what to add by hand; may be several lines.
        where: the place to add it, a clause (`to the list imports`).
        line: 1-based line of what was not understood.
    """

    def __init__(self, problem: str, *, text: str, where: str, line: int | None = None) -> None:
        super().__init__(problem, hint=f"add `{text}` {where}", line=line)
        self.text = text
        self.where = where


@dataclass(frozen=True, slots=True)
class Addition:
    """What is to be added, and what a person is told where that cannot be done.

    Args:
        lines: as it stands on lines of its own, indented by two spaces a level.
        where: the place, a clause.
    """

    lines: tuple[str, ...]
    where: str

    @property
    def inline(self) -> str:
        return " ".join(line.strip() for line in self.lines)

    def refused(self, problem: str, node: Node | None = None) -> NotUnderstood:
        return NotUnderstood(
            problem,
            text="\n".join(self.lines),
            where=self.where,
            line=None if node is None else node.start_point.row + 1,
        )


@dataclass(frozen=True, slots=True)
class Insertion:
    """A text to be put at a byte of a source.

    Args:
        addition: what the text spells, for whoever is told that it cannot be put there.
    """

    offset: int
    text: str
    addition: Addition


def into_list(source: Syntax, bound: Binding, addition: Addition) -> bytes:
    """Put an element at the end of the first list literal that `bound` is made of.

    Raises:
        NotUnderstood: `bound` is inherited, or is no list, call or name.
    """
    if bound.value is None:
        raise addition.refused("the list is inherited", bound.node)
    literal = next(lists(source, bound.value), None)
    if literal is None:
        return inserted(source, [joined(source, bound.value, addition)])
    return inserted(source, [at_end(source, literal, addition)])


def after(source: Syntax, item: Node, addition: Addition) -> bytes:
    """Put an element or a binding after `item`: on a line of its own where `item` has one.

    Raises:
        NotUnderstood: the source would have changed in another way too.
    """
    return inserted(source, [_behind(source, item, addition)])


def first_into(source: Syntax, attributes: Node, addition: Addition) -> bytes:
    """Put a binding before all others of an attribute set.

    Raises:
        NotUnderstood: the source would have changed in another way too.
    """
    return inserted(source, [at_start(source, attributes, addition)])


def within(source: Syntax, empty: Node, addition: Addition) -> bytes:
    """Put the first thing into braces or brackets.

    Raises:
        NotUnderstood: the source would have changed in another way too.
    """
    return inserted(source, [_inside(source, empty, addition)])


def insert(source: Syntax, offset: int, text: str, addition: Addition) -> bytes:
    """Put `text` at `offset`.

    Raises:
        NotUnderstood: the source would have changed in another way too.
    """
    return inserted(source, [Insertion(offset, text, addition)])


def inserted(source: Syntax, insertions: Sequence[Insertion]) -> bytes:
    """Make all insertions and see that the tokens are the old ones and those of the texts.

    Raises:
        NotUnderstood: they are not.
    """
    ordered = sorted(insertions, key=lambda each: each.offset)
    pieces, done = list[bytes](), 0
    for each in ordered:
        pieces += (source.content[done : each.offset], each.text.encode())
        done = each.offset
    content = b"".join((*pieces, source.content[done:]))
    if not _holds(source, content, ordered):
        first = ordered[0]
        line = source.content.count(b"\n", 0, first.offset) + 1
        text, where = first.addition.inline, first.addition.where
        raise NotUnderstood("cannot be edited here", text=text, where=where, line=line)
    return content


def at_end(source: Syntax, literal: Node, addition: Addition) -> Insertion:
    """Return what puts an element at the end of a list literal."""
    present = elements(literal)
    if not present:
        return _inside(source, literal, addition)
    return _behind(source, present[-1], addition)


def at_start(source: Syntax, attributes: Node, addition: Addition) -> Insertion:
    """Return what puts a binding before all others of an attribute set."""
    first = next(direct(source, attributes), None)
    if first is None:
        return _inside(source, attributes, addition)
    brace = _opening(attributes)
    start = first.node.start_byte
    if not starts_line(source, start):
        return Insertion(brace.end_byte, f" {addition.inline}", addition)
    text = _block(source, _line_margin(source, start), addition)
    return Insertion(end_of_remark(source, brace.end_byte), text, addition)


def joined(source: Syntax, value: Node, addition: Addition) -> Insertion:
    """Return what puts `++ [ … ]` behind an expression.

    Raises:
        NotUnderstood: it is no call, name or selection.
    """
    if value.type not in _OPERANDS and operator(source, value) != "++":
        raise addition.refused("the list is written in a way that is not understood", value)
    return Insertion(value.end_byte, f" ++ [ {addition.inline} ]", addition)


def _behind(source: Syntax, item: Node, addition: Addition) -> Insertion:
    if not starts_line(source, item.start_byte):
        return Insertion(item.end_byte, f" {addition.inline}", addition)
    gap = _gap_before(source, item)
    text = gap + _block(source, _line_margin(source, item.start_byte), addition)
    return Insertion(end_of_remark(source, item.end_byte), text, addition)


def _inside(source: Syntax, empty: Node, addition: Addition) -> Insertion:
    opening, closing = _opening(empty), empty.children[-1]
    if opening.start_point.row == closing.start_point.row:
        space = " " if opening.end_byte == closing.start_byte else ""
        return Insertion(opening.end_byte, f" {addition.inline}{space}", addition)
    margin = _line_margin(source, opening.start_byte) + _step(source.content)
    text = _block(source, margin, addition)
    return Insertion(end_of_remark(source, opening.end_byte), text, addition)


def starts_line(source: Syntax, offset: int) -> bool:
    """Tell whether nothing but blanks stands before `offset` on its line."""
    start = source.content.rfind(b"\n", 0, offset) + 1
    return not source.content[start:offset].strip()


def new_line(source: Syntax, neighbour: Node) -> str:
    """Return what begins a line that is indented as the line of `neighbour` is."""
    return f"{_line_break(source)}{_line_margin(source, neighbour.start_byte)}"


def end_of_remark(source: Syntax, offset: int) -> int:
    """Return where the comments end that stand on one line with the token before `offset`."""
    rest = _REST_OF_LINE.match(source.content, offset)
    return rest.end() if rest else offset


def _block(source: Syntax, margin: str, addition: Addition) -> str:
    step = _step(source.content)
    return "".join(
        f"{_line_break(source)}{margin}{step * (_indent(line) // 2)}{line.lstrip()}"
        for line in addition.lines
    )


def _line_margin(source: Syntax, offset: int) -> str:
    start = source.content.rfind(b"\n", 0, offset) + 1
    margin = _MARGIN.match(source.content, start)
    return margin[0].decode() if margin else ""


def _line_break(source: Syntax) -> str:
    return "\r\n" if b"\r\n" in source.content else "\n"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


@lru_cache(maxsize=4)
def _step(content: bytes) -> str:
    """Return what one level of the file is indented by."""
    if re.search(rb"\n\t+\S", content):
        return "\t"
    wide = re.search(rb"\n {4}\S", content) and not re.search(rb"\n {2}\S", content)
    return "    " if wide else "  "


def _gap_before(source: Syntax, item: Node) -> str:
    """Return a blank line where one parts the binding `item` from the one before it."""
    previous = item.prev_named_sibling
    if item.type != "binding" or previous is None:
        return ""
    gap = _BLANK_LINE.search(source.content, previous.end_byte, item.start_byte)
    return _line_break(source) if gap else ""


def _opening(node: Node) -> Node:
    return next(child for child in node.children if child.type in {"[", "{"})


def _holds(source: Syntax, content: bytes, insertions: Sequence[Insertion]) -> bool:
    try:
        result = parse(content)
    except NixSyntaxError:
        return False
    new = [result.text(leaf) for leaf in result.leaves()]
    old = [(leaf.end_byte, source.text(leaf)) for leaf in source.leaves()]
    ends, texts = [end for end, _ in old], [text for _, text in old]
    done = behind = 0
    for offset, added in _by_offset(insertions).items():
        head = bisect_right(ends, offset)
        kept = head - done
        if new[behind : behind + kept] != texts[done:head]:
            return False
        done, behind = head, behind + kept
        following = texts[done] if done < len(texts) else ""
        end = _after_added(new, behind, _bare(added), following)
        if end is None:
            return False
        behind = end
    return new[behind:] == texts[done:]


def _after_added(tokens: Sequence[str], start: int, wanted: str, following: str) -> int | None:
    """Return where the tokens of a text end; None: it is not what stands there."""
    end, seen = start, ""
    while end < len(tokens) and len(seen) < len(wanted):
        seen += _bare(tokens[end])
        end += 1
    if seen != wanted:
        return None
    while end < len(tokens) and tokens[end] == "," != following:
        end += 1
    return end


def _by_offset(insertions: Sequence[Insertion]) -> dict[int, str]:
    texts: dict[int, str] = {}
    for each in insertions:
        texts[each.offset] = texts.get(each.offset, "") + each.text
    return texts


def _bare(text: str) -> str:
    """Return `text` without blanks and commas: a comma may come from the argument before."""
    return "".join(text.replace(",", " ").split())
