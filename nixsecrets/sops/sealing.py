"""Make a document: seal a text, wrap a data key to other readers, give a document a new one."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from os import urandom
from typing import NamedTuple

from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import mac
from nixsecrets.sops.cipher import DATA_KEY_BYTES, Bonds, Cipher, path_aad
from nixsecrets.sops.document import (
    Document,
    OpenDocument,
    Opened,
    code_of,
    encoded,
    parse,
)
from nixsecrets.sops.keygroups import Readers, wrap_groups
from nixsecrets.sops.metadata import Metadata, metadata_fields
from nixsecrets.sops.rules import COMMENT_RULES, DEFAULT_SELECTION, Selection, items_with_rule
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
    bonds = Bonds()
    items = [sealed(one, cipher, bonds) for one in clear_items(text, selection)]
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
    groups, threshold = wrap_groups(data_key, readers)
    metadata = document.metadata._replace(groups=groups, threshold=threshold).stamped(now)
    coded = _coded(metadata, opened.items, cipher)
    meant, bonds = Trace(), Bonds()
    items = meant.following(sealed(one, cipher, bonds) for one in opened.items)
    content = _written(document.text, items, coded)
    _check(content, document.form, meant)
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


def sealed(opened: Opened, cipher: Cipher, bonds: Bonds) -> Sealed:
    """Return an item with a new ciphertext; one that is not encrypted, as it stands.

    Raises:
        IntegrityError: it is a comment that does not open.
    """
    item, is_encrypted, kind, value, container = opened
    if not is_encrypted:
        return kept(opened)
    if isinstance(item, Comment):
        text, aad = _openable(value, item), path_aad(container)
        return Sealed(opened, cipher.seal(text, _COMMENT_TYPE, aad).encode())
    if value is None:
        return kept(opened)
    name = (kind or LeafType.STR).value
    return Sealed(opened, cipher.seal(value, name, bonds.of(item.path)).encode())


def kept(opened: Opened) -> Sealed:
    """Return an item as it stands."""
    match opened.item:
        case Comment() as comment:
            return Sealed(opened, encoded(comment.text))
        case Leaf() as leaf:
            return Sealed(opened, leaf.content)


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
    return _written(text, items, _coded(metadata, [one.opened for one in items], cipher))


def _coded(metadata: Metadata, items: Iterable[Opened], cipher: Cipher) -> Metadata:
    sealed_code = mac.seal(code_of(items, metadata), cipher, metadata.lastmodified)
    return metadata._replace(mac=sealed_code)


def _written(text: Text, items: Iterable[Sealed], metadata: Metadata) -> bytes:
    block = text.write_metadata(metadata_fields(metadata))
    return text.apply(chain(respelled(text, items), block))


class Trace:
    """What items pass by, as one number: fifty thousand ciphertexts are not held to be compared."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0

    def following(self, items: Iterable[Sealed]) -> Iterator[Sealed]:
        for one in items:
            self.note(one.opened.item, one.spelled)
            yield one

    def note(self, item: Item, spelled: bytes) -> None:
        path = item.path if isinstance(item, Leaf) else ()
        self.number = hash((self.number, path, spelled))


def check(content: bytes, form: Format, items: Iterable[Sealed]) -> None:
    """Parse a document that was written, and find in it what was to be written."""
    meant = Trace()
    for one in items:
        meant.note(one.opened.item, one.spelled)
    _check(content, form, meant)


def _check(content: bytes, form: Format, meant: Trace) -> None:
    found, written = Trace(), parse(content, form).items()
    for item, _chosen in written:
        found.note(item, encoded(item.text) if isinstance(item, Comment) else item.content)
    if found.number != meant.number:
        raise AssertionError("an edit of a document did not change what it was meant to")


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
