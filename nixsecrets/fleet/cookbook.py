"""The recipes that there are: those that came with the tool, and a repository's own."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import PurePosixPath

from nixsecrets.errors import NixsecretsError, UsageError
from nixsecrets.fleet.load import Sources
from nixsecrets.fleet.names import nearest
from nixsecrets.fleet.recipe import Recipe, parse_recipe

OWN = PurePosixPath("recipes")
"""Where a repository has its own, beside the manifest."""
_SUFFIX = ".yaml"


def known(sources: Sources) -> tuple[Recipe, ...]:
    """Return every recipe by name; a repository's own takes the place of one of that name.

    Raises:
        RepositoryError: one of them is wrong; its place is told.
    """
    names = {*_shipped(), *_own(sources)}
    return tuple(find(sources, name) for name in sorted(names))


def find(sources: Sources, name: str) -> Recipe:
    """Return the recipe of a name, a repository's own before one that came with the tool.

    Raises:
        UsageError: there is none, with the nearest names.
        RepositoryError: it is wrong; its place is told.
    """
    own, shipped = set(_own(sources)), set(_shipped())
    if name in own:
        path = OWN / f"{name}{_SUFFIX}"
        return _parse(sources.read(path).content, name, path, path)
    if name in shipped:
        file = files("nixsecrets") / "recipes" / f"{name}{_SUFFIX}"
        return _parse(file.read_bytes(), name, None, file)
    near = nearest(name, own | shipped)
    raise UsageError(
        f"there is no recipe {name!r}",
        hint=f"did you mean {' or '.join(near)}?" if near else "`nixsecrets recipes` lists all",
    )


def _parse(content: bytes, name: str, origin: PurePosixPath | None, place: object) -> Recipe:
    try:
        return parse_recipe(content, name, origin)
    except NixsecretsError as error:
        raise error.within(place) from None


def _shipped() -> Iterator[str]:
    for file in (files("nixsecrets") / "recipes").iterdir():
        if file.name.endswith(_SUFFIX):
            yield file.name.removesuffix(_SUFFIX)


def _own(sources: Sources) -> Iterator[str]:
    for name in sources.names_in(OWN):
        if name.endswith(_SUFFIX):
            yield name.removesuffix(_SUFFIX)
