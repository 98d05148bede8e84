"""A recipe: what a known service needs, as a data file; its text read into values.

What it declares is written as in the manifest, with `{parameter}` wherever a name is to be filled
in, and read by the same code.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.errors import RepositoryError, UsageError
from nixsecrets.fleet.names import is_user_name, nearest
from nixsecrets.fleet.outline import Entry, Node, Scalar, decode, parse_outline
from nixsecrets.fleet.recipe_filling import (
    CONDITION,
    Condition,
    Item,
    Line,
    Stated,
    Values,
    fill,
    fill_option,
    fill_text,
    without_condition,
)
from nixsecrets.fleet.section import (
    Section,
    as_list,
    as_mapping,
    as_text,
    closed,
    one_of,
    parsed,
)

__all__ = ["Filled", "Parameter", "Recipe", "filled", "parse_recipe", "values_of"]

USER = "user"
HOST = "host"
_KEYS = ("summary", "parameters", "secrets", "templates", "nix", "notes")
_DELIVERED = "delivered"
_ADMINS = "admins"
_PARAMETER = r"[a-z][a-z0-9-]{0,31}"
# Nothing in it ends a string of Nix or of a shell, or begins an interpolation.
_VALUE = r"[A-Za-z0-9_/][A-Za-z0-9_./:@+-]{0,254}"
_SAMPLE = "sample"


class Parameter(NamedTuple):
    """What a recipe is told when it is added.

    Args:
        name: as it stands in braces.
        description: what it means.
        default: None: it has to be said.
        choices: none: any name, path or address.
    """

    name: str
    description: str
    default: str | None = None
    choices: tuple[str, ...] = ()


class Recipe(NamedTuple):
    """Equal to its file; `filled` makes declarations of it.

    Args:
        name: the file's, without its suffix.
        summary: one clause.
        origin: the file, of a repository's own; None: it came with the tool.
        parameters: in the file's order.
        admins: what no host needs, such as the password behind a hash.
        delivered: what the host, the group or every host is given.
        templates: files with such values in them.
        lines: Nix that is needed beside the wiring.
        notes: what else is to be known.
    """

    name: str
    summary: str
    origin: PurePosixPath | None
    parameters: tuple[Parameter, ...]
    admins: tuple[Item, ...]
    delivered: tuple[Item, ...]
    templates: tuple[Item, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]


class Filled(NamedTuple):
    """A recipe with its parameters said; see `Recipe`."""

    stated: Stated
    lines: tuple[Line, ...]
    notes: tuple[str, ...]


def parse_recipe(content: bytes, name: str, origin: PurePosixPath | None = None) -> Recipe:
    """Return the recipe that a file holds; it is also filled, with every choice there is.

    Args:
        content: the file.
        name: see `Recipe`.
        origin: see `Recipe`.

    Raises:
        RepositoryError: it is no recipe, or declares what no manifest may; with line and column.
    """
    root = closed(parse_outline(decode(content)), "a recipe", _KEYS)
    summary = root.text("summary")
    if summary is None:
        raise root.mapping.at.fault("a recipe without a summary", "say `summary: WHAT IT IS FOR`")
    parameters = tuple(
        _parameter(entry) for entry in as_mapping(root.node("parameters"), "parameters").entries
    )
    secrets = closed(root.node("secrets"), "secrets", (_ADMINS, _DELIVERED))
    recipe = Recipe(
        name,
        summary.text,
        origin,
        parameters,
        tuple(_items(secrets.node(_ADMINS), _ADMINS, parameters)),
        tuple(_items(secrets.node(_DELIVERED), _DELIVERED, parameters)),
        tuple(_items(root.node("templates"), "templates", parameters)),
        tuple(_line(node, parameters) for node in _listed(root, "nix")),
        tuple(as_text(node, "each of 'notes'").text for node in _listed(root, "notes")),
    )
    for values in _samples(parameters):
        filled(recipe, values)
    return recipe


def values_of(recipe: Recipe, given: Mapping[str, str]) -> Values:
    """Return a value for each parameter of a recipe.

    Args:
        recipe: whose.
        given: what the user said, by parameter.

    Raises:
        UsageError: a parameter is unknown, is missing or has a value that cannot be.
    """
    known = {one.name for one in recipe.parameters}
    for name in given:
        if name not in known and name != HOST:
            near = nearest(name, known) or tuple(sorted(known - {HOST}))
            raise UsageError(
                f"the recipe {recipe.name} has no parameter {name!r}",
                hint=f"it has {', '.join(near)}" if near else "it has none",
            )
    return {one.name: _value_of(recipe, one, given.get(one.name)) for one in recipe.parameters}


def filled(recipe: Recipe, values: Values) -> Filled:
    """Return what a recipe comes to.

    Args:
        recipe: whose.
        values: one for each parameter, see `values_of`.

    Raises:
        RepositoryError: what it declares cannot be, with these values; with line and column.
    """
    sections = (recipe.admins, recipe.delivered, recipe.templates)
    admins, delivered, templates = (
        tuple(item for item in items if _holds(item.condition, values)) for items in sections
    )
    return Filled(
        fill(admins, delivered, templates, values),
        tuple(
            one._replace(
                text=fill_text(one.text, values, one.at),
                sets=tuple(fill_option(option, values, one.at) for option in one.sets),
            )
            for one in recipe.lines
            if _holds(one.condition, values)
        ),
        tuple(fill_text(note, values, None) for note in recipe.notes),
    )


def _holds(condition: Condition, values: Values) -> bool:
    return all(values[name] == wanted for name, wanted in condition)


def _samples(parameters: tuple[Parameter, ...]) -> Iterator[Values]:
    """Yield values with which a recipe is tried: each choice once, the rest as it is by default."""
    usual = {one.name: one.default or (*one.choices, _SAMPLE)[0] for one in parameters}
    yield usual
    for one in parameters:
        for choice in one.choices:
            yield {**usual, one.name: choice}


def _value_of(recipe: Recipe, parameter: Parameter, given: str | None) -> str:
    name = parameter.name
    option = {USER: "--for USER", HOST: "--host HOST"}.get(name, f"--set {name}=VALUE")
    value = parameter.default if given is None else given
    if value is None:
        raise UsageError(
            f"the recipe {recipe.name} is to be told its {name}: {parameter.description}",
            hint=f"say {option}",
        )
    if parameter.choices and value not in parameter.choices:
        raise UsageError(
            f"{value!r} is no {name!r} of the recipe {recipe.name}",
            hint=f"it is one of {', '.join(parameter.choices)}",
        )
    if not re.fullmatch(_VALUE, value) or (name == USER and not is_user_name(value)):
        raise UsageError(
            f"{value!r} cannot be the {name} of a recipe",
            hint="use letters, digits and any of _ . / : @ + -",
        )
    return value


def _parameter(entry: Entry) -> Parameter:
    name = parsed(entry.name, _parameter_name)
    section = closed(entry.value, "a parameter", ("description", "default", "choices"))
    description, default = section.text("description"), section.text("default")
    choices = tuple(choice.text for choice in section.texts("choices"))
    if description is None:
        raise entry.name.at.fault(
            f"the parameter {name!r} has no description", "say `description: WHAT IT MEANS`"
        )
    if default and choices and default.text not in choices:
        raise default.at.fault(f"{default.text!r} is none of the choices of {name!r}")
    return Parameter(name, description.text, default.text if default else None, choices)


def _parameter_name(text: str) -> str:
    if not re.fullmatch(_PARAMETER, text):
        raise RepositoryError(
            f"{text!r} is no name of a parameter", hint="use lower case letters, digits and '-'"
        )
    return text


def _items(node: Node | None, what: str, parameters: tuple[Parameter, ...]) -> Iterator[Item]:
    for entry in as_mapping(node, what).entries:
        fields = as_mapping(entry.value, f"{what}.{entry.name.text}")
        condition = _condition(fields.find(CONDITION), parameters)
        yield Item(entry.name, without_condition(fields), condition)


def _line(node: Node, parameters: tuple[Parameter, ...]) -> Line:
    section = closed(node, "'nix'", ("sets", "text", CONDITION))
    sets, text = section.texts("sets"), section.node("text")
    if not sets or not isinstance(text, Scalar) or not text.text.strip():
        raise node.at.fault(
            "each of 'nix' has a 'text', and says which options it 'sets'",
            "write `- { sets: [services.x.y], text: services.x.y = 1; }`",
        )
    condition = _condition(section.entry(CONDITION), parameters)
    return Line(text.text.rstrip(), tuple(one.text for one in sets), condition, text.at)


def _condition(entry: Entry | None, parameters: tuple[Parameter, ...]) -> Condition:
    if entry is None:
        return ()
    known = {one.name: one for one in parameters if one.choices}
    found: list[tuple[str, str]] = []
    for each in as_mapping(entry.value, CONDITION).entries:
        parameter = one_of(each.name, "parameter", known)
        choice = as_text(each.value, repr(parameter.name))
        if choice.text not in parameter.choices:
            raise choice.at.fault(
                f"{choice.text!r} is none of the choices of {parameter.name!r}",
                f"use {' or '.join(parameter.choices)}",
            )
        found.append((parameter.name, choice.text))
    return tuple(found)


def _listed(root: Section, name: str) -> tuple[Node, ...]:
    node = root.node(name)
    return () if node is None else as_list(node, repr(name))
