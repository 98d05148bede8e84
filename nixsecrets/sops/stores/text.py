"""What a document of any format can be asked and told: the one interface of the stores."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from nixsecrets.sops.metadata import Value
from nixsecrets.sops.tree import Comment, Empty, Item, KeyPath, Leaf, LeafType
from nixsecrets.textedit import Edit

METADATA_NAME = "sops"
"""The top-level name of the metadata in every format that nests."""


class Scalar(NamedTuple):
    """A value to be written."""

    kind: LeafType | Empty
    content: bytes


class Text(Protocol):
    """A parsed text: its values and their places, its metadata, and the edits that it takes.

    Every edit touches what it is for and leaves all other characters alone.
    """

    @property
    def tree(self) -> Iterable[Item]:
        """Leaves and comments in file order, the metadata left out."""

    @property
    def metadata(self) -> Mapping[str, Value] | None:
        """The fields of the metadata, nested; None: there are none."""

    @property
    def metadata_text(self) -> bytes | None:
        """The metadata as it stands, if it can be put behind another text as it is."""

    @property
    def documents(self) -> int:
        """How many documents the text is a stream of; 1 in all formats but YAML."""

    @property
    def reserved(self) -> bool:
        """Whether something stands where the metadata is to stand, sops' own included."""

    def seated(self, comments: Iterable[Comment]) -> "Text":
        """Return the text as every reader takes it, given the comments that are to be sealed."""

    def respell_leaf(self, leaf: Leaf, scalar: Scalar) -> Edit:
        """Return the edit that puts another value in a leaf's place."""

    def respell_comment(self, comment: Comment, sealed: str) -> Edit:
        """Return the edit that puts a sealed text in a comment's place."""

    def clear_comments(self, opened: Sequence[tuple[Comment, str]]) -> Sequence[Edit]:
        """Return the edits that write opened comments over their sealed forms."""

    def insert_leaf(self, path: KeyPath, scalar: Scalar) -> Edit:
        """Return the edit that adds a leaf, mappings above included.

        Raises:
            RepositoryError: it cannot stand there; with the reason.
        """

    def remove_leaf(self, path: KeyPath) -> Edit:
        """Return the edit that takes a leaf away, with mappings above that hold nothing else.

        Raises:
            RepositoryError: there is no such leaf.
        """

    def write_metadata(self, fields: Mapping[str, Value]) -> Sequence[Edit]:
        """Return the edits that make `fields` the metadata; what stays equal keeps its bytes."""

    def stamp_metadata(self, fields: Mapping[str, str]) -> Sequence[Edit]:
        """Return the edits that give fields that exist already another text."""

    def cut_metadata(self) -> Sequence[Edit]:
        """Return the edits that take the metadata away."""

    def apply(self, edits: Iterable[Edit]) -> bytes:
        """Return the text with edits made, which come in file order, as bytes of a file."""
