"""The SOPS file format: bytes ⇄ values. With `nixsecrets.age` a library of its own.

`docs/library.md` shows it at work, `docs/format.md` says what the bytes mean.
"""

from nixsecrets.sops.changing import remove_value, replace_text, set_scalar, set_value
from nixsecrets.sops.document import (
    Document,
    OpenDocument,
    Opened,
    is_sealed,
    open_data_key,
    open_document,
    open_value,
    parse,
    plain_text,
)
from nixsecrets.sops.keygroups import KeyGroups
from nixsecrets.sops.rules import Selection, parse_selection
from nixsecrets.sops.sealing import Terms, new_data_key, rewrap, seal
from nixsecrets.sops.stores.formats import Format, format_of
from nixsecrets.sops.stores.text import Scalar
from nixsecrets.sops.tree import Comment, Empty, KeyPath, Leaf, LeafType

__all__ = [
    "Comment",
    "Document",
    "Empty",
    "Format",
    "KeyGroups",
    "KeyPath",
    "Leaf",
    "LeafType",
    "OpenDocument",
    "Opened",
    "Scalar",
    "Selection",
    "Terms",
    "format_of",
    "is_sealed",
    "new_data_key",
    "open_data_key",
    "open_document",
    "open_value",
    "parse",
    "parse_selection",
    "plain_text",
    "remove_value",
    "replace_text",
    "rewrap",
    "seal",
    "set_scalar",
    "set_value",
]
