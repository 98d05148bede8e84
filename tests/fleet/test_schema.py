"""The JSON schema for editors says of a manifest's shape what its parser says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.manifest import parse_manifest
from nixsecrets.fleet.outline import Mapping, Node, Scalar, decode, parse_outline
from nixsecrets.fleet.schema import manifest_schema
from nixsecrets.fleet.section import is_typed
from tests.fleet import test_declared, test_manifest
from tests.fleet.fleets import MODEL

TESTS = Path(__file__).parent.parent
VALIDATOR = Draft202012Validator(manifest_schema())

# What the parser finds by comparing names, or by reading a text whose shape is right.
BEYOND_SHAPE = {
    "a beside a/b",
    "a beside a/b in a group without hosts",
    "a beside a/b in a home",
    "a beside a/b where no host is",
    "a group in the shared document",
    "a home in a host's document",
    "a host and a person in one file",
    "a host with a person's anchor",
    "a name below one for each",
    "address that is an option",
    "admin document of a host",
    "attribute with a blank",
    "circle of inputs",
    "consumer of nothing",
    "consumer with a keyword",
    "document elsewhere",
    "each of an unknown group",
    "generation in the log",
    "generator of a whole document",
    "group before users",
    "group of an unknown host",
    "group of an unknown person",
    "home document of nobody",
    "home on an unknown host",
    "host behind the user that is an option",
    "key above another's",
    "key below another's",
    "key of a whole document",
    "manifest as a document",
    "name below another",
    "nested JSON",
    "nested JSON of the layout",
    "one consumer of two",
    "one name for each and on one host",
    "one name for each of all and of a group",
    "one name in a host and its group",
    "one name in two scopes",
    "one path of two",
    "one value of INI",
    "one value of a binary",
    "one value of dotenv",
    "other placeholder",
    "owner before users",
    "path upwards",
    "secrets of an unknown group",
    "secrets of an unknown host",
    "template before users",
    "template of an unknown host",
    "template where a secret is",
    "template with a secret of nobody",
    "template with an admins' secret",
    "template with an undeclared secret",
    "template with another host's secret",
    "template with foreign braces",
    "template with what is not delivered",
    "the admins' document in the shared one's place",
    "the shared document in the policy's place",
    "two hosts in one directory",
    "two hosts with one anchor",
    "two hosts with one attribute",
    "two hosts with one host name",
    "two templates of one name",
    "undeclared input",
    "user key of no host",
    "wiring over a configuration",
}


def value_of(node: Node | None) -> object:
    """Return what editors make of a node: the core schema of YAML 1.2."""
    match node:
        case None:
            return None
        case Mapping(entries):
            return {entry.name.text: value_of(entry.value) for entry in entries}
        case Scalar(text) if node.null:
            return None
        case Scalar(text) if is_typed(node):
            return {"true": True, "false": False}.get(text.lower(), _number(text))
        case Scalar(text):
            return text
        case _:
            return [value_of(item) for item in node.items]


def _number(text: str) -> float | str:
    try:
        return int(text)
    except ValueError:
        return float(text) if text[0] in "+-.0123456789" and "x" not in text else text


def in_shape(text: bytes) -> bool:
    return VALIDATOR.is_valid(value_of(parse_outline(decode(text))))


def _manifests() -> Iterator[tuple[str, bytes]]:
    yield "model fleet", MODEL
    yield "declarations and templates", test_declared.GOOD.encode()
    for file in sorted(TESTS.rglob("nixsecrets.yaml")):
        yield str(file.relative_to(TESTS)), file.read_bytes()


MANIFESTS = dict(_manifests())
BAD = {**test_manifest.BAD, **test_declared.BAD}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(manifest_schema())


@pytest.mark.parametrize("text", MANIFESTS.values(), ids=MANIFESTS)
def test_every_manifest_is_in_shape(text: bytes) -> None:
    try:
        parse_manifest(text)
    except RepositoryError as error:
        pytest.skip(f"no good manifest: {error}")
    value = value_of(parse_outline(decode(text)))
    assert [error.message for error in VALIDATOR.iter_errors(value)] == []


@pytest.mark.parametrize("name", BAD)
def test_what_the_parser_refuses_for_its_shape_the_schema_refuses(name: str) -> None:
    text = BAD[name][0].encode()
    try:
        parse_outline(decode(text))
    except RepositoryError:
        return
    assert in_shape(text) == (name in BEYOND_SHAPE)


ODD = [None, True, 7, "x", "", "a b", [], ["x"], [7], {}, {"x": None}, {"generator": "hex"}]


def _places(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for step, below in items:
            yield from _places(below, (*path, step))


def _with(value: object, path: tuple[object, ...], odd: object) -> object:
    if not path:
        return odd
    if isinstance(value, dict):
        return {**value, path[0]: _with(value[path[0]], path[1:], odd)}
    return [_with(one, path[1:], odd) if at == path[0] else one for at, one in enumerate(value)]


WHOLE = [value_of(parse_outline(decode(text))) for text in (MODEL, test_declared.GOOD.encode())]


@given(st.data())
def test_the_schema_refuses_nothing_that_the_parser_takes(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from(WHOLE))
    place = data.draw(st.sampled_from([place for place in _places(whole) if place]))
    changed = _with(whole, place, data.draw(st.sampled_from(ODD)))
    text = json.dumps(changed).encode()
    try:
        parse_manifest(text)
    except RepositoryError:
        return
    assert in_shape(text)
