"""The manifest's `secrets`: which secrets should exist, and for whom."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.generator_reading import parse_generator
from nixsecrets.fleet.hostfile import read_host_file
from nixsecrets.fleet.layout import parse_path
from nixsecrets.fleet.model import (
    Admins,
    AtHome,
    Declaration,
    InGroup,
    Manifest,
    OnHost,
    Scope,
    Shared,
)
from nixsecrets.fleet.names import HostName, UserName, parse_secret_name, parse_user_name
from nixsecrets.fleet.outline import Entry, Node, Span
from nixsecrets.fleet.section import (
    Section,
    as_mapping,
    closed,
    distinct,
    one_of,
    parsed,
)

PlacedDeclaration: TypeAlias = tuple[Span, Declaration]

SCOPES = ("admins", "shared", "groups", "hosts", "each", "home")
OF_SYSTEM = ("owner", "group", "restart-units", "reload-units", "needed-for-users")
"""What only a host's system has, and no home."""
OF_DELIVERY = ("deliver", "mode", "path", "consumers", *OF_SYSTEM)
OF_DOCUMENT = ("key", "file", "whole-file")
KEYS = ("description", "generator", "max-age", "rotation", *OF_DOCUMENT, *OF_DELIVERY)
_EVERY_HOST = "all"
DAYS = r"[1-9][0-9]{0,5}d"
# An attribute path of Nix without interpolation (Nix manual, "Identifiers", "String literals").
_ATTRIBUTE = r"""(?:[A-Za-z_][A-Za-z0-9_'-]*|"[^"\\$]+")"""
CONSUMER = rf"{_ATTRIBUTE}(?:\.{_ATTRIBUTE})*"
_NIX_KEYWORDS = frozenset({"assert", "else", "if", "in", "inherit", "let", "rec", "then", "with"})


def parse_declarations(node: Node | None, manifest: Manifest) -> tuple[PlacedDeclaration, ...]:
    """Return the declarations in the file's order, each with the place of its name.

    Args:
        node: the value of `secrets`.
        manifest: with its hosts and groups.

    Raises:
        RepositoryError: with line and column.
    """
    scopes = closed(node, "secrets", SCOPES)
    return tuple(
        (name.name.at, declaration)
        for entry in scopes.mapping.entries
        for what, place, names in _places(entry, manifest)
        for name in as_mapping(names.value, what).entries
        for declaration in _declarations(name, place, manifest)
    )


class _Each(NamedTuple):
    """One declaration for several hosts, each with a value of its own.

    Args:
        among: `all` or the group.
        hosts: which those are.
    """

    among: str
    hosts: tuple[HostName, ...]


_Place: TypeAlias = Scope | _Each | UserName


def _places(entry: Entry, manifest: Manifest) -> Iterator[tuple[str, _Place, Entry]]:
    """Yield whose each part of one section of `secrets` is, and the entry that holds its names."""
    section = f"secrets.{entry.name.text}"
    match entry.name.text:
        case "admins":
            yield section, Admins(), entry
        case "shared":
            yield section, Shared(), entry
        case "home":
            for names in as_mapping(entry.value, section).entries:
                yield f"{section}.{names.name.text}", parsed(names.name, parse_user_name), names
        case kind:
            what, known = ("host" if kind == "hosts" else "group"), _known(kind, manifest)
            for names in as_mapping(entry.value, section).entries:
                yield f"{section}.{names.name.text}", one_of(names.name, what, known), names


def _known(kind: str, manifest: Manifest) -> Mapping[str, _Place]:
    """Return whose the parts of a section may be, by their names there."""
    match kind:
        case "groups":
            return {group.name: InGroup(group.name) for group in manifest.groups}
        case "each":
            every = _Each(_EVERY_HOST, tuple(host.name for host in manifest.hosts))
            groups = {str(group.name): _Each(group.name, group.hosts) for group in manifest.groups}
            return {_EVERY_HOST: every, **groups}
        case _:
            return {host.name: OnHost(host.name) for host in manifest.hosts}


def _declarations(entry: Entry, place: _Place, manifest: Manifest) -> tuple[Declaration, ...]:
    """Return what one entry declares: a value, or one for each of several hosts."""
    match place:
        case _Each(among, hosts):
            section = _section(entry)
            _refuse(section, ("file",), "which is one document for values of several hosts")
            one = _declaration(entry, Shared(), section)
            return tuple(one._replace(scope=OnHost(host), each=among) for host in hosts)
        case str():
            section = _section(entry, "hosts")
            _refuse(section, OF_SYSTEM, "which sops-nix has not in Home Manager")
            one = _declaration(entry, Shared(), section)
            hosts = _homes(entry, section, manifest)
            return tuple(one._replace(scope=AtHome(host, place)) for host in hosts)
        case Admins():
            section = _section(entry)
            _refuse(section, OF_DELIVERY, "which is of no use: it is delivered nowhere")
            return (_declaration(entry, place, section)._replace(deliver=False),)
        case _:
            return (_declaration(entry, place, _section(entry)),)


def _section(entry: Entry, *more: str) -> Section:
    return closed(entry.value, "a declaration", (*KEYS, *more))


def _refuse(section: Section, names: tuple[str, ...], why: str) -> None:
    for name in names:
        if entry := section.entry(name):
            raise entry.name.at.fault(f"{name!r} stands here, {why}", "take it out")


def _homes(entry: Entry, section: Section, manifest: Manifest) -> tuple[HostName, ...]:
    names = section.names("hosts")
    if not names:
        raise entry.name.at.fault(
            f"{entry.name.text!r} of a home names no host", "say `hosts: [HOST]`"
        )
    known = {str(host.name): host.name for host in manifest.hosts}
    return tuple(one_of(name, "host", known) for name in distinct(names))


def _declaration(entry: Entry, scope: Scope, section: Section) -> Declaration:
    generator = section.node("generator")
    host_file = read_host_file(section)
    declaration = Declaration(
        name=parsed(entry.name, parse_secret_name),
        scope=scope,
        deliver=section.flag("deliver", default=True),
        owner=host_file.owner,
        group=host_file.group,
        mode=host_file.mode,
        restart_units=host_file.restart_units,
        needed_for_users=section.flag("needed-for-users", default=False),
        consumers=tuple(parsed(option, _consumer) for option in section.texts("consumers")),
        path=host_file.path,
        reload_units=host_file.reload_units,
        description=section.prose("description"),
        max_age=section.read("max-age", _days),
        rotation=section.prose("rotation"),
        generator=parse_generator(generator) if generator else None,
        key=section.read("key", _key),
        file=section.read("file", parse_path),
        whole_file=section.flag("whole-file", default=False),
        line=entry.name.at.line,
    )
    _check_sense(section, declaration)
    return declaration


def _check_sense(section: Section, declaration: Declaration) -> None:
    for name in ("owner", "group"):
        if declaration.needed_for_users and (entry := section.entry(name)):
            raise entry.name.at.fault(
                f"{name!r} beside 'needed-for-users': there are no users yet, root owns the file",
                "take one of the two out",
            )
    if declaration.whole_file and (entry := section.entry("key")):
        raise entry.name.at.fault(
            "'key' beside 'whole-file': the value is all that the document holds",
            "take one of the two out",
        )
    if declaration.consumers and not declaration.deliver and (entry := section.entry("consumers")):
        raise entry.name.at.fault(
            "'consumers' of a secret that is not delivered", "take out 'deliver: false'"
        )


def _days(text: str) -> int:
    if not re.fullmatch(DAYS, text):
        raise RepositoryError(f"{text!r} is no number of days", hint="write it like 365d")
    return int(text.removesuffix("d"))


def _key(text: str) -> str:
    """Return the path of a leaf; sops-nix takes every `/` in it for a level."""
    if not all(text.split("/")):
        raise RepositoryError(
            f"{text!r} is no key path", hint="write the mapping keys with '/' between them"
        )
    if text.split("/", maxsplit=1)[0] == "sops":
        raise RepositoryError(f"{text!r} begins with 'sops', which sops keeps for itself")
    return text


def _consumer(text: str) -> str:
    components = re.findall(_ATTRIBUTE, text)
    if not re.fullmatch(CONSUMER, text) or _NIX_KEYWORDS.intersection(components):
        raise RepositoryError(
            f"{text!r} is no path of a NixOS option",
            hint="write it like services.nextcloud.config.adminpassFile",
        )
    return text
