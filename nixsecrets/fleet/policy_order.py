"""Where in a list something new belongs: one that is sorted stays so."""

from collections.abc import Sequence
from typing import NamedTuple

from nixsecrets.fleet.policy_layout import line_after
from nixsecrets.fleet.policy_nodes import AliasNode, Node, ScalarNode
from nixsecrets.textedit import line_start

_FEWEST = 5  # of three names, one list in six is sorted by chance


class Spot(NamedTuple):
    """A place in a list: behind one of its items, or before the first."""

    item: Node
    is_before: bool = False

    def line(self, text: str) -> int:
        """Return the offset of the line that is to come there."""
        start = self.item.place.start
        return line_start(text, start) if self.is_before else line_after(text, self.item)

    @property
    def offset(self) -> int:
        """Where text goes in between brackets."""
        return self.item.place.start if self.is_before else self.item.place.end


def find_spot(items: Sequence[Node], word: str, after: Node) -> Spot:
    """Return where something spelled `word` belongs.

    Args:
        items: of the list, at least one.
        word: an anchor (`&hq`), an alias (`*hq`) or the text itself.
        after: the item that it follows where the list is in no order.
    """
    words = [_word(item) for item in items]
    if not _are_sorted(words) or {one[:1] for one in words} != {word[:1]}:
        return Spot(after)
    smaller = [item for item, one in zip(items, words, strict=True) if one < word]
    return Spot(smaller[-1]) if smaller else Spot(items[0], is_before=True)


def _word(item: Node) -> str:
    match item:
        case AliasNode(name=name):
            return f"*{name}"
        case ScalarNode(anchor=None, text=text):
            return text
        case ScalarNode(anchor=str(anchor)):
            return f"&{anchor}"
        case _:
            return ""


def _are_sorted(words: Sequence[str]) -> bool:
    return len(words) >= _FEWEST and all(words) and list(words) == sorted(set(words))
