"""Where the wiring takes hold: `imports` of a host's configuration, and its system in the flake."""

import posixpath
from collections.abc import Callable
from pathlib import PurePosixPath
from textwrap import indent

from nixsecrets.fleet.model import Host
from nixsecrets.nix.edit import NotUnderstood, add_import
from nixsecrets.nix.placing import Module, add_modules
from nixsecrets.nix.render import render_path
from nixsecrets.nix.syntax import NixSyntaxError
from nixsecrets.nix.values import Place
from nixsecrets.plans import wiring_flake, wiring_modules
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.wiring_text import relative


def into_imports(draft: Draft, host: Host) -> Draft:
    """Return the draft with the host's wiring among the imports of its configuration.

    Left alone where any module of the host, or its system in the flake, names the wiring. A host
    that has no file of its own gets it in its system's list of modules.
    """
    wiring = draft.fleet.layout.wiring(host.name, host.directory)
    if wiring_modules.imports_wiring(draft.repository, host, wiring):
        return draft
    path = wiring_modules.own_configuration(draft.repository, host)
    if path is None:
        return _into_system(draft, host, wiring)
    return import_into(draft, path, wiring, f"to the `imports` of the configuration of {host.name}")


def import_into(draft: Draft, path: PurePosixPath, wiring: PurePosixPath, where: str) -> Draft:
    """Return the draft with a module imported by another that people wrote.

    Args:
        draft: with `path`.
        path: the importing module.
        wiring: the imported one.
        where: the place, for whoever has to add it by hand.
    """
    spelled = relative(wiring, path.parent)
    literal = render_path(spelled)
    content = draft.repository.sources.read(path).content
    try:
        after = add_import(content, spelled)
    except NotUnderstood as error:
        return noting(draft, str(error.within(path)), error.text, error.where)
    except NixSyntaxError as error:
        return noting(draft, str(error.within(path)), literal, where)
    return draft.changed(path, after, f"imports {literal}")


def _into_system(draft: Draft, host: Host, wiring: PurePosixPath) -> Draft:
    literal = render_path(relative(wiring, host.configuration.parent))
    where = f"to the `imports` of the configuration of {host.name}"
    missing = f"{host.configuration}: no such file"
    if host.without_flake or host.attribute is None:
        return noting(draft, missing, literal, where)
    try:
        flake = wiring_flake.read_flake(draft.repository)
    except NixSyntaxError:
        flake = None
    systems = wiring_flake.systems_of(flake, host) if flake is not None else ()
    if flake is None or not systems:
        return noting(draft, missing, literal, where)
    module = Module(_path_from(wiring), f"./{wiring}", alone=True)
    placed = add_modules(flake, [(one.built.kind, one.attribute) for one in systems], module)
    for path, content in placed.files.items():
        draft = draft.changed(path, content, f"wiring of {host.name}")
    for _, error in placed.refused:
        draft = noting(draft, f"{missing}, and {error}", error.text, error.where)
    return draft


def _path_from(wiring: PurePosixPath) -> Callable[[Place], str]:
    def spell(place: Place) -> str:
        literal = render_path(posixpath.relpath(wiring, place.file.path.parent))
        return f"({literal})" if " " in literal else literal

    return spell


def noting(draft: Draft, problem: str, text: str, where: str) -> Draft:
    return draft.noting(f"{problem}; add {where}:\n{indent(text, '  ')}")
