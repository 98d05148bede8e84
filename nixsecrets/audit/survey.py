"""What every kind of finding looks at, read once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from pathlib import PurePosixPath
from typing import TypeAlias

from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.access import ManagedDocument, everyone, managed_documents, recipients_of
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Declaration, Fleet, Host, InFile, Scope
from nixsecrets.fleet.names import HostName
from nixsecrets.fleet.policy import Policy, Rule
from nixsecrets.plans import documents
from nixsecrets.plans.policy import is_catch_all, managed_rule
from nixsecrets.sops.document import Document

_GIT_FILE = ".git"
_POLICY_NAME = ".sops.yaml"


class Opaque(Enum):
    """A document that cannot be looked into."""

    CLEAR = auto()
    """It holds no sops metadata."""


Reading: TypeAlias = Document | NixsecretsError | Opaque


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A file that is a document, or ought to be one.

    Args:
        path: where it stands.
        rule: the rule that governs it; None: no rule does.
        managed: what the manifest says of it; None: the manifest does not give it.
        is_ours: its rule is one that the tool may edit.
        reading: what it holds; an error says why it could not be read.
    """

    path: PurePosixPath
    rule: Rule | None
    managed: ManagedDocument | None
    is_ours: bool
    reading: Reading

    @property
    def is_unreadable(self) -> bool:
        return isinstance(self.reading, NixsecretsError)


@dataclass(frozen=True)  # without slots: `sealed` is kept
class Survey:
    """A repository, its documents, and what of it is asked about.

    Args:
        repository: as it stands.
        paths: every file that git does not ignore.
        tracked: the files that git tracks; None: there is no git.
        hosts: the hosts that are asked about.
        whole: everything is asked about, not only these hosts.
        managed: the documents that the manifest gives and that concern the hosts.
        documents: files that are documents or ought to be, by path, those alone that concern
            the hosts.
    """

    repository: Repository
    paths: frozenset[PurePosixPath]
    tracked: frozenset[PurePosixPath] | None
    hosts: tuple[Host, ...]
    whole: bool
    managed: tuple[ManagedDocument, ...]
    documents: Mapping[PurePosixPath, Surveyed]

    @property
    def fleet(self) -> Fleet:
        return self.repository.fleet

    @property
    def policy(self) -> Policy:
        return self.fleet.policy or Policy()

    @cached_property
    def own_paths(self) -> frozenset[PurePosixPath]:
        """The files that are looked at: not those below a policy of their own."""
        return frozenset(own_paths(self.paths, self.fleet.layout.policy))

    @cached_property
    def sealed(self) -> tuple[tuple[Surveyed, Document], ...]:
        """The documents that parse."""
        return tuple(
            (one, one.reading)
            for one in self.documents.values()
            if isinstance(one.reading, Document)
        )

    @cached_property
    def known(self) -> frozenset[str]:
        """The texts of all recipients that a file in `keys/` explains."""
        readers = everyone(self.fleet)
        return frozenset(one.text for reader in readers for one in recipients_of(reader))

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of the hosts that are asked about."""
        return frozenset(host.name for host in self.hosts)

    @cached_property
    def our_rules(self) -> frozenset[int]:
        """Positions of the rules that the tool may edit, see `Policy.rules`."""
        given = (managed_rule(self.fleet, document.path) for document in self.managed)
        return frozenset(rule.place for rule in given if rule is not None)

    @cached_property
    def declared(self) -> Mapping[Scope | InFile, Mapping[str, Declaration]]:
        """The declarations of each scope by their names."""
        declared: dict[Scope | InFile, dict[str, Declaration]] = {}
        for declaration in self.fleet.declarations:
            declared.setdefault(declaration.scope, {})[declaration.name] = declaration
        return declared

    def waiting(self, document: ManagedDocument) -> tuple[HostName, ...]:
        """Return those of the hosts asked about that are to read a document and have a key."""
        readers = (reader for reader in document.readers if isinstance(reader, Host))
        return tuple(host.name for host in readers if host.name in self.names)


def survey(
    repository: Repository,
    tracked: frozenset[PurePosixPath] | None,
    hosts: Sequence[Host] | None,
) -> Survey:
    fleet = repository.fleet
    chosen = tuple(fleet.hosts if hosts is None else hosts)
    managed = tuple(
        document
        for document in managed_documents(fleet)
        if hosts is None
        or {host.name for host in chosen}.intersection(fleet.manifest.hosts_wired(document.scope))
    )
    paths = repository.paths()
    found = _managed(repository, managed)
    if hosts is None:
        own = own_paths(paths, fleet.layout.policy)
        given = {document.path for document in managed}
        found |= _others(repository, sorted(set(own) - given))
    return Survey(repository, paths, tracked, chosen, hosts is None, managed, found)


def content_of(repository: Repository, path: PurePosixPath) -> bytes | NixsecretsError | None:
    """Return a file's bytes; None: there is no such file, or it is a folder (a submodule)."""
    try:
        source = repository.sources.find(path)
    except NixsecretsError as error:
        return None if repository.sources.is_directory(path) else error
    return source.content if source else None


def _managed(
    repository: Repository, managed: tuple[ManagedDocument, ...]
) -> dict[PurePosixPath, Surveyed]:
    found = {}
    for document in managed:
        content = content_of(repository, document.path)
        if content is not None:
            path = document.path
            rule = repository.fleet.policy.rule_for(path) if repository.fleet.policy else None
            ours = managed_rule(repository.fleet, path) is not None
            found[path] = Surveyed(path, rule, document, ours, _read(repository, path, content))
    return found


def own_paths(paths: frozenset[PurePosixPath], policy: PurePosixPath) -> Iterator[PurePosixPath]:
    """Yield the paths that are not below a folder with a policy of its own, as sops finds it."""
    folders = {path.parent for path in paths if path.name == _POLICY_NAME}
    foreign = frozenset(folder for folder in folders if policy.parent in folder.parents)
    return (path for path in paths if foreign.isdisjoint(path.parents))


def _others(
    repository: Repository, paths: Sequence[PurePosixPath]
) -> Iterator[tuple[PurePosixPath, Surveyed]]:
    """Yield the documents that the manifest does not give, by their rule or by what they hold."""
    policy = repository.fleet.policy or Policy()
    for path in paths:
        if _is_no_document(repository, path):
            continue
        content = content_of(repository, path)
        if content is None:
            continue
        rule = policy.rule_for(path)
        reading = _read(repository, path, content)
        is_meant = rule is not None and rule.pattern_text != "" and not is_catch_all(rule)
        is_damaged = rule is not None and isinstance(reading, NixsecretsError)
        if is_meant or is_damaged or isinstance(reading, Document):
            yield path, Surveyed(path, rule, None, is_ours=False, reading=reading)


def _is_no_document(repository: Repository, path: PurePosixPath) -> bool:
    return (
        path in repository.spoken
        or path.name.endswith(documents.NEVER_DOCUMENTS)
        or path.name.startswith((_GIT_FILE, _POLICY_NAME))
    )


def _read(repository: Repository, path: PurePosixPath, content: bytes | NixsecretsError) -> Reading:
    if isinstance(content, NixsecretsError):
        return content
    if not documents.seems_sealed(repository, path):
        return Opaque.CLEAR
    try:
        return documents.read(repository, path)
    except NixsecretsError as error:
        return error
