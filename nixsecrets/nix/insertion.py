"""Text put into a Nix source between two of its tokens, in the manner of what stands beside it."""

import re
from dataclasses import dataclass

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


def into_list(source: Syntax, bound: Binding, addition: Addition) -> bytes:
    """Put an element at the end of the first list literal that `bound` is made of.

    Raises:
        NotUnderstood: `bound` is inherited, or is no list, call or name.
    """
    if bound.value is None:
        raise addition.refused("the list is inherited", bound.node)
    literal = next(lists(source, bound.value), None)
    if literal is None:
        return _joined(source, bound.value, addition)
    present = elements(literal)
    if not present:
        return within(source, literal, addition)
    return after(source, present[-1], addition)


def after(source: Syntax, item: Node, addition: Addition) -> bytes:
    """Put an element or a binding after `item`: on a line of its own where `item` has one.

    Raises:
        NotUnderstood: the source would have changed in another way too.
    """
    if not starts_line(source, item.start_byte):
        return insert(source, item.end_byte, f" {addition.inline}", addition)
    gap = _gap_before(source, item)
    text = gap + _block(source, _line_margin(source, item.start_byte), addition)
    return insert(source, end_of_remark(source, item.end_byte), text, addition)


def first_into(source: Syntax, attributes: Node, addition: Addition) -> bytes:
    """Put a binding before all others of an attribute set.

    Raises:
        NotUnderstood: the source would have changed in another way too.
    """
    first = next(direct(source, attributes), None)
    if first is None:
        return within(source, attributes, addition)
    brace = _opening(attributes)
    start = first.node.start_byte
    if not starts_line(source, start):
        return insert(source, brace.end_byte, f" {addition.inline}", addition)
    text = _block(source, _line_margin(source, start), addition)
    return insert(source, end_of_remark(source, brace.end_byte), text, addition)


def within(source: Syntax, empty: Node, addition: Addition) -> bytes:
    """Put the first thing into braces or brackets.

    Raises:
        NotUnderstood: the source would have changed in another way too.
    """
    opening, closing = _opening(empty), empty.children[-1]
    if opening.start_point.row == closing.start_point.row:
        space = " " if opening.end_byte == closing.start_byte else ""
        return insert(source, opening.end_byte, f" {addition.inline}{space}", addition)
    margin = _line_margin(source, opening.start_byte) + _step(source)
    text = _block(source, margin, addition)
    return insert(source, end_of_remark(source, opening.end_byte), text, addition)


def insert(source: Syntax, offset: int, text: str, addition: Addition) -> bytes:
    """Put `text` at `offset` and see that the tokens are the old ones and those of `text`.

    Raises:
        NotUnderstood: they are not.
    """
    content = source.content[:offset] + text.encode() + source.content[offset:]
    if not _holds(source, content, offset, text):
        line = source.content.count(b"\n", 0, offset) + 1
        raise NotUnderstood(
            "cannot be edited here", text=addition.inline, where=addition.where, line=line
        )
    return content


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
    return "".join(
        f"{_line_break(source)}{margin}{_step(source) * (_indent(line) // 2)}{line.lstrip()}"
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


def _step(source: Syntax) -> str:
    """Return what one level of the file is indented by."""
    if re.search(rb"\n\t+\S", source.content):
        return "\t"
    wide = re.search(rb"\n {4}\S", source.content) and not re.search(rb"\n {2}\S", source.content)
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


def _joined(source: Syntax, value: Node, addition: Addition) -> bytes:
    if value.type not in _OPERANDS and operator(source, value) != "++":
        raise addition.refused("the list is written in a way that is not understood", value)
    return insert(source, value.end_byte, f" ++ [ {addition.inline} ]", addition)


def _holds(source: Syntax, content: bytes, offset: int, text: str) -> bool:
    try:
        result = parse(content)
    except NixSyntaxError:
        return False
    old = [source.text(leaf) for leaf in source.leaves()]
    new = [result.text(leaf) for leaf in result.leaves()]
    head = sum(leaf.end_byte <= offset for leaf in source.leaves())
    tail = len(old) - head
    added = new[head : len(new) - tail]
    kept = new[:head] == old[:head] and new[len(new) - tail :] == old[head:]
    return kept and _bare("".join(added)) == _bare(text)


def _bare(text: str) -> str:
    """Return `text` without blanks and commas: a comma may come from the argument before."""
    return "".join(text.replace(",", " ").split())
