"""What a host still runs that the repository has otherwise by now; nothing is opened."""

from datetime import date
from pathlib import PurePosixPath

from nixsecrets.fleet import lockfile
from nixsecrets.fleet.layout import LOCK
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.lockfile import Entry
from nixsecrets.fleet.model import Host
from nixsecrets.plans import earlier
from nixsecrets.plans.earlier import Earlier
from nixsecrets.plans.wiring import wiring_of


def paths_of(repository: Repository, host: Host) -> tuple[PurePosixPath, ...]:
    """Return a host's wiring and the documents of all that it is given."""
    if host.recipient is None:
        return ()
    wiring = wiring_of(repository, host)
    return tuple(dict.fromkeys((wiring.path, *(one.document for one in wiring.secrets))))


def older_values(
    repository: Repository, host: Host, deployed: Earlier, on: date
) -> tuple[str, ...]:
    """Return, in words, what is delivered to a host and stands otherwise in what it runs.

    Args:
        repository: as it is now.
        host: one of its fleet's.
        deployed: the files that the host was built from.
        on: the day, UTC, on which they were found on the host.
    """
    if host.recipient is None:
        return ()
    source = repository.sources.find(LOCK)
    known = lockfile.parse_lock(source.content) if source else {}
    addresses = (
        one.declaration.address for one in earlier.other_values(repository, host, deployed)
    )
    return tuple(f"{one} ({_how(known.get(str(one)), on)})" for one in addresses)


def _how(entry: Entry | None, on: date) -> str:
    # A new data key changes the ciphertext and not the value, and sops writes no dates: only a
    # later date proves another value.
    if entry is not None and entry.changed > on:
        return f"changed since, on {entry.changed}"
    return "ciphertext changed" + (f", value of {entry.changed}" if entry else "")
