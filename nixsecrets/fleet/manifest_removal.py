"""Hosts and people taken out of nixsecrets.yaml, with everything that names them."""

from nixsecrets.fleet import removal
from nixsecrets.fleet.manifest import parse_manifest
from nixsecrets.fleet.manifest_edit import held
from nixsecrets.fleet.model import (
    Admins,
    AtHome,
    Declaration,
    Fleet,
    Group,
    InGroup,
    Manifest,
    OnHost,
    Shared,
)
from nixsecrets.fleet.names import HostName, PersonName
from nixsecrets.fleet.outline import decode
from nixsecrets.fleet.removal import Path


def remove_host(content: bytes, name: HostName) -> bytes:
    """Return the manifest without a host: its entry, its groups, what is declared for it alone.

    Raises:
        RepositoryError: the host is unknown, something else still names it, or the manifest is
            written in a way that takes no removal: the hint says what to take out by hand.
    """
    before = parse_manifest(content)
    Fleet(before).host(name)
    text = decode(content)
    for path in host_entries(name):
        text = removal.remove_entry(text, path)
    for path in (*group_lists(text, "hosts"), *home_lists(text)):
        if path[0] == "secrets" and removal.items_at(text, path) == (name,):
            text = removal.remove_entry(text, path[:-1])
        else:
            text = removal.remove_item(text, path, name)
    expected = before._replace(
        hosts=tuple(host for host in before.hosts if host.name != name),
        groups=tuple(_without_host(group, name) for group in before.groups),
        declarations=tuple(one for one in before.declarations if not _is_of(one, name)),
        templates=tuple(one for one in before.templates if one.scope != OnHost(name)),
    )
    return _held(text, expected, name)


def remove_person(content: bytes, name: PersonName) -> bytes:
    """Return the manifest without a person and its places in groups; errors as of `remove_host`."""
    before = parse_manifest(content)
    Fleet(before).person(name)
    text = removal.remove_entry(decode(content), ("people", name))
    for path in group_lists(text, "people"):
        text = removal.remove_item(text, path, name)
    expected = before._replace(
        people=tuple(person for person in before.people if person.name != name),
        groups=tuple(
            group._replace(people=tuple(one for one in group.people if one != name))
            for group in before.groups
        ),
    )
    return _held(text, expected, name)


def host_entries(name: HostName) -> tuple[Path, ...]:
    """Return where the entries of a host stand."""
    return (("hosts", name), ("secrets", "hosts", name), ("templates", "hosts", name))


def group_lists(text: str, key: str) -> tuple[Path, ...]:
    """Return where the groups' lists of hosts, or of people, stand."""
    groups = removal.below(text, ("groups",))
    return tuple(("groups", group.name.text, key) for group in groups)


def home_lists(text: str) -> tuple[Path, ...]:
    """Return where the lists of hosts of what is declared for homes stand."""
    return tuple(
        ("secrets", "home", user.name.text, secret.name.text, "hosts")
        for user in removal.below(text, ("secrets", "home"))
        for secret in removal.below(text, ("secrets", "home", user.name.text))
    )


def _held(text: str, expected: Manifest, name: str) -> bytes:
    return held(text, expected, f"without {name}", f"take {name} out of it by hand")


def _without_host(group: Group, name: HostName) -> Group:
    return group._replace(hosts=tuple(host for host in group.hosts if host != name))


def _is_of(declaration: Declaration, name: HostName) -> bool:
    match declaration.scope:
        case OnHost(host) | AtHome(host, _):
            return host == name
        case Admins() | Shared() | InGroup():
            return False
