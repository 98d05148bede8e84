"""The formats that sops knows: which one a name or a text means, and the store of each.

Most documents are YAML. The other stores are loaded when a text of theirs is met, since loading
them takes a tenth of the time in which a value is read.
"""

import re
from collections.abc import Callable
from enum import Enum
from importlib import import_module

from nixsecrets.sops.stores import yaml, yaml_lines
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
_TRAITS = (
    (Format.BINARY, rb'\A\s*\{\s*"data"\s*:\s*"[^"]*"\s*,\s*"sops"\s*:'),
    (Format.JSON, rb"\A\s*\{"),
    (Format.INI, rb"(?m)^\[sops\]"),
    (Format.DOTENV, rb"(?m)^sops_mac="),
    (Format.YAML, rb"(?m)^(?:sops|[\"']sops[\"'])\s*:"),
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
    return next((form for form, trait in _TRAITS if re.search(trait, content)), Format.BINARY)


def has_metadata(content: bytes) -> bool:
    """Say whether a text looks like a document of any format; it need not parse."""
    return b"sops" in content and any(
        re.search(trait, content) for form, trait in _TRAITS if form is not Format.JSON
    )


def parse(content: bytes, form: Format) -> Text:
    """Parse a document, or a text in clear; of a binary file, a document.

    Raises:
        RepositoryError: with line and column, where it is no text of that format that sops
            would take.
        IntegrityError: the same of a text that holds sealed leaves.
    """
    if form is Format.YAML:
        return yaml_lines.parse(content) or yaml.parse(content)
    return _parser(f"{form.value}:parse")(content)


def parse_outline(content: bytes, form: Format) -> Text | None:
    """Parse the metadata of a document and no more; None: it does not stand by itself."""
    return yaml_lines.parse_outline(content) if form is Format.YAML else None


def parse_plain(content: bytes, form: Format) -> Text:
    """Parse a text in clear; for binary, any bytes are one.

    Raises:
        RepositoryError: as `parse` does.
    """
    if form is Format.BINARY:
        return _parser("binary:parse_plain")(content)
    return parse(content, form)


def _parser(place: str) -> Callable[[bytes], Text]:
    """Return the function at `store:function`."""
    store, _, function = place.partition(":")
    found: Callable[[bytes], Text] = getattr(import_module(f"{__package__}.{store}"), function)
    return found
