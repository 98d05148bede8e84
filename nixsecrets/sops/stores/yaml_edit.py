"""Edits of a YAML document that touch one thing and leave every other character alone."""

import re
from collections.abc import Iterable, Iterator

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.cipher import spelled_type
from nixsecrets.sops.stores.text import METADATA_NAME, Scalar
from nixsecrets.sops.stores.yaml_spelling import is_string_in_yaml_1_1, spell, spell_key
from nixsecrets.sops.stores.yaml_text import Entry, YamlText
from nixsecrets.sops.tree import Comment, Empty, KeyPath, Leaf
from nixsecrets.textedit import Edit, apply_edits, line_end, line_start

_ITEM_INDENT = 2
_HEADER_COMMENT = re.compile(r"(?:[!&][^ \t]*[ \t]+)*[|>][^\s#]*([ \t]+#[^\r\n]*)")


def apply(parsed: YamlText, edits: Iterable[Edit]) -> bytes:
    return (parsed.mark + apply_edits(parsed.text, edits)).encode()


def respell_leaf(parsed: YamlText, leaf: Leaf, scalar: Scalar) -> Edit:
    """Return the edit that puts another value in a leaf's place."""
    entry = parsed.places[leaf.document, leaf.path]
    if entry.value != leaf.span.start:  # sops lets a mapping key stand twice in later documents
        same = (one for one in parsed.entries if one.path == entry.path)
        entry = next(one for one in same if one.value == leaf.span.start)
    return put(parsed, entry, _spell_at(parsed, entry, scalar))


def respell_comment(parsed: YamlText, comment: Comment, text: str) -> Edit:
    """Return the edit that puts `text` in a comment's place, the mark in front is kept."""
    start = comment.span.start
    mark = "#" if parsed.text[start] == "#" else ""
    return Edit(start, comment.span.end, mark + text)


def clear_comment(parsed: YamlText, comment: Comment, text: str) -> Edit:
    """Return the edit that writes an opened comment, with its mark, over its sealed form.

    Where sops wrote an item of a list for it, the item's dash goes too.
    """
    start = comment.span.start
    if parsed.text[start] != "#":
        start = parsed.text.rindex("-", 0, start)
    return Edit(start, comment.span.end, "#" + text)


def restore_empty_lists(parsed: YamlText, comments: Iterable[Comment]) -> Iterator[Edit]:
    """Yield the edits that keep a list a list of which all items are comments that sops wrote."""
    listed: dict[tuple[int, KeyPath], list[Comment]] = {}
    for comment in comments:
        if parsed.text[comment.span.start] != "#":
            listed.setdefault((comment.document, comment.container), []).append(comment)
    for (document, path), items in listed.items():
        if (document, (*path, len(items))) not in parsed.places:
            column = parsed.places[document, (*path, 0)].column + 2
            end = items[-1].span.end
            yield Edit(end, end, f"{parsed.newline}{' ' * column}[]")


def quote_keys(parsed: YamlText) -> Iterable[Edit]:
    """Yield the edits that quote the mapping keys which a YAML 1.1 reader takes for no string."""
    for entry in parsed.entries:
        key = entry.path[-1]
        if not key or not isinstance(key, str) or key == "<<":
            continue
        start = entry.key_end - len(key)
        if parsed.text[start : entry.key_end] == key and not is_string_in_yaml_1_1(key):
            yield Edit(start, entry.key_end, spell_key(key))


def put(parsed: YamlText, entry: Entry, spelled: str) -> Edit:
    """Return the edit that puts `spelled` in the place of an entry's value, whatever that is."""
    text, newline = parsed.text, parsed.newline
    spelled = spelled.replace("\n", newline)
    if "\n" in spelled and entry.end == len(text):
        spelled += newline
    start, old = entry.value, text[entry.value : entry.end]
    spelled = _with_comment(spelled, old, newline)
    if not old and start == entry.key_end and isinstance(entry.path[-1], str):
        glue = ": " if entry.flow else f"{newline}{' ' * entry.column}: "
        return Edit(start, start, glue + spelled)
    if spelled.startswith(newline):
        start = len(text[:start].rstrip(" "))
    elif not old and not text[start - 1].isspace():
        spelled = " " + spelled
    kept = old[len(old.rstrip("\r\n")) :]
    if not kept and text.startswith("#", entry.end):
        kept = " "  # libyaml takes a comment that touches a closing quote
    return Edit(start, entry.end, spelled + (newline if _keeps(old) else kept))


def insert_leaf(parsed: YamlText, path: KeyPath, scalar: Scalar) -> Edit:
    """Return the edit that adds a leaf at a path that does not exist yet, with what is above.

    A position is that behind the last item of a list; a list that is missing begins with 0.

    Raises:
        RepositoryError: something above it is a value, or a list where a name is asked for, or
            the position is not the next one.
    """
    depth, parent = _deepest_parent(parsed, path)
    rest = path[depth:]
    below = [entry for entry in parsed.entries if _is_child(entry, path[:depth])]
    _check_positions(path, depth, len(below))
    if parent is not None and not below:
        return _fill_empty(parsed, parent, rest, scalar)
    if depth == 0:
        below = [entry for entry in below if entry.path != (METADATA_NAME,)] or below[:1]
    if not below:
        return insert_lines(parsed, len(parsed.text), render_block(rest, scalar, 0, parsed.indent))
    last = below[-1]
    if last.flow:
        return Edit(last.end, last.end, ", " + _flow(rest, scalar))
    block = render_block(rest, scalar, last.column, parsed.indent)
    if last.path == (METADATA_NAME,):
        return insert_lines(parsed, line_start(parsed.text, last.start), block)
    return insert_lines(parsed, after_lines(parsed.text, last.end), block)


def remove_leaf(parsed: YamlText, path: KeyPath) -> Edit:
    """Return the edit that takes a leaf away, with mappings above that hold nothing else.

    Raises:
        RepositoryError: there is no such leaf.
    """
    entry = parsed.places.get((0, path))
    if entry is None:
        raise RepositoryError(f"{_words(path)} is not in the document")
    siblings = [other for other in parsed.entries if _is_child(other, path[:-1])]
    if len(siblings) == 1 and len(path) > 1:
        return remove_leaf(parsed, path[:-1])
    return cut_entry(parsed, entry, siblings)


def cut_entry(parsed: YamlText, entry: Entry, siblings: list[Entry]) -> Edit:
    """Return the edit that takes an entry away; `siblings` are all of its collection."""
    text, position = parsed.text, siblings.index(entry)
    follower = siblings[position + 1] if position + 1 < len(siblings) else None
    start = line_start(text, entry.start)
    if not entry.flow and not text[start : entry.start].strip():
        return Edit(start, after_lines(text, entry.end), "")
    if follower is not None:
        return Edit(entry.start, follower.start, "")
    return Edit(siblings[position - 1].end if position else entry.start, entry.end, "")


def render_block(steps: KeyPath, scalar: Scalar, column: int, indent: int) -> str:
    """Return lines for nested mappings and lists with one leaf, each line ended."""
    return " " * column + _block(steps, scalar, column, indent) + "\n"


def _block(steps: KeyPath, scalar: Scalar, column: int, indent: int) -> str:
    """Return the same without the first line's indentation and the last line's end."""
    step, rest = steps[0], steps[1:]
    head = "-" if isinstance(step, int) else f"{spell_key(step)}:"
    if not rest:
        return f"{head} {spell(scalar.kind, scalar.content, column + indent)}"
    if isinstance(step, int):
        return f"- {_block(rest, scalar, column + _ITEM_INDENT, indent)}"
    below = column + indent
    return f"{head}\n{' ' * below}{_block(rest, scalar, below, indent)}"


def insert_lines(parsed: YamlText, offset: int, lines: str) -> Edit:
    """Return the edit that inserts lines before the line that `offset` starts, or at the end."""
    missing = offset and parsed.text[offset - 1] != "\n"
    lines = ("\n" if missing else "") + lines
    return Edit(offset, offset, lines.replace("\n", parsed.newline))


def after_lines(text: str, end: int) -> int:
    return end if end and text[end - 1] == "\n" else line_end(text, end)


def _spell_at(parsed: YamlText, entry: Entry, scalar: Scalar) -> str:
    text = scalar.content.decode("utf-8", "replace")
    if not entry.flow and spelled_type(text):
        return text
    indent = None if _is_one_line(parsed, entry) else entry.column + parsed.indent
    return spell(scalar.kind, scalar.content, indent)


def _is_one_line(parsed: YamlText, entry: Entry) -> bool:
    """Say whether a value has to end on its line: something else follows there, if only a blank."""
    text, end = parsed.text, entry.end
    ended = end and text[end - 1] == "\n"
    return entry.flow or (not ended and bool(text[end : line_end(text, end)].strip("\r\n")))


def _keeps(block_scalar: str) -> bool:
    """Say whether a value is a block scalar to which all line ends behind it belong."""
    head = block_scalar.partition("\n")[0].partition("#")[0]
    return block_scalar.endswith("\n") and "+" in head


def _with_comment(spelled: str, old: str, newline: str) -> str:
    """Return a new value with the comment that stands in the header of the block scalar before."""
    match = _HEADER_COMMENT.match(old)
    if match is None:
        return spelled
    head, mark, rest = spelled.partition(newline)
    return head + match[1] + mark + rest


def _flow(steps: KeyPath, scalar: Scalar) -> str:
    text = spell(scalar.kind, scalar.content, None)
    for step in reversed(steps[1:]):
        text = f"[{text}]" if isinstance(step, int) else f"{{{spell_key(step)}: {text}}}"
    return text if isinstance(steps[0], int) else f"{spell_key(steps[0])}: {text}"


def _fill_empty(parsed: YamlText, parent: Entry, rest: KeyPath, scalar: Scalar) -> Edit:
    if parent.flow or _is_one_line(parsed, parent):
        opening, closing = "[]" if isinstance(rest[0], int) else "{}"
        return put(parsed, parent, opening + _flow(rest, scalar) + closing)
    block = render_block(rest, scalar, parent.column + parsed.indent, parsed.indent)
    return put(parsed, parent, "\n" + block.rstrip("\n"))


def _check_positions(path: KeyPath, depth: int, items: int) -> None:
    """Check that positions of a path that does not exist are those of the next items."""
    expected = items
    for step in path[depth:]:
        if isinstance(step, int) and step != expected:
            raise RepositoryError(f"{_words(path)} is not the next item of a list: {expected} is")
        expected = 0


def _deepest_parent(parsed: YamlText, path: KeyPath) -> tuple[int, Entry | None]:
    """Return how many steps of `path` exist as mappings, and the deepest one's entry."""
    for depth in range(len(path), 0, -1):
        prefix = path[:depth]
        entry = parsed.places.get((0, prefix))
        if entry is not None:
            _check_parent(parsed, prefix, path)
            return depth, entry
    return 0, None


def _check_parent(parsed: YamlText, prefix: KeyPath, path: KeyPath) -> None:
    if prefix == path:
        raise RepositoryError(f"{_words(path)} is a mapping or a list, not a value")
    step = path[len(prefix)]
    for leaf in parsed.tree:
        if isinstance(leaf, Leaf) and leaf.path == prefix and not leaf.document:
            if leaf.kind in (Empty.NULL, Empty.LIST if isinstance(step, int) else Empty.MAPPING):
                return
            if leaf.kind not in (Empty.MAPPING, Empty.LIST):
                raise RepositoryError(f"{_words(prefix)} is a value: nothing can stand below it")
            raise _misplaced(prefix, path, is_list=leaf.kind is Empty.LIST)
    is_list = (0, (*prefix, 0)) in parsed.places
    if is_list != isinstance(step, int):
        raise _misplaced(prefix, path, is_list=is_list)


def _misplaced(prefix: KeyPath, path: KeyPath, *, is_list: bool) -> RepositoryError:
    what = "list" if is_list else "mapping"
    return RepositoryError(f"{_words(prefix)} is a {what}: {_words(path)} cannot stand below it")


def _is_child(entry: Entry, path: KeyPath) -> bool:
    return entry.document == 0 and len(entry.path) == len(path) + 1 and entry.path[:-1] == path


def _words(path: KeyPath) -> str:
    return "/".join(map(str, path))
