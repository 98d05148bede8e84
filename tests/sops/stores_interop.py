"""Documents of any store sealed and opened, and the real sops on them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from os import urandom

from nixsecrets.age.identity import Identity
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import mac
from nixsecrets.sops.cipher import DATA_KEY_BYTES, Cipher, path_aad
from nixsecrets.sops.keygroups import Readers, open_data_key, wrap_groups
from nixsecrets.sops.metadata import Metadata, metadata_fields, parse_metadata
from nixsecrets.sops.rules import DEFAULT_SELECTION, Selection
from nixsecrets.sops.scalars import canonical
from nixsecrets.sops.stores.text import Scalar, Text
from nixsecrets.sops.tree import KeyPath, Leaf, LeafType, keys_of, leaves
from nixsecrets.textedit import Edit
from tests.sops.real import RealSops


@dataclass(frozen=True)
class Value:
    """One opened leaf; no `kind`: it is an `Empty`."""

    leaf: Leaf
    kind: LeafType | None
    content: bytes
    encrypted: bool

    @property
    def shown(self) -> tuple[KeyPath, str, bytes]:
        return self.leaf.path, (self.kind or self.leaf.kind).value, self.content


@dataclass(frozen=True)
class Foreign:
    """The real sops on one format."""

    sops: RealSops
    store: str

    def encrypt(self, content: bytes, *options: str) -> bytes:
        return self.sops.encrypt(content, *self._types, *options)

    def decrypt(self, content: bytes) -> bytes:
        return self.sops.decrypt(content, *self._types)

    def edit(self, content: bytes, command: str, *arguments: str) -> bytes:
        return self.sops.edit(content, command, *self._types, self.sops.file.name, *arguments)

    @property
    def _types(self) -> Sequence[str]:
        return ("--input-type", self.store, "--output-type", self.store)


def seal(
    text: Text,
    readers: Readers,
    now: datetime,
    selection: Selection = DEFAULT_SELECTION,
) -> bytes:
    data_key = Plaintext(urandom(DATA_KEY_BYTES))
    cipher = Cipher(data_key)
    values = [_plain(leaf, selection) for leaf in leaves(text.tree)]
    edits = [_seal_leaf(text, value, cipher) for value in values if value.encrypted]
    groups, threshold = wrap_groups(data_key, readers)
    metadata = Metadata(
        groups, selection, mac_only_encrypted=False, lastmodified="", mac="", threshold=threshold
    )
    metadata = _authenticated(metadata.stamped(now), values, cipher)
    return text.apply([*edits, *text.write_metadata(metadata_fields(metadata))])


def open_values(text: Text, identity: Identity) -> list[Value]:
    """Return all values; the MAC is verified."""
    metadata, cipher = _opened(text, identity)
    values = [_open_leaf(leaf, metadata.selection, cipher) for leaf in leaves(text.tree)]
    mac.verify(_code(values), metadata.mac, cipher, metadata.lastmodified)
    return values


def plain(text: Text, identity: Identity) -> bytes:
    edits = [
        text.respell_leaf(value.leaf, Scalar(value.kind, value.content))
        for value in open_values(text, identity)
        if value.encrypted and value.kind
    ]
    return text.apply([*edits, *text.cut_metadata()])


def seal_scalar(text: Text, identity: Identity, path: KeyPath, content: bytes) -> Scalar:
    """Return a string sealed for `path` under the data key of a document."""
    _, cipher = _opened(text, identity)
    sealed = cipher.seal(Plaintext(content), LeafType.STR.value, path_aad(keys_of(path)))
    return Scalar(LeafType.STR, sealed.encode())


def stamp(text: Text, identity: Identity, now: datetime) -> bytes:
    """Return the document with the MAC over the values that it has now."""
    metadata, cipher = _opened(text, identity)
    values = [_open_leaf(leaf, metadata.selection, cipher) for leaf in leaves(text.tree)]
    changed = _authenticated(metadata.stamped(now), values, cipher)
    fields = {"lastmodified": changed.lastmodified, "mac": changed.mac}
    return text.apply(text.stamp_metadata(fields))


def _opened(text: Text, identity: Identity) -> tuple[Metadata, Cipher]:
    assert text.metadata is not None
    metadata = parse_metadata(text.metadata)
    return metadata, Cipher(open_data_key(metadata, [identity]))


def _authenticated(metadata: Metadata, values: Sequence[Value], cipher: Cipher) -> Metadata:
    return metadata._replace(mac=mac.seal(_code(values), cipher, metadata.lastmodified))


def _code(values: Sequence[Value]) -> str:
    present = ((one.encrypted, Plaintext(one.content)) for one in values if one.kind)
    return mac.compute(present, only_encrypted=False)


def _plain(leaf: Leaf, selection: Selection) -> Value:
    kind = leaf.kind if isinstance(leaf.kind, LeafType) else None
    encrypted = bool(leaf.content) and selection.encrypts(keys_of(leaf.path), ())
    return Value(leaf, kind, leaf.content, encrypted)


def _seal_leaf(text: Text, value: Value, cipher: Cipher) -> Edit:
    kind = value.kind or LeafType.STR
    aad = path_aad(keys_of(value.leaf.path))
    sealed = cipher.seal(Plaintext(value.content), kind.value, aad)
    return text.respell_leaf(value.leaf, Scalar(LeafType.STR, sealed.encode()))


def _open_leaf(leaf: Leaf, selection: Selection, cipher: Cipher) -> Value:
    value = _plain(leaf, selection)
    if not value.encrypted:
        return value
    name, opened = cipher.open(leaf.content.decode(), path_aad(keys_of(leaf.path)))
    kind = LeafType(name)
    return replace(value, kind=kind, content=canonical(kind, opened.reveal()))
