"""Declarations without a value, values without a declaration, and values that cannot arrive."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nixsecrets.audit.documents import set_command
from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.audit.survey import Survey, Surveyed
from nixsecrets.audit.wording import at, command, listed
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet.access import ManagedDocument, spoken_name
from nixsecrets.fleet.address import key_path
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.model import Admins, AtHome, Declaration, Deliver, Host, InFile, Scope
from nixsecrets.fleet.names import HostName, SecretName, clashes, parse_secret_name
from nixsecrets.plans import wiring_modules
from nixsecrets.plans.documents import leaf_name
from nixsecrets.sops.document import Document, LeafState
from nixsecrets.sops.tree import Empty, LeafType

ByHand = Mapping[HostName, frozenset[str]]
"""For each host, the names of the `sops.secrets.N` that people wrote."""


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A leaf and what becomes of it.

    Args:
        state: the leaf.
        name: as it is declared; None: its path is no name.
        declaration: what the manifest says of it; None: nothing.
        by_hand: a host's own modules declare it.
    """

    state: LeafState
    name: SecretName | None
    declaration: Declaration | None
    by_hand: bool

    @property
    def is_delivered(self) -> bool:
        """Whether a host is told to expect it, deliverable or not."""
        return self.by_hand or (self.declaration is not None and self.declaration.deliver)


def findings(found: Survey) -> Iterator[Finding]:
    yield from _without_key(found)
    yield from _without_value(found)
    by_hand = _by_hand(found)
    for one, document in found.sealed:
        if one.managed is not None and not one.managed.is_delivered:
            continue
        leaves = tuple(_leaves(found, one, document, by_hand))
        for leaf in leaves:
            yield from _shape(one, leaf)
        if one.managed is not None and found.fleet.manifest.deliver is Deliver.DECLARED:
            yield from _undeclared(one, leaves)
    yield from _clashing(found)


def _without_key(found: Survey) -> Iterator[Finding]:
    place = str(MANIFEST)
    for host in found.hosts:
        if host.recipient is None:
            words = f"{host.name} has no key yet and reads nothing"
            remedy = command("nixsecrets", "add-host", host.name)
            yield Finding("host/no-key", Severity.WARNING, place, words, remedy)
    for person in found.fleet.people if found.whole else ():
        if not person.recipients:
            words = f"{person.name} has no recipient yet and reads nothing"
            remedy = f"{command('nixsecrets', 'add-admin', person.name)} RECIPIENT"
            yield Finding("person/no-key", Severity.WARNING, place, words, remedy)
    for user in found.fleet.users:
        if user.host in found.names and not user.recipients:
            words = f"{spoken_name(user)} has no key yet and reads nothing"
            remedy = f"{command('nixsecrets', 'add-user-key', user.host, user.name)} RECIPIENT"
            yield Finding("user/no-key", Severity.WARNING, place, words, remedy)


def _without_value(found: Survey) -> Iterator[Finding]:
    """Yield each declaration once, with all who wait for it."""
    for document in found.managed:
        names = _waiting(found, document)
        one = found.documents.get(document.path)
        for declaration in found.declared.get(document.scope, {}).values() if names else ():
            if declaration.file is not None:
                continue
            state = _state_of(one, declaration)
            if state is not None:
                severity = Severity.ERROR if declaration.deliver else Severity.WARNING
                words = f"{declaration.name} of {listed(names)} {state}"
                place = at(MANIFEST, declaration.line)
                remedy = command("nixsecrets", "set", str(declaration.address))
                yield Finding("declaration/no-value", severity, place, words, remedy)


def _waiting(found: Survey, document: ManagedDocument) -> list[str]:
    """Return who is to have what a document holds: hosts, a home, or the admins."""
    match document.scope:
        case Admins():
            return ["the admins"] if found.whole else []
        case AtHome(host, _):
            return [spoken_name(one) for one in document.users if host in found.names]
        case _:
            return list(found.waiting(document))


def _state_of(one: Surveyed | None, declaration: Declaration) -> str | None:
    """Return what is wrong with a declaration's value; None: nothing, or it cannot be known."""
    if one is None:
        return "is declared and has no value yet"
    if not isinstance(one.reading, Document) or declaration.whole_file:
        return None
    keys = declaration.key_path
    for leaf in one.reading.leaf_states():
        if leaf.path == keys:
            return "has no value: nothing stands there" if isinstance(leaf.kind, Empty) else None
        if leaf.path[: len(keys)] == keys:
            return f"has no value of its own: {leaf_name(leaf.path)} stands below it"
        if _spells(leaf, "/".join(keys)):
            return "stands there as one mapping key with `/` in it, which sops-nix cannot reach"
    return "is declared and has no value yet"


def _spells(leaf: LeafState, name: str) -> bool:
    return "/".join(map(str, leaf.path)) == name


def _by_hand(found: Survey) -> ByHand:
    return {
        host.name: _declared_by(found, host) for host in found.hosts if host.recipient is not None
    }


def _declared_by(found: Survey, host: Host) -> frozenset[str]:
    try:
        modules = wiring_modules.own_modules(found.repository, host)
    except NixsecretsError:  # told of the host's wiring
        return frozenset()
    return frozenset(wiring_modules.declared_names(modules))


def _leaves(found: Survey, one: Surveyed, document: Document, by_hand: ByHand) -> Iterator[_Leaf]:
    """Yield the leaves at which no list is passed; an item of a list is never delivered."""
    scope = one.managed.scope if one.managed else None
    own = found.declared.get(scope, {}) if scope else {}
    declared = {"/".join(each.key_path): each for each in own.values() if each.file is None}
    hosts = found.waiting(one.managed) if one.managed else ()
    wired = frozenset[str]().union(*(by_hand.get(host, ()) for host in hosts))
    for state in document.leaf_states():
        if all(isinstance(step, str) for step in state.path):
            spelled = "/".join(map(str, state.path))
            declaration = declared.get(spelled, declared.get(""))  # a whole document has no path
            yield _Leaf(state, _named(state), declaration, spelled in wired)


def _named(state: LeafState) -> SecretName | None:
    try:
        name = parse_secret_name("/".join(map(str, state.path)))
    except RepositoryError:
        return None
    return name if key_path(name) == state.path else None


def _shape(one: Surveyed, leaf: _Leaf) -> Iterator[Finding]:
    """Yield why sops-install-secrets could not write a leaf, sealed or not, to a file."""
    state = leaf.state
    severity = Severity.ERROR if leaf.is_delivered else Severity.WARNING
    place, name = at(one.path, state.line), leaf_name(state.path)
    kind = state.sealed_as or (state.kind.value if isinstance(state.kind, LeafType) else None)
    if not state.empty and kind not in (None, LeafType.STR.value):
        words = f"{name} is of type {kind}, and sops-nix delivers strings only"
        remedy = set_command(one, state.path) if leaf.name else None
        yield Finding("declaration/not-a-string", severity, place, words, remedy)
    if any("/" in str(step) for step in state.path):
        if leaf.declaration is None:
            words = f"{name} has `/` in a mapping key, which sops-nix cannot reach"
            yield Finding("declaration/slash-in-key", severity, place, words)
    elif leaf.name is None and one.managed is not None and state.sealed_as is not None:
        words = f"{name} is no name of a secret, so that no host is given it"
        yield Finding("declaration/not-a-name", Severity.WARNING, place, words)


def _undeclared(one: Surveyed, leaves: Sequence[_Leaf]) -> Iterator[Finding]:
    """Yield one finding for all values of a document that no host is given."""
    left = [
        leaf.state
        for leaf in leaves
        if leaf.name is not None and leaf.declaration is None and not leaf.by_hand
        if leaf.state.sealed_as is not None
    ]
    if left:
        names = listed([leaf_name(state.path) for state in left])
        is_not, them = ("is not", "it") if len(left) == 1 else ("are not", "them")
        who = "home" if one.managed and isinstance(one.managed.scope, AtHome) else "host"
        words = f"{names} {is_not} declared, so that no {who} is given {them}"
        place = at(one.path, left[0].line)
        yield Finding("declaration/undeclared", Severity.WARNING, place, words)


def _clashing(found: Survey) -> Iterator[Finding]:
    """Yield names below each other that meet on a host; that both are delivered, wiring says."""
    if found.fleet.manifest.deliver is Deliver.ALL:
        return
    whose: dict[HostName, dict[SecretName, Scope | InFile]] = {
        host.name: {} for host in found.hosts
    }
    for document in found.managed:
        names = _names(found, document)
        for host in found.waiting(document):
            whose[host].update(dict.fromkeys(names, document.scope))
    delivered = {(one.scope, one.name) for one in found.fleet.declarations if one.deliver}
    meeting: dict[tuple[SecretName, SecretName], list[HostName]] = {}
    for host, scopes in whose.items():
        for above, below in clashes(scopes):
            if not {(scopes[above], above), (scopes[below], below)} <= delivered:
                meeting.setdefault((above, below), []).append(host)
    for (above, below), hosts in meeting.items():
        words = f"{above} and {below} both reach {listed(hosts)}, which could not have both"
        yield Finding("declaration/clash", Severity.WARNING, str(MANIFEST), words)


def _names(found: Survey, document: ManagedDocument) -> set[SecretName]:
    """Return the names that are declared for a document, or stand in it."""
    names = {one.name for one in found.declared.get(document.scope, {}).values()}
    one = found.documents.get(document.path)
    if one is not None and isinstance(one.reading, Document):
        names.update(filter(None, map(_named, one.reading.leaf_states())))
    return names
