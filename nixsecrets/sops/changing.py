"""Change an open document: one value, or its whole text; what stays keeps its ciphertext."""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import mac
from nixsecrets.sops.cipher import Bonds, Cipher, looks_sealed, path_aad
from nixsecrets.sops.document import (
    Document,
    OpenDocument,
    Opened,
    code_of,
    encoded,
    open_item,
    parse,
)
from nixsecrets.sops.metadata import Metadata
from nixsecrets.sops.rules import COMMENT_RULES, items_with_rule
from nixsecrets.sops.sealing import (
    Sealed,
    check,
    clear_items,
    finish,
    kept,
    ready,
    respelled,
    sealed,
)
from nixsecrets.sops.stores import formats
from nixsecrets.sops.stores.formats import Format
from nixsecrets.sops.stores.text import METADATA_NAME, Scalar, Text
from nixsecrets.sops.tree import Comment, Empty, Item, KeyPath, Leaf, LeafType, keys_of
from nixsecrets.textedit import Edit

_Place = tuple[int, KeyPath, bytes]
_Ciphertexts = Mapping[tuple[tuple[str, ...], LeafType | None, bytes], deque[bytes]]


def set_value(opened: OpenDocument, path: KeyPath, value: Plaintext, now: datetime) -> bytes:
    """Return the document with the string `value` at `path`; every other value keeps its bytes.

    Raises:
        RepositoryError: `path` is no place for a value: something above it is one or is a list,
            it is a mapping or a list itself, or it belongs to the metadata.
    """
    return set_scalar(opened, path, Scalar(LeafType.STR, value.reveal()), now)


def set_scalar(opened: OpenDocument, path: KeyPath, scalar: Scalar, now: datetime) -> bytes:
    """Return the document with a value of any type at `path`, as `set_value` does.

    Args:
        opened: the document.
        path: where it is to stand.
        scalar: its type and its canonical bytes.
        now: the time of the change.
    """
    document, cipher = opened.document, Cipher(opened.data_key)
    _refuse_metadata(path)
    current = opened.find(path)
    placing = _placing(document, path, current)
    spelled = _spelled(document, path, scalar, placing, cipher)
    edit = placing(spelled)
    if current is None or not isinstance(current.item, Leaf):
        changed = parse(document.text.apply([edit]), document.form)
        carried = list(_carried(opened.items, changed, cipher))
        values = [one.opened for one in carried]
        items: Iterable[Sealed] = carried
    else:
        new = _opened(current.item, scalar, encrypted=spelled != scalar)
        values = [new if one is current else one for one in opened.items]
        items = (Sealed(one, spelled.content) if one is new else kept(one) for one in values)
    stamps = _stamps(document.text, values, document.metadata.stamped(now), cipher)
    content = document.text.apply([edit, *stamps])
    check(content, document.form, items)
    return content


def remove_value(opened: OpenDocument, path: KeyPath, now: datetime) -> bytes:
    """Return the document without the leaf at `path` (and mappings that held nothing else).

    Comments on its lines go with it.

    Raises:
        RepositoryError: there is no such leaf, or a rule about comments would choose another leaf
            in its place.
    """
    document, cipher = opened.document, Cipher(opened.data_key)
    _refuse_metadata(path)
    edit = document.text.remove_leaf(path)
    changed = parse(document.text.apply([edit]), document.form)
    items = list(_carried(opened.items, changed, cipher))
    values = [one.opened for one in items]
    stamps = _stamps(document.text, values, document.metadata.stamped(now), cipher)
    content = document.text.apply([edit, *stamps])
    check(content, document.form, items)
    return content


def replace_text(opened: OpenDocument, plaintext: Plaintext, now: datetime) -> bytes:
    """Return the document with another text in clear; its data key and its readers stay.

    A value that stands where it stood keeps its ciphertext; of equal ones in a list, each its own.

    Raises:
        RepositoryError: as for `sealing.seal`; or what stood in clear needs another place.
    """
    document, cipher = opened.document, Cipher(opened.data_key)
    selection = document.metadata.selection
    text = ready(plaintext, document.form, selection)
    known = _ciphertexts(opened)
    bonds = Bonds()
    items = [
        _remembered(one, known, cipher, document.form, bonds)
        for one in clear_items(text, selection)
    ]
    metadata = document.metadata.stamped(now)
    joined = _joined(document, text.apply(respelled(text, items)))
    if joined is None:
        content = finish(text, items, metadata, cipher)
    else:
        values = [one.opened for one in items]
        content = joined.apply(_stamps(joined, values, metadata, cipher))
    check(content, document.form, items)
    return content


def _joined(document: Document, whole: bytes) -> Text | None:
    """Return sealed values with the document's metadata behind them, None where they cannot stand.

    They cannot behind a text in braces, one whose end is marked, or one of another indentation.
    """
    block = document.text.metadata_text
    if block is None:
        return None
    ends = b"" if not whole or whole.endswith(b"\n") else b"\n"
    try:
        joined = formats.parse(whole + ends + block, document.form)
    except (RepositoryError, IntegrityError):
        return None
    return joined if joined.metadata is not None else None


def _refuse_metadata(path: KeyPath) -> None:
    if path[:1] in ((), (METADATA_NAME,)):
        raise RepositoryError("the top-level `sops` is reserved for the metadata")


def _placing(document: Document, path: KeyPath, current: Opened | None) -> Callable[[Scalar], Edit]:
    """Return what puts a scalar at `path`: in a leaf's place, or as a new one."""
    if current is not None and isinstance(current.item, Leaf):
        return partial(document.text.respell_leaf, current.item)
    return partial(document.text.insert_leaf, path)


def _spelled(
    document: Document,
    path: KeyPath,
    scalar: Scalar,
    placing: Callable[[Scalar], Edit],
    cipher: Cipher,
) -> Scalar:
    """Return what is written for a value: sealed, where the rule says so and it is not empty."""
    if isinstance(scalar.kind, Empty) or not scalar.content:
        return scalar
    if not _will_encrypt(document, path, placing):
        return scalar
    value = Plaintext(scalar.content)
    spelled = cipher.seal(value, scalar.kind.value, path_aad(keys_of(path)))
    return Scalar(LeafType.STR, spelled.encode())


def _will_encrypt(document: Document, path: KeyPath, placing: Callable[[Scalar], Edit]) -> bool:
    selection = document.metadata.selection
    if selection.kind not in COMMENT_RULES:
        return document.encrypts(path)
    sample = placing(Scalar(LeafType.STR, b"x"))
    changed = formats.parse(document.text.apply([sample]), document.form)
    return any(
        encrypted and isinstance(item, Leaf) and item.path == path
        for item, encrypted in items_with_rule(changed.tree, selection)
    )


def _opened(leaf: Leaf, scalar: Scalar, *, encrypted: bool) -> Opened:
    match scalar.kind:
        case Empty():
            return Opened(leaf, encrypted=False, kind=None, value=None)
        case LeafType() as kind:
            return Opened(leaf, encrypted, kind, Plaintext(scalar.content))


def _carried(before: Iterable[Opened], after: Document, cipher: Cipher) -> Iterator[Sealed]:
    """Yield the items of a changed document, opened only where they were not before."""
    known = {_place(one.item): one for one in before}
    ciphertexts = {kept(one).spelled for one in known.values() if one.encrypted}
    heeded = after.metadata.selection.kind in COMMENT_RULES
    for item, encrypted in after.items():
        if heeded and isinstance(item, Leaf):
            _refuse_other_side(item, after, ciphertexts, encrypted=encrypted)
        one = known.get(_place(item))
        if one is None:
            one = open_item(item, cipher, encrypted=encrypted)
        yield kept(one._replace(item=item))


def _refuse_other_side(
    leaf: Leaf, after: Document, ciphertexts: Collection[bytes], *, encrypted: bool
) -> None:
    """Raise RepositoryError where a comment speaks for another leaf than before."""
    was_sealed = leaf.content in ciphertexts
    is_new = encrypted and looks_sealed(leaf.content.decode("utf-8", "replace"))
    if leaf.content and encrypted != (was_sealed or is_new):
        where = "/".join(map(str, leaf.path))
        raise RepositoryError(
            f"`{after.metadata.selection.kind.value}` would then choose otherwise for {where}",
            hint="move the comment above it in the same change (nixsecrets edit)",
        )


def _place(item: Item) -> _Place:
    match item:
        case Comment():
            return item.document, item.container, encoded(item.text)
        case Leaf():
            return item.document, item.path, item.content


def _ciphertexts(document: OpenDocument) -> _Ciphertexts:
    """Return the ciphertexts of a document by keys, type and value, in file order."""
    known: dict[tuple[tuple[str, ...], LeafType | None, bytes], deque[bytes]] = defaultdict(deque)
    for one in document.items:
        if one.encrypted and one.value is not None:
            kind = _kind(one, document.document.form)
            known[_keys(one), kind, one.value.reveal()].append(kept(one).spelled)
    return known


def _kind(opened: Opened, form: Format) -> LeafType | None:
    """Return the type by which a value is known again: JSON has one for all numbers."""
    is_number = form is Format.JSON and opened.kind is LeafType.FLOAT
    return LeafType.INT if is_number else opened.kind


def _keys(opened: Opened) -> tuple[str, ...]:
    match opened.item:
        case Comment():
            return opened.container
        case Leaf(path=path):
            return keys_of(path)


def _remembered(
    opened: Opened, known: _Ciphertexts, cipher: Cipher, form: Format, bonds: Bonds
) -> Sealed:
    if opened.encrypted and opened.value is not None:
        spelled = known.get((_keys(opened), _kind(opened, form), opened.value.reveal()))
        if spelled:
            return Sealed(opened, spelled.popleft())
    return sealed(opened, cipher, bonds)


def _stamps(
    text: Text, values: Iterable[Opened], metadata: Metadata, cipher: Cipher
) -> Sequence[Edit]:
    """Return the edits that give `mac` and `lastmodified` their new texts."""
    code = code_of(values, metadata)
    sealed_code = mac.seal(code, cipher, metadata.lastmodified)
    return text.stamp_metadata({"lastmodified": metadata.lastmodified, "mac": sealed_code})
