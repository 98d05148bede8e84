"""Texts with placeholders for values, which a host fills in when it is activated."""

import re
from typing import NamedTuple, TypeAlias

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.names import SecretName, parse_secret_name
from nixsecrets.fleet.scopes import InGroup, OnHost, Shared
from nixsecrets.override import override

_BRACES = "{{"
# A placeholder, or two braces that are meant as they are: `{{ "{{" }}`.
_PLACEHOLDER = re.compile(r'\{\{[ \t]*("\{\{"|[^{}"\s]*)[ \t]*\}\}')
_ESCAPED = '"{{"'


class Placeholder(NamedTuple):
    """Where the value of a secret is to stand."""

    name: SecretName


Content: TypeAlias = tuple[str | Placeholder, ...]
"""In order; no two texts beside each other, and none that is empty."""


class Template(NamedTuple):
    """A file of a host that holds values; two are equal wherever they stand.

    Args:
        name: the attribute in the wiring, and the file's name where `path` is not said.
        scope: the hosts that have it.
        content: its text.
        owner: of the file on the host; None: left to sops-nix, as `group` and `mode`.
        group: likewise.
        mode: octal digits.
        path: where the file is to be on the host; None: where sops-nix puts it.
        restart_units: systemd units restarted when the file changes.
        reload_units: systemd units reloaded when the file changes.
        line: 1-based, in the manifest.
    """

    name: str
    scope: Shared | InGroup | OnHost
    content: Content
    owner: str | None = None
    group: str | None = None
    mode: str | None = None
    path: str | None = None
    restart_units: tuple[str, ...] = ()
    reload_units: tuple[str, ...] = ()
    line: int = 1

    @property
    def address(self) -> str:
        """How errors and notes call it."""
        return f"{self.scope.prefix}:{self.name}"

    @property
    def names(self) -> tuple[SecretName, ...]:
        """The secrets whose values it holds, each once."""
        found = (piece.name for piece in self.content if isinstance(piece, Placeholder))
        return tuple(dict.fromkeys(found))

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and self[:-1] == other[:-1]

    @override
    def __ne__(self, other: object) -> bool:
        return not self == other

    @override
    def __hash__(self) -> int:
        return hash(self[:-1])


def parse_content(text: str) -> Content:
    """Return a text whose placeholders are spelled `{{ nextcloud/admin-password }}`.

    Raises:
        RepositoryError: two braces open no placeholder; no placeholder at all.
    """
    pieces: list[str | Placeholder] = []
    literal, end = "", 0
    for found in _PLACEHOLDER.finditer(text):
        literal += _without_braces(text[end : found.start()])
        end = found.end()
        if found[1] == _ESCAPED:
            literal += _BRACES
        else:
            pieces += [literal, Placeholder(parse_secret_name(found[1]))]
            literal = ""
    pieces.append(literal + _without_braces(text[end:]))
    if len(pieces) == 1:
        raise RepositoryError(
            "the template holds no secret",
            hint="write `{{ NAME }}` for a value; other files are `environment.etc`",
        )
    return tuple(piece for piece in pieces if piece)


def render_content(content: Content) -> str:
    """Return the text that `parse_content` reads as `content`."""
    return "".join(
        piece.replace(_BRACES, f"{{{{ {_ESCAPED} }}}}")
        if isinstance(piece, str)
        else f"{{{{ {piece.name} }}}}"
        for piece in content
    )


def _without_braces(text: str) -> str:
    if _BRACES in text:
        raise RepositoryError(
            "'{{' opens no placeholder",
            hint='write `{{ NAME }}` for a value, and `{{ "{{" }}` for the braces themselves',
        )
    return text
