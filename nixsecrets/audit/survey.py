"""What every kind of finding looks at, read once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.access import ManagedDocument, delivered, managed_documents
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Declaration, Fleet, Host
from nixsecrets.plans import documents
from nixsecrets.sops.document import Document


@dataclass(frozen=True, slots=True)
class Survey:
    """A repository, its documents, and what of it is asked about.

    Args:
        repository: as it stands.
        tracked: the files that git tracks; None: there is no git.
        hosts: the hosts that are asked about.
        whole: everything is asked about, not only these hosts.
        sealed: documents that parse, by path.
        broken: documents that do not, with the reason.
        in_clear: documents by a rule or the manifest that hold no sops metadata.
    """

    repository: Repository
    tracked: frozenset[PurePosixPath] | None
    hosts: tuple[Host, ...]
    whole: bool
    sealed: Mapping[PurePosixPath, Document]
    broken: Mapping[PurePosixPath, NixsecretsError]
    in_clear: tuple[PurePosixPath, ...]

    @property
    def fleet(self) -> Fleet:
        return self.repository.fleet

    def managed(self) -> tuple[ManagedDocument, ...]:
        """Return the documents that the manifest gives and that concern the hosts."""
        return tuple(
            document
            for document in managed_documents(self.fleet)
            if self.whole or any(host in document.readers for host in self.hosts)
        )

    def declared(self) -> tuple[tuple[Host, Declaration], ...]:
        """Return each host that has a key with each declaration that reaches it."""
        return tuple(
            (host, declaration)
            for host in self.hosts
            if host.recipient is not None
            for declaration in delivered(self.fleet, host)
        )


def survey(
    repository: Repository,
    tracked: frozenset[PurePosixPath] | None,
    hosts: Sequence[Host] | None,
) -> Survey:
    fleet = repository.fleet
    chosen = tuple(fleet.hosts if hosts is None else hosts)
    concerned = {
        document.path
        for document in managed_documents(fleet)
        if any(host in document.readers for host in chosen)
    }
    sealed: dict[PurePosixPath, Document] = {}
    broken: dict[PurePosixPath, NixsecretsError] = {}
    in_clear: list[PurePosixPath] = []
    for path in documents.governed(repository):
        if hosts is not None and path not in concerned:
            continue
        if documents.seems_sealed(repository, path):
            _read(repository, path, sealed, broken)
        else:
            in_clear.append(path)
    return Survey(repository, tracked, chosen, hosts is None, sealed, broken, tuple(in_clear))


def _read(
    repository: Repository,
    path: PurePosixPath,
    sealed: dict[PurePosixPath, Document],
    broken: dict[PurePosixPath, NixsecretsError],
) -> None:
    if path.suffix not in documents.YAML_SUFFIXES:
        return
    try:
        sealed[path] = documents.read(repository, path)
    except NixsecretsError as error:
        broken[path] = error
