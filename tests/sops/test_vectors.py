"""The vectors that the real sops made; `tests/vectors/README.md` says what their fields mean."""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from nixsecrets.age.identity import Identity, parse_identities
from nixsecrets.age.sshidentity import parse_private_key
from nixsecrets.errors import IntegrityError, NixsecretsError, NoIdentityError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import document, sealing
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.stores.formats import Format
from nixsecrets.sops.tree import Comment, KeyPath, Leaf
from tests.sops.real import make_identity

FOLDER = Path(__file__).parent.parent / "vectors"
FAILURES: dict[str, type[NixsecretsError]] = {
    "damaged": IntegrityError,
    "no identity": NoIdentityError,
    "refused": RepositoryError,
}


@dataclass(frozen=True)
class Vector:
    """One file, as far as a reader needs it."""

    name: str
    form: Format
    text: bytes | None
    document: bytes
    secret: Plaintext
    failure: str | None
    leaves: list[tuple[KeyPath, str, bool, bytes]]
    comments: list[str]

    @property
    def identities(self) -> tuple[Identity, ...]:
        if b"OPENSSH PRIVATE KEY" in self.secret.reveal():
            return parse_private_key(self.secret, "the vector")
        return parse_identities(self.secret, "the vector").identities


def _read(file: Path) -> Vector:
    fields = json.loads(file.read_text())
    leaves = [
        (tuple(one["path"]), one["type"], one["sealed"], base64.b64decode(one["value"]))
        for one in fields.get("leaves", ())
    ]
    return Vector(
        name=file.stem,
        form=Format(fields["format"]),
        text=_text(fields),
        document=(fields["document"] or "").encode(),
        secret=Plaintext(fields["test identity"].encode()),
        failure=fields["failure"],
        leaves=leaves,
        comments=fields.get("comments", []),
    )


def _text(fields: dict[str, str | None]) -> bytes | None:
    if "input in base64" in fields:
        return base64.b64decode(fields["input in base64"] or "")
    return None if fields["input"] is None else fields["input"].encode()


VECTORS = [_read(file) for file in sorted(FOLDER.glob("*.json"))]


def _such(*vectors: Vector) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=[one.name for one in vectors])


def test_there_are_vectors() -> None:
    assert len(VECTORS) > 60
    assert {vector.form for vector in VECTORS} == set(Format)


@_such(*(one for one in VECTORS if one.failure is None))
def test_a_document_of_sops_holds_what_the_vector_says(vector: Vector) -> None:
    opened = _open(vector)
    assert _leaves(opened) == vector.leaves
    assert _comments(opened) == vector.comments


@_such(*(one for one in VECTORS if one.failure in ("damaged", "no identity")))
def test_a_document_that_does_not_open_says_why(vector: Vector) -> None:
    with pytest.raises(FAILURES[vector.failure or ""]):
        _open(vector)


@_such(*(one for one in VECTORS if one.failure == "refused"))
def test_what_sops_refuses_is_not_sealed(vector: Vector, now: datetime) -> None:
    identity, _secret = make_identity()
    with pytest.raises(RepositoryError):
        sealing.seal(Plaintext(vector.text or b""), [identity.recipient], now)


@_such(*(one for one in VECTORS if one.failure is None and one.text is not None))
def test_the_text_sealed_here_holds_the_same(vector: Vector, now: datetime) -> None:
    identity, _secret = make_identity()
    selection = document.parse(vector.document, vector.form).metadata.selection
    terms = sealing.Terms(vector.form, selection)
    content = sealing.seal(Plaintext(vector.text or b""), [identity.recipient], now, terms)

    parsed = document.parse(content, vector.form)
    opened = document.open_document(parsed, document.open_data_key(parsed, [identity]))
    assert _by_key(_leaves(opened)) == _by_key(vector.leaves)
    assert _comments(opened) == vector.comments


def _open(vector: Vector) -> OpenDocument:
    parsed = document.parse(vector.document, vector.form)
    return document.open_document(parsed, document.open_data_key(parsed, vector.identities))


def _leaves(opened: OpenDocument) -> list[tuple[KeyPath, str, bool, bytes]]:
    return [
        (
            one.item.path,
            (one.kind or one.item.kind).value,
            one.encrypted,
            (one.value or Plaintext(b"")).reveal(),
        )
        for one in opened.items
        if isinstance(one.item, Leaf)
    ]


def _comments(opened: OpenDocument) -> list[str]:
    values = [one.value for one in opened.items if isinstance(one.item, Comment)]
    return [value.reveal().decode() for value in values if value is not None]


def _by_key(leaves: list[tuple[KeyPath, str, bool, bytes]]) -> list[tuple[object, ...]]:
    """Return leaves without list positions, and values in clear without the types of numbers.

    sops counts its comments among the items, and prints 1.0 in clear as 1.
    """
    return [
        (
            [step for step in path if isinstance(step, str)],
            kind if sealed else kind.replace("float", "int"),
            sealed,
            value,
        )
        for path, kind, sealed, value in leaves
    ]
