"""Make a document: seal a text, wrap a data key to other readers, give a document a new one."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import zip_longest
from os import urandom
from typing import NamedTuple

from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import mac
from nixsecrets.sops.cipher import DATA_KEY_BYTES, Cipher, path_aad
from nixsecrets.sops.document import (
    COMMENT_RULES,
    Document,
    OpenDocument,
    Opened,
    code_of,
    encoded,
    items_with_rule,
    parse,
)
from nixsecrets.sops.keygroups import Readers, wrap_groups
from nixsecrets.sops.metadata import Metadata, metadata_fields
from nixsecrets.sops.rules import DEFAULT_SELECTION, Selection
from nixsecrets.sops.stores import binary, formats
from nixsecrets.sops.stores.formats import Format
from nixsecrets.sops.stores.text import Scalar, Text
from nixsecrets.sops.tree import Comment, Empty, Item, KeyPath, Leaf, LeafType, keys_of
from nixsecrets.textedit import Edit

_COMMENT_TYPE = "comment"
_NOTHING = {
    Format.YAML: b"",
    Format.JSON: b"{}\n",
    Format.DOTENV: b"",
    Format.INI: b"",
    Format.BINARY: b"",
}
"""The texts in clear that hold no value."""


class Terms(NamedTuple):
    """How a document is made.

    Args:
        form: its format, and that of the text in clear.
        selection: which leaves are encrypted; nothing of a binary file stays in clear.
        mac_only_encrypted: values in clear are no part of the MAC.
    """

    form: Format = Format.YAML
    selection: Selection = DEFAULT_SELECTION
    mac_only_encrypted: bool = False


class Sealed(NamedTuple):
    """An item as it is to stand in a document.

    Args:
        opened: the item with its value.
        spelled: what stands there: `ENC[…]`, or what stood there before.
    """

    opened: Opened
    spelled: bytes


def seal(
    plaintext: Plaintext, readers: Readers, now: datetime, terms: Terms | None = None
) -> bytes:
    """Return a text in clear as a document under a new data key.

    Order and layout stay; mapping keys that a YAML 1.1 reader takes for no string are quoted;
    encrypted comments at places that readers disagree about move to the line above.

    Raises:
        RepositoryError: the text is none that the format can hold, or is sealed already.
        ProgramError: a recipient's plugin is missing, or fails.
    """
    form, selection, mac_only_encrypted = terms or Terms()
    if form is Format.BINARY:
        selection = DEFAULT_SELECTION
    text = ready(plaintext, form, selection)
    data_key = Plaintext(urandom(DATA_KEY_BYTES))
    cipher = Cipher(data_key)
    items = [sealed(one, cipher) for one in clear_items(text, selection)]
    groups, threshold = wrap_groups(data_key, readers)
    metadata = Metadata(groups, selection, mac_only_encrypted, "", "", threshold).stamped(now)
    content = finish(text, items, metadata, cipher)
    check(content, form, items)
    return content


def seal_leaf(
    path: KeyPath, scalar: Scalar, readers: Readers, now: datetime, terms: Terms
) -> bytes:
    """Return a new document that holds one value.

    Raises:
        RepositoryError: the format has no place for `path`, or cannot spell the value.
    """
    if terms.form is Format.BINARY and path == binary.DATA:
        plaintext = Plaintext(scalar.content)
    else:
        text = formats.parse_plain(_NOTHING[terms.form], terms.form)
        plaintext = Plaintext(text.apply([text.insert_leaf(path, scalar)]))
    return seal(plaintext, readers, now, terms)


def rewrap(document: Document, data_key: Plaintext, readers: Readers) -> bytes:
    """Return the document with its data key wrapped to exactly `readers`, in that order.

    Only the metadata changes, its MAC not. A stanza is kept as it stands where recipients are
    merely added; any removal wraps anew for everyone, because labels are claims. Shares of
    several key groups are always made anew.
    """
    groups, threshold = wrap_groups(data_key, readers, document.metadata)
    metadata = document.metadata._replace(groups=groups, threshold=threshold)
    return document.text.apply(document.text.write_metadata(metadata_fields(metadata)))


def new_data_key(opened: OpenDocument, readers: Readers, now: datetime) -> bytes:
    """Return the document with every value sealed anew under a new data key for `readers`.

    Raises:
        RepositoryError: services other than age hold the data key too; they cannot be given
            the new one.
    """
    document = opened.document
    if document.metadata.foreign_services:
        services = ", ".join(document.metadata.foreign_services)
        raise RepositoryError(f"{services} could not be given a new data key", hint="use sops")
    data_key = Plaintext(urandom(DATA_KEY_BYTES))
    cipher = Cipher(data_key)
    items = [sealed(one, cipher) for one in opened.items]
    groups, threshold = wrap_groups(data_key, readers)
    metadata = document.metadata._replace(groups=groups, threshold=threshold).stamped(now)
    content = finish(document.text, items, metadata, cipher)
    check(content, document.form, items)
    return content


def ready(plaintext: Plaintext, form: Format, selection: Selection) -> Text:
    """Parse a text in clear, with its encrypted comments where every reader finds them.

    Raises:
        RepositoryError: it is none that the format can hold, is sealed already, or a rule about
            comments would choose other leaves once they are moved.
    """
    text = formats.parse_plain(plaintext.reveal(), form)
    if text.reserved:
        raise RepositoryError("has a top-level `sops` already, which is reserved for the metadata")
    before = list(items_with_rule(text.tree, selection))
    heeded = selection.kind in COMMENT_RULES
    comments = [item for item, chosen in before if isinstance(item, Comment) and (chosen or heeded)]
    seated = text.seated(comments)
    if seated is not text and _chosen(before) != _chosen(items_with_rule(seated.tree, selection)):
        raise RepositoryError(
            f"`{selection.kind.value}` needs each comment above what it speaks for, or behind it",
            line=comments[0].line if comments else None,
        )
    return seated


def clear_items(text: Text, selection: Selection) -> Iterable[Opened]:
    """Yield the items of a text in clear as they will be when it is sealed."""
    for item, chosen in items_with_rule(text.tree, selection):
        if isinstance(item, Comment):
            value = Plaintext(encoded(item.text))
            keys = keys_of(item.container) if chosen and value else ()
            yield Opened(item, chosen and bool(value), None, value, keys)
        elif isinstance(item.kind, Empty):
            yield Opened(item, encrypted=False, kind=None, value=None)
        else:
            is_sealed = chosen and bool(item.content)
            yield Opened(item, is_sealed, item.kind, Plaintext(item.content))


def sealed(opened: Opened, cipher: Cipher) -> Sealed:
    """Return an item with a new ciphertext; one that is not encrypted, as it stands.

    Raises:
        IntegrityError: it is a comment that does not open.
    """
    item, is_encrypted, kind, value, container = opened
    match item:
        case Comment():
            if not is_encrypted:
                return Sealed(opened, encoded(item.text))
            aad = path_aad(container)
            return Sealed(opened, cipher.seal(_openable(value, item), _COMMENT_TYPE, aad).encode())
        case Leaf():
            if value is None or not is_encrypted:
                return Sealed(opened, item.content)
            name = (kind or LeafType.STR).value
            return Sealed(opened, cipher.seal(value, name, path_aad(keys_of(item.path))).encode())


def respelled(text: Text, items: Iterable[Sealed]) -> Iterable[Edit]:
    """Yield the edits that put sealed items where something else stands."""
    for (item, is_encrypted, *_), spelled in items:
        if is_encrypted:
            match item:
                case Comment():
                    yield text.respell_comment(item, spelled.decode())
                case Leaf():
                    yield text.respell_leaf(item, Scalar(LeafType.STR, spelled))


def finish(text: Text, items: Sequence[Sealed], metadata: Metadata, cipher: Cipher) -> bytes:
    """Return a text with its items sealed and its metadata with the MAC over them."""
    code = code_of([one.opened for one in items], metadata)
    complete = metadata._replace(mac=mac.seal(code, cipher, metadata.lastmodified))
    block = text.write_metadata(metadata_fields(complete))
    return text.apply([*respelled(text, items), *block])


def check(content: bytes, form: Format, items: Iterable[Sealed]) -> None:
    """Parse a document that was written, and find in it what was to be written."""
    found = (_place(item) for item, _chosen in parse(content, form).items())
    meant = (_place(one.opened.item, one.spelled) for one in items)
    if any(one != other for one, other in zip_longest(found, meant)):
        raise AssertionError("an edit of a document did not change what it was meant to")


def _place(item: Item, spelled: bytes | None = None) -> tuple[KeyPath, bytes]:
    match item:
        case Comment():
            return (), encoded(item.text) if spelled is None else spelled
        case Leaf():
            return item.path, item.content if spelled is None else spelled


def _chosen(items: Iterable[tuple[Item, bool]]) -> Sequence[tuple[KeyPath, bool]]:
    return [(item.path, chosen) for item, chosen in items if isinstance(item, Leaf)]


def _openable(value: Plaintext | None, comment: Comment) -> Plaintext:
    if value is None:
        raise IntegrityError(
            "an encrypted comment does not open, so that it cannot be sealed anew",
            hint="remove that comment line",
            line=comment.line,
        )
    return value
