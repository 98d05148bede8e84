"""The manifest's JSON schema (2020-12), for editors: made of the lists that its parser goes by."""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import TypeAlias

from nixsecrets.fleet import declared, hostfile, template_reading
from nixsecrets.fleet.generator import Asked, HashMethod
from nixsecrets.fleet.generator_reading import ALPHABETS, MOST, OPTIONS, PARSERS
from nixsecrets.fleet.layout import PLACEHOLDERS
from nixsecrets.fleet.manifest import (
    COMMIT_KEYS,
    GROUP_KEYS,
    HOST_KEYS,
    IDENTITY_KEYS,
    PERSON_KEYS,
    REBUILD_KEYS,
    SECTIONS,
    VERSION,
    WIRING_KEYS,
)
from nixsecrets.fleet.model import Deliver, Engine, Evaluate, Role
from nixsecrets.fleet.names import COMPONENT, FLAT, MOST_COMPONENTS, NOT_FIRST, TAKEN
from nixsecrets.fleet.section import CONTROL, CONTROL_IN_PROSE

Json: TypeAlias = "str | int | bool | Sequence[Json] | Mapping[str, Json] | None"
Schema: TypeAlias = Mapping[str, Json]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TITLE = "nixsecrets.yaml: the manifest of a fleet's secrets"
_END = r"(?![\s\S])"  # `$` stands before a last line break too, to some readers

_FLAG: Schema = {"type": "boolean"}
_LINE: Schema = {"type": "string", "minLength": 1, "not": {"pattern": CONTROL}}
_LINES: Schema = {"type": "array", "items": _LINE}
_PROSE: Schema = {"type": "string", "pattern": r"\S", "not": {"pattern": CONTROL_IN_PROSE}}
# What looks like a number is a name all the same.
_NAME: Schema = {"type": ["string", "number", "boolean"]}
_NAMES: Schema = {"type": ["array", "null"], "items": _NAME, "uniqueItems": True}
_PATH: Schema = {**_LINE, "pattern": r"^[^/]"}
_ABSOLUTE: Schema = {**_LINE, "pattern": "^/"}
_REQUIRED = {"hashed-password": "of", "htpasswd": "of", "x509": "subject"}
_ALPHABET: Schema = {"enum": list(ALPHABETS)}


def manifest_schema() -> Schema:
    """Return what can be said of a manifest's shape; names that meet are the parser's to find."""
    sections: Mapping[str, Schema] = {
        "version": {"const": int(VERSION)},
        "layout": _closed(_layout(), PLACEHOLDERS),
        "people": _named(_closed({"role": _choice(Role)}, PERSON_KEYS)),
        "hosts": _named(_host()),
        "groups": _named(_closed({"hosts": _NAMES, "people": _NAMES}, GROUP_KEYS)),
        "secrets": _secrets(),
        "templates": _templates(),
        "wiring": _closed({"deliver": _choice(Deliver)}, WIRING_KEYS),
        "evaluate": _choice(Evaluate),
        "rebuild": _rebuild(),
    }
    return {
        "$schema": _DIALECT,
        "title": _TITLE,
        **_closed(sections, SECTIONS),
        "type": "object",
        "required": ["version"],
        "$defs": {"generator": _generator()},
    }


def _layout() -> Mapping[str, Schema]:
    patterns: dict[str, Schema] = dict.fromkeys(PLACEHOLDERS, _PATH)
    patterns["host"] = {"anyOf": [_PATH, {"type": "array", "items": _PATH, "minItems": 1}]}
    return patterns


def _host() -> Schema:
    return _closed(
        {
            "directory": _PATH,
            "attribute": _LINE,
            "host-name": _LINE,
            "anchor": _LINE,
            "address": _LINE,
            "configuration": _PATH,
            "identity": {
                **_closed({"file": _ABSOLUTE, "ssh": _list(_ABSOLUTE)}, IDENTITY_KEYS),
                "type": "object",
                "oneOf": [
                    {"required": ["file"], "properties": {"ssh": {"maxItems": 0}}},
                    {
                        "required": ["ssh"],
                        "properties": {"file": False, "ssh": {"type": "array", "minItems": 1}},
                    },
                ],
            },
            "rebuild": _closed({"engine": _choice(Engine)}, ("engine",)),
        },
        HOST_KEYS,
    )


def _secrets() -> Schema:
    system = _secret_names(_declaration(declared.KEYS))
    kept = tuple(key for key in declared.KEYS if key not in declared.OF_DELIVERY)
    of_home = tuple(key for key in declared.KEYS if key not in declared.OF_SYSTEM)
    of_each = tuple(key for key in declared.KEYS if key != "file")
    at_home = {
        **_declaration((*of_home, "hosts"), {"hosts": {**_NAMES, "type": "array", "minItems": 1}}),
        "type": "object",
        "required": ["hosts"],
    }
    scopes: Mapping[str, Schema] = {
        "admins": _secret_names(_declaration(kept)),
        "shared": system,
        "groups": _mapping(system),
        "hosts": _mapping(system),
        "each": _mapping(_secret_names(_declaration(of_each))),
        "home": _named(_secret_names(at_home)),
    }
    return _closed(scopes, declared.SCOPES)


def _declaration(keys: Iterable[str], more: Mapping[str, Schema] | None = None) -> Schema:
    values: Mapping[str, Schema] = {
        **_host_file(),
        "description": _PROSE,
        "generator": {"$ref": "#/$defs/generator"},
        "max-age": {"type": "string", "pattern": f"^{declared.DAYS}{_END}"},
        "rotation": _PROSE,
        "key": {**_LINE, "pattern": rf"^(?!sops(?:/|{_END}))[^/]+(?:/[^/]+)*{_END}"},
        "file": _PATH,
        "whole-file": _FLAG,
        "deliver": _FLAG,
        "consumers": _list({**_LINE, "pattern": f"^{declared.CONSUMER}{_END}"}),
        "needed-for-users": _FLAG,
        **(more or {}),
    }
    return _closed({key: values[key] for key in keys}, keys)


def _host_file() -> Mapping[str, Schema]:
    account = {**_LINE, "pattern": r"[^0-9]"}
    units = _list({**_LINE, "pattern": rf"^.+\.({'|'.join(hostfile.UNIT_TYPES)}){_END}"})
    return {
        "owner": account,
        "group": account,
        "mode": {"type": "string", "pattern": f"^{hostfile.OCTAL}{_END}"},
        "path": {**_LINE, "pattern": rf"^(?!{hostfile.NOT_THERE}(?:/|{_END}))/(?:.*[^/])?{_END}"},
        "restart-units": units,
        "reload-units": units,
    }


def _templates() -> Schema:
    content: Schema = {"type": "string", "pattern": r"\{\{", "not": {"pattern": r"\x00"}}
    values: Mapping[str, Schema] = {**_host_file(), "content": content}
    template: Schema = {
        **_closed(values, template_reading.KEYS),
        "type": "object",
        "required": ["content"],
    }
    names: Schema = {
        **_mapping(template),
        "propertyNames": {"pattern": f"^{template_reading.NAME}{_END}"},
    }
    scopes: Mapping[str, Schema] = {
        "shared": names,
        "groups": _mapping(names),
        "hosts": _mapping(names),
    }
    return _closed(scopes, template_reading.SCOPES)


def _generator() -> Schema:
    options: Mapping[str, Schema] = {
        "length": _number("length"),
        "alphabet": {"anyOf": [_ALPHABET, _list(_ALPHABET)]},
        "signs": _LINE,
        "avoid-look-alikes": _FLAG,
        "words": _number("words"),
        "separator": _LINE,
        "bytes": _number("bytes"),
        "comment": _LINE,
        "of": _LINE,
        "method": _choice(HashMethod),
        "ca": _FLAG,
        "by": _LINE,
        "subject": _LINE,
        "sans": _NAMES,
        "days": _number("days"),
    }
    kinds: Mapping[str, Schema] = {kind: _kind(kind, options) for kind in PARSERS}
    alone: Json = [kind for kind in kinds if kind not in (*_REQUIRED, "command")]
    one: Schema = {
        **_closed(kinds, kinds),
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {"anyOf": [{"enum": alone}, one]}


def _kind(kind: str, options: Mapping[str, Schema]) -> Schema:
    match kind:
        case "command":
            argument: Schema = {"type": ["string", "number", "boolean"]}
            return {"type": "array", "items": argument, "minItems": 1}
        case "prompt":
            return {"enum": [*(asked.value for asked in Asked), None]}
        case "htpasswd":
            options = {"of": {"type": "object", "minProperties": 1, "additionalProperties": _LINE}}
        case _ if kind not in OPTIONS:
            return {"type": "null"}
        case _:
            options = {name: options[name] for name in OPTIONS[kind]}
    shape = _closed(options, OPTIONS[kind])
    required = _REQUIRED.get(kind)
    return {**shape, "type": "object", "required": [required]} if required else shape


def _number(name: str) -> Schema:
    return {"type": "integer", "minimum": 1, "maximum": MOST[name]}


def _rebuild() -> Schema:
    commit = _closed({"message": _LINE, "paths": _list(_PATH), "push": _FLAG}, COMMIT_KEYS)
    return _closed(
        {
            "engine": _choice(Engine),
            "log": _PATH,
            "commit": {"anyOf": [{"const": False}, commit]},
        },
        REBUILD_KEYS,
    )


def _closed(values: Mapping[str, Schema], keys: Iterable[str]) -> Schema:
    """Return a mapping with the parser's own list of keys; one without a value is a mistake."""
    return {
        "type": ["object", "null"],
        "properties": {key: values[key] for key in keys},
        "additionalProperties": False,
    }


def _mapping(value: Schema) -> Schema:
    return {"type": ["object", "null"], "additionalProperties": value}


def _named(value: Schema) -> Schema:
    taken: Json = sorted(TAKEN)
    names: Schema = {"pattern": f"^{FLAT}{_END}", "not": {"enum": taken}}
    return {**_mapping(value), "propertyNames": names}


def _secret_names(value: Schema) -> Schema:
    first = "|".join(sorted(NOT_FIRST))
    more = f"(?:/{COMPONENT}){{0,{MOST_COMPONENTS - 1}}}"
    pattern = f"^(?!(?:{first})(?:/|{_END})){COMPONENT}{more}{_END}"
    return {**_mapping(value), "propertyNames": {"pattern": pattern}}


def _list(item: Schema) -> Schema:
    return {"type": ["array", "null"], "items": item}


def _choice(kind: type[Enum]) -> Schema:
    return {"enum": [str(member.value) for member in kind]}
