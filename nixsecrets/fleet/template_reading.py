"""The manifest's `templates`: which texts with values in them a host is to have."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.hostfile import read_host_file
from nixsecrets.fleet.model import InGroup, Manifest, OnHost, Shared
from nixsecrets.fleet.outline import Entry, Node, Scalar, Span
from nixsecrets.fleet.section import as_mapping, closed, is_typed, one_of, parsed
from nixsecrets.fleet.templates import Template, parse_content

SCOPES = ("shared", "groups", "hosts")
KEYS = ("content", "owner", "group", "mode", "path", "restart-units", "reload-units")
# A file's name in /run/secrets/rendered, and in Nix's store: sops-nix calls `writeText` with it.
NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"

_Scope: TypeAlias = Shared | InGroup | OnHost


class PlacedTemplate(NamedTuple):
    """A template, and the places of its name and its text."""

    at: Span
    content_at: Span
    template: Template


def parse_templates(node: Node | None, manifest: Manifest) -> tuple[PlacedTemplate, ...]:
    """Return the templates in the file's order.

    Args:
        node: the value of `templates`.
        manifest: with its hosts and groups.

    Raises:
        RepositoryError: with line and column.
    """
    scopes = closed(node, "templates", SCOPES)
    return tuple(
        _template(entry, scope)
        for section in scopes.mapping.entries
        for what, scope, names in _places(section, manifest)
        for entry in as_mapping(names.value, what).entries
    )


def _places(section: Entry, manifest: Manifest) -> Iterator[tuple[str, _Scope, Entry]]:
    """Yield whose each part of one section is, and the entry that holds its names."""
    kind, spelled = section.name.text, f"templates.{section.name.text}"
    if kind == "shared":
        yield spelled, Shared(), section
        return
    known: Mapping[str, _Scope] = (
        {host.name: OnHost(host.name) for host in manifest.hosts}
        if kind == "hosts"
        else {group.name: InGroup(group.name) for group in manifest.groups}
    )
    for names in as_mapping(section.value, spelled).entries:
        what = f"{spelled}.{names.name.text}"
        yield what, one_of(names.name, kind.removesuffix("s"), known), names


def _template(entry: Entry, scope: _Scope) -> PlacedTemplate:
    section = closed(entry.value, "a template", KEYS)
    name = parsed(entry.name, _name)
    content = section.node("content")
    if content is None:
        raise entry.name.at.fault(f"the template {name!r} has no content", "say `content: TEXT`")
    text = _text(content)
    host_file = read_host_file(section)
    template = Template(
        name=name,
        scope=scope,
        content=parsed(text, parse_content),
        owner=host_file.owner,
        group=host_file.group,
        mode=host_file.mode,
        path=host_file.path,
        restart_units=host_file.restart_units,
        reload_units=host_file.reload_units,
        line=entry.name.at.line,
    )
    return PlacedTemplate(entry.name.at, text.at, template)


def _name(text: str) -> str:
    if not re.fullmatch(NAME, text):
        raise RepositoryError(
            f"{text!r} is no name of a template",
            hint="use letters, digits, '.', '_' and '-': it is a file's name",
        )
    return text


def _text(node: Node) -> Scalar:
    if not isinstance(node, Scalar):
        raise node.at.fault("'content' must be a string")
    if is_typed(node):
        raise node.at.fault("'content' must be a string", "write it in double quotes")
    if "\0" in node.text:
        raise node.at.fault("'content' holds a NUL, which no string of Nix can")
    return node
