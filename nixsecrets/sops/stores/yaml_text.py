"""A parsed YAML text: what stands where."""

from collections.abc import Mapping
from typing import NamedTuple

from nixsecrets.sops.metadata import Value
from nixsecrets.sops.tree import KeyPath, Span, Tree

DEFAULT_INDENT = 4
"""What sops indents by (`stores.yaml.indent`)."""


class Entry(NamedTuple):
    """One entry of a mapping or one item of a list, as a place for edits.

    Args:
        path: where it stands.
        start: offset of its mapping key (of the `?` before it), or of the dash of a list item.
        key_end: offset after its mapping key; of a list item that of its value.
        value: offset at which its value starts.
        end: offset after its value.
        column: that of the block mapping or list it stands in; 0-based.
        flow: it stands in a flow collection.
        document: position in a stream.
    """

    path: KeyPath
    start: int
    key_end: int
    value: int
    end: int
    column: int
    flow: bool
    document: int


class Root(NamedTuple):
    """The collection at the top of one document of a stream.

    Args:
        span: from its first to its last character; of a document without text, the place for it.
        column: that of its mapping keys.
        flow: it stands in braces.
        close: offset at which the document ends: its `...`, the next `---`, or the text's end.
    """

    span: Span
    column: int
    flow: bool
    close: int


class YamlText(NamedTuple):
    """A parsed document.

    Args:
        text: the whole text, its byte order mark left out.
        mark: the byte order mark, or nothing.
        tree: leaves and comments in file order, the metadata left out.
        entries: every entry and item in file order, the metadata's included.
        places: the same by document and path.
        roots: one for each document of the stream.
        metadata: the fields below `sops` in the first document; None: there are none.
        indent: by how much mappings are indented; what sops does where none is.
        newline: the line end in use.
    """

    text: str
    mark: str
    tree: Tree
    entries: tuple[Entry, ...]
    places: Mapping[tuple[int, KeyPath], Entry]
    roots: tuple[Root, ...]
    metadata: Mapping[str, Value] | None
    indent: int
    newline: str

    @property
    def documents(self) -> int:
        return len(self.roots)
