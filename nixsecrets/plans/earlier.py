"""What an earlier commit would bring back to a host, whose generations hold its documents."""

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import TypeAlias

from nixsecrets.age.recipient import canonical_text
from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Host
from nixsecrets.plans.documents import form_of
from nixsecrets.plans.wiring import wiring_of
from nixsecrets.plans.wiring_text import Secret
from nixsecrets.sops import document
from nixsecrets.sops.document import Document
from nixsecrets.sops.tree import KeyPath, Leaf

Earlier: TypeAlias = Callable[[PurePosixPath], bytes | None]
"""Returns a file of the earlier commit; None: it had none."""


def obstacle(repository: Repository, host: Host, earlier: Earlier) -> str | None:
    """Return why nobody but a person may take a host back to a commit; None: nothing is known.

    Its documents are in the old generation as they were: an SSH host key that has changed since
    opens none of them, and a value that logging in needs would be another one.
    """
    path = repository.fleet.layout.host_key(host.name)
    now = repository.sources.find(path)
    if host.old is not None or (now.content if now else None) != earlier(path):
        return "its recipient has changed since"
    for secret in other_values(repository, host, earlier):
        if secret.declaration.needed_for_users:
            return f"{secret.declaration.address}, which logging in needs, has changed since"
    return None


def other_values(repository: Repository, host: Host, earlier: Earlier) -> tuple[Secret, ...]:
    """Return what is delivered to a host and stood there otherwise, or not at all.

    Held against each other as they are sealed: a new data key makes them all other ones.
    """
    return tuple(
        secret
        for secret in wiring_of(repository, host).secrets
        if _sealed(_now(repository, secret.document), secret.declaration.key_path)
        != _sealed(_parsed(secret.document, earlier), secret.declaration.key_path)
    )


def closed_documents(
    repository: Repository, host: Host, earlier: Earlier
) -> tuple[PurePosixPath, ...]:
    """Return those of a host's documents that it could not open as they were."""
    paths = dict.fromkeys(one.document for one in wiring_of(repository, host).secrets)
    recipient = host.recipient.text if host.recipient else None
    return tuple(path for path in paths if _lacks(_parsed(path, earlier), recipient))


def _lacks(known: Document | None, recipient: str | None) -> bool:
    return known is not None and recipient not in [canonical_text(one) for one in known.recipients]


def _now(repository: Repository, path: PurePosixPath) -> Document | None:
    source = repository.sources.find(path)
    return _parsed(path, lambda _: source.content if source else None)


def _parsed(path: PurePosixPath, content_of: Earlier) -> Document | None:
    content = content_of(path)
    if content is None:
        return None
    try:
        return document.parse(content, form_of(path, content))
    except NixsecretsError:
        return None


def _sealed(known: Document | None, path: KeyPath) -> list[bytes]:
    return list(_contents(known, path)) if known else []


def _contents(known: Document, path: KeyPath) -> Iterator[bytes]:
    for item in known.text.tree:
        if isinstance(item, Leaf) and item.path[: len(path)] == path:
            yield item.content
