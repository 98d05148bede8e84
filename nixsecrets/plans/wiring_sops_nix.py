"""sops-nix itself brought to each host: an input of the flake, a pin, or the line to paste."""

import json
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from nixsecrets.change import FollowUp
from nixsecrets.fleet.layout import FLAKE
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Host
from nixsecrets.nix.edit import (
    NotUnderstood,
    add_flake_input,
    add_import_expression,
    add_imported_input,
    sops_nix_reference,
)
from nixsecrets.nix.flake import SOPS_NIX_URL
from nixsecrets.nix.placing import Module, add_modules
from nixsecrets.nix.render import render_path
from nixsecrets.nix.syntax import NixSyntaxError
from nixsecrets.nix.systems import Flake, Found
from nixsecrets.nix.values import Kind, Place
from nixsecrets.plans import wiring_flake, wiring_modules
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.wiring_flake import MODULES
from nixsecrets.plans.wiring_place import noting
from nixsecrets.plans.wiring_text import relative

_USUAL_INPUT = "inputs.sops-nix"
_CHANNEL_MODULE = "<sops-nix/modules/sops>"
_CHANNEL_URL = "https://github.com/Mic92/sops-nix/archive/master.tar.gz"
_LOCK = FollowUp(
    ("nix", "--extra-experimental-features", "nix-command flakes", "flake", "lock"),
    "locks the new input sops-nix",
)

# Where pins stand, below which key of their JSON, and what is imported for them: npins' and niv's.
_PINS = (
    (PurePosixPath("npins/sources.json"), ("pins",), PurePosixPath("npins")),
    (PurePosixPath("nix/sources.json"), (), PurePosixPath("nix/sources.nix")),
)

_Refused = dict[tuple[Kind, str], NotUnderstood]


def bring_sops_nix(draft: Draft, hosts: Sequence[Host]) -> Draft:
    """Return the draft with sops-nix's module in the system of each host.

    What cannot be edited is a note with the text to add and its place.
    """
    flake = _flake(draft.repository)
    lacking = [host for host in hosts if not _has_sops_nix(draft, flake, host)]
    in_flake = [host for host in lacking if _is_in_flake(draft, host)]
    for host in lacking:
        if host not in in_flake:
            draft = _without_flake(draft, host)
    return _into_flake(draft, in_flake) if in_flake else draft


def _flake(repository: Repository) -> Flake | None:
    try:
        return wiring_flake.read_flake(repository)
    except NixSyntaxError:
        return None


def _is_in_flake(draft: Draft, host: Host) -> bool:
    there = draft.repository.sources.find(FLAKE) is not None
    return there and not host.without_flake and host.attribute is not None


def _has_sops_nix(draft: Draft, flake: Flake | None, host: Host) -> bool:
    modules = wiring_modules.modules_around(draft.repository, host)
    if any(wiring_modules.names_sops_nix(module.content) for module in modules):
        return True
    if flake is None or not _is_in_flake(draft, host):
        return False
    systems = wiring_flake.systems_of(flake, host)
    return bool(systems) and all(_is_in_system(draft, flake, system) for system in systems)


def _is_in_system(draft: Draft, flake: Flake, system: Found) -> bool:
    if flake.has(system, f"{_USUAL_INPUT}.{MODULES[system.built.kind]}"):
        return True
    for path in wiring_flake.module_paths(system):
        place = path if path.suffix == ".nix" else path / "default.nix"
        if place in draft.repository.paths():
            source = draft.repository.sources.find(place)
            if source is not None and wiring_modules.names_sops_nix(source.content):
                return True
    return False


def _into_flake(draft: Draft, hosts: Sequence[Host]) -> Draft:
    content = draft.repository.sources.read(FLAKE).content
    try:
        if _names_it_for_all(draft.repository, content):
            return draft
        after = add_flake_input(content)
        sops_nix_reference(after)
    except NotUnderstood as error:
        draft = noting(draft, str(error.within(FLAKE)), error.text, error.where)
        return _pasting(draft, hosts)
    except NixSyntaxError as error:
        return _pasting(draft.noting(str(error.within(FLAKE))), hosts)
    draft = draft.changed(FLAKE, after, "input sops-nix")
    if SOPS_NIX_URL.encode() in after and SOPS_NIX_URL.encode() not in content:
        draft = draft.following(_LOCK)
    return _into_systems(draft, hosts)


def _into_systems(draft: Draft, hosts: Sequence[Host]) -> Draft:
    """Put the module into all systems, kind by kind, each in one pass over the flake's files."""
    flake = wiring_flake.read_flake_anew(draft.repository)
    wanted: dict[Kind, dict[str, Host]] = {}
    for host in hosts:
        systems = wiring_flake.systems_of(flake, host)
        for kind, attribute in [(one.built.kind, one.attribute) for one in systems] or [
            (Kind.NIXOS, host.attribute or host.name)
        ]:
            wanted.setdefault(kind, {})[attribute] = host
    for kind, attributes in wanted.items():
        draft = _into_systems_of(draft, kind, attributes)
    return draft


def _into_systems_of(draft: Draft, kind: Kind, hosts: dict[str, Host]) -> Draft:
    flake, name = wiring_flake.read_flake_anew(draft.repository), MODULES[kind]
    lacking = [
        (kind, attribute)
        for attribute in hosts
        if not any(flake.has(one, f"{_USUAL_INPUT}.{name}") for one in flake.find(attribute, kind))
    ]

    def spell(place: Place) -> str | None:
        reference = flake.reference(place.scope)
        return None if reference is None else f"{reference}.{name}"

    placed = add_modules(flake, lacking, Module(spell, f"{_USUAL_INPUT}.{name}"))
    refused = dict(placed.refused)
    reached = [
        f"sops-nix for {attribute}" for one, attribute in lacking if (one, attribute) not in refused
    ]
    for path, content in placed.files.items():
        draft = draft.changed(path, content, *reached)
    for (_, attribute), error in refused.items():
        draft = _into_module(draft, flake, hosts[attribute], kind, error)
    return draft


def _into_module(draft: Draft, flake: Flake, host: Host, kind: Kind, error: NotUnderstood) -> Draft:
    """Import sops-nix in the host's own module, where modules are given the flake's inputs."""
    path = wiring_modules.own_configuration(draft.repository, host)
    systems = flake.find(host.attribute or host.name, kind)
    carried = next((flake.carried(one.built) for one in systems), None)
    if path is None or carried is None:
        place = error if error.place else error.within(FLAKE)
        return noting(draft, str(place), error.text, error.where)
    module = f"{carried}.{MODULES[kind]}"
    try:
        after = add_imported_input(draft.repository.sources.read(path).content, module)
    except NixSyntaxError as wrong:
        return noting(draft, str(wrong.within(path)), module, "to its `imports`")
    except NotUnderstood as wrong:
        return noting(draft, str(wrong.within(path)), wrong.text, wrong.where)
    return draft.changed(path, after, f"imports sops-nix for {host.name}")


def _pasting(draft: Draft, hosts: Sequence[Host]) -> Draft:
    for host in hosts:
        where = f"to the `modules` of nixosConfigurations.{host.attribute}"
        text = f"{_USUAL_INPUT}.{MODULES[Kind.NIXOS]}"
        draft = noting(draft, f"{FLAKE}: is not edited", text, where)
    return draft


def _names_it_for_all(repository: Repository, content: bytes) -> bool:
    """Tell whether the flake names sops-nix's module, but in no system that its text shows.

    It then stands in a list or a function that systems have in common.
    """
    if not wiring_modules.names_sops_nix(content):
        return False
    flake = _flake(repository)
    return flake is not None and not any(
        flake.has(one, f"{_USUAL_INPUT}.{MODULES[one.built.kind]}") for one in flake.systems
    )


def _without_flake(draft: Draft, host: Host) -> Draft:
    path = wiring_modules.own_configuration(draft.repository, host)
    module = next(_pinned(draft.repository, path or host.configuration), None)
    if path is not None and module is not None:
        try:
            content = draft.repository.sources.read(path).content
            after = add_import_expression(content, module)
        except NotUnderstood as error:
            return noting(draft, str(error.within(path)), error.text, error.where)
        except NixSyntaxError as error:
            return noting(draft, str(error.within(path)), module, "to its `imports`")
        return draft.changed(path, after, f"imports sops-nix for {host.name}")
    return noting(
        draft,
        f"{path or host.configuration}: nothing brings in sops-nix",
        module or _CHANNEL_MODULE,
        "to its `imports`"
        if module
        else f"to its `imports`, with a channel of that name: `nix-channel --add {_CHANNEL_URL}"
        " sops-nix && nix-channel --update` as root",
    )


def _pinned(repository: Repository, path: PurePosixPath) -> Iterator[str]:
    """Yield how a module reaches a pinned sops-nix: by npins, by niv, or as another host does."""
    for sources, keys, imported in _PINS:
        source = repository.sources.find(sources)
        if source is not None and _has_pin(source.content, keys):
            literal = render_path(relative(imported, path.parent))
            yield f'((import {literal}).sops-nix + "/modules/sops")'
    for host in repository.fleet.hosts:
        for module in wiring_modules.own_modules(repository, host):
            yield from wiring_modules.fetched_sops_nix(module.content)


def _has_pin(content: bytes, keys: tuple[str, ...]) -> bool:
    try:
        read: object = json.loads(content)
    except (ValueError, RecursionError):
        return False
    for key in keys:
        read = read.get(key) if isinstance(read, dict) else None
    return isinstance(read, dict) and "sops-nix" in read
