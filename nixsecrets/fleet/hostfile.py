"""The file in which a host is given a value: whose it is, where, and what its change restarts."""

import re
from typing import NamedTuple

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.section import Section, parse_absolute, parsed

OCTAL = r"[0-7]{3,4}"
# systemd.unit(5), "Description": a name and one of these types; sops-nix wants both.
UNIT_TYPES = (
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "slice",
    "scope",
)
# What sops-nix makes anew whenever a host is activated, and what is read-only there.
NOT_THERE = r"/(run/secrets(\.d|-for-users|-for-users\.d)?|nix/store)"


class HostFile(NamedTuple):
    """See `Declaration`, whose fields of these names it gives."""

    owner: str | None
    group: str | None
    mode: str | None
    path: str | None
    restart_units: tuple[str, ...]
    reload_units: tuple[str, ...]


def read_host_file(section: Section) -> HostFile:
    """Return what a declaration or a template says of its file.

    Raises:
        RepositoryError: with line and column.
    """
    return HostFile(
        owner=section.read("owner", _account),
        group=section.read("group", _account),
        mode=section.read("mode", _mode),
        path=section.read("path", _path),
        restart_units=tuple(parsed(unit, _unit) for unit in section.texts("restart-units")),
        reload_units=tuple(parsed(unit, _unit) for unit in section.texts("reload-units")),
    )


def _account(text: str) -> str:
    """Refuse a number, which sops-nix would look up as a name."""
    if text.isdecimal():
        raise RepositoryError(f"{text!r} is a number", hint="give the account's name")
    return text


def _mode(text: str) -> str:
    if not re.fullmatch(OCTAL, text):
        raise RepositoryError(f"the mode {text!r} is not octal", hint='write it like "0400"')
    return text


def _path(text: str) -> str:
    path = parse_absolute(text)
    if re.match(rf"{NOT_THERE}(/|\Z)", path):
        raise RepositoryError(
            f"nothing else can stand at {text!r}", hint="leave 'path' out, or name a place outside"
        )
    if path.endswith("/"):
        raise RepositoryError(f"{text!r} is no path of a file", hint="name the file too")
    return path


def _unit(text: str) -> str:
    if not re.fullmatch(rf".+\.({'|'.join(UNIT_TYPES)})", text):
        raise RepositoryError(
            f"the unit {text!r} has no type", hint=f"write it like {text}.service"
        )
    return text
