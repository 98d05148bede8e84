"""Documents of the repository: which there are, read and opened for a decision."""

import json
from collections.abc import Iterator
from pathlib import PurePosixPath

from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.access import managed_documents
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.names import nearest
from nixsecrets.plans.draft import Unlock
from nixsecrets.sops import document
from nixsecrets.sops.document import Document, OpenDocument
from nixsecrets.sops.tree import KeyPath

YAML_SUFFIXES = (".yaml", ".yml")


def read(repository: Repository, path: PurePosixPath) -> Document:
    """Return the document at a path; errors name the path."""
    source = repository.sources.read(path)
    try:
        return document.parse(source.content)
    except NixsecretsError as error:
        raise error.within(path) from None


def open_at(repository: Repository, path: PurePosixPath, unlock: Unlock) -> OpenDocument:
    """Return the document at a path, open and verified; errors name the path."""
    sealed = read(repository, path)
    try:
        return document.open_document(sealed, unlock(sealed))
    except NixsecretsError as error:
        raise error.within(path) from None


def governed(repository: Repository) -> Iterator[PurePosixPath]:
    """Yield the paths that may be documents: those the manifest gives and those a rule matches.

    Each exists. What lies under a folder with a policy of its own belongs to that one.
    """
    fleet = repository.fleet
    given = [managed.path for managed in managed_documents(fleet)]
    matched = [] if fleet.policy is None else sorted(_matched(repository))
    for path in dict.fromkeys((*given, *matched)):
        if repository.sources.find(path) is not None:
            yield path


def sealed(repository: Repository) -> Iterator[tuple[PurePosixPath, Document]]:
    """Yield the YAML documents among `governed` that hold sops metadata."""
    for path in governed(repository):
        if path.suffix in YAML_SUFFIXES and seems_sealed(repository, path):
            yield path, read(repository, path)


def seems_sealed(repository: Repository, path: PurePosixPath) -> bool:
    """Say whether a file's text has what every document has, in any format; it need not parse."""
    content = repository.sources.read(path).content
    return b"sops" in content and b"lastmodified" in content


def leaf_name(path: KeyPath) -> str:
    """Return a leaf's name; one whose path is no name is spelled as sops does: `["a"][0]`."""
    if all(isinstance(step, str) and "/" not in step for step in path):
        return "/".join(map(str, path))
    return "".join(f"[{json.dumps(step, ensure_ascii=False)}]" for step in path)


def names(document: Document) -> list[str]:
    return [leaf_name(state.path) for state in document.leaf_states()]


def near(document: Document, name: str) -> str:
    """Return a hint with the names in a document that are nearest to `name`."""
    found = nearest(name, names(document))
    return f"did you mean {' or '.join(found)}?" if found else "`nixsecrets ls` lists all"


def belongs_elsewhere(path: PurePosixPath, paths: frozenset[PurePosixPath]) -> bool:
    """Say whether a folder between the root and `path` has a policy of its own."""
    return any(folder / ".sops.yaml" in paths for folder in path.parents if folder.parts)


def _matched(repository: Repository) -> Iterator[PurePosixPath]:
    policy = repository.fleet.policy
    paths = repository.paths()
    for path in paths:
        rule = policy.rule_for(path) if policy else None
        if rule is not None and rule.pattern is not None and not belongs_elsewhere(path, paths):
            yield path
