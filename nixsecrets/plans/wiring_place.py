"""Where the wiring takes hold: `imports` of a host's configuration, and sops-nix in the flake."""

from collections.abc import Sequence
from textwrap import indent

from nixsecrets.change import FollowUp
from nixsecrets.fleet.layout import FLAKE
from nixsecrets.fleet.model import Host
from nixsecrets.nix.edit import (
    NotUnderstood,
    add_flake_input,
    add_import,
    add_module,
    find_systems,
    has_module,
    sops_nix_reference,
)
from nixsecrets.nix.flake import SOPS_NIX_URL
from nixsecrets.nix.render import render_path
from nixsecrets.nix.syntax import NixSyntaxError
from nixsecrets.plans import wiring_modules
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.wiring_text import relative

_USUAL_MODULE = "inputs.sops-nix.nixosModules.sops"
_CHANNEL_MODULE = "<sops-nix/modules/sops>"
_CHANNEL_URL = "https://github.com/Mic92/sops-nix/archive/master.tar.gz"
_LOCK = FollowUp(
    ("nix", "--extra-experimental-features", "nix-command flakes", "flake", "lock"),
    "locks the new input sops-nix",
)


def into_imports(draft: Draft, host: Host) -> Draft:
    """Return the draft with the host's wiring among the imports of its configuration.

    Left alone where any module of the host, or its system in the flake, names the wiring.
    """
    wiring = draft.fleet.layout.wiring(host.name, host.directory)
    if wiring_modules.imports_wiring(draft.repository, host, wiring):
        return draft
    path = host.configuration
    literal = render_path(relative(wiring, path.parent))
    where = f"to the `imports` of the configuration of {host.name}"
    source = draft.repository.sources.find(path)
    if source is None:
        return _noting(draft, f"{path}: no such file", literal, where)
    try:
        after = add_import(source.content, relative(wiring, path.parent))
    except NotUnderstood as error:
        return _noting(draft, str(error.within(path)), error.text, error.where)
    except NixSyntaxError as error:
        return _noting(draft, str(error.within(path)), literal, where)
    return draft.changed(path, after, f"imports {literal}")


def bring_sops_nix(draft: Draft, hosts: Sequence[Host]) -> Draft:
    """Return the draft with sops-nix's module in the system of each host of the flake.

    A host that is built without the flake gets a note with the line to paste.
    """
    lacking = [host for host in hosts if not _has_sops_nix(draft, host)]
    in_flake = [host for host in lacking if _attribute(draft, host) is not None]
    for host in lacking:
        if host not in in_flake:
            draft = _noting(
                draft,
                f"{host.configuration}: nothing brings in sops-nix",
                _CHANNEL_MODULE,
                f"to its `imports`, with a channel of that name: `nix-channel --add {_CHANNEL_URL}"
                " sops-nix && nix-channel --update` as root",
            )
    return _into_flake(draft, in_flake) if in_flake else draft


def _attribute(draft: Draft, host: Host) -> str | None:
    """Return the host's name in the flake that it is built from."""
    built_from_it = not host.without_flake and draft.repository.sources.find(FLAKE) is not None
    return host.attribute if built_from_it else None


def _has_sops_nix(draft: Draft, host: Host) -> bool:
    modules = wiring_modules.modules_around(draft.repository, host)
    if any(wiring_modules.names_sops_nix(module.content) for module in modules):
        return True
    attribute = _attribute(draft, host)
    if attribute is None or b"sops" not in _flake(draft):
        return False
    try:
        return has_module(_flake(draft), attribute, _USUAL_MODULE)
    except NixSyntaxError:
        return False


def _into_flake(draft: Draft, hosts: Sequence[Host]) -> Draft:
    content = _flake(draft)
    try:
        if _names_it_for_all(content):
            return draft
        after = add_flake_input(content)
        module = f"{sops_nix_reference(after)}.nixosModules.sops"
    except NotUnderstood as error:
        draft = _noting(draft, str(error.within(FLAKE)), error.text, error.where)
        return _pasting(draft, hosts)
    except NixSyntaxError as error:
        return _pasting(draft.noting(str(error.within(FLAKE))), hosts)
    draft = draft.changed(FLAKE, after, "input sops-nix")
    if _is_declared(after) and not _is_declared(content):
        draft = draft.following(_LOCK)
    for host in hosts:
        draft = _into_system(draft, host.attribute or host.name, module)
    return draft


def _into_system(draft: Draft, attribute: str, module: str) -> Draft:
    try:
        after = add_module(_flake(draft), attribute, module)
    except NotUnderstood as error:
        return _noting(draft, str(error.within(FLAKE)), error.text, error.where)
    return draft.changed(FLAKE, after, f"sops-nix for {attribute}")


def _pasting(draft: Draft, hosts: Sequence[Host]) -> Draft:
    for host in hosts:
        where = f"to the `modules` of nixosConfigurations.{host.attribute}"
        draft = _noting(draft, f"{FLAKE}: is not edited", _USUAL_MODULE, where)
    return draft


def _names_it_for_all(content: bytes) -> bool:
    """Tell whether the flake names sops-nix's module, but in no literal system of its own.

    It then stands in a list or a function that systems have in common.
    """
    return wiring_modules.names_sops_nix(content) and not any(
        has_module(content, system.attribute, _USUAL_MODULE) for system in find_systems(content)
    )


def _is_declared(flake: bytes) -> bool:
    return SOPS_NIX_URL.encode() in flake


def _flake(draft: Draft) -> bytes:
    return draft.repository.sources.read(FLAKE).content


def _noting(draft: Draft, problem: str, text: str, where: str) -> Draft:
    return draft.noting(f"{problem}; add {where}:\n{indent(text, '  ')}")
