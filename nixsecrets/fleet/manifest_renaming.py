"""A host of nixsecrets.yaml under another name, wherever the manifest names it."""

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet import removal
from nixsecrets.fleet.insertion import add_entry
from nixsecrets.fleet.manifest import SECTIONS, parse_manifest
from nixsecrets.fleet.manifest_edit import held, spelled_settings
from nixsecrets.fleet.manifest_removal import group_lists, home_lists, host_entries
from nixsecrets.fleet.model import (
    Admins,
    AtHome,
    Declaration,
    Fleet,
    Host,
    HostSettings,
    InGroup,
    OnHost,
    Shared,
)
from nixsecrets.fleet.names import HostName
from nixsecrets.fleet.outline import decode


def rename_host(content: bytes, old: HostName, new: HostName, settings: HostSettings) -> bytes:
    """Return the manifest with a host under another name, in its place.

    Args:
        content: the manifest.
        old: its name so far.
        new: its name from now on.
        settings: what its entry is to say from now on; None: what it says already.

    Raises:
        RepositoryError: the host is unknown, the name is another's, or the manifest is written in
            a way that takes no edit.
    """
    before = parse_manifest(content)
    known = Fleet(before).host(old)
    if new in {host.name for host in before.hosts}:
        raise RepositoryError(f"the manifest has a host {new!r} already")
    said = stated(content, known)
    text = _with_settings(_renamed(decode(content), old, new), new, settings)
    given = {key: value for key, value in settings._asdict().items() if value is not None}
    home = before.layout.directory(new, lambda _path: False)
    renamed = Host.of(new, said._replace(**given), home)
    expected = before._replace(
        hosts=tuple(renamed if host.name == old else host for host in before.hosts),
        groups=tuple(
            group._replace(hosts=tuple(new if host == old else host for host in group.hosts))
            for group in before.groups
        ),
        declarations=tuple(_of(one, old, new) for one in before.declarations),
        templates=tuple(
            one._replace(scope=OnHost(new)) if one.scope == OnHost(old) else one
            for one in before.templates
        ),
    )
    by_hand = f"write {new} for {old} in it by hand"
    return held(text, expected, f"with {new} for {old}", by_hand)


def stated(content: bytes, host: Host) -> HostSettings:
    """Return what the entry of a host says itself, the rest None."""
    known = {entry.name.text for entry in removal.below(decode(content), ("hosts", host.name))}
    return HostSettings(
        directory=host.directory if "directory" in known else None,
        attribute=host.attribute,
        host_name=host.host_name if "host-name" in known else None,
        anchor=host.anchor if "anchor" in known else None,
        address=host.address,
        configuration=host.configuration if host.without_flake else None,
        identity=host.identity,
        engine=host.engine,
    )


def _renamed(text: str, old: HostName, new: HostName) -> str:
    for path in host_entries(old):
        text = removal.rename_entry(text, path, new)
    for path in (*group_lists(text, "hosts"), *home_lists(text)):
        text = removal.rename_item(text, path, old, new)
    for start, end in (("host/", ":"), ("home/", "/")):  # addresses in generators
        prefixes = f"{start}{old}{end}", f"{start}{new}{end}"
        text = removal.replace_prefix(text, ("secrets",), *prefixes)
    return text


def _with_settings(text: str, name: HostName, settings: HostSettings) -> str:
    for key, value in spelled_settings(settings).entries:
        path = ("hosts", name, key)
        if removal.find(text, path) is None:
            text = add_entry(text, path[:-1], (key, value), SECTIONS)
        else:
            text = removal.replace_value(text, path, str(value))
    return text


def _of(declaration: Declaration, old: HostName, new: HostName) -> Declaration:
    match declaration.scope:
        case OnHost(host) if host == old:
            return declaration._replace(scope=OnHost(new))
        case AtHome(host, user) if host == old:
            return declaration._replace(scope=AtHome(new, user))
        case OnHost() | AtHome() | Admins() | Shared() | InGroup():
            return declaration
