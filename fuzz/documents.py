"""Documents of every format, sealed, opened and changed; and the parts they are made of."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

from fuzz.claims import claim
from fuzz.stores import meaning
from nixsecrets.age import bech32
from nixsecrets.age.identity import x25519_identity
from nixsecrets.errors import NixsecretsError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import document, scalars
from nixsecrets.sops.changing import remove_value, replace_text, set_value
from nixsecrets.sops.cipher import Cipher, looks_sealed, spelled_type
from nixsecrets.sops.metadata import Value, metadata_fields, parse_metadata
from nixsecrets.sops.sealing import Terms, rewrap, seal
from nixsecrets.sops.stores import flat, formats, yaml
from nixsecrets.sops.stores.formats import Format
from nixsecrets.sops.tree import Comment, KeyPath, Leaf, LeafType, Tree

NOW = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
IDENTITY = x25519_identity(
    bech32.encode("age-secret-key-", bytes(range(32))).upper(), "a test identity"
)
_READERS = [one for one in (IDENTITY.recipient,) if one]
_NEW = Plaintext(b"two\nlines: #\n")
_CIPHER = Cipher(Plaintext(bytes(32)))
_AAD = b"name:"
_SEPARATOR = "__"


def yaml_document(content: bytes) -> None:
    text = yaml.parse(content)
    again = yaml.parse(text.apply([]))
    claim("what was read is written", holds=meaning(again.tree) == meaning(text.tree))
    _document(content, Format.YAML)


def json_document(content: bytes) -> None:
    _document(content, Format.JSON)


def dotenv_document(content: bytes) -> None:
    _document(content, Format.DOTENV)


def ini_document(content: bytes) -> None:
    _document(content, Format.INI)


def binary_document(content: bytes) -> None:
    opened = _opened(seal(Plaintext(content), _READERS, NOW, Terms(Format.BINARY)), Format.BINARY)
    plain = document.plain_text(opened)
    claim("a binary file comes back as it was", holds=plain.reveal() == content)
    _sealed_document(content, Format.BINARY)


def metadata(content: bytes) -> None:
    """Read the fields of a JSON object, as they are and as flat names."""
    try:
        fields = _value(json.loads(content))
    except (ValueError, RecursionError):
        return
    if not isinstance(fields, Mapping):
        return
    read = parse_metadata(fields)
    written = metadata_fields(read)
    again = parse_metadata(written)
    claim("written stanzas read back", holds=again.stanzas == read.stanzas)
    claim("a written selection reads back", holds=again.selection == read.selection)
    claim("other written fields read back", holds=again.others == read.others)
    texts = flat.flatten(written)
    if not any(_SEPARATOR in name for name in _names(written)):
        flattened = parse_metadata(flat.unflatten(texts))
        claim("flat stanzas read back", holds=flattened.stanzas == read.stanzas)


def flat_names(content: bytes) -> None:
    """Put fields together of lines `NAME=text`."""
    lines = content.decode("utf-8", "replace").split("\n")
    fields = flat.unflatten({name: text for name, _, text in (one.partition("=") for one in lines)})
    again = flat.unflatten(flat.flatten(fields))
    claim("flat fields read back", holds=again == fields)
    parse_metadata(fields)


def enc(content: bytes) -> None:
    """Read a sealed leaf, and an opened value of each type."""
    text = content.decode("utf-8", "surrogateescape")
    if spelled_type(text) is not None:
        claim("a whole leaf looks sealed", holds=looks_sealed(text))
    for kind in LeafType:
        _canonical(kind, content)
    if content:
        sealed = _CIPHER.seal(Plaintext(content), "str", _AAD)
        opened = _CIPHER.open(sealed, _AAD)
        claim("what was sealed opens", holds=opened == ("str", Plaintext(content)))
    _CIPHER.open(text, _AAD)


def _canonical(kind: LeafType, content: bytes) -> None:
    try:
        once = scalars.canonical(kind, content)
    except NixsecretsError:
        return
    claim("canonical bytes stay", holds=scalars.canonical(kind, once) == once)


def _document(content: bytes, form: Format) -> None:
    if document.is_sealed(content, form):
        _sealed_document(content, form)
        return
    tree = formats.parse_plain(content, form).tree
    opened = _opened(seal(Plaintext(content), _READERS, NOW, Terms(form)), form)
    again = formats.parse_plain(document.plain_text(opened).reveal(), form).tree
    ordered = list if form is not Format.INI else partial(sorted, key=str)
    kept, found = ordered(meaning(tree)), ordered(meaning(again))
    claim("opened leaves are what was sealed", holds=found == kept)
    claim("opened comments are too", holds=_comments(again) == _comments(tree))
    _edits(opened)


def _sealed_document(content: bytes, form: Format) -> None:
    parsed = document.parse(content, form)
    claim("every leaf has a line", holds=all(state.line > 0 for state in parsed.leaf_states()))
    rewrapped = rewrap(parsed, Plaintext(bytes(32)), _READERS)
    claim("a rewrapped document reads back", holds=document.is_sealed(rewrapped, form))
    opened = _opened(content, form)
    document.plain_text(opened)
    _edits(opened)


def _opened(content: bytes, form: Format) -> document.OpenDocument:
    parsed = document.parse(content, form)
    data_key = document.open_data_key(parsed, [IDENTITY])
    return document.open_document(parsed, data_key)


def _edits(opened: document.OpenDocument) -> None:
    """Change the document; each change checks by itself that it did what it was meant to."""
    plain = document.plain_text(opened)
    paths = [one.item.path for one in opened.items if isinstance(one.item, Leaf)]
    places: tuple[KeyPath, ...] = (*paths[:2], *paths[-1:], ("new",), ("new", "name"))
    changes = [partial(replace_text, opened, plain, NOW)]
    for path in places:
        changes.append(partial(set_value, opened, path, _NEW, NOW))
        changes.append(partial(remove_value, opened, path, NOW))
    for change in changes:
        try:
            change()
        except NixsecretsError:
            continue


def _comments(tree: Tree) -> list[str]:
    return sorted(item.text for item in tree if isinstance(item, Comment))


def _value(found: object) -> Value:
    match found:
        case list():
            return tuple(map(_value, found))
        case dict():
            return {str(name): _value(one) for name, one in found.items()}
        case str() | int() | float() | None:
            return found
        case _:
            return None


def _names(fields: Value) -> list[str]:
    match fields:
        case Mapping():
            return [name for one in fields for name in (one, *_names(fields[one]))]
        case tuple():
            return [name for one in fields for name in _names(one)]
        case _:
            return []
