"""Documents whose recipients are not those of the policy, or nobody's."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from nixsecrets.age.recipient import canonical_text
from nixsecrets.age.ssh import convert_public_key
from nixsecrets.age.sshkey import parse_public_key
from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.audit.survey import Survey
from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.access import Reader, names_of, recipients_of
from nixsecrets.fleet.model import Fleet
from nixsecrets.plans import recipients
from nixsecrets.plans.policy import managed_rule
from nixsecrets.sops.document import Document


def findings(found: Survey) -> Iterator[Finding]:
    for path, document in found.sealed.items():
        yield from _drift(found, path, document)
        yield from _unknown(found.fleet, path, document)
        yield from _raw_ssh(found.fleet, path, document)
        yield from _without_admin(found.fleet, path, document)


def _drift(found: Survey, path: PurePosixPath, document: Document) -> Iterator[Finding]:
    fleet = found.fleet
    difference = recipients.drift(found.repository, path, document)
    if difference is None:
        yield _no_rule(found, path)
        return
    remedy = f"nixsecrets rekey {path}"
    for text in difference.missing:
        words = f"has no stanza for {names_of(fleet, text)}, whom the policy names"
        yield Finding("recipients/missing", Severity.ERROR, str(path), words, remedy)
    for text in difference.surplus:
        words = f"has a stanza for {names_of(fleet, text)}, whom the policy does not name"
        yield Finding("recipients/surplus", Severity.ERROR, str(path), words, remedy)


def _no_rule(found: Survey, path: PurePosixPath) -> Finding:
    wired = any(document.path == path for document in found.managed())
    severity = Severity.ERROR if wired else Severity.WARNING
    words = "no rule of the policy governs it"
    return Finding("recipients/no-rule", severity, str(path), words, None)


def _unknown(fleet: Fleet, path: PurePosixPath, document: Document) -> Iterator[Finding]:
    if not fleet.managed:
        return
    everyone: tuple[Reader, ...] = (*fleet.people, *fleet.hosts)
    known = {one.text for reader in everyone for one in recipients_of(reader)}
    severity = Severity.ERROR if managed_rule(fleet, path) else Severity.WARNING
    for label in document.recipients:
        text = canonical_text(label)
        if text not in known:
            words = f"no key file explains its recipient {names_of(fleet, text)}"
            yield Finding("recipients/unknown", severity, str(path), words, None)


def _raw_ssh(fleet: Fleet, path: PurePosixPath, document: Document) -> Iterator[Finding]:
    converted = {host.recipient: host.name for host in fleet.hosts if host.recipient}
    for label in document.recipients:
        if not label.startswith("ssh-ed25519"):
            continue
        try:
            host = converted.get(convert_public_key(parse_public_key(label)))
        except NixsecretsError:
            continue
        if host is not None:
            words = f"names {host} by its raw ssh-ed25519 key, which sops-nix cannot open there"
            remedy = f"nixsecrets rekey {path}"
            yield Finding("recipients/raw-ssh", Severity.ERROR, str(path), words, remedy)


def _without_admin(fleet: Fleet, path: PurePosixPath, document: Document) -> Iterator[Finding]:
    admins = {one.text for person in fleet.people for one in person.recipients}
    if fleet.managed and not admins & {canonical_text(label) for label in document.recipients}:
        words = "no admin can open it"
        yield Finding("recipients/no-admin", Severity.ERROR, str(path), words, None)
