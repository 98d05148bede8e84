"""Columns and rows: what a listing hands to the renderers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A listing, in the order in which it is shown.

    Args:
        columns: heads, lower case, each once (`flake attribute`).
        rows: one cell a column; an empty cell says that there is nothing to tell.
        caption: a line above the listing.
        empty: what is said in place of a listing without rows.

    Raises:
        ValueError: a row is shorter or longer than the head, or two columns share a name.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str | None = None
    empty: str = "nothing to show"

    def __post_init__(self) -> None:
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("two columns share a name")
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("a row is shorter or longer than the head")
