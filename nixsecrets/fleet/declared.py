"""The manifest's `secrets`: which secrets should exist, and for whom."""

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.model import Declaration, InGroup, Manifest, OnHost, Scope, Shared
from nixsecrets.fleet.names import parse_secret_name
from nixsecrets.fleet.outline import Entry, Node, Span
from nixsecrets.fleet.section import Section, as_mapping, closed, one_of, parsed

PlacedDeclaration: TypeAlias = tuple[Span, Declaration]

_SCOPES = ("shared", "groups", "hosts")
_LATER_SCOPES = ("admins", "each", "home")
_KEYS = (
    "deliver",
    "owner",
    "group",
    "mode",
    "restart-units",
    "needed-for-users",
    "consumers",
)
_LATER_KEYS = (
    "description",
    "generator",
    "path",
    "key",
    "file",
    "whole-file",
    "reload-units",
    "max-age",
    "rotation",
)
_OCTAL = r"[0-7]{3,4}"
# An attribute path of Nix without interpolation (Nix manual, "Identifiers", "String literals").
_ATTRIBUTE = r"""(?:[A-Za-z_][A-Za-z0-9_'-]*|"[^"\\$]+")"""
_CONSUMER = rf"{_ATTRIBUTE}(?:\.{_ATTRIBUTE})*"
_NIX_KEYWORDS = frozenset({"assert", "else", "if", "in", "inherit", "let", "rec", "then", "with"})


def parse_declarations(node: Node | None, manifest: Manifest) -> tuple[PlacedDeclaration, ...]:
    """Return the declarations in the file's order, each with the place of its name.

    Args:
        node: the value of `secrets`.
        manifest: with its hosts and groups.

    Raises:
        RepositoryError: with line and column.
    """
    scopes = closed(node, "secrets", _SCOPES, _LATER_SCOPES)
    return tuple(
        (name.name.at, _declaration(name, scope))
        for entry in scopes.mapping.entries
        for scope, names in _scopes(entry, manifest)
        for name in as_mapping(names.value, f"secrets of {scope.prefix}").entries
    )


def _scopes(entry: Entry, manifest: Manifest) -> Iterator[tuple[Scope, Entry]]:
    """Yield each scope of one section of `secrets`, with the entry that holds its names."""
    known: Mapping[str, Scope]
    match entry.name.text:
        case "shared":
            yield Shared(), entry
            return
        case "groups":
            what, known = "group", {group.name: InGroup(group.name) for group in manifest.groups}
        case _:
            what, known = "host", {host.name: OnHost(host.name) for host in manifest.hosts}
    for inner in as_mapping(entry.value, f"secrets.{entry.name.text}").entries:
        yield one_of(inner.name, what, known), inner


def _declaration(entry: Entry, scope: Scope) -> Declaration:
    name = parsed(entry.name, parse_secret_name)
    section = closed(entry.value, "a declaration", _KEYS, _LATER_KEYS)
    owner, group = section.text("owner"), section.text("group")
    declaration = Declaration(
        name=name,
        scope=scope,
        deliver=section.flag("deliver", default=True),
        owner=owner.text if owner else None,
        group=group.text if group else None,
        mode=section.read("mode", _mode),
        restart_units=tuple(unit.text for unit in section.texts("restart-units")),
        needed_for_users=section.flag("needed-for-users", default=False),
        consumers=tuple(parsed(option, _consumer) for option in section.texts("consumers")),
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
    if declaration.consumers and not declaration.deliver and (entry := section.entry("consumers")):
        raise entry.name.at.fault(
            "'consumers' of a secret that is not delivered", "take out 'deliver: false'"
        )


def _mode(text: str) -> str:
    if not re.fullmatch(_OCTAL, text):
        raise RepositoryError(f"the mode {text!r} is not octal", hint='write it like "0400"')
    return text


def _consumer(text: str) -> str:
    components = re.findall(_ATTRIBUTE, text)
    if not re.fullmatch(_CONSUMER, text) or _NIX_KEYWORDS.intersection(components):
        raise RepositoryError(
            f"{text!r} is no path of a NixOS option",
            hint="write it like services.nextcloud.config.adminpassFile",
        )
    return text
