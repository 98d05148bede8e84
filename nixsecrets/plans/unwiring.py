"""The wiring of a host that leaves, taken out where the tool put it; the rest is told."""

from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from nixsecrets.fleet.layout import FLAKE
from nixsecrets.fleet.model import Host
from nixsecrets.nix.edit import NotUnderstood, add_import, add_module, sops_nix_reference
from nixsecrets.nix.render import render_path
from nixsecrets.nix.syntax import NixSyntaxError
from nixsecrets.plans import wiring_modules, wiring_text
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.wiring_text import relative


def take_out(draft: Draft, host: Host) -> Draft:
    """Return the draft without the wiring of a host, its import and sops-nix in its system.

    Args:
        draft: with the host out of the fleet.
        host: as the fleet had it.
    """
    path = draft.fleet.layout.wiring(host.name, host.directory)
    if not _is_ours(draft, path):
        return _told_of(draft, path)
    draft = draft.changed(path, None, f"wiring of {host.name}")
    after = _without_import(draft, host.configuration, path)
    if after is None and wiring_modules.imports_wiring(draft.repository, host, path):
        draft = draft.noting(f"{path} goes: take it out of the imports of {host.name}")
    return _out_of_system(after or draft, host)


def take_out_homes(draft: Draft, host: Host, documents: Iterable[PurePosixPath]) -> Draft:
    """Return the draft without the modules of a host's homes, which stand beside their documents.

    Args:
        draft: so far.
        host: as the fleet had it.
        documents: of the homes.
    """
    for path in (document.with_suffix(".nix") for document in documents):
        if not _is_ours(draft, path):
            draft = _told_of(draft, path)
            continue
        draft = draft.changed(path, None, f"wiring of a home on {host.name}")
        modules = (each for each in sorted(draft.repository.paths()) if each.suffix == ".nix")
        here = [each for each in modules if host.directory in each.parents]
        cut = next(filter(None, (_without_import(draft, each, path) for each in here)), None)
        draft = cut or draft.noting(f"{path} goes: take it out of the imports of that home")
    return draft


def _is_ours(draft: Draft, path: PurePosixPath) -> bool:
    source = draft.repository.sources.find(path)
    return source is not None and wiring_text.is_untouched(source.content)


def _told_of(draft: Draft, path: PurePosixPath) -> Draft:
    if draft.repository.sources.find(path) is None:
        return draft
    return draft.noting(f"{path} stays: it is not as nixsecrets wrote it")


def _without_import(draft: Draft, module: PurePosixPath, path: PurePosixPath) -> Draft | None:
    """Return the draft in which a module does not import `path`; None: not as we write it."""
    source = draft.repository.sources.find(module)
    relative_path = relative(path, module.parent)
    literal = render_path(relative_path)
    content = source.content if source else b""
    after = _cut(content, literal, lambda text: add_import(text, relative_path))
    return None if after is None else draft.changed(module, after, f"imports {literal} no more")


def _out_of_system(draft: Draft, host: Host) -> Draft:
    """Take sops-nix out of the host's system, unless something else there may want it."""
    flake = draft.repository.sources.find(FLAKE)
    if flake is None or host.attribute is None:
        return draft
    if any(b"sops" in one.content for one in wiring_modules.modules_around(draft.repository, host)):
        return draft
    attribute = host.attribute
    try:
        module = f"{sops_nix_reference(flake.content)}.nixosModules.sops"
    except (NotUnderstood, NixSyntaxError):
        return draft
    after = _cut(flake.content, module, lambda text: add_module(text, attribute, module))
    return draft if after is None else draft.changed(FLAKE, after, f"no sops-nix for {attribute}")


def _cut(content: bytes, words: str, put: Callable[[bytes], bytes]) -> bytes | None:
    """Return `content` without one place of `words`, as it was before `put` put them there.

    None: no place of theirs is one at which `put` would put them.
    """
    lines = content.splitlines(keepends=True)
    wanted = (words.encode(), f"imports = [ {words} ];".encode())
    for number, line in enumerate(lines):
        if line.strip() not in wanted:
            continue
        blank = number + 1 < len(lines) and not lines[number + 1].strip()
        for more in (1, 2) if blank else (1,):
            before = b"".join((*lines[:number], *lines[number + more :]))
            if _put(before, put) == content:
                return before
    return None


def _put(content: bytes, put: Callable[[bytes], bytes]) -> bytes | None:
    try:
        return put(content)
    except (NotUnderstood, NixSyntaxError):
        return None
