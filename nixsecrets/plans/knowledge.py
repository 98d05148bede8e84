"""What a reader knows: the values of every document that a stanza of its opens."""

from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from nixsecrets.age.recipient import canonical_text
from nixsecrets.fleet.access import Reader, managed_documents, recipients_of
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Host, Person, User
from nixsecrets.plans import documents
from nixsecrets.plans.draft import Draft
from nixsecrets.sops.document import Document


def labels_of(reader: Reader) -> frozenset[str]:
    """Return what a reader's stanzas may be labelled with; of a host also its raw ssh line."""
    texts = {recipient.text for recipient in recipients_of(reader)}
    match reader:
        case Host(public_key=str() as line):
            texts.add(canonical_text(line))
        case Host() | Person() | User():
            return frozenset(texts)
    return frozenset(texts)


def carriers(repository: Repository, texts: Collection[str]) -> tuple[PurePosixPath, ...]:
    """Return the documents that have a stanza of one of the recipients."""
    return tuple(path for path, _ in _carrying(repository, texts))


def addresses(
    repository: Repository, texts: Collection[str], among: Collection[PurePosixPath] | None = None
) -> tuple[str, ...]:
    """Return the sealed values that one of the recipients opens; only structure is looked at.

    Args:
        repository: as it stands.
        texts: recipients, by their canonical texts.
        among: the documents that are asked about; None: all.
    """
    scopes = {document.path: document.scope for document in managed_documents(repository.fleet)}
    return tuple(
        f"{scopes[path].prefix if path in scopes else f'file/{path}'}:{documents.leaf_name(leaf)}"
        for path, document in _carrying(repository, texts)
        if among is None or path in among
        for leaf in _sealed(document)
    )


def told(draft: Draft, who: str, known: Collection[str]) -> Draft:
    """Return the draft with a note of what somebody may keep, address by address."""
    if not known:
        return draft.noting(f"{who} could read no value")
    lines = "".join(f"\n  {address}" for address in known)
    few = "this value" if len(known) == 1 else f"these {len(known)} values"
    return draft.noting(
        f"{who} knows {few} and may keep what it has read, also from git's history; what is "
        f"still in use needs another value, by `nixsecrets set ADDRESS`:{lines}"
    )


def _carrying(
    repository: Repository, texts: Collection[str]
) -> Iterator[tuple[PurePosixPath, Document]]:
    for path, document in documents.sealed(repository):
        if not set(texts).isdisjoint(map(canonical_text, document.recipients)):
            yield path, document


def _sealed(document: Document) -> Iterator[tuple[str | int, ...]]:
    for state in document.leaf_states():
        if state.sealed_as is not None and not state.empty:
            yield state.path
