"""Documents of the repository: which there are, read and opened for a decision."""

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from nixsecrets.errors import IntegrityError, NixsecretsError, RepositoryError
from nixsecrets.fleet.access import managed_documents
from nixsecrets.fleet.layout import LOCK
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.names import nearest
from nixsecrets.plans.draft import Unlock
from nixsecrets.sops import document
from nixsecrets.sops.cipher import holds_sealed
from nixsecrets.sops.document import Document, OpenDocument, Opened
from nixsecrets.sops.keypath import spell_key_path
from nixsecrets.sops.stores import formats
from nixsecrets.sops.stores.formats import Format
from nixsecrets.sops.tree import KeyPath

NEVER_DOCUMENTS = (".nix", ".md", ".pub", ".lock", LOCK.name)
"""Ends of names that a rule may match and nobody means: sops-nix delivers no Nix, the rest is
public."""
_POLICY_NAME = ".sops.yaml"


def read(repository: Repository, path: PurePosixPath) -> Document:
    """Return the document at a path; errors name the path."""
    source = repository.sources.read(path)
    try:
        return document.parse(source.content, form_of(path, source.content))
    except NixsecretsError as error:
        raise _told(error, path) from None


def read_outline(repository: Repository, path: PurePosixPath) -> Document:
    """Return the document at a path for someone who looks at no value of it, as `read` does."""
    source = repository.sources.read(path)
    try:
        return document.parse_outline(source.content, form_of(path, source.content))
    except NixsecretsError as error:
        raise _told(error, path) from None


def open_at(repository: Repository, path: PurePosixPath, unlock: Unlock) -> OpenDocument:
    """Return the document at a path, open and verified; errors name the path."""
    sealed = read(repository, path)
    try:
        return document.open_document(sealed, unlock(sealed))
    except NixsecretsError as error:
        raise _told(error, path) from None


def value_at(
    repository: Repository, path: PurePosixPath, key_path: KeyPath, unlock: Unlock
) -> Opened | None:
    """Return one value of the document at a path, which is verified as a whole; None: it has none.

    Errors name the path.
    """
    sealed = read(repository, path)
    try:
        return document.open_value(sealed, unlock(sealed), key_path)
    except NixsecretsError as error:
        raise _told(error, path) from None


def _told(error: NixsecretsError, path: PurePosixPath) -> NixsecretsError:
    if error.hint is None:
        error.hint = f"`git log -p -- {path}` shows its last changes"
        if isinstance(error, IntegrityError):
            error.hint += f", `git checkout REVISION -- {path}` brings a whole one back"
    return error.within(path)


def refuse_other_policies(repository: Repository, path: PurePosixPath) -> None:
    """Refuse to change a document that belongs to a policy nearer to it than the fleet's."""
    if _belongs_elsewhere(repository, path):
        raise RepositoryError(
            "a folder above it has a policy of its own, whose readers it has",
            hint="run this in that folder",
        ).within(path)


def form_of(path: PurePosixPath, content: bytes) -> Format:
    """Return the format of a document: its name tells, and its text where that does not."""
    return formats.sealed_format_of(path.name, content)


def sealed(repository: Repository) -> Iterator[tuple[PurePosixPath, Document]]:
    """Yield the documents that the manifest gives or a rule matches, none in clear.

    What lies under a folder with a policy of its own belongs to that one. What only a catch-all
    matches need not be meant as a document: it is one if it has a `sops` block.

    Raises:
        NixsecretsError: one of them is damaged.
    """
    for path in sealed_paths(repository):
        yield path, read(repository, path)


def readable(
    repository: Repository, passed_over: Callable[[NixsecretsError], None]
) -> Iterator[tuple[PurePosixPath, Document]]:
    """Yield what `sealed` does; what is damaged or not supported goes to `passed_over`."""
    for path in sealed_paths(repository):
        try:
            document = read(repository, path)
        except NixsecretsError as error:
            passed_over(error)
        else:
            yield path, document


def sealed_paths(repository: Repository) -> Iterator[PurePosixPath]:
    """Yield where the documents of `sealed` stand; they need not parse."""
    given = [managed.path for managed in managed_documents(repository.fleet)]
    for path in dict.fromkeys((*given, *_matched(repository))):
        is_there = repository.sources.find(path) is not None
        if is_there and seems_sealed(repository, path):
            yield path


def seems_sealed(repository: Repository, path: PurePosixPath) -> bool:
    """Say whether a file's text has what every document has; it need not parse."""
    content = repository.sources.read(path).content
    if formats.format_of(path.name) is Format.BINARY:
        return formats.has_metadata(content)
    return (b"sops" in content and b"lastmodified" in content) or holds_sealed(content)


def leaf_name(path: KeyPath) -> str:
    """Return a leaf's name; one whose path is no name is spelled as sops does: `["a"][0]`."""
    if all(isinstance(step, str) and "/" not in step for step in path):
        return "/".join(map(str, path))
    return spell_key_path(path)


def names(document: Document) -> list[str]:
    return [leaf_name(state.path) for state in document.leaf_states()]


def near(document: Document, name: str) -> str:
    """Return a hint with the names in a document that are nearest to `name`."""
    found = nearest(name, names(document))
    return f"did you mean {' or '.join(found)}?" if found else "`nixsecrets ls` lists all"


def _belongs_elsewhere(repository: Repository, path: PurePosixPath) -> bool:
    """Say whether a folder nearer to `path` than the policy's has a policy of its own."""
    paths, own = repository.paths(), repository.fleet.layout.policy.parent
    return any(folder / _POLICY_NAME in paths for folder in path.parents if own in folder.parents)


def _matched(repository: Repository) -> list[PurePosixPath]:
    return sorted(
        path
        for path in repository.paths()
        if not path.name.endswith(NEVER_DOCUMENTS)
        and path not in repository.spoken
        and _is_meant(repository, path)
        and not _belongs_elsewhere(repository, path)
    )


def _is_meant(repository: Repository, path: PurePosixPath) -> bool:
    policy = repository.fleet.policy
    rule = policy.rule_for(path) if policy else None
    if rule is None or not rule.is_catch_all:
        return rule is not None
    source = repository.sources.glance(path)
    return source is not None and formats.has_metadata(source.content)
