"""All that stands at a key path of an open document: one value, or a mapping or list of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from nixsecrets.errors import NixsecretsError, RepositoryError, UsageError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import changing
from nixsecrets.sops.document import Document, OpenDocument, plain_text
from nixsecrets.sops.keypath import spell_key_path
from nixsecrets.sops.stores import flat, formats
from nixsecrets.sops.stores.formats import Format
from nixsecrets.sops.stores.text import Scalar
from nixsecrets.sops.tree import Empty, KeyPath, Leaf, LeafType, leaves

_WRAPPING = "value"


class Value(NamedTuple):
    """One value of a branch.

    Args:
        path: from the branch's own place on; nothing, where the branch is one value.
        kind: its type.
        value: its canonical bytes; of an `Empty` none.
    """

    path: KeyPath
    kind: LeafType | Empty
    value: Plaintext

    @property
    def scalar(self) -> Scalar:
        return Scalar(self.kind, self.value.reveal())


Branch = tuple[Value, ...]
"""In file order; nothing at all is no branch."""


def text_value(value: Plaintext) -> Branch:
    """Return the branch that is one string."""
    return (Value((), LeafType.STR, value),)


def is_one_value(branch: Branch) -> bool:
    return len(branch) == 1 and not branch[0].path


def parse_json(content: Plaintext) -> Branch:
    """Return what a text in JSON is: any value, whole numbers as integers.

    Raises:
        UsageError: it is no JSON, with its line; the text itself is not told.
    """
    wrapped = b'{"%s":%s\n}' % (_WRAPPING.encode(), content.reveal())
    try:
        found = tuple(leaves(formats.parse(wrapped, Format.JSON).tree))
    except NixsecretsError as error:
        raise UsageError(f"the value is no JSON (line {error.line})") from None
    if any(leaf.path[0] != _WRAPPING for leaf in found):
        raise UsageError("the value is more than one JSON value")
    return tuple(Value(leaf.path[1:], leaf.kind, Plaintext(leaf.content)) for leaf in found)


def has_branch(document: Document, path: KeyPath) -> bool:
    """Say whether a value or a mapping or list of values stands at a path."""
    return any(_is_below(leaf, path) for leaf in leaves(document.text.tree))


def find_branch(opened: OpenDocument, path: KeyPath) -> Branch:
    """Return what stands at a path of the first document; nothing, where nothing does."""
    return tuple(
        Value(one.item.path[len(path) :], one.kind or one.item.kind, one.value or Plaintext(b""))
        for one in opened.items
        if isinstance(one.item, Leaf) and _is_below(one.item, path)
    )


def fitted(branch: Branch, form: Format) -> Branch:
    """Return a branch as a format can hold it: dotenv and INI know texts only.

    Raises:
        RepositoryError: it is null or empty there, or no text in a binary file.
    """
    match form:
        case Format.YAML | Format.JSON:
            return branch
        case Format.DOTENV | Format.INI | Format.BINARY:
            return tuple(_as_text(value, form) for value in branch)


def set_branch(opened: OpenDocument, path: KeyPath, branch: Branch, now: datetime) -> bytes:
    """Return the document with a branch at a path, in place of what stands there.

    Values that stay keep their ciphertext. One value never takes the place of several.

    Raises:
        RepositoryError: it cannot stand there.
    """
    present = find_branch(opened, path)
    if is_one_value(branch):
        return changing.set_scalar(opened, path, branch[0].scalar, now)
    content = plain_text(opened)
    if is_one_value(present):
        content = _emptied(content, opened, path, branch)
    elif present and isinstance(path[-1], int):
        raise RepositoryError(
            f"{spell_key_path(path)} is an item of a list that holds values",
            hint="remove it, then append the new one",
        )
    else:
        content = _without(content, opened.document.form, [(*path, *one.path) for one in present])
    whole = insert_branch(content, opened.document.form, path, branch)
    return changing.replace_text(opened, whole, now)


def remove_branch(opened: OpenDocument, path: KeyPath, now: datetime) -> bytes:
    """Return the document without what stands at a path; mappings that held nothing else go too.

    Raises:
        RepositoryError: nothing stands there.
    """
    present = find_branch(opened, path)
    if len(present) <= 1:
        return changing.remove_value(opened, (*path, *(present[0].path if present else ())), now)
    places = [(*path, *one.path) for one in present]
    clear = _without(plain_text(opened), opened.document.form, places)
    return changing.replace_text(opened, clear, now)


def insert_branch(clear: Plaintext, form: Format, path: KeyPath, branch: Branch) -> Plaintext:
    """Return a text in clear with new values below a path.

    Raises:
        RepositoryError: one of them cannot stand there.
    """
    content = clear.reveal()
    for one in branch:
        text = formats.parse_plain(content, form)
        content = text.apply([text.insert_leaf((*path, *one.path), one.scalar)])
    return Plaintext(content)


def _is_below(leaf: Leaf, path: KeyPath) -> bool:
    return leaf.path[: len(path)] == path and not leaf.document


def _as_text(value: Value, form: Format) -> Value:
    if value.kind in (LeafType.STR, LeafType.BYTES):
        return value
    if isinstance(value.kind, Empty) or form is Format.BINARY:
        raise RepositoryError(f"{value.kind.value} cannot stand in {form.value}, which holds texts")
    shown = flat.shown(value.scalar).encode("utf-8", "surrogateescape")
    return value._replace(kind=LeafType.STR, value=Plaintext(shown))


def _emptied(clear: Plaintext, opened: OpenDocument, path: KeyPath, branch: Branch) -> Plaintext:
    """Return a text in clear with an empty mapping or list in the place of one value."""
    text = formats.parse_plain(clear.reveal(), opened.document.form)
    leaf = next(leaf for leaf in leaves(text.tree) if leaf.path == path and not leaf.document)
    empty = Empty.LIST if isinstance(branch[0].path[0], int) else Empty.MAPPING
    return Plaintext(text.apply([text.respell_leaf(leaf, Scalar(empty, b""))]))


def _without(clear: Plaintext, form: Format, places: Sequence[KeyPath]) -> Plaintext:
    """Return a text in clear without some leaves in file order; the last go first: items move."""
    content = clear.reveal()
    for place in reversed(places):
        text = formats.parse_plain(content, form)
        content = text.apply([text.remove_leaf(place)])
    return Plaintext(content)
