"""Recipes are data: each fault has its place, and each option that they name exists in NixOS."""

import json
from importlib.resources import files
from pathlib import Path
from typing import TypedDict

import pytest

from nixsecrets.errors import RepositoryError, UsageError
from nixsecrets.fleet.generator import HashedPassword, Password
from nixsecrets.fleet.model import Admins
from nixsecrets.fleet.recipe import Filled, Recipe, filled, parse_recipe, values_of
from nixsecrets.nix.render import parse_option_path
from tests.nix.real import assert_parses

SHIPPED = {
    file.name.removesuffix(".yaml"): file.read_bytes()
    for file in (files("nixsecrets") / "recipes").iterdir()
    if file.name.endswith(".yaml")
}
FIRST = [
    "nextcloud",
    "nextcloud-backup",
    "user-password",
    "nix-access-token",
    "wifi",
    "tailscale",
    "wireguard",
    "syncthing",
    "postgresql-role",
    "samba",
]
TAKES_A_PATH = {"str", "nullOr str", "path", "nullOr path"}

SMALL = """\
summary: a service
parameters:
  user: { description: the account }
  database: { description: where, default: local, choices: [local, password] }
secrets:
  admins:
    "{user}/clear": { generator: passphrase }
  delivered:
    "{user}/hash":
      generator: { hashed-password: { of: "admins:{user}/clear" } }
      consumers: ["users.users.{user}.hashedPasswordFile"]
    service/db:
      only-with: { database: password }
      generator: { password: { length: 20 } }
    service/token: { generator: prompt }
templates:
  service.env: { content: "T={{ service/token }} {user}\\n" }
nix:
  - { sets: ["services.x.{user}"], text: 'services.x."{user}" = "${config.y}";' }
notes: ["told to {user}"]
"""


class Option(TypedDict):
    """A NixOS option as a module's own file declares it."""

    option: str
    type: str
    repository: str
    commit: str
    file: str


OPTIONS: list[Option] = json.loads(
    (Path(__file__).parent.parent / "recipes/options.json").read_text()
)


def shipped(name: str) -> Recipe:
    return parse_recipe(SHIPPED[name], name)


def every_filling(recipe: Recipe) -> list[Filled]:
    """Fill a recipe with names that are no identifiers of Nix, and with each choice."""
    usual = {one.name: (one.choices or ("a-b",))[0] for one in recipe.parameters}
    choices = [{one.name: choice} for one in recipe.parameters for choice in one.choices]
    return [filled(recipe, values_of(recipe, {**usual, **one})) for one in ({}, *choices)]


def find_option(path: str) -> Option | None:
    def matches(pattern: str) -> bool:
        wanted, found = pattern.split("."), parse_option_path(path)
        pairs = zip(wanted, found, strict=False)
        return len(wanted) == len(found) and all(one in ("<name>", other) for one, other in pairs)

    return next((option for option in OPTIONS if matches(option["option"])), None)


def test_what_was_promised_first_is_there() -> None:
    assert set(FIRST) <= SHIPPED.keys()


@pytest.mark.parametrize("name", SHIPPED)
def test_every_consumer_of_a_recipe_is_an_option_that_takes_a_path(name: str) -> None:
    for one in every_filling(shipped(name)):
        for declaration, _ in one.stated.declarations:
            for consumer in declaration.consumers:
                option = find_option(consumer)
                assert option is not None, consumer
                assert option["type"] in TAKES_A_PATH, consumer


@pytest.mark.parametrize("name", SHIPPED)
def test_the_nix_that_a_recipe_asks_for_is_nix_and_sets_options_that_there_are(name: str) -> None:
    for one in every_filling(shipped(name)):
        for line in one.lines:
            assert_parses(f"{{ config, pkgs, ... }}:\n{{\n{line.text}\n}}\n".encode())
            for option in line.sets:
                assert find_option(option) is not None, option


def test_the_table_of_options_has_no_row_that_nothing_asks_for() -> None:
    fillings = [one for name in SHIPPED for one in every_filling(shipped(name))]
    consumers = [
        option
        for one in fillings
        for found, _ in one.stated.declarations
        for option in found.consumers
    ]
    lines = [option for one in fillings for line in one.lines for option in line.sets]
    asked = [find_option(option) for option in (*consumers, *lines)]
    assert [option for option in OPTIONS if option not in asked] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_every_secret_of_a_recipe_says_what_it_is_and_how_it_is_made(name: str) -> None:
    for one in every_filling(shipped(name)):
        for declaration, _ in one.stated.declarations:
            assert declaration.description, declaration.name
            assert declaration.generator, declaration.name


def test_a_hash_is_delivered_and_the_password_behind_it_is_for_admins() -> None:
    recipe = shipped("user-password")

    one = filled(recipe, values_of(recipe, {"user": "miscguy"}))

    clear, hashed = (declaration for declaration, _ in one.stated.declarations)
    assert (clear.scope, clear.deliver, clear.consumers) == (Admins(), False, ())
    assert isinstance(hashed.generator, HashedPassword)
    assert hashed.generator.of == "admins:miscguy/password"
    assert hashed.needed_for_users
    assert hashed.consumers == ("users.users.miscguy.hashedPasswordFile",)


def test_a_recipe_is_filled_wherever_its_parameters_stand() -> None:
    recipe = parse_recipe(SMALL.encode(), "small")

    one = filled(recipe, values_of(recipe, {"user": "a.b", "database": "password"}))

    names = [declaration.name for declaration, _ in one.stated.declarations]
    assert names == ["a.b/clear", "a.b/hash", "service/db", "service/token"]
    consumers = one.stated.declarations[1][0].consumers
    assert consumers == ('users.users."a.b".hashedPasswordFile',)
    assert one.stated.declarations[2][0].generator == Password(20)
    assert one.stated.templates[0][0].content[-1] == " a.b\n"
    assert [line.text for line in one.lines] == ['services.x."a.b" = "${config.y}";']
    assert [line.sets for line in one.lines] == [('services.x."a.b"',)]
    assert one.notes == ("told to a.b",)


def test_what_a_choice_does_not_ask_for_is_left_out() -> None:
    recipe = parse_recipe(SMALL.encode(), "small")
    one = filled(recipe, values_of(recipe, {"user": "ann"}))
    assert "service/db" not in {declaration.name for declaration, _ in one.stated.declarations}


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("summary: a service\n", "", (1, 1), "a recipe without a summary"),
        ("summary:", "sumary:", (1, 1), "unknown manifest key 'sumary' in a recipe"),
        ("  user: {", "  User: {", (3, 3), "'User' is no name of a parameter"),
        ("{ description: the account }", "", (3, 3), "the parameter 'user' has no description"),
        ("default: local,", "default: far,", (4, 44), "'far' is none of the choices of 'database'"),
        ("  admins:\n", "  admin:\n", (6, 3), "unknown manifest key 'admin' in secrets"),
        ('"{user}/clear"', '"{usr}/clear"', (7, 5), "{usr} is no parameter of the recipe"),
        ('"{user}/clear"', "clear/a b", (7, 5), "'clear/a b' is no name of a secret"),
        ("passphrase", "phrase", (7, 34), "unknown generator 'phrase'"),
        (
            'of: "admins:{user}/clear"',
            'of: "admins:{user}/claer"',
            (9, 5),
            "shared:sample/hash is made from 'admins:sample/claer', which is not declared",
        ),
        ('"users.users.{user}.h', '"users..{user}.h', (11, 19), "no path of a NixOS option"),
        ("{ database: password }", "{ database: far }", (13, 30), "'far' is none of the choices"),
        ("{ database: password }", "{ datbase: local }", (13, 20), "unknown parameter 'datbase'"),
        ("length: 20", "length: 0", (14, 40), "'length' must be a number"),
        ("{{ service/token }}", "{{ service/tokn }}", (17, 27), "delivers no 'service/tokn'"),
        ("{{ service/token }}", "{{ service/db }}", (17, 27), "delivers no 'service/db'"),
        ("sets: [", "set: [", (19, 7), "unknown manifest key 'set' in 'nix'"),
        ("${config.y}", "{y}", (19, 42), "{y} is no parameter of the recipe"),
        ('["told', '[[x], "told', (20, 9), "each of 'notes' must be a string"),
        ("notes:", "  notes:", (20, 3), "not YAML"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_has_its_place(old: str, new: str, place: tuple[int, int], words: str) -> None:
    assert old in SMALL
    with pytest.raises(RepositoryError) as raised:
        parse_recipe(SMALL.replace(old, new, 1).encode(), "small")
    assert words in raised.value.problem
    assert (raised.value.line, raised.value.column) == place


@pytest.mark.parametrize(
    ("given", "words", "hint"),
    [
        ({}, "is to be told its user: the account", "say --for USER"),
        ({"user": "a b"}, "'a b' cannot be the user of a recipe", None),
        ({"user": "all"}, "'all' cannot be the user of a recipe", None),
        ({"user": 'x"; y'}, "cannot be the user of a recipe", None),
        ({"user": "ann", "usr": "x"}, "has no parameter 'usr'", "it has user"),
        ({"user": "ann", "database": "far"}, "'far' is no 'database'", "it is one of"),
    ],
)
def test_a_value_that_cannot_be_is_refused(
    given: dict[str, str], words: str, hint: str | None
) -> None:
    recipe = parse_recipe(SMALL.encode(), "small")
    with pytest.raises(UsageError) as raised:
        values_of(recipe, given)
    assert words in raised.value.problem
    assert (hint or "") in (raised.value.hint or "")
