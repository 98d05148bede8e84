"""Which hosts a command is about: names, groups, or all that can be reached from a machine."""

from collections.abc import Iterable
from typing import NamedTuple

from nixsecrets.errors import UsageError
from nixsecrets.fleet.model import Engine, Fleet

_GROUP = "@"


class Aside(NamedTuple):
    """A host that `--all` leaves out."""

    name: str
    why: str


def names_on(fleet: Fleet, lists: Iterable[str]) -> tuple[str, ...]:
    """Return the hosts of lists such as `hq,@home`, each once, in the order in which they stand.

    Raises:
        UsageError: nothing stands between two commas, or a group has no hosts.
        RepositoryError: a host or a group is unknown.
    """
    words = [word.strip() for one in lists for word in one.split(",")]
    return tuple(dict.fromkeys(name for word in words for name in _names(fleet, word)))


def all_names(fleet: Fleet, here: str) -> tuple[tuple[str, ...], tuple[Aside, ...]]:
    """Return the hosts that can be rebuilt from a machine, and those that cannot.

    Args:
        fleet: its hosts.
        here: the machine's own name.
    """
    aside = {host.name: why for host in fleet.hosts if (why := _obstacle(fleet, host.name, here))}
    chosen = tuple(host.name for host in fleet.hosts if host.name not in aside)
    return chosen, tuple(Aside(name, why) for name, why in aside.items())


def _names(fleet: Fleet, word: str) -> tuple[str, ...]:
    if not word.removeprefix(_GROUP):
        raise UsageError("a name is missing in --on", hint="write --on HOST,@GROUP")
    if not word.startswith(_GROUP):
        return (fleet.host(word).name,)
    names = tuple(fleet.group(word.removeprefix(_GROUP)).hosts)
    if not names:
        raise UsageError(f"{word} has no hosts")
    return names


def _obstacle(fleet: Fleet, name: str, here: str) -> str | None:
    host = fleet.host(name)
    if host.recipient is None:
        return "it has no key"
    if fleet.engine_of(host) is Engine.PRINT:
        return "it is rebuilt by hand"
    if host.address is None and host.host_name != here:
        return "it is not this machine and has no address"
    return None
