"""Edits of the groups in nixsecrets.yaml: made, joined, left, deleted."""

from typing import NamedTuple

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet import removal
from nixsecrets.fleet.insertion import Map, add_entry, add_item, spell_flow
from nixsecrets.fleet.manifest import SECTIONS, parse_manifest
from nixsecrets.fleet.manifest_edit import checked, held
from nixsecrets.fleet.model import Fleet, Group, InGroup, Manifest
from nixsecrets.fleet.names import GroupName, HostName, PersonName
from nixsecrets.fleet.outline import decode


class Members(NamedTuple):
    """Hosts and people that join or leave a group."""

    hosts: tuple[HostName, ...] = ()
    people: tuple[PersonName, ...] = ()


def add_group(content: bytes, name: GroupName, members: Members) -> bytes:
    """Return the manifest with one more group, the last.

    Raises:
        RepositoryError: it has the group already; a member is unknown; else as of
            `manifest_edit.add_host`.
    """
    before = parse_manifest(content)
    if name in {group.name for group in before.groups}:
        raise RepositoryError(f"the manifest has a group {name!r} already")
    _refuse_unknown(before, members)
    spelled = Map(tuple((key, value) for key, value in _lists(members) if value))
    text = add_entry(decode(content), ("groups",), (name, spelled), SECTIONS)
    expected = before._replace(groups=(*before.groups, Group(name, members.hosts, members.people)))
    return checked(text, expected, ("groups",), f"{name}: {spell_flow(spelled)}")


def join_group(content: bytes, name: GroupName, members: Members) -> bytes:
    """Return the manifest with the members in the group that are not in it yet, the last of it.

    Raises:
        RepositoryError: the group or a member is unknown; else as of `manifest_edit.add_host`.
    """
    before = parse_manifest(content)
    known = Fleet(before).group(name)
    _refuse_unknown(before, members)
    new = Members(
        tuple(host for host in members.hosts if host not in known.hosts),
        tuple(person for person in members.people if person not in known.people),
    )
    text = decode(content)
    for key, joining in _lists(new):
        if joining and removal.find(text, ("groups", name, key)) is None:
            text = add_entry(text, ("groups", name), (key, joining), SECTIONS)
        else:
            for member in joining:
                text = add_item(text, ("groups", name, key), member)
    grown = known._replace(hosts=(*known.hosts, *new.hosts), people=(*known.people, *new.people))
    return checked(text, _with_group(before, grown), ("groups", name), _words(new))


def leave_group(content: bytes, name: GroupName, members: Members) -> bytes:
    """Return the manifest with the members out of the group.

    Raises:
        RepositoryError: the group is unknown, or one is not in it; or the manifest is written in
            a way that takes no removal.
    """
    before = parse_manifest(content)
    known = Fleet(before).group(name)
    for member in (*members.hosts, *members.people):
        if member not in (*known.hosts, *known.people):
            raise RepositoryError(f"{member} is not in the group {name}")
    text = decode(content)
    for key, leaving in _lists(members):
        for member in leaving:
            text = removal.remove_item(text, ("groups", name, key), member)
    left = known._replace(
        hosts=tuple(host for host in known.hosts if host not in members.hosts),
        people=tuple(person for person in known.people if person not in members.people),
    )
    return _held(text, _with_group(before, left), _words(members))


def remove_group(content: bytes, name: GroupName) -> bytes:
    """Return the manifest without a group and what is declared for it.

    Raises:
        RepositoryError: the group is unknown; else as of `leave_group`.
    """
    before = parse_manifest(content)
    Fleet(before).group(name)
    text = decode(content)
    for path in (
        ("groups", name),
        ("secrets", "groups", name),
        ("secrets", "each", name),
        ("templates", "groups", name),
    ):
        text = removal.remove_entry(text, path)
    expected = before._replace(
        groups=tuple(group for group in before.groups if group.name != name),
        declarations=tuple(one for one in before.declarations if one.scope != InGroup(name)),
        templates=tuple(one for one in before.templates if one.scope != InGroup(name)),
    )
    return _held(text, expected, name)


def _held(text: str, expected: Manifest, gone: str) -> bytes:
    return held(text, expected, f"without {gone}", f"take {gone} out of it by hand")


def _lists(members: Members) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (("hosts", members.hosts), ("people", members.people))


def _words(members: Members) -> str:
    return spell_flow(Map(tuple((key, names) for key, names in _lists(members) if names)))


def _with_group(manifest: Manifest, group: Group) -> Manifest:
    groups = (group if one.name == group.name else one for one in manifest.groups)
    return manifest._replace(groups=tuple(groups))


def _refuse_unknown(manifest: Manifest, members: Members) -> None:
    fleet = Fleet(manifest)
    for host in members.hosts:
        fleet.host(host)
    for person in members.people:
        fleet.person(person)
