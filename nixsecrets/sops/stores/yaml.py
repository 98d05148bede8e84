"""YAML documents: text ⇄ tree, with the place of every leaf, so that edits leave the rest alone.

Events of libyaml (the parser that go-yaml was ported from) give the places.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import yaml

from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.sops.cipher import holds_sealed
from nixsecrets.sops.metadata import Value
from nixsecrets.sops.stores import yaml_edit, yaml_metadata
from nixsecrets.sops.stores.text import METADATA_NAME, Scalar
from nixsecrets.sops.stores.yaml_edit import after_lines
from nixsecrets.sops.stores.yaml_encoding import decode
from nixsecrets.sops.stores.yaml_expansion import expand
from nixsecrets.sops.stores.yaml_reader import Reader
from nixsecrets.sops.stores.yaml_seating import seat_comments
from nixsecrets.sops.stores.yaml_text import YamlText as Layout
from nixsecrets.sops.tree import Comment, KeyPath, Leaf
from nixsecrets.textedit import Edit, line_start

_SURROGATE = "[\ud800-\udfff]"


class YamlText(Layout):
    """A parsed document or stream of documents: a `Text`."""

    __slots__ = ()

    @property
    def metadata_text(self) -> bytes | None:
        entry = self.places.get((0, (METADATA_NAME,)))
        if entry is None or entry.flow or self.documents > 1:
            return None
        block = self.text[line_start(self.text, entry.start) : after_lines(self.text, entry.end)]
        return block.encode()

    @property
    def reserved(self) -> bool:
        return any(
            (document, (METADATA_NAME,)) in self.places for document in range(self.documents)
        )

    def seated(self, comments: Iterable[Comment]) -> "YamlText":
        """Return the text as every reader takes it.

        Comments that are to be sealed stand where all agree on their container, and mapping keys
        are quoted that a reader of YAML 1.1 takes for no string.
        """
        seated = _changed(self, seat_comments(self, comments))
        return _changed(seated, yaml_edit.quote_keys(seated))

    def respell_leaf(self, leaf: Leaf, scalar: Scalar) -> Edit:
        return yaml_edit.respell_leaf(self, leaf, scalar)

    def respell_comment(self, comment: Comment, sealed: str) -> Edit:
        return yaml_edit.respell_comment(self, comment, sealed)

    def clear_comments(self, opened: Sequence[tuple[Comment, str]]) -> Sequence[Edit]:
        cleared = [
            yaml_edit.clear_comment(self, comment, re.sub(_SURROGATE, "\ufffd", text))
            for comment, text in opened
        ]
        comments = [comment for comment, _text in opened]
        return [*cleared, *yaml_edit.restore_empty_lists(self, comments)]

    def insert_leaf(self, path: KeyPath, scalar: Scalar) -> Edit:
        return yaml_edit.insert_leaf(self, path, scalar)

    def remove_leaf(self, path: KeyPath) -> Edit:
        return yaml_edit.remove_leaf(self, path)

    def write_metadata(self, fields: Mapping[str, Value]) -> Sequence[Edit]:
        return yaml_metadata.write_metadata(self, fields)

    def stamp_metadata(self, fields: Mapping[str, str]) -> Sequence[Edit]:
        return yaml_metadata.stamp_metadata(self, fields)

    def cut_metadata(self) -> Sequence[Edit]:
        """Return the edits that take the metadata away; what held nothing else becomes `{}`."""
        edits, end = yaml_metadata.cut_metadata(self), len(self.text)
        holds_nothing = all(entry.path[0] == METADATA_NAME for entry in self.entries)
        if holds_nothing and self.documents == 1 and not self.roots[0].flow:
            edits.append(Edit(end, end, "{}\n"))
        return edits

    def apply(self, edits: Iterable[Edit]) -> bytes:
        return yaml_edit.apply(self, edits)


def parse(content: bytes) -> YamlText:
    """Parse a document or a stream of documents.

    Raises:
        RepositoryError: with line and column, where the text is no YAML that sops would take:
            not UTF-8 or UTF-16, a list or a scalar at top, a mapping key that is no string, a
            key twice, an alias that names nothing before it.
        IntegrityError: a text with sealed leaves is no YAML: it was cut off or merged by hand.
    """
    return YamlText._make(_read(content))


def _changed(text: YamlText, edits: Iterable[Edit]) -> YamlText:
    made = list(edits)
    return parse(text.apply(made)) if made else text


def _read(content: bytes) -> Layout:
    text, mark = decode(content)
    try:
        reader = _taken(text, mark)
        if reader.has_anchors:
            reader = _taken(expand(text), mark)
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        problem = error.problem or "is not YAML"
        kind = IntegrityError if holds_sealed(content) else RepositoryError
        if place is None:
            raise kind(problem) from None
        raise kind(problem, line=place.line + 1, column=place.column + 1) from None
    except yaml.YAMLError:
        raise RepositoryError("holds characters that YAML does not allow") from None
    try:
        return reader.result()
    except RecursionError:
        raise RepositoryError("its metadata is nested without end") from None


def _taken(text: str, mark: str) -> Reader:
    reader = Reader(text, mark)
    for event in yaml.parse(text, Loader=yaml.CLoader):
        reader.take(event)
    return reader
