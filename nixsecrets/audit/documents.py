"""Documents that are not sealed, not whole, or that git does not see."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.audit.survey import Survey
from nixsecrets.plans.documents import leaf_name
from nixsecrets.sops.document import Document, LeafState


def findings(found: Survey) -> Iterator[Finding]:
    for path in found.in_clear:
        yield Finding(
            "document/not-encrypted",
            Severity.ERROR,
            str(path),
            "a rule or the manifest says it is a document, and it stands in clear",
            None,
        )
    for path, error in found.broken.items():
        place = f"{path}:{error.line}" if error.line else str(path)
        yield Finding("document/unreadable", Severity.ERROR, place, error.problem, None)
    for path, document in found.sealed.items():
        yield from _leaves(path, document)
        yield from _services(path, document)
    yield from _unseen(found)


def _leaves(path: PurePosixPath, document: Document) -> Iterator[Finding]:
    for leaf in document.leaf_states():
        problem = _problem(leaf)
        if problem is not None:
            rule, severity, words = problem
            words = f"{leaf_name(leaf.path)} {words}"
            yield Finding(rule, severity, f"{path}:{leaf.line}", words, None)


def _problem(leaf: LeafState) -> tuple[str, Severity, str] | None:
    if leaf.empty:
        return "document/empty-value", Severity.WARNING, "is empty, so it is not encrypted"
    if leaf.encrypted_by_rule and leaf.sealed_as is None:
        words = "stands in clear, though the document's rule says it is encrypted"
        return "document/clear-leaf", Severity.ERROR, words
    if not leaf.encrypted_by_rule:
        words = "stands in clear by the document's rule"
        return "document/leaf-in-clear", Severity.WARNING, words
    return None


def _services(path: PurePosixPath, document: Document) -> Iterator[Finding]:
    for service in document.metadata.foreign_services:
        words = f"its data key is also held by {service}, which is neither checked nor changed"
        yield Finding("document/other-service", Severity.WARNING, str(path), words, None)


def _unseen(found: Survey) -> Iterator[Finding]:
    """Yield what a flake host would not find: files that git does not track."""
    if found.tracked is None:
        return
    for host in found.hosts:
        if host.attribute is None or host.without_flake or host.recipient is None:
            continue
        wiring = found.fleet.layout.wiring(host.name, host.directory)
        read = [one.path for one in found.managed() if host in one.readers]
        for path in (*read, wiring, host.configuration):
            present = found.repository.sources.find(path) is not None
            if present and path not in found.tracked:
                words = f"git does not track it, so that the flake of {host.name} does not see it"
                remedy = f"git add -- {path}"
                yield Finding("document/untracked", Severity.ERROR, str(path), words, remedy)
