"""recipes and add."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from nixsecrets.cli import generate
from nixsecrets.cli.app import find_app, in_color, read_file, require_manifest, tell
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.writing import WritingApp
from nixsecrets.cli.writing import find_app as find_writing_app
from nixsecrets.errors import UsageError
from nixsecrets.fleet import cookbook
from nixsecrets.fleet.generator import (
    X509,
    Age,
    Command,
    Prompt,
    SshEd25519,
    Wireguard,
    references,
)
from nixsecrets.fleet.model import Declaration, InGroup, OnHost, Shared
from nixsecrets.fleet.names import parse_group_name, parse_host_name
from nixsecrets.fleet.outline import Scalar
from nixsecrets.fleet.recipe import HOST, USER, Parameter, Recipe, values_of
from nixsecrets.fleet.recipe_filling import Item
from nixsecrets.generators.generated import Generated, Inputs
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import recipes
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.recipes import Order, Receivers
from nixsecrets.report import json, text
from nixsecrets.report.table import Table
from nixsecrets.system import terminal

_HELD_BY_PEM = b"-----BEGIN "


@click.command("recipes")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def recipes_command(name: str | None, as_json: bool) -> None:
    """List what `add` knows, or say what NAME needs.

    A recipe is a data file. A repository's own are `recipes/*.yaml` beside its manifest; one of
    the same name takes the place of ours.
    """
    sources = find_app().read().sources
    table = (
        _listing(cookbook.known(sources))
        if name is None
        else Table(("part", "name", "about"), tuple(_parts(cookbook.find(sources, name))))
    )
    click.echo(json.render_table(table) if as_json else text.render_table(table, color=in_color()))


@click.command("add")
@click.argument("recipe")
@click.option("--host", metavar="HOST", help="For this host.")
@click.option("--group", metavar="GROUP", help="For each host of the group, one value.")
@click.option("--shared", is_flag=True, help="For every host, one value.")
@click.option("--for", "user", metavar="USER", help="The recipe's `user`.")
@click.option("--set", "settings", metavar="PARAMETER=VALUE", multiple=True, help="See `recipes`.")
@click.option(
    "--value-from",
    "files",
    metavar="NAME=FILE",
    multiple=True,
    help="A value is a file's (`-` is stdin), not generated and not asked for.",
)
@consent_options
def add_command(
    recipe: str,
    host: str | None,
    group: str | None,
    shared: bool,
    user: str | None,
    settings: tuple[str, ...],
    files: tuple[str, ...],
    consent: Consent,
) -> None:
    """Declare what the service RECIPE needs, make its values, and wire them.

    What is declared already stays as it is. `nixsecrets recipes` lists the recipes.
    """
    scope = _receivers(host, group, shared=shared)
    given = {HOST: host, USER: user, **_pairs("--set", settings)}
    app = find_writing_app()
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        found = cookbook.find(repository.sources, recipe)
        values = values_of(found, {name: said for name, said in given.items() if said})
        making = _Making(app, consent, found, _pairs("--value-from", files))
        order = Order(found, scope, values)
        draft = recipes.add(Draft(repository), order, app.unlock, making.make, app.now)
        making.refuse_unused()
        carry_out(app, draft.plan(f"add {recipe}"), consent)


def _receivers(host: str | None, group: str | None, *, shared: bool) -> Receivers:
    options = {"--host": host, "--group": group, "--shared": shared}
    given = [option for option, said in options.items() if said]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} were given, and a secret has one scope")
    if host:
        return OnHost(parse_host_name(host))
    if group:
        return InGroup(parse_group_name(group))
    if shared:
        return Shared()
    raise UsageError("nothing says whom it is for", hint="say --host, --group or --shared")


def _pairs(option: str, texts: tuple[str, ...]) -> Mapping[str, str]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise UsageError(f"{option} wants NAME=VALUE, and {name!r} is none")
    names = [name for name, _, _ in pairs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"{option} {min(twice)} was given twice")
    return {name: value for name, _, value in pairs}


class _Making:
    """Makes the values of a recipe: of files that the user named, else as they are declared."""

    def __init__(
        self, app: WritingApp, consent: Consent, recipe: Recipe, files: Mapping[str, str]
    ) -> None:
        self._app = app
        self._consent = consent
        self._recipe = recipe
        self._files = dict(files)

    def make(self, declaration: Declaration, inputs: Inputs) -> Generated:
        for spelled in (str(declaration.address), str(declaration.name)):
            if file := self._files.pop(spelled, None):
                return Generated(_value_in(declaration, file))
        generator = declaration.generator
        if isinstance(generator, Prompt) and not self._consent.dry_run:
            _require_terminal(declaration)
        if isinstance(generator, Command):
            origin = self._recipe.origin or self._recipe.name
            tell(f"{origin} has {declaration.address} made by {shlex.join(generator.arguments)}")
        return generate.made(self._app, self._consent, declaration, inputs)

    def refuse_unused(self) -> None:
        if self._files:
            raise UsageError(
                f"{next(iter(self._files))} is no value that is made now",
                hint="`nixsecrets set NAME` changes one that is there",
            )


def _require_terminal(declaration: Declaration) -> None:
    if not terminal.is_interactive():
        raise UsageError(
            "it is to be typed, and stdin is no terminal",
            hint=f"say --value-from {declaration.name}=FILE",
        )


def _value_in(declaration: Declaration, file: str) -> Plaintext:
    """Return a file's content; a final newline is left out, which editors add and PEM needs."""
    generator = declaration.generator
    if generator and references(generator):
        raise UsageError(
            "it is made from another value", hint=f"say --value-from {references(generator)[0]}="
        )
    if isinstance(generator, SshEd25519 | Wireguard | Age | X509):
        raise UsageError("it has a public half, which no file of one value gives")
    value = terminal.read_stdin() if file == "-" else Plaintext(read_file(Path(file)))
    content = value.reveal()
    if content.startswith(_HELD_BY_PEM):
        return value
    return Plaintext(content.removesuffix(b"\n").removesuffix(b"\r"))


def _listing(known: tuple[Recipe, ...]) -> Table:
    return Table(
        ("recipe", "parameters", "what for"),
        tuple(
            (
                recipe.name,
                ", ".join(map(_spelled, recipe.parameters)),
                recipe.summary + (f" ({recipe.origin})" if recipe.origin else ""),
            )
            for recipe in known
        ),
    )


def _spelled(parameter: Parameter) -> str:
    return parameter.name if parameter.default is None else f"[{parameter.name}]"


def _parts(recipe: Recipe) -> Iterator[tuple[str, str, str]]:
    yield "recipe", recipe.name, recipe.summary
    for parameter in recipe.parameters:
        choices = f" ({', '.join(parameter.choices)})" if parameter.choices else ""
        default = f"; {parameter.default} by default" if parameter.default else ""
        yield "parameter", parameter.name, f"{parameter.description}{choices}{default}"
    for item in recipe.admins:
        yield "secret for admins", item.name.text, _about(item)
    for item in recipe.delivered:
        yield "secret", item.name.text, _about(item)
    for item in recipe.templates:
        yield "template", item.name.text, ""
    for line in recipe.lines:
        for option in line.sets:
            yield "yours to set", option, ""
    for note in recipe.notes:
        yield "note", "", note


def _about(item: Item) -> str:
    entry = item.fields.find("description")
    value = entry.value if entry else None
    return value.text if isinstance(value, Scalar) else ""
