"""Leaves and comments of an INI text, in the order and with the containers that sops gives them."""

from collections.abc import Iterable, Iterator, Sequence

from nixsecrets.sops.cipher import looks_sealed
from nixsecrets.sops.stores.ini_reader import (
    BLANKS,
    MARKS,
    Entry,
    Note,
    Notes,
    Section,
)
from nixsecrets.sops.stores.text import METADATA_NAME
from nixsecrets.sops.tree import Comment, Item, Leaf, LeafType, Span


def items_of(text: str, sections: Iterable[Section], ending: Notes) -> Iterator[Item]:
    """Yield what is no metadata.

    The comment at the end, which sops loses, counts as one of the section `sops`: there it stands
    when that section is written behind it.
    """
    for section in sections:
        if section.name != METADATA_NAME:
            yield from _comments(text, section.notes, section.name)
            for entry in section.effective:
                yield _leaf(section.name, entry)
                yield from _comments(text, entry.notes, section.name)
    yield from _comments(text, ending, METADATA_NAME)


def _leaf(section: str, entry: Entry) -> Leaf:
    line = entry.line
    content = line.text.encode("utf-8", "surrogateescape")
    return Leaf((section, line.name), LeafType.STR, content, *line.value, 0, line.number)


def _comments(text: str, notes: Notes, section: str) -> Iterator[Comment]:
    """Yield the one comment that the lines are; beside a sealed line each is one of its own."""
    lines = notes.all
    if any(looks_sealed(bare(text[one.start : one.end])) for one in lines):
        yield from (_comment(text, (one,), section) for one in lines)
    elif notes.above and notes.inline:
        whole = _comment(text, lines, section)
        yield whole._replace(span=_comment(text, notes.above, section).span)
    elif lines:
        yield _comment(text, lines, section)


def _comment(text: str, lines: Sequence[Note], section: str) -> Comment:
    joined = "\n".join(text[one.start : one.end] for one in lines).strip(BLANKS)
    start = lines[0].start
    end = start + len(text[start : lines[-1].end].rstrip(BLANKS))
    return Comment((section,), (), bare(joined), Span(start, end), 0, lines[0].number)


def bare(comment: str) -> str:
    """Return a comment without its mark, as sops strips it (`ini/store.go`, `stripCommentChar`)."""
    mark = comment[:1]
    return comment.lstrip(f"{mark} ") if mark in MARKS else comment
