"""The wiring of users' homes: a module for Home Manager beside each home's document."""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from nixsecrets.fleet.access import document_for, document_of
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import AtHome, Declaration, Host
from nixsecrets.nix.edit import has_import
from nixsecrets.nix.placing import Module, add_modules
from nixsecrets.nix.render import render_path
from nixsecrets.nix.syntax import NixSyntaxError
from nixsecrets.nix.systems import Flake
from nixsecrets.nix.values import Kind, Place
from nixsecrets.plans import wiring_flake, wiring_modules, wiring_place, wiring_text
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.wiring_text import Platform, Secret, Wiring, relative

_MODULE = wiring_flake.MODULES[Kind.HOME]

# How sops-nix's module for Home Manager is spelled (its flake.nix, outputs; its README).
_HOME_MODULE = re.compile(rb"\bhome(?:Manager)?Modules?\.sops\b|modules/home-manager/sops\b")


def bring(draft: Draft, hosts: Sequence[Host], *, force: bool = False) -> Draft:
    """Return the draft with a module for each home that declarations name, and its import.

    A user without a key file is passed over with a warning.

    Raises:
        RepositoryError: such a module was edited by hand.
    """
    for host in hosts:
        for home in homes(draft.repository, host):
            if _has_key(draft.repository, home):
                draft = _write(draft, home, force=force)
                draft = _import(draft, host, home)
                draft = _bring_sops_nix(draft, host, home)
            else:
                add = f"nixsecrets add-user-key {home.host} {home.user}"
                draft = draft.warning(f"{home.user}@{home.host}: no key yet: {add}")
    return draft


def homes(repository: Repository, host: Host) -> tuple[AtHome, ...]:
    """Return the homes of a host that are to be given something."""
    scopes = (declaration.scope for declaration in _declared(repository, host))
    return tuple(dict.fromkeys(scope for scope in scopes if isinstance(scope, AtHome)))


def stale_homes(repository: Repository, host: Host) -> Iterator[AtHome]:
    """Yield the homes of a host whose module is missing or not as it is to be."""
    for home in homes(repository, host):
        if _has_key(repository, home) and not _is_in_step(repository, home):
            yield home


def _is_in_step(repository: Repository, home: AtHome) -> bool:
    source = repository.sources.find(module_of(repository, home))
    return source is not None and wiring_text.same_code(source.content, render(repository, home))


def module_of(repository: Repository, home: AtHome) -> PurePosixPath:
    return document_of(repository.fleet, home).with_suffix(".nix")


def render(repository: Repository, home: AtHome) -> bytes:
    """Return what the module of a home is to be."""
    document = document_of(repository.fleet, home)
    host = repository.fleet.host(home.host)
    declared = [one for one in _declared(repository, host) if one.scope == home]
    return wiring_text.render(
        Wiring(
            path=module_of(repository, home),
            default_document=document if repository.sources.find(document) else None,
            identity=None,
            with_pgp=False,
            secrets=tuple(
                Secret(one, document_for(repository.fleet, one))
                for one in sorted(declared, key=lambda one: one.name)
            ),
            consumers=tuple(
                sorted((option, one.name) for one in declared for option in one.consumers)
            ),
            platform=Platform.HOME,
        )
    )


def _declared(repository: Repository, host: Host) -> Iterator[Declaration]:
    for declaration in repository.fleet.declarations:
        match declaration.scope:
            case AtHome(host=name) if name == host.name and declaration.deliver:
                yield declaration
            case _:
                continue


def _has_key(repository: Repository, home: AtHome) -> bool:
    return any(
        (user.host, user.name) == (home.host, home.user) and user.recipients
        for user in repository.fleet.users
    )


def _write(draft: Draft, home: AtHome, *, force: bool) -> Draft:
    path = module_of(draft.repository, home)
    content = render(draft.repository, home)
    source = draft.repository.sources.find(path)
    if source is not None and wiring_text.same_code(source.content, content):
        return draft
    if source is not None and not force and not wiring_text.is_untouched(source.content):
        raise wiring_text.hand_edited(source.content, content, path)
    return draft.changed(path, content, f"wiring of {home.user}@{home.host}")


def _import(draft: Draft, host: Host, home: AtHome) -> Draft:
    module = module_of(draft.repository, home)
    own = wiring_modules.own_modules(draft.repository, host)
    if any(_imports(each.content, relative(module, each.path.parent)) for each in own):
        return draft
    where = f"to the `imports` of the Home Manager configuration of {home.user}"
    path = _configuration(draft.repository, host, home)
    if path is None:
        literal = render_path(relative(module, host.directory))
        missing = host.directory / "home.nix"
        return wiring_place.noting(draft, f"{missing}: no such file", literal, where)
    return wiring_place.import_into(draft, path, module, where)


def _imports(content: bytes, path: str) -> bool:
    try:
        return has_import(content, path)
    except NixSyntaxError:
        return False


def _configuration(repository: Repository, host: Host, home: AtHome) -> PurePosixPath | None:
    """Return the module of a user's home: beside the host's, or of the user's name."""
    folder = host.directory
    usual = ("home.nix", f"home-{home.user}.nix", f"{home.user}.nix", f"home/{home.user}/home.nix")
    places = (folder / name for name in usual)
    return next((path for path in places if repository.sources.find(path) is not None), None)


def _bring_sops_nix(draft: Draft, host: Host, home: AtHome) -> Draft:
    """Put the module for Home Manager into a home of the flake; else tell where it goes."""
    modules = wiring_modules.own_modules(draft.repository, host)
    if any(_HOME_MODULE.search(each.content) for each in modules):
        return draft
    try:
        flake = wiring_flake.read_flake(draft.repository)
    except NixSyntaxError:
        flake = None
    text = f"inputs.sops-nix.{_MODULE}"
    wanted = () if flake is None else _of_flake(flake, host, home)
    if flake is None or not wanted:
        where = f"to the `imports` of the Home Manager configuration of {home.user}"
        problem = f"{home.user}@{home.host}: nothing brings in sops-nix's module for Home Manager"
        return wiring_place.noting(draft, problem, text, where)

    def spell(place: Place) -> str | None:
        reference = flake.reference(place.scope)
        return None if reference is None else f"{reference}.{_MODULE}"

    lacking = [
        each
        for each in wanted
        if not any(flake.has(one, text) for one in flake.find(each[1], each[0]))
    ]
    placed = add_modules(flake, lacking, Module(spell, text))
    for path, content in placed.files.items():
        draft = draft.changed(path, content, f"sops-nix for {home.user}@{home.host}")
    for _, error in placed.refused:
        draft = wiring_place.noting(draft, str(error), error.text, error.where)
    return draft


def _of_flake(flake: Flake, host: Host, home: AtHome) -> tuple[tuple[Kind, str], ...]:
    """Return the home of a user on a host; one without a host in its name is every host's."""
    machines = dict.fromkeys((host.name, host.attribute or host.name, host.host_name))
    names = (*(f"{home.user}@{machine}" for machine in machines), home.user)
    found = next((name for name in names if flake.find(name, Kind.HOME)), None)
    return () if found is None else ((Kind.HOME, found),)
