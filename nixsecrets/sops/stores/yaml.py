"""YAML documents: text ⇄ tree, with the place of every leaf, so that edits leave the rest alone.

Events of libyaml (the parser that go-yaml was ported from) give the places.
"""

import yaml

from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.sops.cipher import holds_sealed
from nixsecrets.sops.stores.yaml_reader import Reader
from nixsecrets.sops.stores.yaml_text import YamlText

_BYTE_ORDER_MARK = "\ufeff"


def parse(content: bytes) -> YamlText:
    """Parse a document or a stream of documents.

    Raises:
        RepositoryError: with line and column, where the text is no YAML that sops would take:
            not UTF-8, a list or a scalar at top, a mapping key that is no string, a key twice,
            an anchor or an alias.
        IntegrityError: a text with sealed leaves is no YAML: it was cut off or merged by hand.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise RepositoryError("is not UTF-8 text", line=line) from None
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    reader = Reader(text.removeprefix(mark), mark)
    try:
        for event in yaml.parse(text.removeprefix(mark), Loader=yaml.CLoader):
            reader.take(event)
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
