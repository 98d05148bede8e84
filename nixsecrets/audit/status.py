"""How each document stands to the policy above it, in one word; nothing is opened."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath

from nixsecrets.age.recipient import canonical_text
from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.access import managed_documents, names_of
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Fleet
from nixsecrets.fleet.policy import Rule
from nixsecrets.plans import documents, policies, recipients
from nixsecrets.plans.policies import PolicyFile
from nixsecrets.plans.policy import is_catch_all
from nixsecrets.sops.document import Document
from nixsecrets.sops.stores.formats import Format, format_of, sealed_format_of


class State(Enum):
    IN_STEP = "in step"
    OUT_OF_STEP = "out of step"
    NO_RULE = "no rule"
    FOREIGN = "foreign recipients"
    DAMAGED = "damaged"
    CLEAR = "not encrypted"


@dataclass(frozen=True, slots=True)
class Status:
    """A document, or a file that a rule says is one.

    Args:
        path: where it stands.
        form: its format.
        rule: the rule that governs it; "" where none does.
        readers: those that it names, by name, and services other than age.
        state: the worst that is to be said.
        details: how it differs, or why it cannot be read.
    """

    path: PurePosixPath
    form: Format
    rule: str
    readers: tuple[str, ...]
    state: State
    details: str = ""


def find(repository: Repository) -> Iterator[Status]:
    """Yield the documents of the whole repository, each judged by the nearest policy, by path."""
    known = policies.find(repository)
    managed = {document.path for document in managed_documents(repository.fleet)}
    for path in sorted(repository.paths()):
        if policies.may_be_document(repository, path):
            policy = policies.nearest(known, path)
            judged = policies.judged_by(repository, policy)
            found = _status(judged, path, is_managed=path in managed)
            if found is not None:
                yield _told(found, policy)


def _status(repository: Repository, path: PurePosixPath, *, is_managed: bool) -> Status | None:
    fleet = repository.fleet
    rule = fleet.policy.rule_for(path) if fleet.policy else None
    named = rule.pattern_text or "every path" if rule else ""
    content = policies.content_of(repository, path)
    if content is None:
        return None
    form = sealed_format_of(path.name, content)
    if not _is_sealed(repository, path):
        if not is_managed and not _is_meant(rule):
            return None
        return Status(path, format_of(path.name), named, (), State.CLEAR)
    try:
        document = documents.read(repository, path)
    except NixsecretsError as error:
        return Status(path, form, named, (), State.DAMAGED, error.problem)
    state, details = _judged(repository, path, document)
    return Status(path, form, named, _readers(fleet, document), state, details)


def _is_sealed(repository: Repository, path: PurePosixPath) -> bool:
    """Say whether a file is a document, also one that lost its metadata where a rule wants it."""
    if policies.bears_metadata(repository, path):
        return True
    policy = repository.fleet.policy
    is_governed = policy is not None and policy.rule_for(path) is not None
    return is_governed and documents.seems_sealed(repository, path)


def _is_meant(rule: Rule | None) -> bool:
    return rule is not None and not is_catch_all(rule)


def _judged(repository: Repository, path: PurePosixPath, document: Document) -> tuple[State, str]:
    fleet = repository.fleet
    difference = recipients.drift(repository, path, document)
    if difference is None:
        return State.NO_RULE, ""
    rule = fleet.policy.rule_for(path) if fleet.policy else None
    kinds = [entry.kind for entry in rule.foreign] if rule else []
    services = ", ".join(dict.fromkeys((*document.metadata.foreign_services, *kinds)))
    if difference:
        return State.OUT_OF_STEP, recipients.describe(fleet, difference)
    if services:
        return State.FOREIGN, f"{services}: not compared"
    return State.IN_STEP, ""


def _readers(fleet: Fleet, document: Document) -> tuple[str, ...]:
    names = (names_of(fleet, canonical_text(label)) for label in document.recipients)
    return tuple(dict.fromkeys((*names, *document.metadata.foreign_services)))


def _told(found: Status, policy: PolicyFile | None) -> Status:
    """Return the status with why no rule governs it, where its policy cannot be read."""
    if policy is None or not isinstance(policy.policy, NixsecretsError):
        return found
    words = f"{policy.path} cannot be read: {policy.policy.problem}"
    return Status(found.path, found.form, "", found.readers, found.state, found.details or words)
