"""A YAML text made of nothing but values and comments, as sops lays one out."""

from collections.abc import Iterator, Sequence

from nixsecrets.sops.stores.ini_tree import bare
from nixsecrets.sops.stores.yaml_spelling import spell, spell_key
from nixsecrets.sops.stores.yaml_text import DEFAULT_INDENT
from nixsecrets.sops.tree import Comment, Item, KeyPath, Leaf, shared_depth

_ITEM_INDENT = 2


def render(items: Sequence[Item]) -> str:
    """Return items as a text in clear, laid out as sops does; comments get lines of their own."""
    return "".join(_Lines(items).lines()) or "{}\n"


class _Lines:
    """Block style: four blanks a level, what is below an item of a list two behind its dash."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._open: KeyPath = ()

    def lines(self) -> Iterator[str]:
        following = _following_leaves(self._items)
        for item, leaf in zip(self._items, following, strict=True):
            match item:
                case Leaf(path=path, kind=kind, content=content):
                    yield from self._enter(path)
                    indent = _column(path[:-1]) + DEFAULT_INDENT
                    yield f" {spell(kind, content, indent)}\n"
                case Comment():
                    yield from self._comment(item, leaf)

    def _comment(self, comment: Comment, following: Leaf | None) -> Iterator[str]:
        container = self._place(comment.container, following.path if following else ())
        if container and self._open[: len(container)] != container:
            yield from self._enter(container)
            yield "\n"
        column = _column(container)
        for line in comment_lines(comment.text):
            yield f"{' ' * column}#{line}\n"

    def _place(self, container: KeyPath, following: KeyPath) -> KeyPath:
        """Return where a comment can stand on lines of its own: where it was, or further out."""
        while container:
            shared = shared_depth(self._open, container)
            is_open = shared == len(container) < len(self._open)
            opens = container == following[: len(container)] and len(following) > len(container)
            if is_open or (opens and all(isinstance(step, str) for step in container[shared:])):
                break
            container = container[:-1]
        return container

    def _enter(self, path: KeyPath) -> Iterator[str]:
        """Yield the heads of what is not open yet, the last one's without a line end."""
        shared = min(shared_depth(self._open, path), len(path) - 1)
        for depth in range(shared, len(path)):
            step = path[depth]
            is_behind_dash = depth > shared and isinstance(path[depth - 1], int)
            if depth > shared:
                yield " " if is_behind_dash else "\n"
            if not is_behind_dash:
                yield " " * _column(path[:depth])
            yield "-" if isinstance(step, int) else f"{spell_key(step)}:"
        self._open = path


def _column(container: KeyPath) -> int:
    """Return the column of the entries of a mapping or list."""
    return sum(_ITEM_INDENT if isinstance(step, int) else DEFAULT_INDENT for step in container)


def _following_leaves(items: Sequence[Item]) -> Sequence[Leaf | None]:
    following: list[Leaf | None] = []
    leaf: Leaf | None = None
    for item in reversed(items):
        following.append(leaf)
        leaf = item if isinstance(item, Leaf) else leaf
    return following[::-1]


def comment_lines(text: str) -> Iterator[str]:
    """Yield a comment's lines without marks, of the first what stands behind its mark."""
    first, *others = text.split("\n")
    for line in (first, *map(bare, others)):
        kept = "".join(
            one if one.isprintable() or one == "\t" else "\ufffd" for one in line.strip("\r")
        )
        yield kept if kept.startswith((" ", "\t")) or not kept else f" {kept}"
