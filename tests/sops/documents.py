"""Generated YAML documents, each with the leaves and comments that it is written to hold."""

from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

from hypothesis import strategies as st

from tests.sops.spellings import FLOW_SCALARS, KEYS, SCALARS, Spelled, below

Expected = tuple[tuple[str | int, ...], str, bytes]
"""Path, type (`null`, `{}` and `[]` among them), canonical bytes."""

T = TypeVar("T")


@dataclass(frozen=True)
class Generated:
    """A document in clear and what it holds.

    Args:
        text: as it stands in a file.
        leaves: in file order.
        comments: texts behind the mark, in file order.
    """

    text: str
    leaves: tuple[Expected, ...]
    comments: tuple[str, ...]


@st.composite
def documents(draw: st.DrawFn) -> Generated:
    """Draw a mapping of up to three levels in any layout; `sops` never stands at top level."""
    writer = _Writer(draw)
    if writer.chance(20):
        writer.lines.append("---")
    if writer.chance(15):
        writer.flow_document()
    else:
        writer.mapping((), writer.pick(0, 0, 0, 0, 1, 2), depth=0)
        writer.comments_above(0)
    newline = writer.pick("\n", "\n", "\n", "\n", "\r\n")
    text = newline.join(writer.lines)
    if writer.after_block or not writer.chance(10):
        text += newline
    return Generated(text, tuple(writer.leaves), tuple(writer.comments))


@dataclass
class _Writer:
    """Writes lines and notes what they hold."""

    draw: st.DrawFn
    lines: list[str] = field(default_factory=list)
    leaves: list[Expected] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    after_block: bool = False

    def chance(self, one_in: int) -> bool:
        return self.draw(below(one_in)) == 0

    def pick(self, *choices: T) -> T:
        return choices[self.draw(below(len(choices)))]

    def mapping(self, path: tuple[str | int, ...], column: int, depth: int) -> None:
        """Write entries of a block mapping; the first line may hold the start of one already."""
        size = 1 + self.draw(below(4))
        keys = self.draw(_keys(size))
        for key in keys:
            if not path and key.text == "sops":
                continue
            self.comments_above(column)
            self.entry(path, key, column, depth)
        if not path and not self.leaves:
            self.put(column, "only: 1")
            self.leaves.append((("only",), "int", b"1"))

    def entry(self, path: tuple[str | int, ...], key: Spelled, column: int, depth: int) -> None:
        path = (*path, key.text)
        if key.explicit:
            self.put(column, f"? {key.spelled}")
            self.value(path, " " * column + ":", column, depth)
        else:
            self.value(path, self.pad(column) + key.spelled + ":", column, depth)

    def value(self, path: tuple[str | int, ...], head: str, column: int, depth: int) -> None:
        kind = self.pick("scalar", "scalar", "scalar", "mapping", "list", "flow")
        if depth >= 3 or (kind == "flow" and depth == 0 and self.chance(2)):
            kind = "scalar"
        match kind:
            case "scalar":
                self.scalar(path, head, column)
            case "flow":
                self.lines.append(self.inline(f"{head} {self.flow(path, depth + 1)}"))
            case "mapping":
                self.lines.append(self.inline(head))
                self.mapping(path, column + self.pick(2, 4, 1, 3, 7), depth + 1)
            case _:
                self.lines.append(self.inline(head))
                self.items(path, column + self.pick(0, 2, 4, 5), depth + 1)

    def items(self, path: tuple[str | int, ...], column: int, depth: int) -> None:
        for position in range(1 + self.draw(below(3))):
            self.comments_above(column)
            self.item((*path, position), self.pad(column), column, depth)

    def item(self, path: tuple[str | int, ...], pad: str, column: int, depth: int) -> None:
        kind = self.pick("scalar", "scalar", "mapping", "list", "flow")
        gap = self.pick(1, 1, 1, 3)
        if depth >= 3:
            kind = "scalar"
        match kind:
            case "scalar":
                self.scalar(path, f"{pad}-", column)
            case "flow":
                self.lines.append(self.inline(f"{pad}- {self.flow(path, depth + 1)}"))
            case "mapping":
                self.open_line = f"{pad}-{' ' * gap}"
                self.mapping_after_dash(path, column + 1 + gap, depth + 1)
            case _:
                inner = column + 1 + gap
                self.item((*path, 0), f"{pad}-{' ' * gap}", inner, depth + 1)

    def mapping_after_dash(self, path: tuple[str | int, ...], column: int, depth: int) -> None:
        self.mapping(path, column, depth)

    open_line: str | None = None

    def pad(self, column: int) -> str:
        """Return what stands before an entry: blanks, or the dash that waits for its first one."""
        opened, self.open_line = self.open_line, None
        return " " * column if opened is None else opened

    def put(self, column: int, text: str) -> None:
        self.lines.append(self.pad(column) + text)

    def scalar(self, path: tuple[str | int, ...], head: str, column: int) -> None:
        drawn = self.draw(SCALARS)
        self.leaves.append((path, drawn.kind, drawn.content))
        indent = self.pick(1, 2, 4) if column or drawn.indicator else self.pick(2, 4)
        first = drawn.spelled.replace("%", str(indent)) if drawn.indicator else drawn.spelled
        glue = " " if first else ""
        has_lines = bool(drawn.lines)
        if drawn.block:
            self.lines.append(self.inline(f"{head}{glue}{first}"))
        else:
            line = f"{head}{glue}{first}"
            self.lines.append(line if has_lines else self.inline(line))
        self.lines += [" " * (column + indent) + line if line else "" for line in drawn.lines]
        self.after_block = drawn.block
        if not drawn.keeps and self.chance(6):
            self.lines.append("")

    def flow_document(self) -> None:
        self.lines.append(self.inline(self.flow((), 0, braces=True)))

    def flow(self, path: tuple[str | int, ...], depth: int, *, braces: bool = False) -> str:
        blank = self.pick("", " ")
        if braces or self.chance(2):
            keys = self.draw(_keys(self.draw(below(4))))
            keys = [key for key in keys if not key.explicit and (path or key.text != "sops")]
            parts = [f"{key.spelled}: {self.flow_value((*path, key.text), depth)}" for key in keys]
            if not parts and path:
                self.leaves.append((path, "{}", b""))
            return "{" + blank + ", ".join(parts) + blank + "}"
        size = self.draw(below(4))
        parts = [self.flow_value((*path, position), depth) for position in range(size)]
        if not parts:
            self.leaves.append((path, "[]", b""))
        return "[" + blank + ", ".join(parts) + blank + "]"

    def flow_value(self, path: tuple[str | int, ...], depth: int) -> str:
        if depth < 3 and self.chance(5):
            return self.flow(path, depth + 1)
        drawn = self.draw(FLOW_SCALARS)
        self.leaves.append((path, drawn.kind, drawn.content))
        return drawn.spelled

    def comments_above(self, column: int) -> None:
        if self.open_line is not None:
            return
        while self.chance(5):
            off = 0 if self.after_block else self.pick(0, 0, 0, 0, 2)
            self.lines.append(" " * (column + off) + "#" + self.comment())
            if self.chance(6):
                self.lines.append("")
            self.after_block = False

    def inline(self, line: str) -> str:
        if not self.chance(8):
            return line
        return f"{line} #{self.comment()}"

    def comment(self) -> str:
        text = self.pick(" note", " ", " ünï 😀", "no blank", " a: b", " - #x", "# y")
        if text.strip():
            text += str(len(self.comments))
        self.comments.append(text)
        return text


@cache
def _keys(size: int) -> st.SearchStrategy[list[Spelled]]:
    return st.lists(KEYS, min_size=size, max_size=size, unique_by=lambda key: key.text)
