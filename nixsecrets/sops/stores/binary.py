"""Binary files: any bytes, sealed as the one value of a JSON envelope (sops `stores/json`)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Self

from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.sops.cipher import looks_sealed
from nixsecrets.sops.metadata import Value
from nixsecrets.sops.rules import SelectionKind
from nixsecrets.sops.stores import json
from nixsecrets.sops.stores.json_text import JsonText
from nixsecrets.sops.stores.text import Scalar
from nixsecrets.sops.tree import Comment, KeyPath, Leaf, LeafType, Tree
from nixsecrets.textedit import Edit

DATA: KeyPath = ("data",)
"""The key path of a file's content."""

_EMPTY_ENVELOPE = b'{\n\t"data": ""\n}\n'
_SELECTION_FIELDS = frozenset(kind.value for kind in SelectionKind)


class BinaryText(NamedTuple):
    """A sealed binary file, or one to be sealed: a `Text` with one leaf and without comments.

    Its edits go between the quotes of `data`. Sealed, nothing there needs an escape; in clear, the
    bytes stand there as they are, and `cut_metadata` takes away all that is around them, the
    quotes included.

    Args:
        envelope: the text; of a file to be sealed, an envelope without content.
        leaf: the one value; of a file to be sealed, its bytes.
    """

    envelope: JsonText
    leaf: Leaf

    @property
    def tree(self) -> Tree:
        return (self.leaf,)

    @property
    def metadata(self) -> Mapping[str, Value] | None:
        return self.envelope.metadata

    @property
    def metadata_text(self) -> bytes | None:
        return None

    @property
    def documents(self) -> int:
        return 1

    @property
    def reserved(self) -> bool:
        return self.envelope.reserved

    def seated(self, comments: Iterable[Comment]) -> Self:
        self.envelope.seated(comments)
        return self

    def respell_leaf(self, leaf: Leaf, scalar: Scalar) -> Edit:
        text = scalar.content.decode("utf-8", "surrogateescape")
        return Edit(leaf.span.start + 1, leaf.span.end - 1, text)

    def respell_comment(self, comment: Comment, sealed: str) -> Edit:
        return self.envelope.respell_comment(comment, sealed)

    def clear_comments(self, opened: Sequence[tuple[Comment, str]]) -> Sequence[Edit]:
        return self.envelope.clear_comments(opened)

    def insert_leaf(self, path: KeyPath, scalar: Scalar) -> Edit:
        """Refuse: there is one value and no place for another.

        Raises:
            RepositoryError: always.
        """
        raise _no_place(path, scalar.kind.value)

    def remove_leaf(self, path: KeyPath) -> Edit:
        """Refuse: without its one value, a file would be none.

        Raises:
            RepositoryError: always.
        """
        raise _no_place(path, "value")

    def write_metadata(self, fields: Mapping[str, Value]) -> Sequence[Edit]:
        """Return the edits that make `fields` the metadata, a new rule left out as sops does."""
        present = self.metadata or {}
        stored = {
            name: value
            for name, value in fields.items()
            if name in present or name not in _SELECTION_FIELDS
        }
        return self.envelope.write_metadata(stored)

    def stamp_metadata(self, fields: Mapping[str, str]) -> Sequence[Edit]:
        return self.envelope.stamp_metadata(fields)

    def cut_metadata(self) -> Sequence[Edit]:
        """Return the edits that take all away but what stands between the quotes of `data`."""
        span, size = self.leaf.span, len(self.envelope.text)
        return [Edit(0, span.start + 1, ""), Edit(span.end - 1, size, "")]

    def apply(self, edits: Iterable[Edit]) -> bytes:
        return self.envelope.apply(edits)


def parse(content: bytes) -> BinaryText:
    """Parse a sealed binary file.

    Raises:
        RepositoryError: it is no envelope: JSON of another shape, or none at all.
        IntegrityError: it holds metadata, and `data` is not sealed.
    """
    envelope = json.parse(content)
    match envelope.tree:
        case (Leaf(path=path, kind=LeafType.STR) as leaf,) if path == DATA:
            if leaf.content and not looks_sealed(leaf.content.decode()):
                raise IntegrityError("`data` is not sealed", line=leaf.line)
            return BinaryText(envelope, leaf)
        case _:
            raise RepositoryError("is no sealed binary file: that is `data` and `sops`, no more")


def parse_plain(content: bytes) -> BinaryText:
    """Return any bytes as a file to be sealed; every selection rule is ignored by sops for it."""
    envelope = json.parse(_EMPTY_ENVELOPE)
    leaf = next(item for item in envelope.tree if isinstance(item, Leaf))
    return BinaryText(envelope, leaf._replace(content=content))


def _no_place(path: KeyPath, what: str) -> RepositoryError:
    where = "/".join(map(str, path))
    return RepositoryError(f"{where}: a binary file is one value, with no place for a {what}")
