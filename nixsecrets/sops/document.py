"""A document: parse it, open it with its data key, change it, seal it again."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from nixsecrets.age.identity import Identity
from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import keygroups, mac
from nixsecrets.sops.cipher import Bonds, Cipher, holds_sealed, looks_sealed, path_aad, spelled_type
from nixsecrets.sops.metadata import Metadata, parse_metadata
from nixsecrets.sops.rules import items_with_rule
from nixsecrets.sops.scalars import canonical, float_bytes
from nixsecrets.sops.stores import formats
from nixsecrets.sops.stores.formats import Format
from nixsecrets.sops.stores.text import Scalar, Text
from nixsecrets.sops.tree import (
    Comment,
    Empty,
    Item,
    KeyPath,
    Leaf,
    LeafType,
    keys_of,
)

_LEAF_TYPES = {kind.value.encode(): kind for kind in LeafType}


class LeafState(NamedTuple):
    """What can be said of a leaf without any identity.

    Args:
        path: where it stands.
        encrypted_by_rule: its rule says it is encrypted.
        sealed_as: what stands behind `type:`, None where it stands in clear.
        kind: its type as it stands; an `Empty` and the empty string are never sealed.
        line: 1-based.
    """

    path: KeyPath
    encrypted_by_rule: bool
    sealed_as: str | None
    kind: LeafType | Empty
    empty: bool
    line: int


class Document(NamedTuple):
    """A sealed document as it stands in the repository."""

    text: Text
    metadata: Metadata
    form: Format

    @property
    def recipients(self) -> tuple[str, ...]:
        """Labels of the stanzas, in file order: claims, until an identity opens one."""
        return tuple(stanza.recipient for stanza in self.metadata.stanzas)

    def items(self) -> Iterator[tuple[Item, bool]]:
        """Yield every item in file order with whether its rule says that it is encrypted."""
        for chosen in items_with_rule(self.text.tree, self.metadata.selection):
            item, encrypted = chosen
            if encrypted and isinstance(item, Leaf) and isinstance(item.path[-1], int):
                yield _listed_comment(item), encrypted
            else:
                yield chosen

    def leaf_states(self, below: KeyPath = ()) -> Iterator[LeafState]:
        """Yield what is known of the leaves at a key path and below it."""
        size = len(below)
        for item, encrypted in self.items():
            if isinstance(item, Leaf) and item.path[:size] == below:
                empty = isinstance(item.kind, Empty) or not item.content
                yield LeafState(item.path, encrypted, _sealed_as(item), item.kind, empty, item.line)

    def ambiguous_keys(self) -> Iterator[int]:
        """Yield the lines of mapping keys that a reader of YAML 1.1 takes for no string.

        Those at the top are left out: sops-install-secrets takes any scalar there as it is spelled.
        """
        seated = self.text.seated(()) if self.form is Format.YAML else self.text
        if seated is not self.text:
            ours, quoted = self.text.apply(()).splitlines(), seated.apply(()).splitlines()
            pairs = enumerate(zip(ours, quoted, strict=False), start=1)
            yield from (
                number
                for number, (line, other) in pairs
                if line != other and not other.startswith(b'"')
            )

    def has_leaf(self, path: KeyPath) -> bool:
        return any(_is_at(item, path) for item in self.text.tree)

    def encrypts(self, path: KeyPath) -> bool:
        """Say whether a leaf at `path` would be sealed, comments not looked at."""
        return self.metadata.selection.encrypts(keys_of(path), ())


class Opened(NamedTuple):
    """One item of an open document.

    Args:
        item: as it stands in the document.
        encrypted: whether it is sealed.
        kind: the type of the value, None of a comment.
        value: canonical bytes; of a comment its text; None: no value, or a comment that no
            container opens.
        container: of a sealed comment, the keys it is bound to.
    """

    item: Item
    encrypted: bool
    kind: LeafType | None
    value: Plaintext | None
    container: tuple[str, ...] = ()


class OpenDocument(NamedTuple):
    """A document whose values are open and whose MAC holds."""

    document: Document
    data_key: Plaintext
    items: tuple[Opened, ...]

    def find(self, path: KeyPath) -> Opened | None:
        """Return the leaf at `path` in the first document; only that one is addressed."""
        for opened in self.items:
            if _is_at(opened.item, path):
                return opened
        return None


def parse(content: bytes, form: Format = Format.YAML) -> Document:
    """Parse a sealed document; needs no identity.

    Raises:
        RepositoryError: it is no text of that format, or holds no sops metadata.
        IntegrityError: the same of a text with sealed leaves, or a part of the metadata is gone.
    """
    text = formats.parse(content, form)
    if text.metadata is None and holds_sealed(content):
        raise IntegrityError("holds sealed values and no sops metadata: it was cut off")
    if text.metadata is None:
        raise RepositoryError("is not encrypted: it has no sops metadata")
    return Document(text, parse_metadata(text.metadata), form)


def parse_outline(content: bytes, form: Format = Format.YAML) -> Document:
    """Parse a sealed document for `rewrap`, which looks at no value: less of it is read.

    Raises:
        RepositoryError: as of `parse`.
        IntegrityError: as of `parse`; of a text laid out as sops does, that of its metadata only.
    """
    text = formats.parse_outline(content, form)
    if text is None or text.metadata is None:
        return parse(content, form)
    return Document(text, parse_metadata(text.metadata), form)


def is_sealed(content: bytes, form: Format = Format.YAML) -> bool:
    """Say whether a text holds sops metadata, damaged or not.

    Raises:
        RepositoryError: it is no text of that format; any bytes are one of binary.
    """
    try:
        return formats.parse(content, form).metadata is not None
    except RepositoryError:
        if form is Format.BINARY:
            return False
        raise


def open_data_key(document: Document, identities: Sequence[Identity]) -> Plaintext:
    """Return the data key.

    Raises:
        NoIdentityError: none of `identities` opens a stanza, or stanzas of too few groups.
        IntegrityError: what a stanza holds is no data key.
    """
    return keygroups.open_data_key(document.metadata, identities)


def open_document(document: Document, data_key: Plaintext) -> OpenDocument:
    """Open every value and verify the MAC.

    Raises:
        IntegrityError: a value or the MAC does not hold; the leaf's place is told.
    """
    cipher = Cipher(data_key)
    items = tuple(open_items(document, cipher))
    _verify(lambda: items, document, cipher)
    return OpenDocument(document, data_key, items)


def open_value(document: Document, data_key: Plaintext, path: KeyPath) -> Opened | None:
    """Return the leaf at `path` of the first document, as `open_document` would; keep no other.

    Raises:
        IntegrityError: any value or the MAC does not hold; the leaf's place is told.
    """
    cipher = Cipher(data_key)
    found: list[Opened] = []
    _verify(lambda: _noting(open_items(document, cipher), path, found), document, cipher)
    return found[0] if found else None


def plain_text(opened: OpenDocument) -> Plaintext:
    """Return the document in clear: layout and comments as they are, metadata left out."""
    text = opened.document.text
    comments = [
        (one.item, decoded(one.value.reveal()))
        for one in opened.items
        if isinstance(one.item, Comment) and one.encrypted and one.value is not None
    ]
    values = (
        text.respell_leaf(one.item, Scalar(one.kind or LeafType.STR, one.value.reveal()))
        for one in opened.items
        if isinstance(one.item, Leaf) and one.encrypted and one.value is not None
    )
    cuts = text.cut_metadata()
    if comments:
        edits = [*cuts, *values, *text.clear_comments(comments)]
        return Plaintext(text.apply(sorted(edits, key=itemgetter(0, 1))))
    return Plaintext(text.apply(chain(values, cuts)))


def open_items(document: Document, cipher: Cipher) -> Iterator[Opened]:
    """Yield every item with its value; the MAC is not looked at.

    Raises:
        IntegrityError: a value does not hold; its key path and line are told.
    """
    bonds = Bonds()
    for item, encrypted in document.items():
        if encrypted and isinstance(item, Leaf) and item.content:
            kind, value = _opened_value(item, cipher, bonds.of(item.path))
            yield Opened(item, True, kind, value)  # noqa: FBT003  # by name it takes twice as long
        else:
            yield open_item(item, cipher, encrypted=encrypted)


def open_item(item: Item, cipher: Cipher, *, encrypted: bool) -> Opened:
    """Return an item with its value.

    Raises:
        IntegrityError: the value does not hold; its key path and line are told.
    """
    if isinstance(item, Comment):
        return _open_comment(item, cipher)
    if isinstance(item.kind, Empty):
        return Opened(item, encrypted=False, kind=None, value=None)
    if encrypted and item.content:
        kind, value = _opened_value(item, cipher, Bonds().of(item.path))
        return Opened(item, encrypted, kind, value)
    return Opened(item, encrypted=False, kind=item.kind, value=Plaintext(item.content))


def _opened_value(leaf: Leaf, cipher: Cipher, aad: bytes) -> tuple[LeafType, Plaintext]:
    try:
        name, value = cipher.open_bytes(leaf.content, aad)
        kind = _leaf_type(name)
        if kind is not LeafType.STR:
            value = Plaintext(canonical(kind, value.reveal()))
    except IntegrityError as error:
        where = "/".join(map(str, leaf.path))
        problem = f"{where}: {error.problem}"
        raise IntegrityError(problem, hint=error.hint, line=leaf.line) from None
    return kind, value


def _noting(items: Iterable[Opened], path: KeyPath, found: list[Opened]) -> Iterator[Opened]:
    """Yield all items and note the leaf at `path`."""
    for one in items:
        item = one.item
        if isinstance(item, Leaf) and item.path == path and not item.document:
            found.append(one)
        yield one


def _is_at(item: Item, path: KeyPath) -> bool:
    return isinstance(item, Leaf) and item.path == path and not item.document


def _sealed_as(leaf: Leaf) -> str | None:
    if leaf.kind is not LeafType.STR:
        return None
    return spelled_type(leaf.content.decode("utf-8", "replace"))


def _listed_comment(item: Leaf) -> Item:
    """Return the comment for which sops wrote an item of a list, every other item as it is."""
    if _sealed_as(item) != "comment":
        return item
    text = decoded(item.content)
    return Comment(item.path[:-1], (), text, item.span, item.document, item.line)


def _leaf_type(name: bytes) -> LeafType:
    kind = _LEAF_TYPES.get(name)
    if kind is None:
        raise IntegrityError(f"its type {name.decode()!r} is unknown")
    return kind


def _open_comment(comment: Comment, cipher: Cipher) -> Opened:
    """Open a comment by the first container that authenticates; keep its text where none does."""
    if not looks_sealed(comment.text):
        return Opened(comment, encrypted=False, kind=None, value=Plaintext(encoded(comment.text)))
    for container in (comment.container, *comment.others):
        keys = keys_of(container)
        try:
            _, value = cipher.open(comment.text, path_aad(keys))
        except IntegrityError:
            continue
        return Opened(comment, encrypted=True, kind=None, value=value, container=keys)
    return Opened(comment, encrypted=True, kind=None, value=None)


def code_of(items: Iterable[Opened], metadata: Metadata) -> str:
    """Return the MAC over open items, not sealed yet."""
    values = (
        (one.encrypted, one.value)
        for one in items
        if isinstance(one.item, Leaf) and one.value is not None
    )
    return mac.compute(values, only_encrypted=metadata.mac_only_encrypted)


def encoded(text: str) -> bytes:
    """Return the bytes of a comment or a name; what is no UTF-8 stands there as surrogates."""
    return text.encode("utf-8", "surrogateescape")


def decoded(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def shown_value(opened: Opened) -> Plaintext:
    """Return a value as it is printed alone: its bytes, a truth value as YAML spells it."""
    value = opened.value or Plaintext(b"")
    return Plaintext(value.reveal().lower()) if opened.kind is LeafType.BOOL else value


def _verify(items: Callable[[], Iterable[Opened]], document: Document, cipher: Cipher) -> None:
    """Check the MAC; in JSON, one over rounded integers in clear holds too."""

    def check(values: Iterable[Opened]) -> None:
        metadata = document.metadata
        mac.verify(code_of(values, metadata), metadata.mac, cipher, metadata.lastmodified)

    try:
        check(items())
    except IntegrityError:
        if document.form is not Format.JSON:
            raise
        check(_rounded(items()))


def _rounded(items: Iterable[Opened]) -> Iterator[Opened]:
    """Yield items with integers in clear as releases before 3.13.2 take them in JSON: as floats."""
    for one in items:
        if one.kind is LeafType.INT and not one.encrypted and one.value is not None:
            yield one._replace(value=Plaintext(float_bytes(float(one.value.reveal()))))
        else:
            yield one
