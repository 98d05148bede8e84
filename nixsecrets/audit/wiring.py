"""Generated Nix that is not what the declarations say, or that no system takes in."""

import json
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.audit.survey import Survey, content_of
from nixsecrets.audit.wording import at, command, listed
from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.access import delivered
from nixsecrets.fleet.layout import FLAKE
from nixsecrets.fleet.model import Deliver, Host
from nixsecrets.nix.bindings import bindings, plain
from nixsecrets.nix.syntax import NixSyntaxError, parse
from nixsecrets.plans import wiring, wiring_home, wiring_sops_nix
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.wiring import WiringState

_LOCK = FLAKE.with_name("flake.lock")
_SELF = "self"  # `inputs.self.submodules` says how the flake itself is fetched


def findings(found: Survey) -> Iterator[Finding]:
    wired = [host for host in found.hosts if host.recipient and _is_wired(found, host)]
    for host in wired:
        yield from _host(found, host)
    yield from _without_sops_nix(found, wired)
    if found.whole:
        yield from _unlocked(found)


def _is_wired(found: Survey, host: Host) -> bool:
    """Say whether a host has wiring, or is given anything that needs some."""
    path = found.fleet.layout.wiring(host.name, host.directory)
    is_given = found.fleet.manifest.deliver is Deliver.ALL or delivered(found.fleet, host)
    return bool(is_given) or content_of(found.repository, path) is not None


def _host(found: Survey, host: Host) -> Iterator[Finding]:
    path = found.fleet.layout.wiring(host.name, host.directory)
    try:
        state = wiring.stale(found.repository, host)
        older = wiring.older_definitions(found.repository, host)
    except NixsecretsError as error:
        yield from _impossible(found, host, error)
        return
    known = _of_state(state, host)
    if known is not None:
        rule, words, remedy = known
        yield Finding(rule, Severity.ERROR, str(path), words, remedy)
    for home in wiring_home.stale_homes(found.repository, host):
        place = str(wiring_home.module_of(found.repository, home))
        words = f"is not what is declared for {home.user} on {host.name}"
        remedy = command("nixsecrets", "wire", host.name)
        yield Finding("wiring/stale", Severity.ERROR, place, words, remedy)
    for definition in older:
        words = f"sets {definition.option}, which the wiring of {host.name} sets too"
        place = at(definition.path, definition.line)
        remedy = "take the line out"
        yield Finding("wiring/older-definition", Severity.ERROR, place, words, remedy)


def _impossible(found: Survey, host: Host, error: NixsecretsError) -> Iterator[Finding]:
    """Yield why there can be no wiring; a damaged document is told of as what it is."""
    if error.place is not None:
        yield from _unreadable(found, error)
        return
    place = str(found.fleet.layout.wiring(host.name, host.directory))
    yield Finding("declaration/clash", Severity.ERROR, place, error.problem, error.hint)


def _unreadable(found: Survey, error: NixsecretsError) -> Iterator[Finding]:
    place = PurePosixPath(error.place or FLAKE)
    document = found.documents.get(place)
    if document is None or not document.is_unreadable:
        where = at(place, error.line)
        yield Finding("wiring/impossible", Severity.ERROR, where, error.problem, error.hint)


def _of_state(state: WiringState, host: Host) -> tuple[str, str, str] | None:
    wire = command("nixsecrets", "wire", host.name)
    match state:
        case WiringState.MISSING:
            return "wiring/missing", f"{host.name} has no wiring", wire
        case WiringState.STALE:
            return "wiring/stale", f"is not what is declared for {host.name}", wire
        case WiringState.HAND_EDITED:
            return "wiring/hand-edited", "is not as nixsecrets wrote it", f"{wire} --force"
        case WiringState.NOT_IMPORTED:
            return "wiring/not-imported", f"no module of {host.name} imports it", wire
        case WiringState.IN_STEP:
            return None


def _without_sops_nix(found: Survey, wired: Sequence[Host]) -> Iterator[Finding]:
    """Ask the planner whether the hosts' systems have sops-nix, without which nothing builds."""
    try:
        draft = wiring_sops_nix.bring_sops_nix(Draft(found.repository), wired)
    except NixsecretsError as error:
        yield from _unreadable(found, error)
        return
    for change in draft.repository.changes.values():
        words = f"lacks {listed(change.why)}, which the wiring needs"
        place = str(change.path)
        yield Finding("wiring/no-sops-nix", Severity.ERROR, place, words, "nixsecrets wire")
    for note in draft.notes:
        words, _, remedy = note.partition("; ")
        place, _, words = words.rpartition(": ")
        text = " ".join(remedy.split())
        yield Finding("wiring/no-sops-nix", Severity.WARNING, place or str(FLAKE), words, text)


def _unlocked(found: Survey) -> Iterator[Finding]:
    flake = content_of(found.repository, FLAKE)
    inputs = _inputs(flake) if isinstance(flake, bytes) else ()
    if not inputs:
        return
    lock = content_of(found.repository, _LOCK)
    locked = _locked(lock) if isinstance(lock, bytes) else frozenset()
    missing = [name for name in inputs if name not in locked]
    if lock is None:
        words = "there is none, so that every build may take other inputs"
        place = str(_LOCK)
        yield Finding("wiring/unlocked", Severity.WARNING, place, words, "nix flake lock")
    elif missing:
        words = f"has no entry for {listed(missing)}"
        place = str(_LOCK)
        yield Finding("wiring/unlocked", Severity.WARNING, place, words, "nix flake lock")


def _inputs(flake: bytes) -> tuple[str, ...]:
    try:
        source = parse(flake)
    except NixSyntaxError:
        return ()
    names = (
        each.path[1]
        for each in bindings(source, source.root, plain)
        if each.path[0] == "inputs" and len(each.path) > 1
    )
    return tuple(dict.fromkeys(name for name in names if name not in (None, _SELF)))


def _locked(lock: bytes) -> frozenset[str]:
    """Return the names of the locked inputs (Nix manual, "nix flake", "Lock files")."""
    try:
        read: object = json.loads(lock)
    except (ValueError, RecursionError):
        return frozenset()
    for step in ("nodes", "root", "inputs"):
        read = read.get(step) if isinstance(read, dict) else None
    return frozenset(read) if isinstance(read, dict) else frozenset()
