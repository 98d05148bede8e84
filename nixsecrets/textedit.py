"""Replace spans of a text and leave every other character alone."""

from collections.abc import Iterable
from typing import NamedTuple


class Edit(NamedTuple):
    """Put `replacement` in place of `text[start:end]`; `start == end` inserts."""

    start: int
    end: int
    replacement: str


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return `text` with all edits made.

    Offsets count characters of `text` as it is given. Edits may come in any order; of several
    insertions at one place the first given comes first.

    Raises:
        ValueError: two edits overlap, or one lies outside `text`.
    """
    pieces: list[str] = []
    done = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if not done <= edit.start <= edit.end <= len(text):
            raise ValueError(f"edit of {edit.start}:{edit.end} overlaps another or lies outside")
        pieces += (text[done : edit.start], edit.replacement)
        done = edit.end
    return "".join((*pieces, text[done:]))


def line_start(text: str, offset: int) -> int:
    """Return the offset of the first character of the line that `offset` is on."""
    return text.rfind("\n", 0, offset) + 1


def line_end(text: str, offset: int) -> int:
    """Return the offset after the line break that ends the line of `offset` (or of the text)."""
    end = text.find("\n", offset)
    return len(text) if end < 0 else end + 1
