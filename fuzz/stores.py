"""Documents of the formats but YAML, as texts: read, edited, sealed, opened, and read again."""

from collections.abc import Callable, Mapping, Sequence

from fuzz.claims import claim
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.sops.metadata import Value, metadata_fields, parse_metadata
from nixsecrets.sops.stores import binary, dotenv, ini, json
from nixsecrets.sops.stores.text import Scalar, Text
from nixsecrets.sops.tree import Comment, Empty, KeyPath, Leaf, LeafType, Tree, leaves

_FIELDS: Mapping[str, Value] = {
    "age": ({"recipient": "age1…", "enc": "-----BEGIN AGE ENCRYPTED FILE-----\nYQ==\n"},),
    "lastmodified": "2024-01-02T03:04:05Z",
    "mac": "ENC[AES256_GCM,data:bWFj,iv:aXY=,tag:dGFn,type:str]",
    "mac_only_encrypted": True,
    "unencrypted_suffix": "_unencrypted",
    "version": "3.13.3",
}
_SEALED = "ENC[AES256_GCM,data:c2VhbGVk,iv:aXY=,tag:dGFn,type:str]"
_VALUES = (b"new", b"", b'# it\'s "new" ; `x`\\', b"two\nlines\n")
_PLACES: tuple[KeyPath, ...] = (("new",), ("new", "name"), ("DEFAULT", "name"))

Parse = Callable[[bytes], Text]
Meaning = Sequence[tuple[KeyPath, LeafType | Empty, bytes]]


def json_document(content: bytes) -> None:
    _document(json.parse, content)


def dotenv_document(content: bytes) -> None:
    _document(dotenv.parse, content)


def ini_document(content: bytes) -> None:
    _document(ini.parse, content)


def binary_document(content: bytes) -> None:
    plain = binary.parse_plain(content)
    sealed = _seal(binary.parse, plain)
    opened = _open(sealed, plain.tree)
    claim("a binary file comes back as it was", holds=opened == content)
    text = binary.parse(content)
    claim("a text without edits stays as it is", holds=text.apply([]) == content)
    _metadata(binary.parse, text)


def _document(parse: Parse, content: bytes) -> None:
    text = parse(content)
    claim("a text without edits stays as it is", holds=text.apply([]) == content)
    _metadata(parse, text)
    for path in _PLACES:
        for value in _VALUES:
            _insert(parse, text, path, value)
    for leaf in leaves(text.tree[:8]):
        _remove(parse, text, leaf.path)
    if not text.reserved:
        _round_trip(parse, text)


def _metadata(parse: Parse, text: Text) -> None:
    if text.metadata is None:
        return
    metadata = parse_metadata(text.metadata)
    written = parse(text.apply(text.write_metadata(metadata_fields(metadata))))
    claim("what is no metadata stays", holds=meaning(written.tree) == meaning(text.tree))
    claim("written metadata reads back", holds=written.metadata is not None)
    again = parse_metadata(written.metadata or {})
    claim("the stanzas stay", holds=again.stanzas == metadata.stanzas)
    claim("the selection stays", holds=again.selection == metadata.selection)
    claim("the MAC stays", holds=again.mac == metadata.mac)
    cut = parse(text.apply(text.cut_metadata()))
    claim("cut metadata are gone", holds=cut.metadata is None)
    claim("what is no metadata stays", holds=meaning(cut.tree) == meaning(text.tree))


def _insert(parse: Parse, text: Text, path: KeyPath, value: bytes) -> None:
    if any(leaf.path == path for leaf in leaves(text.tree)):
        return
    try:
        edit = text.insert_leaf(path, Scalar(LeafType.STR, value))
    except RepositoryError:
        return
    after = meaning(parse(text.apply([edit])).tree)
    new = (path, LeafType.STR, value)
    claim("an inserted leaf is there", holds=new in after)
    kept = [one for one in meaning(text.tree) if one[0] != path[: len(one[0])]]
    claim("the other leaves stay", holds=[one for one in after if one != new] == kept)


def _remove(parse: Parse, text: Text, path: KeyPath) -> None:
    try:
        edit = text.remove_leaf(path)
    except RepositoryError:
        return
    after = meaning(parse(text.apply([edit])).tree)
    kept = [one for one in meaning(text.tree) if one[0] != path]
    if not isinstance(path[-1], int):
        claim("only the leaf is gone", holds=after == kept)


def _round_trip(parse: Parse, text: Text) -> None:
    seated = text.seated([item for item in text.tree if isinstance(item, Comment)])
    claim("seating keeps the leaves", holds=_sorted(seated.tree) == _sorted(text.tree))
    opened = parse(_open(_seal(parse, seated), seated.tree))
    claim("opened leaves are what was sealed", holds=meaning(opened.tree) == meaning(seated.tree))
    claim("opened comments are too", holds=_comments(opened.tree) == _comments(seated.tree))
    claim("an open document has no metadata", holds=opened.metadata is None)


def _seal(parse: Parse, text: Text) -> Text:
    edits = list(text.write_metadata(_FIELDS))
    for item in text.tree:
        match item:
            case Comment(text=words) if words:
                edits.append(text.respell_comment(item, _SEALED))
            case Leaf(kind=LeafType(), content=content) if content:
                edits.append(text.respell_leaf(item, Scalar(LeafType.STR, _SEALED.encode())))
            case _:
                continue
    try:
        sealed = parse(text.apply(edits))
    except NixsecretsError as error:
        claim(f"what was sealed can be read: {error}", holds=False)
        raise
    metadata = {name: one for name, one in (sealed.metadata or {}).items() if name in _FIELDS}
    wanted = {name: one for name, one in _FIELDS.items() if name in metadata}
    claim("the metadata read back", holds=bool(metadata) and metadata == wanted)
    return sealed


def _open(sealed: Text, before: Tree) -> bytes:
    edits = list(sealed.cut_metadata())
    comments: list[tuple[Comment, str]] = []
    kept = [_kind(item) for item in before]
    found = [_kind(item) for item in sealed.tree]
    claim("sealing keeps the items", holds=kept == found)
    for item, plain in zip(sealed.tree, before, strict=True):
        match item, plain:
            case Comment(), Comment(text=words) if words:
                claim("a comment is sealed", holds=item.text == _SEALED)
                comments.append((item, words))
            case Leaf(), Leaf(kind=LeafType() as kind, content=content) if content:
                claim("a leaf is sealed", holds=item.content == _SEALED.encode())
                edits.append(sealed.respell_leaf(item, Scalar(kind, content)))
            case _:
                continue
    return sealed.apply([*edits, *sealed.clear_comments(comments)])


def _kind(item: Leaf | Comment) -> tuple[str, KeyPath]:
    return ("comment", item.container) if isinstance(item, Comment) else ("leaf", item.path)


def meaning(tree: Tree) -> Meaning:
    return [(leaf.path, *_value(leaf)) for leaf in leaves(tree)]


def _value(leaf: Leaf) -> tuple[LeafType | Empty, bytes]:
    """Return type and content; a whole float is written without a point, as sops does it."""
    if leaf.kind is LeafType.FLOAT and leaf.content.lstrip(b"-").isdigit():
        return LeafType.INT, b"%d" % int(leaf.content)
    return leaf.kind, leaf.content


def _sorted(tree: Tree) -> Meaning:
    """Return the meaning without an order: of a name that comes again, INI keeps the last line."""
    return sorted(meaning(tree), key=str)


def _comments(tree: Tree) -> Sequence[str]:
    return [item.text for item in tree if isinstance(item, Comment)]
