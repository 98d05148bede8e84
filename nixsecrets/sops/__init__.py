"""The SOPS file format: bytes ⇄ values. With `nixsecrets.age` a library of its own.

`docs/library.md` shows it at work, `docs/format.md` says what the bytes mean. What stands here is
loaded when it is first asked for: whoever needs one module does not wait for all.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

_MODULES = (
    "changing",
    "sealing",
    "document",
    "keygroups",
    "rules",
    "stores.formats",
    "stores.text",
    "tree",
)


def __getattr__(name: str) -> object:
    if name in __all__:
        for module in _MODULES:
            found: object = getattr(import_module(f"{__name__}.{module}"), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
