"""Documents and rules whose recipients are not those that they should have, or nobody's."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from nixsecrets.age.recipient import Recipient, canonical_text
from nixsecrets.age.ssh import convert_public_key, parse_public_key
from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.audit.survey import Survey, Surveyed
from nixsecrets.audit.wording import at, command, listed, spoken
from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.access import names_of, recipients_of, spoken_name
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.model import Admins, AtHome, Deliver, Fleet, Host, InFile, Person, Role
from nixsecrets.fleet.policy import Rule
from nixsecrets.plans import recipients
from nixsecrets.sops.document import Document

HostsByRecipient: TypeAlias = Mapping[Recipient, Host]

_RAW = "raw ssh-ed25519 line, which sops-nix cannot open there"
# Recipients that a quantum computer does not break (age specification, "MLKEM768-X25519").
_POST_QUANTUM = ("age1pq1", "age1tagpq1")


def findings(found: Survey) -> Iterator[Finding]:
    hosts = {host.recipient: host for host in found.fleet.hosts if host.recipient}
    for rule in _rules(found):
        yield from _strangers_in_rule(found, rule, hosts)
        yield from _raw_in_rule(found, rule, hosts)
        yield from _other_services_in_rule(found, rule)
    for one, document in found.sealed:
        yield from _drift(found, one, document, hosts)
        yield from _raw_in_document(one, document, hosts)
        yield from _hosts_left_out(found, one, document, hosts)
        yield from _without_admin(found.fleet, one, document)
        yield from _without_escrow(found.fleet, one, document)
        yield from _open_to_hosts(one, document, hosts)
        yield from _other_services(one, document)
        yield from _half_post_quantum(one, document)
    is_admin = (person.role is Role.ADMIN for person in found.fleet.people)
    if found.fleet.managed and found.sealed and not any(is_admin):
        others = "only hosts" if not found.fleet.people else "no admin"
        words = f"it names no admin, so that {others} can open what is sealed"
        remedy = "nixsecrets add-admin NAME RECIPIENT"
        yield Finding("recipients/no-admin", Severity.ERROR, str(MANIFEST), words, remedy)


def _rules(found: Survey) -> tuple[Rule, ...]:
    if found.whole:
        return found.policy.rules
    governing = {one.rule.place: one.rule for one in found.documents.values() if one.rule}
    return tuple(governing.values())


def _strangers_in_rule(found: Survey, rule: Rule, hosts: HostsByRecipient) -> Iterator[Finding]:
    """Yield who is unknown in a rule of the people's; in the tool's own it is drift."""
    fleet = found.fleet
    if not fleet.managed or rule.place in found.our_rules:
        return
    texts = dict.fromkeys(canonical_text(entry.text) for entry in rule.recipients)
    unknown = [text for text in texts if text not in found.known and _raw_host(text, hosts) is None]
    if unknown:
        names = listed([names_of(fleet, text) for text in unknown])
        words = f"{spoken(rule)} names {names}, whom no file in keys/ explains"
        place = at(fleet.layout.policy, rule.line)
        yield Finding("recipients/unknown", Severity.WARNING, place, words)


def _raw_in_rule(found: Survey, rule: Rule, hosts: HostsByRecipient) -> Iterator[Finding]:
    place = at(found.fleet.layout.policy, rule.line)
    is_ours = rule.place in found.our_rules
    for entry in rule.recipients:
        host = _raw_host(entry.text, hosts)
        if host is not None and host.recipient is not None:
            words = f"{spoken(rule)} names {host.name} by its {_RAW}"
            by_hand = f"write {host.recipient.text} in its place, then nixsecrets rekey"
            remedy = "nixsecrets rekey" if is_ours else by_hand
            yield Finding("recipients/raw-ssh", Severity.ERROR, place, words, remedy)


def _other_services_in_rule(found: Survey, rule: Rule) -> Iterator[Finding]:
    if rule.foreign:
        kinds = listed(sorted({entry.kind for entry in rule.foreign}))
        words = f"{spoken(rule)} names {kinds} recipients, which are neither checked nor changed"
        place = at(found.fleet.layout.policy, rule.line)
        yield Finding("recipients/other-service", Severity.WARNING, place, words)


def _drift(
    found: Survey, one: Surveyed, document: Document, hosts: HostsByRecipient
) -> Iterator[Finding]:
    """Yield how a document differs from its rule; a host in a raw line is told as such."""
    fleet, place = found.fleet, str(one.path)
    difference = recipients.drift(found.repository, one.path, document)
    if difference is None:
        severity = Severity.ERROR if one.managed else Severity.WARNING
        words = "no rule of the policy governs it"
        remedy = "nixsecrets rekey" if one.managed else None
        yield Finding("recipients/no-rule", severity, place, words, remedy)
        return
    in_raw = {label: host for label in document.recipients if (host := _raw_host(label, hosts))}
    told = {host.recipient.text for host in in_raw.values() if host.recipient}
    told |= {canonical_text(label) for label in in_raw}
    rekey = command("nixsecrets", "rekey", one.path)
    missing = [text for text in difference.missing if text not in told]
    surplus = [text for text in difference.surplus if text not in told]
    if missing:
        names = listed([names_of(fleet, text) for text in missing])
        them = names if len(missing) == 1 else "them"
        words = f"{names} cannot open it, though the policy names {them}"
        yield Finding("recipients/missing", Severity.ERROR, place, words, rekey)
    if difference.split:
        words = f"its data key is split otherwise than the policy says: {difference.split}"
        yield Finding("recipients/split", Severity.ERROR, place, words, rekey)
    is_ours = not document.metadata.foreign_services
    renew = command("nixsecrets", "rotate", "data-keys", one.path) if is_ours else rekey
    strangers = [text for text in surplus if fleet.managed and text not in found.known]
    others = [text for text in surplus if text not in strangers]
    if others:
        names = listed([names_of(fleet, text) for text in others])
        them = names if len(others) == 1 else "them"
        words = f"{names} can open it, though the policy does not name {them}"
        yield Finding("recipients/surplus", Severity.ERROR, place, words, renew)
    if strangers:
        names = listed([names_of(fleet, text) for text in strangers])
        words = f"{names} can open it, whom neither the policy nor a file in keys/ explains"
        yield Finding("recipients/unknown", Severity.ERROR, place, words, renew)


def _raw_in_document(
    one: Surveyed, document: Document, hosts: HostsByRecipient
) -> Iterator[Finding]:
    for label in document.recipients:
        host = _raw_host(label, hosts)
        if host is not None:
            words = f"names {host.name} by its {_RAW}"
            remedy = command("nixsecrets", "rekey", one.path)
            yield Finding("recipients/raw-ssh", Severity.ERROR, str(one.path), words, remedy)


def _raw_host(label: str, hosts: HostsByRecipient) -> Host | None:
    """Return the host whose SSH line, not converted, a label or an entry is."""
    if not label.startswith("ssh-ed25519"):
        return None
    try:
        return hosts.get(convert_public_key(parse_public_key(label)))
    except NixsecretsError:
        return None


def _hosts_left_out(
    found: Survey, one: Surveyed, document: Document, hosts: HostsByRecipient
) -> Iterator[Finding]:
    """Yield hosts and users that are given what a document holds, left out of it and its rule.

    Those that the rule names are drift, and those that are there in a raw line are told as such.
    """
    named = {canonical_text(label) for label in document.recipients}
    if one.rule is not None:
        named |= {canonical_text(entry.text) for entry in one.rule.recipients}
    raw = {host.name for text in named if (host := _raw_host(text, hosts)) is not None}
    readers = one.managed.readers if one.managed else ()
    left_out = [
        spoken_name(reader)
        for reader in readers
        if not isinstance(reader, Person) and spoken_name(reader) not in raw
        if (reader.name if isinstance(reader, Host) else reader.host) in found.names
        if named.isdisjoint(one.text for one in recipients_of(reader))
    ]
    if left_out and _delivers(found, one):
        place = str(one.path)
        names = listed(left_out)
        verb = "is" if len(left_out) == 1 else "are"
        words = f"{names} cannot open it and {verb} given what it holds: no rule, no stanza"
        remedy = "nixsecrets rekey" if one.is_ours or one.rule is None else None
        yield Finding("recipients/host-left-out", Severity.ERROR, place, words, remedy)


def _delivers(found: Survey, one: Surveyed) -> bool:
    """Say whether any host is given anything that the document holds."""
    if one.managed is None:
        return False
    declared = found.declared.get(one.managed.scope, {}).values()
    is_all = found.fleet.manifest.deliver is Deliver.ALL
    return is_all or any(declaration.deliver for declaration in declared)


def _without_admin(fleet: Fleet, one: Surveyed, document: Document) -> Iterator[Finding]:
    people = [person for person in fleet.people if person.role is Role.ADMIN]
    admins = {recipient.text for person in people for recipient in person.recipients}
    if admins and not admins & {canonical_text(label) for label in document.recipients}:
        words = "no admin can open it, so that nobody can change it or let anyone read it"
        yield Finding("recipients/no-admin", Severity.ERROR, str(one.path), words)


def _without_escrow(fleet: Fleet, one: Surveyed, document: Document) -> Iterator[Finding]:
    """Yield those in escrow whom a document lacks; where its rule names them, that is drift."""
    named = {canonical_text(label) for label in document.recipients}
    if one.rule is not None:
        named |= {canonical_text(entry.text) for entry in one.rule.recipients}
    for person in fleet.people:
        own = {recipient.text for recipient in person.recipients}
        if person.role is Role.ESCROW and own and not own & named:
            words = f"{person.name}, who is in escrow for every document, cannot open it"
            remedy = "nixsecrets rekey" if one.is_ours or one.rule is None else None
            yield Finding("recipients/no-escrow", Severity.ERROR, str(one.path), words, remedy)


def _open_to_hosts(one: Surveyed, document: Document, hosts: HostsByRecipient) -> Iterator[Finding]:
    """Yield hosts that open what is not theirs, by a rule of the people's; else it is drift."""
    if one.managed is None or one.is_ours:
        return
    whose = {Admins: "the admins", InFile: "the admins", AtHome: "a user"}.get(
        type(one.managed.scope)
    )
    named = {canonical_text(label) for label in document.recipients}
    names = [host.name for recipient, host in hosts.items() if recipient.text in named]
    if whose and names:
        words = f"{listed(names)} can open it, and it is for {whose} alone"
        remedy = "give it a rule of its own, before the one that governs it"
        yield Finding("recipients/open-to-hosts", Severity.ERROR, str(one.path), words, remedy)


def _other_services(one: Surveyed, document: Document) -> Iterator[Finding]:
    """Yield services that the rule does not name either, for that is told of the rule."""
    services = document.metadata.foreign_services
    if services and not (one.rule and one.rule.foreign):
        words = f"{listed(services)} can open it too, which is neither checked nor changed"
        yield Finding("recipients/other-service", Severity.WARNING, str(one.path), words)


def _half_post_quantum(one: Surveyed, document: Document) -> Iterator[Finding]:
    safe = [label.startswith(_POST_QUANTUM) for label in document.recipients]
    if any(safe) and not all(safe):
        words = "has post-quantum recipients beside classical ones, which undo what those are for"
        yield Finding("recipients/half-post-quantum", Severity.WARNING, str(one.path), words)
