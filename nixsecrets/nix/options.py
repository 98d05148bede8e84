"""What a module sets, as far as its text shows it."""

from collections.abc import Iterator

from nixsecrets.nix.bindings import Binding, Reach, bindings, body, inner, merged, plain
from nixsecrets.nix.render import parse_option_path
from nixsecrets.nix.syntax import Syntax, parse


def binds_option(content: bytes, option: str) -> int | None:
    """Return the 1-based line where a module sets `option`, under a condition or not.

    Args:
        content: a module.
        option: its path, dotted; components with dots stand in quotes.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
        RepositoryError: `option` is malformed.
    """
    wanted = parse_option_path(option)
    found = (each for each in _settings(parse(content), merged) if each.path == wanted)
    return next((each.line for each in found), None)


def binds_true(content: bytes, option: str) -> bool:
    """Tell whether a module sets `option` to the literal `true` whatever the condition.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
        RepositoryError: `option` is malformed.
    """
    wanted = parse_option_path(option)
    source = parse(content)
    return any(
        each.path == wanted and each.value is not None and source.text(inner(each.value)) == "true"
        for each in _settings(source, plain)
    )


def bound_string(content: bytes, option: str) -> str | None:
    """Return the string literal that a module sets `option` to; None: it sets it otherwise.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
        RepositoryError: `option` is malformed.
    """
    wanted, source = parse_option_path(option), parse(content)
    values = (each.value for each in _settings(source, merged) if each.path == wanted)
    strings = (source.string(inner(value)) for value in values if value is not None)
    return next((text for text in strings if text is not None), None)


def declared_secrets(content: bytes) -> frozenset[str]:
    """Return the names N of all `sops.secrets.N` that a module spells, under a condition or not.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
    """
    return frozenset(
        name
        for each in _settings(parse(content), merged)
        if each.path[:2] == ("sops", "secrets")
        for name in each.path[2:3]
        if name is not None
    )


def _settings(source: Syntax, reach: Reach) -> Iterator[Binding]:
    """Yield what a module binds; `config.a` is `a`."""
    for each in bindings(source, body(source.root), reach):
        path = each.path[1:] if each.path[0] == "config" else each.path
        yield Binding(path, each.node, each.value)
