"""nixsecrets.lock.json: since when each value stands, and as what it was asked for; no value."""

import json
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import NamedTuple

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.layout import LOCK
from nixsecrets.fleet.model import Address, Declaration

_DAMAGED = "is not as nixsecrets writes it"
_RESTORE = f"bring an older one back: git checkout REVISION -- {LOCK}"


class Entry(NamedTuple):
    """What is known of a value.

    Args:
        changed: the day on which it became what it is, UTC.
        spec: the digest of its declaration's generator, see `generators.specification`.
    """

    changed: date
    spec: str


def parse_lock(content: bytes) -> Mapping[str, Entry]:
    """Return what is known of each value, by its address as it is spelled.

    Raises:
        RepositoryError: it is damaged, by a merge perhaps.
    """
    try:
        found: object = json.loads(content)
    except ValueError:
        raise RepositoryError(f"{LOCK} {_DAMAGED}: it is no JSON", hint=_RESTORE) from None
    if not isinstance(found, dict):
        raise RepositoryError(f"{LOCK} {_DAMAGED}", hint=_RESTORE)
    return {str(address): _entry(str(address), entry) for address, entry in found.items()}


def with_entries(content: bytes | None, entries: Mapping[Address, Entry]) -> bytes:
    """Return the file with what is now known of some values; sorted, one line a value."""
    known = parse_lock(content) if content is not None else {}
    return _written({**known, **{str(address): entry for address, entry in entries.items()}})


def without(content: bytes, gone: Collection[Address | str]) -> bytes | None:
    """Return the file without what was known of some values; None: nothing is left to know."""
    names = set(map(str, gone))
    kept = {name: entry for name, entry in parse_lock(content).items() if name not in names}
    return _written(kept) if kept else None


def readdressed(content: bytes, addresses: Mapping[str, str]) -> bytes:
    """Return the file with some values under other addresses, as they are spelled."""
    known = parse_lock(content)
    return _written({addresses.get(name, name): entry for name, entry in known.items()})


def is_over_age(declaration: Declaration, known: Mapping[str, Entry], today: date) -> bool:
    """Say whether a value is older than its declaration allows; of unknown age it is not."""
    entry = known.get(str(declaration.address))
    if declaration.max_age is None or entry is None:
        return False
    return today - entry.changed > timedelta(days=declaration.max_age)


def _written(known: Mapping[str, Entry]) -> bytes:
    lines = (f"  {json.dumps(name)}: {_spelled(known[name])}" for name in sorted(known))
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _entry(address: str, found: object) -> Entry:
    match found:
        case {"changed": str(changed), "spec": str(spec), **rest} if not rest:
            try:
                return Entry(date.fromisoformat(changed), spec)
            except ValueError:
                raise RepositoryError(
                    f"{LOCK} {_DAMAGED}: {changed!r} is no date, of {address}", hint=_RESTORE
                ) from None
        case _:
            raise RepositoryError(f"{LOCK} {_DAMAGED}, of {address}", hint=_RESTORE)


def _spelled(entry: Entry) -> str:
    return json.dumps({"changed": entry.changed.isoformat(), "spec": entry.spec})
