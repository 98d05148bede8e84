"""The formats that sops knows: which one a name or a text means, and the store of each."""

import re
from enum import Enum

from nixsecrets.sops.stores import binary, dotenv, ini, json, yaml, yaml_lines
from nixsecrets.sops.stores.text import Text


class Format(Enum):
    """A format; the value is its name for `--input-type` of sops (`cmd/sops/formats`)."""

    YAML = "yaml"
    JSON = "json"
    DOTENV = "dotenv"
    INI = "ini"
    BINARY = "binary"


_SUFFIXES = {
    ".yaml": Format.YAML,
    ".yml": Format.YAML,
    ".json": Format.JSON,
    ".env": Format.DOTENV,
    ".ini": Format.INI,
}
_ENVELOPE = re.compile(rb'\A\s*\{\s*"data"\s*:\s*"[^"]*"\s*,\s*"sops"\s*:')
_TRAITS = (
    (Format.BINARY, _ENVELOPE),
    (Format.JSON, re.compile(rb"\A\s*\{")),
    (Format.INI, re.compile(rb"^\[sops\]", re.MULTILINE)),
    (Format.DOTENV, re.compile(rb"^sops_mac=", re.MULTILINE)),
    (Format.YAML, re.compile(rb"^(?:sops|[\"']sops[\"'])\s*:", re.MULTILINE)),
)


def format_of(name: str) -> Format:
    """Return what a file's name means to sops: by its suffix, anything else is binary."""
    return next(
        (form for suffix, form in _SUFFIXES.items() if name.endswith(suffix)), Format.BINARY
    )


def sealed_format_of(name: str, content: bytes) -> Format:
    """Return the format of a document: by its name, or by its text where the name tells nothing.

    sops goes by the name alone and takes such a file for binary.
    """
    form = format_of(name)
    if form is not Format.BINARY:
        return form
    return next((form for form, trait in _TRAITS if trait.search(content)), Format.BINARY)


def has_metadata(content: bytes) -> bool:
    """Say whether a text looks like a document of any format; it need not parse."""
    return b"sops" in content and any(
        trait.search(content) for form, trait in _TRAITS if form is not Format.JSON
    )


def parse(content: bytes, form: Format) -> Text:
    """Parse a document, or a text in clear; of a binary file, a document.

    Raises:
        RepositoryError: with line and column, where it is no text of that format that sops
            would take.
        IntegrityError: the same of a text that holds sealed leaves.
    """
    match form:
        case Format.YAML:
            return yaml_lines.parse(content) or yaml.parse(content)
        case Format.JSON:
            return json.parse(content)
        case Format.DOTENV:
            return dotenv.parse(content)
        case Format.INI:
            return ini.parse(content)
        case Format.BINARY:
            return binary.parse(content)


def parse_plain(content: bytes, form: Format) -> Text:
    """Parse a text in clear; for binary, any bytes are one.

    Raises:
        RepositoryError: as `parse` does.
    """
    return binary.parse_plain(content) if form is Format.BINARY else parse(content, form)
