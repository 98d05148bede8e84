"""Edits of nixsecrets.yaml that only insert, and a new one's text."""

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.insertion import Map, Value, add_entry, add_item, spell_block, spell_flow
from nixsecrets.fleet.layout import Layout
from nixsecrets.fleet.manifest import SECTIONS, parse_manifest
from nixsecrets.fleet.model import (
    Deliver,
    Fleet,
    Host,
    HostSettings,
    IdentityFile,
    IdentitySsh,
    Manifest,
    Person,
    Role,
)
from nixsecrets.fleet.names import GroupName, HostName, PersonName
from nixsecrets.fleet.outline import Mapping, decode, parse_outline

_STEP = 2
_HEAD = """\
# The fleet: its people, its hosts and the names of its secrets, written by people and nixsecrets.
# It is public: values stand encrypted in the documents, private identities in no file here.
version: 1
"""


def add_host(content: bytes, name: HostName, settings: HostSettings) -> bytes:
    """Return the manifest with one more host, the last.

    Raises:
        RepositoryError: `content` is no manifest, has the host already, would be wrong with it,
            or is written in a way that takes no insertion: the hint says what to add by hand.
    """
    before = parse_manifest(content)
    if name in {host.name for host in before.hosts}:
        raise RepositoryError(f"the manifest has a host {name!r} already")
    home = before.layout.directory(name, lambda _path: False)
    expected = before._replace(hosts=(*before.hosts, Host.of(name, settings, home)))
    return _with_entry(content, ("hosts",), (name, spelled_settings(settings)), expected)


def add_to_host(content: bytes, name: HostName, settings: HostSettings) -> bytes:
    """Return the manifest with what a known host's entry does not say yet of `settings`.

    Raises:
        RepositoryError: the host is unknown, or says something else; else as of `add_host`.
    """
    before = parse_manifest(content)
    text = decode(content)
    known = _entry_names(content, name)
    for key, value in spelled_settings(settings).entries:
        if key not in known:
            text = add_entry(text, ("hosts", name), (key, value), SECTIONS)
    home = Fleet(before).host(name).directory
    after = parse_manifest(text.encode())
    expected = before._replace(hosts=tuple(one for one in before.hosts if one.name != name))
    rest = after._replace(hosts=tuple(one for one in after.hosts if one.name != name))
    wanted = Host.of(name, settings, settings.directory or home)
    if _lasting(rest) != _lasting(expected) or not _says(Fleet(after).host(name), wanted, settings):
        raise RepositoryError(
            f"the manifest says something else of {name}, or is written in a way that takes no "
            "insertion",
            hint=f"under `hosts.{name}` write `{spell_flow(spelled_settings(settings))}` by hand",
        )
    return text.encode()


def add_person(content: bytes, name: PersonName, role: Role = Role.ADMIN) -> bytes:
    """Return the manifest with one more person, the last; errors as of `add_host`."""
    before = parse_manifest(content)
    if name in {person.name for person in before.people}:
        raise RepositoryError(f"the manifest has a person {name!r} already")
    expected = before._replace(people=(*before.people, Person(name, role)))
    return _with_entry(content, ("people",), (name, Map((("role", role.value),))), expected)


def add_to_group(content: bytes, group: GroupName, host: HostName) -> bytes:
    """Return the manifest with `host` as the last of a group; as it is where it is in already.

    Raises:
        RepositoryError: the group or the host is unknown; else as of `add_host`.
    """
    before = parse_manifest(content)
    known = Fleet(before).group(group)
    if host in known.hosts:
        return content
    grown = known._replace(hosts=(*known.hosts, Fleet(before).host(host).name))
    expected = before._replace(
        groups=tuple(grown if one == known else one for one in before.groups)
    )
    if not _has_hosts(content, group):
        return _with_entry(content, ("groups", group), ("hosts", (host,)), expected)
    path = ("groups", group, "hosts")
    return checked(add_item(decode(content), path, host), expected, path, host)


def render_new(
    layout: Layout,
    people: tuple[Person, ...],
    hosts: tuple[tuple[HostName, HostSettings], ...],
    deliver: Deliver,
) -> bytes:
    """Return the text of a fresh manifest; of the layout, what differs from the default."""
    usual = Layout.of(layout.host_directories, {}).spelled()
    changed = tuple(one for one in layout.spelled() if one not in usual)
    sections = (
        ("layout", _host_patterns(layout) + changed),
        ("people", tuple((one.name, Map((("role", one.role.value),))) for one in people)),
        ("hosts", tuple((name, spelled_settings(settings)) for name, settings in hosts)),
        ("wiring", (("deliver", deliver.value),)),
    )
    text = _HEAD
    for name, entries in sections:
        if entries:
            lines = spell_block(name, Map(entries), 0, step=_STEP)
            text += "\n" + "".join(f"{line}\n" for line in lines)
    parse_manifest(text.encode())
    return text.encode()


def _host_patterns(layout: Layout) -> tuple[tuple[str, Value], ...]:
    match layout.host_directories:
        case usual if usual == Layout().host_directories:
            return ()
        case (only,):
            return (("host", only),)
        case several:
            return (("host", several),)


def _entry_names(content: bytes, host: HostName) -> frozenset[str]:
    node = parse_outline(decode(content))
    for name in ("hosts", host):
        entry = node.find(name) if isinstance(node, Mapping) else None
        node = entry.value if entry else None
    entries = node.entries if isinstance(node, Mapping) else ()
    return frozenset(entry.name.text for entry in entries)


def _says(host: Host, wanted: Host, settings: HostSettings) -> bool:
    pairs = (
        (settings.attribute, host.attribute, wanted.attribute),
        (settings.host_name, host.host_name, wanted.host_name),
        (settings.address, host.address, wanted.address),
        (settings.configuration, host.configuration, wanted.configuration),
        (settings.identity, host.identity, wanted.identity),
    )
    return all(said == asked for given, said, asked in pairs if given is not None)


def spelled_settings(settings: HostSettings) -> Map:
    """Return the entry of a host that says what `settings` do."""
    written: tuple[tuple[str, Value | None], ...] = (
        ("directory", str(settings.directory) if settings.directory else None),
        ("attribute", settings.attribute),
        ("host-name", settings.host_name),
        ("anchor", settings.anchor),
        ("address", settings.address),
        ("configuration", str(settings.configuration) if settings.configuration else None),
        ("identity", _spelled_identity(settings)),
        ("rebuild", Map((("engine", settings.engine.value),)) if settings.engine else None),
    )
    return Map(tuple((name, value) for name, value in written if value is not None))


def _spelled_identity(settings: HostSettings) -> Map | None:
    match settings.identity:
        case None:
            return None
        case IdentityFile(path):
            return Map((("file", path),))
        case IdentitySsh(paths):
            return Map((("ssh", paths),))


def _has_hosts(content: bytes, group: GroupName) -> bool:
    node = parse_outline(decode(content))
    for name in ("groups", group):
        entry = node.find(name) if isinstance(node, Mapping) else None
        node = entry.value if entry else None
    return isinstance(node, Mapping) and node.find("hosts") is not None


def _with_entry(
    content: bytes, path: tuple[str, ...], entry: tuple[str, Value], expected: Manifest
) -> bytes:
    text = add_entry(decode(content), path, entry, SECTIONS)
    return checked(text, expected, path, f"{entry[0]}: {spell_flow(entry[1])}")


def checked(text: str, expected: Manifest, path: tuple[str, ...], wanted: str) -> bytes:
    """Return `text` encoded if it says exactly what is expected.

    Args:
        text: an edited manifest.
        expected: what it is to say.
        path: where it was edited.
        wanted: what was put there, for the hint.

    Raises:
        RepositoryError: it says something else, or is no manifest any more.
    """
    by_hand = f"under `{'.'.join(path)}` write `{wanted}` by hand"
    return held(text, expected, f"with `{wanted}`", by_hand)


def held(text: str, expected: Manifest, words: str, by_hand: str) -> bytes:
    """Return `text` encoded as `checked` does.

    Args:
        text: an edited manifest.
        expected: what it is to say.
        words: how it was edited: `without t15g`.
        by_hand: what is to be done where it says something else.
    """
    content = text.encode()
    takes_none = RepositoryError(
        "the manifest is written in a way that takes no edit", hint=by_hand
    )
    try:
        parse_outline(text)
    except RepositoryError:
        raise takes_none from None
    try:
        found = parse_manifest(content)
    except RepositoryError as error:
        raise RepositoryError(
            f"the manifest would be wrong {words}: {error.problem}", hint=error.hint
        ) from None
    if _lasting(found) != _lasting(expected):
        raise takes_none
    return content


def _lasting(manifest: Manifest) -> Manifest:
    """Leave out what `each` declares: who the hosts are decides which declarations that makes."""
    kept = tuple(one for one in manifest.declarations if one.each is None)
    return manifest._replace(declarations=kept)
