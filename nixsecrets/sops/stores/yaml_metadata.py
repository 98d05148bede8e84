"""The `sops` block of a YAML document: written, changed field by field, taken away."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from nixsecrets.sops.metadata import Value
from nixsecrets.sops.stores.text import METADATA_NAME
from nixsecrets.sops.stores.yaml_edit import after_lines, cut_entry, insert_lines, put
from nixsecrets.sops.stores.yaml_spelling import spell, spell_key
from nixsecrets.sops.stores.yaml_text import DEFAULT_INDENT, Entry, Root, YamlText
from nixsecrets.sops.tree import LeafType
from nixsecrets.textedit import Edit, line_start

_VERSION = r"(?a)\d+\.\d+\.\d+"


def write_metadata(parsed: YamlText, fields: Mapping[str, Value]) -> list[Edit]:
    """Return the edits that make `fields` the metadata, in every document of the stream.

    A field that does not change keeps its bytes.
    """
    if not parsed.roots:
        return [insert_lines(parsed, len(parsed.text), _render(fields, 0))]
    tops = _top_entries(parsed)
    edits: list[Edit] = []
    for root, top in zip(parsed.roots, tops, strict=True):
        block = next((entry for entry in top if entry.path == (METADATA_NAME,)), None)
        if block is None:
            edits.append(_append(parsed, root, top, fields))
        else:
            edits += _update(parsed, block, fields)
    return edits


def stamp_metadata(parsed: YamlText, fields: Mapping[str, str]) -> list[Edit]:
    """Return the edits that give fields of the metadata, which exist already, another text."""
    return [
        put(parsed, entry, _string(fields[name], quoted=entry.flow))
        for entry in parsed.entries
        for name in map(str, entry.path[1:2])
        if entry.path == (METADATA_NAME, name) and name in fields
    ]


def cut_metadata(parsed: YamlText) -> list[Edit]:
    """Return the edits that take the metadata away; in a stream no document is lost with it."""
    edits = []
    for top in _top_entries(parsed):
        for block in (entry for entry in top if entry.path == (METADATA_NAME,)):
            cut = cut_entry(parsed, block, top)
            alone = parsed.documents > 1 and len(top) == 1 and not block.flow
            edits.append(cut._replace(replacement="{}" + parsed.newline) if alone else cut)
    return edits


def _top_entries(parsed: YamlText) -> list[list[Entry]]:
    """Return the entries at the top of each document."""
    tops: list[list[Entry]] = [[] for _root in parsed.roots]
    for entry in parsed.entries:
        if len(entry.path) == 1:
            tops[entry.document].append(entry)
    return tops


def _append(
    parsed: YamlText, root: Root, top: Sequence[Entry], fields: Mapping[str, Value]
) -> Edit:
    """Return the edit that adds the block to a document whose entries at the top are `top`."""
    if not root.flow:
        return insert_lines(parsed, root.close, _render(fields, root.column))
    if top:
        return Edit(top[-1].end, top[-1].end, f", {METADATA_NAME}: {_flow(fields)}")
    if _has_comment(parsed, root):
        end = root.span.end - 1
        return Edit(end, end, f"{METADATA_NAME}: {_flow(fields)}")
    lines = _render(fields, 0).rstrip("\n").replace("\n", parsed.newline)
    alone = line_start(parsed.text, root.span.start) == root.span.start
    head = "" if alone else parsed.newline
    return Edit(root.span.start, root.span.end, head + lines)


def _has_comment(parsed: YamlText, root: Root) -> bool:
    """Say whether a comment stands within empty braces, or behind them on their line."""
    rest = parsed.text[root.span.start :].partition("}")
    return "#" in rest[0] or "#" in rest[2].partition("\n")[0]


def _update(parsed: YamlText, block: Entry, fields: Mapping[str, Value]) -> Iterator[Edit]:
    """Yield the edits of one document's block; later documents' copies are written whole."""
    inner = [
        entry
        for entry in parsed.entries
        if len(entry.path) == 2  # noqa: PLR2004  # directly below `sops`
        and entry.path[0] == METADATA_NAME
        and entry.document == block.document
    ]
    before = parsed.metadata or {}
    for entry in inner:
        name = str(entry.path[1])
        if name not in fields:
            yield cut_entry(parsed, entry, inner)
        elif block.document or name not in before or before[name] != fields[name]:
            yield _replace(parsed, entry, name, fields[name], entry.column - block.column)
    present = {entry.path[1] for entry in inner}
    new = {name: value for name, value in fields.items() if name not in present}
    if new and inner:
        yield _add(parsed, inner[-1], new, inner[-1].column - block.column)


def _replace(parsed: YamlText, entry: Entry, name: str, value: Value, indent: int) -> Edit:
    if entry.flow:
        return put(parsed, entry, _flow(value))
    lines = "".join(_block_lines({name: value}, entry.column, indent))
    start = line_start(parsed.text, entry.start)
    end = after_lines(parsed.text, entry.end)
    if end and parsed.text[end - 1] != "\n":
        lines = lines.rstrip("\n")
    return Edit(start, end, lines.replace("\n", parsed.newline))


def _add(parsed: YamlText, last: Entry, new: Mapping[str, Value], indent: int) -> Edit:
    if last.flow:
        return Edit(last.end, last.end, ", " + _flow(new)[1:-1])
    lines = "".join(_block_lines(new, last.column, indent))
    return insert_lines(parsed, after_lines(parsed.text, last.end), lines)


def _render(fields: Mapping[str, Value], column: int) -> str:
    head = " " * column + f"{METADATA_NAME}:\n"
    return head + "".join(_block_lines(fields, column + DEFAULT_INDENT, DEFAULT_INDENT))


def _block_lines(value: Mapping[str, Value], column: int, indent: int) -> Iterable[str]:
    for name, below in value.items():
        yield " " * column + spell_key(name) + ":" + _block_value(below, column, indent)


def _block_value(value: Value, column: int, indent: int) -> str:
    if isinstance(value, tuple) and value:
        items = (_list_item(item, column + indent, indent) for item in value)
        return "\n" + "".join(items)
    if isinstance(value, Mapping) and value:
        return "\n" + "".join(_block_lines(value, column + indent, indent))
    return f" {_scalar(value, column + indent)}\n"


def _list_item(item: Value, column: int, indent: int) -> str:
    if isinstance(item, Mapping) and item:
        lines = "".join(_block_lines(item, column + 2, 2))
        return " " * column + "- " + lines[column + 2 :]
    return " " * column + "-" + _block_value(item, column, indent)


def _flow(value: Value) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{spell_key(name)}: {_flow(below)}" for name, below in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value, None)


def _scalar(value: Value, indent: int | None) -> str:
    match value:
        case str() if "\n" in value:
            return spell(LeafType.STR, value.encode(), indent)
        case str():
            return _string(value, quoted=indent is None)
        case bool():
            return str(value).lower()
        case None:
            return "null"
        case int() | float():
            return str(value)
        case tuple() | Mapping():
            return "[]" if isinstance(value, tuple) else "{}"


def _string(text: str, *, quoted: bool) -> str:
    """Return a text of one line; `lastmodified` has to be a string for YAML, and so in quotes."""
    if not quoted and (text.startswith(("ENC[", "age1")) or re.fullmatch(_VERSION, text)):
        return text
    return spell(LeafType.STR, text.encode(), None)
