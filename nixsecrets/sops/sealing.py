"""Write a document: seal it, change a value, wrap its data key, give it a new one."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from os import urandom
from types import MappingProxyType

from nixsecrets.age.keywrap import Stanza, wrap
from nixsecrets.age.recipient import Recipient, canonical_text
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
    items_with_rule,
    open_document,
    open_items,
    parse,
)
from nixsecrets.sops.metadata import Metadata, metadata_fields
from nixsecrets.sops.rules import DEFAULT_SELECTION, Selection
from nixsecrets.sops.stores import yaml, yaml_edit, yaml_metadata
from nixsecrets.sops.stores.yaml_edit import Scalar
from nixsecrets.sops.stores.yaml_seating import seat_comments
from nixsecrets.sops.stores.yaml_text import METADATA_KEY, YamlText
from nixsecrets.sops.tree import Comment, Empty, Item, KeyPath, Leaf, LeafType, keys_of
from nixsecrets.textedit import Edit

_COMMENT_TYPE = "comment"
_NOT_AS_MEANT = "an edit of a document did not change what it was meant to"


def seal(
    plaintext: Plaintext,
    recipients: Sequence[Recipient],
    now: datetime,
    selection: Selection = DEFAULT_SELECTION,
    *,
    mac_only_encrypted: bool = False,
) -> bytes:
    """Return a plaintext document sealed under a new data key.

    Order and layout stay; mapping keys that a YAML 1.1 reader takes for no string are quoted;
    encrypted comments at places that readers disagree about move to the line above.

    Raises:
        RepositoryError: the text is no document that the format can hold, or is sealed already.
    """
    parsed = yaml.parse(plaintext.reveal())
    if (0, (METADATA_KEY,)) in parsed.places:
        raise RepositoryError("has a top-level `sops` already, which is reserved for the metadata")
    if parsed.documents > 1:
        raise RepositoryError("a stream of several documents cannot be sealed yet")
    parsed = _seated(parsed, selection)
    data_key = Plaintext(urandom(DATA_KEY_BYTES))
    cipher = Cipher(data_key)
    items = tuple(_plain_items(parsed, selection))
    metadata = Metadata(_wrapped(data_key, recipients), selection, mac_only_encrypted, "", "")
    edits = [*yaml_edit.quote_keys(parsed), *_seal_items(parsed, items, cipher)]
    content = _finish(parsed, edits, items, metadata.stamped(now), cipher)
    _check_values(items, open_document(parse(content), data_key).items)
    return content


def set_value(opened: OpenDocument, path: KeyPath, value: Plaintext, now: datetime) -> bytes:
    """Return the document with the string `value` at `path`; every other value keeps its bytes.

    Raises:
        RepositoryError: `path` is no place for a value: something above it is one or is a list,
            it is a mapping or a list itself, or it belongs to the metadata.
    """
    document, cipher = opened.document, Cipher(opened.data_key)
    if path[:1] in ((), (METADATA_KEY,)):
        raise RepositoryError("the top-level `sops` is reserved for the metadata")
    placing = _placing(opened, path)
    scalar = Scalar(LeafType.STR, value.reveal())
    if value and _will_encrypt(document, path, placing):
        sealed = cipher.seal(value, LeafType.STR.value, path_aad(keys_of(path)))
        scalar = Scalar(LeafType.STR, sealed.encode())
    edit = placing(scalar)
    content = _restamp(document, cipher, edit, now)
    after = open_document(parse(content), opened.data_key)
    found = after.find(path)
    if found is None or found.value != value:
        raise AssertionError(_NOT_AS_MEANT)
    _check_values(
        [one for one in opened.items if not _gives_way(one, path, edit)],
        [one for one in after.items if not _is_at(one, path)],
    )
    return content


def remove_value(opened: OpenDocument, path: KeyPath, now: datetime) -> bytes:
    """Return the document without the leaf at `path` (and mappings that held nothing else).

    Comments on its lines go with it.

    Raises:
        RepositoryError: there is no such leaf.
    """
    if path[:1] == (METADATA_KEY,):
        raise RepositoryError("the top-level `sops` is reserved for the metadata")
    edit = yaml_edit.remove_leaf(opened.document.parsed, path)
    content = _restamp(opened.document, Cipher(opened.data_key), edit, now)
    after = open_document(parse(content), opened.data_key)
    removed = range(edit.start, edit.end)
    kept = [one for one in opened.items if one.item.span.start not in removed]
    _check_values(kept, after.items)
    return content


def rewrap(document: Document, data_key: Plaintext, recipients: Sequence[Recipient]) -> bytes:
    """Return the document with its data key wrapped to exactly `recipients`, in that order.

    Only the metadata changes, its MAC not. A stanza is kept as it stands where recipients are
    merely added; any removal wraps anew for everyone, because labels are claims.
    """
    kept = {canonical_text(stanza.recipient): stanza for stanza in document.metadata.stanzas}
    if kept.keys() - {recipient.text for recipient in recipients}:
        kept = {}
    stanzas = _wrapped(data_key, recipients, kept)
    metadata = replace(document.metadata, stanzas=stanzas)
    edits = yaml_metadata.write_metadata(document.parsed, metadata_fields(metadata))
    return yaml_edit.apply(document.parsed, edits)


def new_data_key(opened: OpenDocument, recipients: Sequence[Recipient], now: datetime) -> bytes:
    """Return the document with every value sealed anew under a new data key for `recipients`.

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
    edits = list(_seal_items(document.parsed, opened.items, cipher))
    metadata = replace(document.metadata, stanzas=_wrapped(data_key, recipients))
    content = _finish(document.parsed, edits, opened.items, metadata.stamped(now), cipher)
    _check_values(opened.items, open_document(parse(content), data_key).items)
    return content


def _wrapped(
    data_key: Plaintext,
    recipients: Sequence[Recipient],
    kept: Mapping[str, Stanza] = MappingProxyType({}),
) -> tuple[Stanza, ...]:
    """Return one stanza for each recipient; one that stands in `kept` already is taken from it."""
    if not recipients:
        raise RepositoryError("no recipient to seal it for")
    unique = dict.fromkeys(recipients)
    return tuple(kept.get(one.text) or wrap(data_key, one) for one in unique)


def _seated(parsed: YamlText, selection: Selection) -> YamlText:
    """Return the text with its encrypted comments where every reader finds the same container.

    Raises:
        RepositoryError: a rule about comments would choose other leaves then.
    """
    before = list(items_with_rule(parsed.tree, selection))
    heeded = selection.kind in COMMENT_RULES
    comments = [item for item, sealed in before if isinstance(item, Comment) and (sealed or heeded)]
    edits = list(seat_comments(parsed, comments))
    if not edits:
        return parsed
    seated = yaml.parse(yaml_edit.apply(parsed, edits))
    after = items_with_rule(seated.tree, selection)
    if _chosen(before) != _chosen(after):
        raise RepositoryError(
            f"`{selection.kind.value}` needs each comment above what it speaks for, or behind it",
            line=parsed.text.count("\n", 0, edits[0].start) + 1,
        )
    return seated


def _chosen(items: Iterable[tuple[Item, bool]]) -> Sequence[tuple[KeyPath, bool]]:
    return [(item.path, encrypted) for item, encrypted in items if isinstance(item, Leaf)]


def _plain_items(parsed: YamlText, selection: Selection) -> Iterator[Opened]:
    """Yield the items of a text in clear as they will be when it is sealed."""
    for item, encrypted in items_with_rule(parsed.tree, selection):
        match item:
            case Comment():
                text = Plaintext(item.text.encode())
                sealed = encrypted and bool(text)
                keys = keys_of(item.container) if sealed else ()
                yield Opened(item, encrypted=sealed, kind=None, value=text, container=keys)
            case Leaf():
                yield _plain_leaf(item, encrypted=encrypted)


def _plain_leaf(leaf: Leaf, *, encrypted: bool) -> Opened:
    match leaf.kind:
        case Empty():
            return Opened(leaf, encrypted=False, kind=None, value=None)
        case LeafType() as kind:
            value = Plaintext(leaf.content)
            return Opened(leaf, encrypted=encrypted and bool(value), kind=kind, value=value)


def _seal_items(parsed: YamlText, items: Iterable[Opened], cipher: Cipher) -> Iterator[Edit]:
    for one in items:
        if not one.encrypted:
            continue
        match one.item:
            case Comment() as comment:
                value = _openable(one, comment)
                sealed = cipher.seal(value, _COMMENT_TYPE, path_aad(one.container))
                yield yaml_edit.respell_comment(parsed, comment, sealed)
            case Leaf() as leaf:
                kind, value = one.kind or LeafType.STR, one.value or Plaintext(b"")
                sealed = cipher.seal(value, kind.value, path_aad(keys_of(leaf.path)))
                scalar = Scalar(LeafType.STR, sealed.encode())
                yield yaml_edit.respell_leaf(parsed, leaf, scalar)


def _openable(opened: Opened, comment: Comment) -> Plaintext:
    if opened.value is None:
        raise IntegrityError(
            "an encrypted comment does not open, so that it cannot be sealed anew",
            hint="remove that comment line",
            line=comment.line,
        )
    return opened.value


def _finish(
    parsed: YamlText,
    edits: Sequence[Edit],
    items: Sequence[Opened],
    metadata: Metadata,
    cipher: Cipher,
) -> bytes:
    """Return the text with `edits`, which seal its items, and its metadata with their MAC."""
    code = code_of(items, metadata)
    complete = replace(metadata, mac=mac.seal(code, cipher, metadata.lastmodified))
    block = yaml_metadata.write_metadata(parsed, metadata_fields(complete))
    return yaml_edit.apply(parsed, [*edits, *block])


def _placing(opened: OpenDocument, path: KeyPath) -> Callable[[Scalar], Edit]:
    """Return what puts a scalar at `path`: in a leaf's place, or as a new one."""
    parsed, current = opened.document.parsed, opened.find(path)
    if current is not None and isinstance(current.item, Leaf):
        return partial(yaml_edit.respell_leaf, parsed, current.item)
    return partial(yaml_edit.insert_leaf, parsed, path)


def _will_encrypt(document: Document, path: KeyPath, placing: Callable[[Scalar], Edit]) -> bool:
    selection = document.metadata.selection
    if selection.kind not in COMMENT_RULES:
        return document.encrypts(path)
    sample = placing(Scalar(LeafType.STR, b"x"))
    changed = yaml.parse(yaml_edit.apply(document.parsed, [sample]))
    return any(
        encrypted and isinstance(item, Leaf) and item.path == path
        for item, encrypted in items_with_rule(changed.tree, selection)
    )


def _restamp(document: Document, cipher: Cipher, edit: Edit, now: datetime) -> bytes:
    """Return the document with `edit`, `mac` and `lastmodified` changed and nothing else."""
    changed = parse(yaml_edit.apply(document.parsed, [edit]))
    stamped = changed.metadata.stamped(now)
    code = code_of(tuple(open_items(changed, cipher)), stamped)
    sealed = mac.seal(code, cipher, stamped.lastmodified)
    fields = {"lastmodified": stamped.lastmodified, "mac": sealed}
    return yaml_edit.apply(changed.parsed, yaml_metadata.stamp_metadata(changed.parsed, fields))


def _is_at(opened: Opened, path: KeyPath) -> bool:
    item = opened.item
    return isinstance(item, Leaf) and item.path == path and not item.document


def _gives_way(opened: Opened, path: KeyPath, edit: Edit) -> bool:
    """Say whether an item goes when a leaf comes to `path`.

    That is the old leaf, what was empty where mappings now lead to it, and comments within that.
    """
    item = opened.item
    if isinstance(item, Comment):
        return item.span.start in range(edit.start, edit.end)
    is_above = isinstance(item.kind, Empty) and item.path == path[: len(item.path)]
    return not item.document and (item.path == path or is_above)


def _check_values(before: Iterable[Opened], after: Iterable[Opened]) -> None:
    if list(map(_identity, before)) != list(map(_identity, after)):
        raise AssertionError(_NOT_AS_MEANT)


def _identity(one: Opened) -> tuple[tuple[str, ...], bool, LeafType | None, Plaintext | None]:
    keys = keys_of(one.item.path) if isinstance(one.item, Leaf) else ()
    return keys, one.encrypted, one.kind, one.value
