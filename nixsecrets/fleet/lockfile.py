"""nixsecrets.lock.json: since when each value stands, and as what it was asked for; no value."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.model import Address

LOCK: PurePosixPath = MANIFEST.with_name("nixsecrets.lock.json")
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


def with_entry(content: bytes | None, address: Address, entry: Entry) -> bytes:
    """Return the file with what is now known of one value; sorted, one line a value."""
    known = {**parse_lock(b"{}" if content is None else content), str(address): entry}
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
