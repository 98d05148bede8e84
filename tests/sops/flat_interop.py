"""The way of a flat document from text to sealed and back, made of the lower functions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from os import urandom

from nixsecrets.age.identity import Identity
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import mac
from nixsecrets.sops.cipher import Cipher, looks_sealed, path_aad
from nixsecrets.sops.keygroups import Readers, open_data_key, wrap_groups
from nixsecrets.sops.metadata import Metadata, metadata_fields, parse_metadata
from nixsecrets.sops.rules import DEFAULT_SELECTION, Selection
from nixsecrets.sops.stores.text import Scalar, Text
from nixsecrets.sops.tree import Comment, Item, KeyPath, Leaf, LeafType, active_comments, keys_of
from nixsecrets.textedit import Edit


@dataclass(frozen=True)
class Value:
    """One item of an open text."""

    item: Item
    encrypted: bool
    kind: LeafType
    content: bytes

    @property
    def keys(self) -> tuple[str, ...]:
        return keys_of(self.item.container if isinstance(self.item, Comment) else self.item.path)


@dataclass(frozen=True)
class OpenText:
    """An open text whose MAC holds."""

    text: Text
    metadata: Metadata
    cipher: Cipher
    values: tuple[Value, ...]

    @property
    def leaves(self) -> list[tuple[KeyPath, bytes]]:
        return [(one.item.path, one.content) for one in self.values if isinstance(one.item, Leaf)]

    @property
    def comments(self) -> list[tuple[tuple[str, ...], str]]:
        return [
            (one.keys, one.content.decode("utf-8", "surrogateescape"))
            for one in self.values
            if isinstance(one.item, Comment)
        ]


def seal(text: Text, readers: Readers, now: datetime, selection: Selection | None = None) -> bytes:
    """Seal a text in clear."""
    rule = selection or DEFAULT_SELECTION
    data_key = Plaintext(urandom(32))
    cipher = Cipher(data_key)
    values = tuple(_in_clear(text, rule))
    text = text.seated([one.item for one in values if isinstance(one.item, Comment)])
    values = tuple(_in_clear(text, rule))
    groups, threshold = wrap_groups(data_key, readers)
    stamped = Metadata(
        groups, rule, mac_only_encrypted=False, lastmodified="", mac="", threshold=threshold
    ).stamped(now)
    metadata = stamped._replace(mac=mac.seal(_code(values), cipher, stamped.lastmodified))
    edits = [_sealed(text, one, cipher) for one in values if one.encrypted]
    return text.apply([*edits, *text.write_metadata(metadata_fields(metadata))])


def open_text(text: Text, identity: Identity) -> OpenText:
    """Open every value and verify the MAC."""
    assert text.metadata is not None
    metadata = parse_metadata(text.metadata)
    cipher = Cipher(open_data_key(metadata, [identity]))
    values = tuple(_opened(text, metadata.selection, cipher))
    mac.verify(_code(values), metadata.mac, cipher, metadata.lastmodified)
    return OpenText(text, metadata, cipher, values)


def plain(opened: OpenText) -> bytes:
    """Return the text in clear, its metadata cut off."""
    edits = [_cleared(opened.text, one) for one in opened.values if one.encrypted]
    return opened.text.apply([*edits, *opened.text.cut_metadata()])


def sealed_scalar(opened: OpenText, path: KeyPath, value: bytes) -> Scalar:
    sealed = opened.cipher.seal(Plaintext(value), "str", path_aad(keys_of(path)))
    return Scalar(LeafType.STR, sealed.encode())


def restamped(opened: OpenText, parsed: Text, now: datetime) -> bytes:
    """Return a changed text with the MAC over what it holds now."""
    metadata = opened.metadata.stamped(now)
    values = tuple(_opened(parsed, metadata.selection, opened.cipher))
    sealed = mac.seal(_code(values), opened.cipher, metadata.lastmodified)
    fields = {"lastmodified": metadata.lastmodified, "mac": sealed}
    return parsed.apply(parsed.stamp_metadata(fields))


def _with_rule(text: Text, selection: Selection) -> Iterator[tuple[Item, bool]]:
    active = active_comments(text.tree)
    for position, item in enumerate(text.tree):
        keys = keys_of(item.container if isinstance(item, Comment) else item.path)
        yield item, selection.encrypts(keys, active.get(position, ()))


def _in_clear(text: Text, selection: Selection) -> Iterator[Value]:
    for item, encrypted in _with_rule(text, selection):
        content = _content(item)
        yield Value(item, encrypted and bool(content), LeafType.STR, content)


def _opened(text: Text, selection: Selection, cipher: Cipher) -> Iterator[Value]:
    for item, encrypted in _with_rule(text, selection):
        content = _content(item)
        value = Value(item, encrypted and bool(content), LeafType.STR, content)
        spelled = content.decode("utf-8", "replace")
        is_clear = isinstance(item, Comment) and not looks_sealed(spelled)
        if value.encrypted and not is_clear:
            kind, plaintext = cipher.open(spelled, path_aad(value.keys))
            found = LeafType.STR if kind == "comment" else LeafType(kind)
            yield replace(value, kind=found, content=plaintext.reveal())
        else:
            yield replace(value, encrypted=False)


def _content(item: Item) -> bytes:
    if isinstance(item, Comment):
        return item.text.encode("utf-8", "surrogateescape")
    return item.content


def _code(values: Iterable[Value]) -> str:
    leaves = (one for one in values if isinstance(one.item, Leaf))
    return mac.compute(
        ((one.encrypted, Plaintext(one.content)) for one in leaves), only_encrypted=False
    )


def _sealed(text: Text, one: Value, cipher: Cipher) -> Edit:
    kind = "comment" if isinstance(one.item, Comment) else "str"
    sealed = cipher.seal(Plaintext(one.content), kind, path_aad(one.keys))
    if isinstance(one.item, Comment):
        return text.respell_comment(one.item, sealed)
    return text.respell_leaf(one.item, Scalar(LeafType.STR, sealed.encode()))


def _cleared(text: Text, one: Value) -> Edit:
    if isinstance(one.item, Comment):
        comment = one.item, one.content.decode("utf-8", "surrogateescape")
        return text.clear_comments([comment])[0]
    return text.respell_leaf(one.item, Scalar(one.kind, one.content))
