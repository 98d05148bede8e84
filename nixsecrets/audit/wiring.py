"""Generated Nix that is not what the declarations say, or that no configuration imports."""

from collections.abc import Iterator

from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.audit.survey import Survey
from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.layout import FLAKE
from nixsecrets.fleet.model import Host
from nixsecrets.plans import wiring
from nixsecrets.plans.wiring import WiringState

_LOCK = FLAKE.with_name("flake.lock")
_INPUT = b"sops-nix"


def findings(found: Survey) -> Iterator[Finding]:
    for host in found.hosts:
        if host.recipient is not None:
            yield from _host(found, host)
    yield from _lock(found)


def _host(found: Survey, host: Host) -> Iterator[Finding]:
    path = found.fleet.layout.wiring(host.name, host.directory)
    try:
        state = wiring.stale(found.repository, host)
        older = wiring.older_definitions(found.repository, host)
    except NixsecretsError as error:
        place = error.place or str(path)
        place = f"{place}:{error.line}" if error.line else place
        yield Finding("wiring/impossible", Severity.ERROR, place, error.problem, error.hint)
        return
    known = _of_state(state, host)
    if known is not None:
        rule, words, remedy = known
        yield Finding(rule, Severity.ERROR, str(path), words, remedy)
    for definition in older:
        words = f"sets {definition.option}, which the wiring of {host.name} sets too"
        place = f"{definition.path}:{definition.line}"
        yield Finding("wiring/older-definition", Severity.ERROR, place, words, None)


def _of_state(state: WiringState, host: Host) -> tuple[str, str, str] | None:
    wire = f"nixsecrets wire {host.name}"
    match state:
        case WiringState.MISSING:
            return "wiring/missing", f"{host.name} has no wiring", wire
        case WiringState.STALE:
            return "wiring/stale", "is not what the declarations say", wire
        case WiringState.HAND_EDITED:
            return "wiring/hand-edited", "was edited by hand", f"{wire} --force"
        case WiringState.NOT_IMPORTED:
            return "wiring/not-imported", f"{host.configuration} does not import it", wire
        case WiringState.IN_STEP:
            return None


def _lock(found: Survey) -> Iterator[Finding]:
    flake = found.repository.sources.find(FLAKE)
    if not found.whole or flake is None or _INPUT not in flake.content:
        return
    lock = found.repository.sources.find(_LOCK)
    if lock is None or _INPUT not in lock.content:
        words = "the input sops-nix has no entry in flake.lock"
        yield Finding("wiring/unlocked", Severity.WARNING, str(FLAKE), words, "nix flake lock")
