"""Edits of nixsecrets.yaml that declare something more; what stands there stays as it is."""

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.insertion import Map, add_entry, spell_flow
from nixsecrets.fleet.manifest import SECTIONS, parse_manifest
from nixsecrets.fleet.model import (
    Admins,
    AtHome,
    Declaration,
    InGroup,
    Manifest,
    OnHost,
    Scope,
    Shared,
    Template,
)
from nixsecrets.fleet.outline import Mapping, Scalar, decode, parse_outline


def add_declaration(content: bytes, declaration: Declaration, fields: Map) -> bytes:
    """Return the manifest with one more declaration, the last of its scope.

    Args:
        content: the manifest.
        declaration: what it is to say; not one per host, and not a home's.
        fields: how that is written.

    Raises:
        RepositoryError: the manifest would be wrong with it, or is written in a way that takes no
            insertion: the hint says what to add by hand.
    """
    before, path = parse_manifest(content), ("secrets", *_path(declaration.scope))
    after = _with(content, path, declaration.name, fields)
    found = _parsed(after, path, declaration.name, fields)
    kept = tuple(one for one in found.declarations if one.address != declaration.address)
    new = tuple(one for one in found.declarations if one.address == declaration.address)
    if new != (declaration,) or found._replace(declarations=kept) != before:
        raise _by_hand(path, declaration.name, fields)
    return after


def add_template(content: bytes, template: Template, fields: Map) -> bytes:
    """Return the manifest with one more template; as `add_declaration` does."""
    before, path = parse_manifest(content), ("templates", *_path(template.scope))
    after = _with(content, path, template.name, fields)
    found = _parsed(after, path, template.name, fields)
    place = (template.scope, template.name)
    kept = tuple(one for one in found.templates if (one.scope, one.name) != place)
    new = tuple(one for one in found.templates if (one.scope, one.name) == place)
    if new != (template,) or found._replace(templates=kept) != before:
        raise _by_hand(path, template.name, fields)
    return after


def _path(scope: Scope) -> tuple[str, ...]:
    match scope:
        case Admins() | Shared():
            return (scope.kind,)
        case InGroup(group):
            return ("groups", group)
        case OnHost(host):
            return ("hosts", host)
        case AtHome(host, user):
            return ("home", user, host)


def _parsed(content: bytes, path: tuple[str, ...], name: str, fields: Map) -> Manifest:
    try:
        parse_outline(decode(content))
    except RepositoryError:
        raise _by_hand(path, name, fields) from None
    try:
        return parse_manifest(content)
    except RepositoryError as error:
        raise RepositoryError(
            f"the manifest would be wrong with {name}: {error.problem}", hint=error.hint
        ) from None


def _with(content: bytes, path: tuple[str, ...], name: str, fields: Map) -> bytes:
    """Insert below the mappings of `path` that there are; the others come with it."""
    text = decode(content)
    there = max(_depth(text, path), 1)  # `add_entry` makes a section of the top level itself
    names, value = (*path, name), fields
    for inner in reversed(names[there + 1 :]):
        value = Map(((inner, value),), block=True)
    return add_entry(text, names[:there], (names[there], value), SECTIONS).encode()


def _depth(text: str, path: tuple[str, ...]) -> int:
    """Return how many names of `path` stand in a text, each below the one before."""
    node = parse_outline(text)
    for depth, name in enumerate(path):
        entry = node.find(name) if isinstance(node, Mapping) else None
        if entry is None:
            return depth
        node = entry.value
        if isinstance(node, Scalar):
            return depth + 1
    return len(path)


def _by_hand(path: tuple[str, ...], name: str, fields: Map) -> RepositoryError:
    return RepositoryError(
        "the manifest is written in a way that takes no edit",
        hint=f"under `{'.'.join(path)}` write `{name}: {spell_flow(fields)}` by hand",
    )
