"""The policies of a repository, wherever they stand, and the documents that it has."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.policy import Policy
from nixsecrets.fleet.policy_reading import parse_policy
from nixsecrets.plans import documents
from nixsecrets.sops.stores import formats
from nixsecrets.sops.stores.formats import Format

POLICY_NAME = ".sops.yaml"
UNREAD_NAME = ".sops.yml"
"""sops looks for the other spelling only, and warns of this one (`cmd/sops/main.go`)."""


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy where it stands; `policy` is why it cannot be read, where it cannot."""

    path: PurePosixPath
    policy: Policy | NixsecretsError


def find(repository: Repository) -> tuple[PolicyFile, ...]:
    """Return every policy, that of the manifest's layout too, sorted by path."""
    spoken = repository.fleet.layout.policy
    paths = {path for path in repository.paths() if path.name == POLICY_NAME} | {spoken}
    found = ((path, repository.sources.find(path)) for path in sorted(paths))
    return tuple(PolicyFile(path, _read(path, one.content)) for path, one in found if one)


def nearest(policies: tuple[PolicyFile, ...], path: PurePosixPath) -> PolicyFile | None:
    """Return the policy that sops takes in a document's folder: the first on the way up."""
    above = [one for one in policies if path.is_relative_to(one.path.parent)]
    return max(above, key=lambda one: len(one.path.parts), default=None)


def judged_by(repository: Repository, policy: PolicyFile | None) -> Repository:
    """Return the repository with that policy in place of its own."""
    stated = policy.policy if policy and isinstance(policy.policy, Policy) else None
    return repository._replace(fleet=repository.fleet._replace(policy=stated))


def find_documents(repository: Repository) -> Iterator[PurePosixPath]:
    """Yield the files that bear sops metadata, whatever their names, sorted."""
    for path in sorted(repository.paths()):
        if may_be_document(repository, path) and bears_metadata(repository, path):
            yield path


def may_be_document(repository: Repository, path: PurePosixPath) -> bool:
    return not (
        path in repository.spoken
        or path.name.endswith(documents.NEVER_DOCUMENTS)
        or path.name in (POLICY_NAME, UNREAD_NAME)
        or path.name.startswith(".git")
    )


def bears_metadata(repository: Repository, path: PurePosixPath) -> bool:
    """Say whether a file looks like a document; one that cannot be read does not."""
    content = content_of(repository, path)
    if content is None or b"sops" not in content:
        return False
    if formats.sealed_format_of(path.name, content) is Format.JSON:
        return b'"sops"' in content and b'"lastmodified"' in content
    return formats.has_metadata(content)


def content_of(repository: Repository, path: PurePosixPath) -> bytes | None:
    """Return a file's bytes; None: it is gone, a folder (a submodule), or cannot be read."""
    source = repository.sources.glance(path)
    return source.content if source else None


def _read(path: PurePosixPath, content: bytes) -> Policy | NixsecretsError:
    try:
        return parse_policy(content)._replace(folder=path.parent)
    except NixsecretsError as error:
        return error.within(path)
