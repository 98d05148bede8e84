"""A recipe's parts with its parameters filled in, read as the manifest's are."""

import re
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.crosscheck import check_generators
from nixsecrets.fleet.declared import PlacedDeclaration, parse_declarations
from nixsecrets.fleet.insertion import Map, Typed, Value
from nixsecrets.fleet.model import Declaration, Manifest
from nixsecrets.fleet.outline import Entry, Node, Scalar, Sequence, Span
from nixsecrets.fleet.outline import Mapping as MappingNode
from nixsecrets.fleet.section import is_typed
from nixsecrets.fleet.template_reading import PlacedTemplate, parse_templates
from nixsecrets.fleet.templates import Template
from nixsecrets.nix.render import render_component

CONDITION = "only-with"
Condition: TypeAlias = tuple[tuple[str, str], ...]
"""Parameters and what they must be."""
Values: TypeAlias = Mapping[str, str]
"""Of a recipe's parameters."""

_CONSUMERS = "consumers"
# Neither an interpolation of Nix (`${x}`) nor a template's placeholder (`{{ x }}`).
_PLACEHOLDER = re.compile(r"(?<![{$])\{([a-z][a-z0-9-]*)\}(?!\})")
_NOWHERE = Span(0, 0, 1, 1)


class Item(NamedTuple):
    """One entry for the manifest, not filled in."""

    name: Scalar
    fields: MappingNode
    condition: Condition


class Line(NamedTuple):
    """Nix for a person's own configuration.

    Args:
        text: a definition, or several.
        sets: the options that it sets.
        condition: when it is needed.
        at: where it stands in the recipe.
    """

    text: str
    sets: tuple[str, ...]
    condition: Condition
    at: Span


class Entries(NamedTuple):
    """What the manifest gains under one name."""

    name: str
    fields: Map


class Stated(NamedTuple):
    """What a recipe declares, each with what it is written as.

    What hosts are given has the scope of all hosts here; `add` says which.
    """

    declarations: tuple[tuple[Declaration, Entries], ...]
    templates: tuple[tuple[Template, Entries], ...]


def fill(
    admins: tuple[Item, ...],
    delivered: tuple[Item, ...],
    templates: tuple[Item, ...],
    values: Values,
) -> Stated:
    """Return what the parts of a recipe declare.

    Raises:
        RepositoryError: an unknown parameter in braces, or what no manifest may say; with line
            and column.
    """
    secrets = {"admins": _mapping(admins, values), "shared": _mapping(delivered, values)}
    texts = _mapping(templates, values)
    declared = parse_declarations(_section(secrets), Manifest())
    rendered = parse_templates(_section({"shared": texts}), Manifest())
    check_generators(declared)
    _check_templates(rendered, declared)
    written = (entry for node in secrets.values() for entry in node.entries)
    return Stated(
        tuple((one, _entries(entry)) for (_, one), entry in zip(declared, written, strict=True)),
        tuple(
            (one.template, _entries(entry))
            for one, entry in zip(rendered, texts.entries, strict=True)
        ),
    )


def _check_templates(
    templates: tuple[PlacedTemplate, ...], declared: tuple[PlacedDeclaration, ...]
) -> None:
    known = {one.name for _, one in declared if one.deliver and not one.needed_for_users}
    for placed in templates:
        for name in placed.template.names:
            if name not in known:
                raise placed.content_at.fault(
                    f"the recipe delivers no {name!r}, which a template holds",
                    "declare it under `secrets.delivered:`",
                )


def _section(nodes: Mapping[str, MappingNode]) -> MappingNode:
    entries = (Entry(Scalar(name, plain=True, at=_NOWHERE), node) for name, node in nodes.items())
    return MappingNode(tuple(entries), flow=False, at=_NOWHERE)


def fill_text(text: str, values: Values, at: Span | None) -> str:
    """Return a text with its parameters filled in.

    Raises:
        RepositoryError: an unknown one; at `at`.
    """
    unknown = [name for name in _PLACEHOLDER.findall(text) if name not in values]
    if unknown:
        raise (at or _NOWHERE).fault(
            f"{{{unknown[0]}}} is no parameter of the recipe", "name it under `parameters:`"
        )
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def fill_option(option: str, values: Values, at: Span) -> str:
    """Return an option's path with its parameters filled in, in quotes where Nix needs them."""
    spelled = {parameter: render_component(value) for parameter, value in values.items()}
    return fill_text(option, spelled, at)


def without_condition(fields: MappingNode) -> MappingNode:
    return fields._replace(
        entries=tuple(entry for entry in fields.entries if entry.name.text != CONDITION)
    )


def _mapping(items: tuple[Item, ...], values: Values) -> MappingNode:
    entries: dict[str, Entry] = {}
    for item in items:
        name = _filled(item.name, values)
        if name.text in entries:
            raise name.at.fault(f"{name.text!r} stands here twice")
        entries[name.text] = Entry(name, _filled_below(item.fields, values))
    return MappingNode(tuple(entries.values()), flow=False, at=_NOWHERE)


def _filled_below(node: Node, values: Values) -> Node:
    match node:
        case Scalar():
            return _filled(node, values)
        case Sequence():
            return node._replace(items=tuple(_filled_below(item, values) for item in node.items))
        case MappingNode():
            return node._replace(
                entries=tuple(_filled_entry(entry, values) for entry in node.entries)
            )


def _filled_entry(entry: Entry, values: Values) -> Entry:
    name = _filled(entry.name, values)
    if name.text == _CONSUMERS:
        values = {parameter: render_component(value) for parameter, value in values.items()}
    return Entry(name, _filled_below(entry.value, values))


def _filled(scalar: Scalar, values: Values) -> Scalar:
    text = fill_text(scalar.text, values, scalar.at)
    return scalar if text == scalar.text else Scalar(text, plain=False, at=scalar.at)


def _entries(entry: Entry) -> Entries:
    fields = entry.value.entries if isinstance(entry.value, MappingNode) else ()
    return Entries(
        entry.name.text,
        Map(tuple((field.name.text, _value(field.value)) for field in fields), block=True),
    )


def _value(node: Node) -> Value:
    match node:
        case Scalar():
            return Typed(node.text) if is_typed(node) else node.text
        case Sequence(items):
            return tuple(_text(item) for item in items)
        case MappingNode(entries):
            return Map(tuple((entry.name.text, _value(entry.value)) for entry in entries))


def _text(node: Node) -> str:
    if isinstance(node, Scalar):
        return node.text
    raise RepositoryError("a list in a list", line=node.at.line, column=node.at.column)
