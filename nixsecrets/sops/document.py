"""A document: parse it, open it with its data key, change it, seal it again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nixsecrets.age.identity import Identity
from nixsecrets.age.keywrap import unwrap
from nixsecrets.errors import IntegrityError, NoIdentityError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import mac
from nixsecrets.sops.cipher import (
    DATA_KEY_BYTES,
    Cipher,
    holds_sealed,
    looks_sealed,
    path_aad,
    spelled_type,
)
from nixsecrets.sops.metadata import Metadata, parse_metadata
from nixsecrets.sops.rules import Selection, SelectionKind
from nixsecrets.sops.scalars import canonical
from nixsecrets.sops.stores import yaml, yaml_edit, yaml_metadata
from nixsecrets.sops.stores.yaml_edit import Scalar
from nixsecrets.sops.stores.yaml_text import METADATA_KEY, YamlText
from nixsecrets.sops.tree import (
    Comment,
    Empty,
    Item,
    KeyPath,
    Leaf,
    LeafType,
    Tree,
    active_comments,
    keys_of,
)

_KEEPS_ITSELF = SelectionKind.UNENCRYPTED_COMMENT_REGEX
"""The rule by which a comment speaks for itself too (sops `sops.go`, `shouldBeEncrypted`)."""
COMMENT_RULES = (
    SelectionKind.ENCRYPTED_COMMENT_REGEX,
    SelectionKind.UNENCRYPTED_COMMENT_REGEX,
)


@dataclass(frozen=True, slots=True)
class LeafState:
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


@dataclass(frozen=True, slots=True)
class Document:
    """A sealed document as it stands in the repository."""

    parsed: YamlText
    metadata: Metadata

    @property
    def recipients(self) -> tuple[str, ...]:
        """Labels of the stanzas, in file order: claims, until an identity opens one."""
        return tuple(stanza.recipient for stanza in self.metadata.stanzas)

    def items(self) -> Iterator[tuple[Item, bool]]:
        """Yield every item in file order with whether its rule says that it is encrypted."""
        for item, encrypted in items_with_rule(self.parsed.tree, self.metadata.selection):
            is_comment = encrypted and isinstance(item, Leaf) and _sealed_as(item) == "comment"
            yield (_listed_comment(item) if is_comment else item), encrypted

    def leaf_states(self) -> Iterator[LeafState]:
        for item, encrypted in self.items():
            if isinstance(item, Leaf):
                empty = isinstance(item.kind, Empty) or not item.content
                yield LeafState(item.path, encrypted, _sealed_as(item), item.kind, empty, item.line)

    def has_leaf(self, path: KeyPath) -> bool:
        return any(_is_at(item, path) for item in self.parsed.tree)

    def encrypts(self, path: KeyPath) -> bool:
        """Say whether a leaf at `path` would be sealed, comments not looked at."""
        return self.metadata.selection.encrypts(keys_of(path), ())


@dataclass(frozen=True, slots=True)
class Opened:
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


@dataclass(frozen=True, slots=True)
class OpenDocument:
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


def parse(content: bytes) -> Document:
    """Parse a sealed document; needs no identity.

    Raises:
        RepositoryError: it is no YAML, or holds no sops metadata.
        IntegrityError: the same of a text with sealed leaves, or a part of the metadata is gone.
    """
    parsed = yaml.parse(content)
    if parsed.metadata is None and holds_sealed(content):
        raise IntegrityError("holds sealed values and no sops metadata: it was cut off")
    if parsed.metadata is None:
        raise RepositoryError("is not encrypted: it has no sops metadata")
    return Document(parsed, parse_metadata(parsed.metadata))


def is_sealed(content: bytes) -> bool:
    """Say whether a text holds sops metadata, damaged or not."""
    return yaml.parse(content).metadata is not None


def open_data_key(document: Document, identities: Sequence[Identity]) -> Plaintext:
    """Return the data key.

    Raises:
        NoIdentityError: none of `identities` opens a stanza.
        IntegrityError: what a stanza holds is no data key.
    """
    if not document.metadata.stanzas:
        services = ", ".join(document.metadata.foreign_services) or "nobody"
        raise NoIdentityError(f"no age recipient can open it, only {services}")
    data_key = unwrap(document.metadata.stanzas, identities)
    if len(data_key) != DATA_KEY_BYTES:
        raise IntegrityError("a stanza opens, but what it holds is no data key of 32 bytes")
    return data_key


def open_document(document: Document, data_key: Plaintext) -> OpenDocument:
    """Open every value and verify the MAC.

    Raises:
        IntegrityError: a value or the MAC does not hold; the leaf's place is told.
    """
    cipher = Cipher(data_key)
    items = tuple(open_items(document, cipher))
    metadata = document.metadata
    code = code_of(items, metadata)
    mac.verify(code, metadata.mac, cipher, metadata.lastmodified)
    return OpenDocument(document, data_key, items)


def plain_text(opened: OpenDocument) -> Plaintext:
    """Return the document in clear: layout and comments as they are, metadata left out."""
    parsed = opened.document.parsed
    edits = yaml_metadata.cut_metadata(parsed)
    for one in opened.items:
        if not one.encrypted or one.value is None:
            continue
        match one.item:
            case Comment():
                text = one.value.reveal().decode("utf-8", "replace")
                edits.append(yaml_edit.clear_comment(parsed, one.item, text))
            case Leaf():
                scalar = Scalar(one.kind or LeafType.STR, one.value.reveal())
                edits.append(yaml_edit.respell_leaf(parsed, one.item, scalar))
    comments = [one.item for one in opened.items if isinstance(one.item, Comment) and one.value]
    edits += yaml_edit.restore_empty_lists(parsed, comments)
    content = yaml_edit.apply(parsed, edits)
    is_empty = not parsed.roots[0].flow and all(
        entry.path[0] == METADATA_KEY for entry in parsed.entries
    )
    return Plaintext(content + b"{}\n" if is_empty else content)


def items_with_rule(tree: Tree, selection: Selection) -> Iterator[tuple[Item, bool]]:
    """Yield every item in file order with whether a rule says that it is encrypted."""
    active = active_comments(tree) if selection.kind in COMMENT_RULES else {}
    for position, item in enumerate(tree):
        keys = keys_of(item.container if isinstance(item, Comment) else item.path)
        comments = active.get(position, ())
        if isinstance(item, Comment) and selection.kind is _KEEPS_ITSELF:
            comments = (*comments, item.text)
        yield item, selection.encrypts(keys, comments)


def open_items(document: Document, cipher: Cipher) -> Iterator[Opened]:
    """Yield every item with its value; the MAC is not looked at.

    Raises:
        IntegrityError: a value does not hold; its key path and line are told.
    """
    for item, encrypted in document.items():
        if isinstance(item, Comment):
            yield _open_comment(item, cipher)
        elif isinstance(item.kind, Empty):
            yield Opened(item, encrypted=False, kind=None, value=None)
        elif encrypted and item.content:
            yield _open_leaf(item, cipher)
        else:
            yield Opened(item, encrypted=False, kind=item.kind, value=Plaintext(item.content))


def _open_leaf(leaf: Leaf, cipher: Cipher) -> Opened:
    try:
        spelled = leaf.content.decode("utf-8", "replace")
        name, value = cipher.open(spelled, path_aad(keys_of(leaf.path)))
        kind = _leaf_type(name)
        value = Plaintext(canonical(kind, value.reveal()))
    except IntegrityError as error:
        where = "/".join(map(str, leaf.path))
        problem = f"{where}: {error.problem}"
        raise IntegrityError(problem, hint=error.hint, line=leaf.line) from None
    return Opened(leaf, encrypted=True, kind=kind, value=value)


def _is_at(item: Item, path: KeyPath) -> bool:
    return isinstance(item, Leaf) and item.path == path and not item.document


def _sealed_as(leaf: Leaf) -> str | None:
    if leaf.kind is not LeafType.STR:
        return None
    return spelled_type(leaf.content.decode("utf-8", "replace"))


def _listed_comment(item: Item) -> Item:
    """Return the comment for which sops wrote an item of a list, every other item as it is."""
    if not isinstance(item, Leaf) or not isinstance(item.path[-1], int):
        return item
    text = item.content.decode("utf-8", "replace")
    return Comment(item.path[:-1], (), text, item.span, item.document, item.line)


def _leaf_type(name: str) -> LeafType:
    for kind in LeafType:
        if kind.value == name:
            return kind
    raise IntegrityError(f"its type {name!r} is unknown")


def _open_comment(comment: Comment, cipher: Cipher) -> Opened:
    """Open a comment by the first container that authenticates; keep its text where none does."""
    if not looks_sealed(comment.text):
        return Opened(comment, encrypted=False, kind=None, value=Plaintext(comment.text.encode()))
    for container in (comment.container, *comment.others):
        keys = keys_of(container)
        try:
            _, value = cipher.open(comment.text, path_aad(keys))
        except IntegrityError:
            continue
        return Opened(comment, encrypted=True, kind=None, value=value, container=keys)
    return Opened(comment, encrypted=True, kind=None, value=None)


def code_of(items: Sequence[Opened], metadata: Metadata) -> str:
    """Return the MAC over open items, not sealed yet."""
    values = (
        (one.encrypted, one.value)
        for one in items
        if isinstance(one.item, Leaf) and one.value is not None
    )
    return mac.compute(values, only_encrypted=metadata.mac_only_encrypted)


def shown_value(opened: Opened) -> Plaintext:
    """Return a value as it is printed alone: its bytes, a truth value as YAML spells it."""
    value = opened.value or Plaintext(b"")
    return Plaintext(value.reveal().lower()) if opened.kind is LeafType.BOOL else value
