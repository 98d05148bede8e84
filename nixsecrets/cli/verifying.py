"""What hosts answer with, held against what is recorded of them."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from nixsecrets.age.sshkey import parse_public_key
from nixsecrets.cli.app import App, tell
from nixsecrets.errors import ProgramError, UsageError
from nixsecrets.fleet.load import parse_host_key
from nixsecrets.fleet.model import Fleet, Host
from nixsecrets.report.table import Table
from nixsecrets.system import hostproof, known_hosts, lock, ssh
from nixsecrets.system.hostproof import Proof
from nixsecrets.system.known_hosts import Verdict as Known
from nixsecrets.system.ssh import Address

_HERE = "localhost"


class Verdict(Enum):
    PROVED = "holds its key"
    UNPROVED = "shows its key, proves nothing"
    OLD = "still has its old key"
    OTHER = "has another key"
    REVOKED = "revoked in known_hosts"
    KNOWN_OTHER = "another in known_hosts"
    SILENT = "not reached"
    NOWHERE = "no address"
    NO_KEY = "no key yet"
    NO_SSH = "an age identity, which ssh cannot ask for"


class Check(NamedTuple):
    """One host: what is recorded, what it showed, what known_hosts has, and what follows."""

    host: Host
    recorded: str
    live: str
    known: str
    verdict: Verdict

    @property
    def disagrees(self) -> bool:
        return self.verdict in (Verdict.OTHER, Verdict.REVOKED, Verdict.KNOWN_OTHER)


def verify(app: App, fleet: Fleet, hosts: Sequence[Host]) -> tuple[Check, ...]:
    """Ask each host over ssh, one after the other, and remember who has proved its key."""
    checks = tuple(_check(app, fleet, host) for host in hosts)
    proved = {
        str(check.host.name): check.host.recipient.text
        for check in checks
        if check.verdict is Verdict.PROVED and check.host.recipient
    }
    if proved:
        hostproof.record_proofs(app.state, proved)
    for name in proved:
        escrow = fleet.layout.host_key_document(fleet.host(name).name)
        if escrow in fleet.present:
            tell(
                f"{name} holds its key, so that its escrow may go: "
                f"nixsecrets bootstrap {name} --drop-escrow"
            )
    return checks


def table(checks: Sequence[Check], empty: str) -> Table:
    rows = tuple(
        (one.host.name, one.recorded, one.live, one.known, one.verdict.value) for one in checks
    )
    return Table(("host", "recorded", "live", "known_hosts", "verdict"), rows, empty=empty)


def _check(app: App, fleet: Fleet, host: Host) -> Check:
    if host.recipient is None or host.public_key is None:
        return Check(host, "-", "-", "-", Verdict.NO_KEY)
    if host.public_key.startswith("age1"):
        return Check(host, host.recipient.text, "-", "-", Verdict.NO_SSH)
    recorded = parse_public_key(host.public_key).fingerprint
    address = _address(app, fleet, host)
    if address is None:
        return Check(host, recorded, "-", "-", Verdict.NOWHERE)
    options = ssh.options_from(app.environment)
    known = known_hosts.judge(_public(host), known_hosts.known(address, options))
    live = _live(address, options)
    shown = parse_public_key(live[0]).fingerprint if live else "-"
    verdict = _verdict(app, host, address, live, known)
    return Check(host, recorded, shown, known.value, verdict)


def _address(app: App, fleet: Fleet, host: Host) -> Address | None:
    if host.address is not None:
        return ssh.validate_address(host.address)
    return ssh.validate_address(_HERE) if fleet.this_machine(app.host_name) == host else None


def _live(address: Address, options: Sequence[str]) -> tuple[str, ...]:
    """Return the keys that a host shows; none where nobody answers, or only over another host."""
    try:
        return ssh.scan(address, options)
    except (ProgramError, UsageError):
        return ()


def _public(host: Host) -> str:
    return " ".join((host.public_key or "").split()[:2])


def _verdict(app: App, host: Host, address: Address, live: Sequence[str], known: Known) -> Verdict:
    public = _public(host)
    if known is Known.REVOKED:
        return Verdict.REVOKED
    if live and public not in live:
        is_old = any(parse_host_key(line).recipient == host.old for line in live)
        return Verdict.OLD if is_old else Verdict.OTHER
    if known is Known.ANOTHER:
        return Verdict.KNOWN_OTHER
    lock.make_state(app.state)
    match hostproof.prove(address, public, app.state, ssh.options_from(app.environment)):
        case Proof.HELD:
            return Verdict.PROVED
        case Proof.OTHER:
            return Verdict.OTHER
        case Proof.UNKNOWN:
            return Verdict.UNPROVED if live else Verdict.SILENT
