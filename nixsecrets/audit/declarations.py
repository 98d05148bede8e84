"""Declarations without a value, values without a declaration, and values that cannot arrive."""

from collections.abc import Iterator

from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.audit.survey import Survey
from nixsecrets.fleet.access import document_of
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.model import Deliver
from nixsecrets.plans.documents import leaf_name
from nixsecrets.sops.document import LeafState

_DELIVERABLE = "str"


def findings(found: Survey) -> Iterator[Finding]:
    yield from _hosts_without_key(found)
    yield from _without_value(found)
    yield from _leaves(found)


def _hosts_without_key(found: Survey) -> Iterator[Finding]:
    for host in found.hosts:
        if host.recipient is None:
            words = f"{host.name} has no key yet and reads nothing"
            remedy = f"nixsecrets add-host {host.name}"
            yield Finding("host/no-key", Severity.WARNING, str(MANIFEST), words, remedy)
    if not found.fleet.managed:
        return
    for person in found.fleet.people if found.whole else ():
        if not person.recipients:
            words = f"{person.name} has no recipient and reads nothing"
            remedy = f"nixsecrets add-admin {person.name} RECIPIENT"
            yield Finding("person/no-key", Severity.WARNING, str(MANIFEST), words, remedy)


def _without_value(found: Survey) -> Iterator[Finding]:
    for host, declaration in found.declared():
        path = document_of(found.fleet, declaration.scope)
        document = found.sealed.get(path)
        if path in found.broken or path in found.in_clear:
            continue
        if document is not None and document.has_leaf(tuple(declaration.name.split("/"))):
            continue
        severity = Severity.ERROR if declaration.deliver else Severity.WARNING
        words = f"{declaration.address} is declared for {host.name} and has no value"
        yield Finding(
            "declaration/no-value",
            severity,
            f"{MANIFEST}:{declaration.line}",
            words,
            f"nixsecrets set {declaration.address}",
        )


def _leaves(found: Survey) -> Iterator[Finding]:
    fleet = found.fleet
    every = fleet.manifest.deliver is Deliver.ALL
    for managed in found.managed():
        document = found.sealed.get(managed.path)
        if document is None:
            continue
        declared = {
            declaration.name: declaration
            for declaration in fleet.declarations
            if declaration.scope == managed.scope
        }
        for leaf in document.leaf_states():
            name = leaf_name(leaf.path)
            known = next((one for one in declared.values() if one.name == name), None)
            delivered = known.deliver if known else every
            place = f"{managed.path}:{leaf.line}"
            yield from _type(leaf, name, place, delivered=delivered)
            if known is None and not every and not leaf.empty:
                words = f"{name} is not declared, so that no host is given it"
                yield Finding("declaration/undeclared", Severity.WARNING, place, words, None)


def _type(leaf: LeafState, name: str, place: str, *, delivered: bool) -> Iterator[Finding]:
    if leaf.empty or leaf.sealed_as in (None, _DELIVERABLE):
        return
    severity = Severity.ERROR if delivered else Severity.WARNING
    words = f"{name} is of type {leaf.sealed_as}, and sops-nix delivers strings only"
    yield Finding("declaration/not-a-string", severity, place, words, None)
