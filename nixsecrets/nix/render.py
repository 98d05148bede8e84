"""Python values spelled as Nix, formatted as nixfmt (RFC 166) does."""

import posixpath
import re
from collections.abc import Sequence

from nixsecrets.errors import RepositoryError

# Nix manual, "String literal": the characters that need a backslash, and those that have a name.
_SPECIAL = re.compile(r'[\\"\n\r\t]|\$(?=\{)')
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MEANT = {spelled[1]: character for character, spelled in _NAMED.items()}

# Nix manual, "Identifiers" (ID in its lexer.l) and the keywords beside it.
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_'-]*")
_KEYWORDS = frozenset({"if", "then", "else", "assert", "with", "let", "in", "rec", "inherit", "or"})

# A component as people write it: in quotes, or bare with whatever cannot end it.
_COMPONENT = re.compile(r'"((?:[^"\\$]|\\.|\$(?!\{))*)"|([A-Za-z0-9_\'@:/+-]+)', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)

# PATH in Nix's lexer.l.
_PATH_LITERAL = re.compile(r"\.{1,2}(?:/[A-Za-z0-9._+-]+)+")
_CLIMB = re.compile(r"(?:\.\./)+")


def render_string(text: str) -> str:
    """Return `text` as a string literal.

    Raises:
        RepositoryError: `text` holds a NUL, which no Nix string can.
    """
    if "\0" in text:
        raise RepositoryError("a Nix string cannot hold a NUL character")
    escaped = _SPECIAL.sub(lambda found: _NAMED.get(found[0], f"\\{found[0]}"), text)
    return f'"{escaped}"'


def render_attribute(name: str) -> str:
    """Return `name` as an attribute name, in quotes always."""
    return render_string(name)


def parse_option_path(path: str) -> tuple[str, ...]:
    """Return the components of an option path, `services.nginx."my site".x`.

    Raises:
        RepositoryError: an empty component, an open quote, an interpolation, a stray character.
    """
    components: list[str] = []
    end = -1
    while end < len(path):
        component = _COMPONENT.match(path, end + 1)
        if component is None or path[component.end() : component.end() + 1] not in {"", "."}:
            raise RepositoryError(f"{path!r} is no option path")
        quoted, bare = component.groups()
        components.append(bare or _ESCAPE.sub(_meant, quoted))
        end = component.end()
    return tuple(components)


def _meant(escape: re.Match[str]) -> str:
    return _MEANT.get(escape[1], escape[1])


def render_option_path(path: str) -> str:
    """Return an option path, given dotted, with quotes where Nix needs them.

    Raises:
        RepositoryError: `path` is malformed.
    """
    return ".".join(render_component(name) for name in parse_option_path(path))


def render_component(name: str) -> str:
    """Return one component of an attribute path, in quotes where it is no identifier."""
    plain = _IDENTIFIER.fullmatch(name) and name not in _KEYWORDS
    return name if plain else render_string(name)


def render_path(relative: str) -> str:
    """Return a path relative to the file it stands in: `./secrets.yaml`, `./. + "/a b.yaml"`.

    The second form is for names that a path literal cannot hold. Inside a list it needs
    parentheses.

    Raises:
        RepositoryError: `relative` is absolute or empty.
    """
    if not relative or relative.startswith("/"):
        raise RepositoryError(f"{relative!r} is no relative path")
    path = posixpath.normpath(relative)
    if path == "..":
        return "../."
    literal = path if path.startswith("../") else f"./{path}"
    if _PATH_LITERAL.fullmatch(literal):
        return literal
    climb = _CLIMB.match(path)
    below = path if climb is None else path[climb.end() :]
    return f"{climb[0] if climb else './'}. + {render_string('/' + below)}"


def render_list(strings: Sequence[str], indent: int = 0) -> str:
    """Return a list of string literals; more than one stand on a line each, as nixfmt has it.

    Args:
        strings: the elements' values.
        indent: columns that the line the list begins on is indented by.
    """
    if not strings:
        return "[ ]"
    if len(strings) == 1:
        return f"[ {render_string(strings[0])} ]"
    margin = " " * indent
    lines = (f"{margin}  {render_string(text)}\n" for text in strings)
    return f"[\n{''.join(lines)}{margin}]"
