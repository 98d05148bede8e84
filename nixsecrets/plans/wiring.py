"""Bring the generated Nix of each host to what the declarations say, and into its configuration."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from enum import Enum, auto
from functools import lru_cache
from pathlib import PurePosixPath

from nixsecrets.change import Source
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet.access import delivered, document_of
from nixsecrets.fleet.address import key_path
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import (
    Declaration,
    Deliver,
    Fleet,
    Host,
    Identity,
    IdentitySsh,
    InGroup,
    OnHost,
    Scope,
    Shared,
)
from nixsecrets.fleet.names import SecretName, clashes, parse_secret_name
from nixsecrets.nix.edit import declared_secrets
from nixsecrets.nix.syntax import NixSyntaxError
from nixsecrets.plans import wiring_modules, wiring_place, wiring_text
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.wiring_modules import OlderDefinition
from nixsecrets.plans.wiring_text import Secret, Wiring
from nixsecrets.sops import document
from nixsecrets.sops.document import LeafState
from nixsecrets.sops.tree import LeafType

_USUAL_IDENTITY = IdentitySsh(("/etc/ssh/ssh_host_ed25519_key",))


class WiringState(Enum):
    MISSING = auto()
    STALE = auto()
    HAND_EDITED = auto()
    NOT_IMPORTED = auto()
    """It is as it should be, but no module of the host's own names it."""
    IN_STEP = auto()


@dataclass(frozen=True, slots=True)
class _Contents:
    """What a document shows without any identity.

    Args:
        names: of the leaves that a host can be given: strings, sealed, not empty, with a name.
        with_pgp: a PGP key may open it.
    """

    names: tuple[SecretName, ...]
    with_pgp: bool


def bring(draft: Draft, hosts: Sequence[Host], *, force: bool = False) -> Draft:
    """Return the draft with the wiring of hosts written and imported, and sops-nix brought in.

    What cannot be edited is a note with the text to add and its place. A host without a key file
    is passed over with a warning.

    Args:
        draft: with everything else decided; documents that it makes count.
        hosts: of the draft's fleet.
        force: overwrite a wiring that was edited by hand.

    Raises:
        RepositoryError: two secrets that reach one host have one name, or one lies below the
            other; a wiring was edited by hand; a document that has to be read is damaged.
    """
    wired = [host for host in hosts if host.recipient is not None]
    for host in hosts:
        if host.recipient is None:
            draft = draft.warning(f"{host.name}: no key yet: nixsecrets add-host {host.name}")
    for host in wired:
        draft = _write(draft, host, force=force)
        for older in older_definitions(draft.repository, host):
            draft = draft.warning(
                f"{older.path}:{older.line}: {older.option} is set by the wiring of {host.name};"
                " an older definition stands there: remove it"
            )
        draft = wiring_place.into_imports(draft, host)
    return wiring_place.bring_sops_nix(draft, wired)


def render(repository: Repository, host: Host) -> bytes:
    """Return what a host's wiring is to be; errors as those of `bring`."""
    return wiring_text.render(_wiring_of(repository, host))


def stale(repository: Repository, host: Host) -> WiringState:
    """Return how the wiring of a host that has a key file stands; errors as those of `bring`."""
    path = repository.fleet.layout.wiring(host.name, host.directory)
    source = repository.sources.find(path)
    if source is None:
        return WiringState.MISSING
    if not wiring_text.same_code(source.content, render(repository, host)):
        untouched = wiring_text.is_untouched(source.content)
        return WiringState.STALE if untouched else WiringState.HAND_EDITED
    if not wiring_modules.imports_wiring(repository, host, path):
        return WiringState.NOT_IMPORTED
    return WiringState.IN_STEP


def older_definitions(repository: Repository, host: Host) -> tuple[OlderDefinition, ...]:
    """Return the lines that people wrote and that set an option which the host's wiring sets."""
    options = tuple(option for option, _ in _consumers(repository.fleet, host))
    return tuple(wiring_modules.older_definitions(repository, host, options))


def _write(draft: Draft, host: Host, *, force: bool) -> Draft:
    path = draft.fleet.layout.wiring(host.name, host.directory)
    content = render(draft.repository, host)
    source = draft.repository.sources.find(path)
    present = source.content if source else None
    if present is not None:
        if wiring_text.same_code(present, content):
            return draft
        if not force and not wiring_text.is_untouched(present):
            raise _hand_edited(present, content, path)
    for words in _left_out(draft.repository, host):
        draft = draft.noting(words)
    return draft.changed(path, content, _summary(present, content, host))


def _hand_edited(present: bytes, content: bytes, path: PurePosixPath) -> RepositoryError:
    ours = wiring_text.is_ours(present)
    old, new = (text.decode(errors="replace").splitlines() for text in (present, content))
    diff = unified_diff(old, new, str(path), "as nixsecrets would write it", lineterm="")
    return RepositoryError(
        "was edited by hand" if ours else "was not written by nixsecrets",
        hint="\n".join(("`nixsecrets wire --force` overwrites it:", *diff)),
    ).within(path)


def _summary(present: bytes | None, content: bytes, host: Host) -> str:
    before, after = _declared(present or b"{ }"), _declared(content)
    changes = [f"+ {name}" for name in sorted(after - before)]
    changes += [f"- {name}" for name in sorted(before - after)]
    return f"wiring of {host.name}: {', '.join(changes) or 'settings'}"


def _declared(content: bytes) -> frozenset[str]:
    try:
        return declared_secrets(content)
    except NixSyntaxError:
        return frozenset()


def _left_out(repository: Repository, host: Host) -> Iterator[str]:
    known = wiring_modules.declared_names(wiring_modules.own_modules(repository, host))
    for declaration in _delivered(repository, host):
        if declaration.name in known:
            yield (
                f"{declaration.address} is left out of the wiring of {host.name}:"
                f" {known[declaration.name]} has it already"
            )


def _wiring_of(repository: Repository, host: Host) -> Wiring:
    fleet, sources = repository.fleet, repository.sources
    path = fleet.layout.wiring(host.name, host.directory)
    own_document = fleet.layout.host_document(host.name, host.directory)
    known = wiring_modules.declared_names(wiring_modules.own_modules(repository, host))
    declarations = [one for one in _delivered(repository, host) if one.name not in known]
    _refuse_clashes(declarations, host)
    return Wiring(
        path=path,
        default_document=own_document if sources.find(own_document) else None,
        identity=_identity(repository, host),
        with_pgp=_with_pgp(repository, host),
        secrets=tuple(
            Secret(declaration, document_of(fleet, declaration.scope))
            for declaration in sorted(declarations, key=lambda one: one.name)
        ),
        consumers=_consumers(fleet, host),
    )


def _identity(repository: Repository, host: Host) -> Identity | None:
    """Return what is written out; sops-nix takes the usual key by itself where sshd is on."""
    if host.identity is None and wiring_modules.enables_openssh(repository, host):
        return None
    return host.identity or _USUAL_IDENTITY


def _consumers(fleet: Fleet, host: Host) -> tuple[tuple[str, SecretName], ...]:
    return tuple(
        sorted(
            (option, declaration.name)
            for declaration in delivered(fleet, host)
            for option in declaration.consumers
        )
    )


def _delivered(repository: Repository, host: Host) -> Iterator[Declaration]:
    fleet = repository.fleet
    declared = delivered(fleet, host)
    yield from (declaration for declaration in declared if declaration.deliver)
    match fleet.manifest.deliver:
        case Deliver.DECLARED:
            return
        case Deliver.ALL:
            known = {declaration.address for declaration in declared}
            for scope in _scopes(fleet, host):
                source = repository.sources.find(document_of(fleet, scope))
                for name in _contents(source).names:
                    undeclared = Declaration(name, scope)
                    if undeclared.address not in known:
                        yield undeclared


def _scopes(fleet: Fleet, host: Host) -> tuple[Scope, ...]:
    groups = (InGroup(group.name) for group in fleet.groups if host.name in group.hosts)
    return (Shared(), *groups, OnHost(host.name))


def _with_pgp(repository: Repository, host: Host) -> bool:
    paths = (document_of(repository.fleet, scope) for scope in _scopes(repository.fleet, host))
    sources = (repository.sources.find(path) for path in paths)
    return any(
        b"pgp" in source.content and _contents(source).with_pgp for source in sources if source
    )


def _contents(source: Source | None) -> _Contents:
    if source is None:
        return _Contents((), with_pgp=False)
    try:
        return _survey(source.content)
    except NixsecretsError as error:
        raise error.within(source.path) from None


@lru_cache(maxsize=64)
def _survey(content: bytes) -> _Contents:
    """Survey a document; the hosts of a fleet ask for the same ones in turn."""
    sealed = document.parse(content)
    return _Contents(
        tuple(_nameable(sealed.leaf_states())),
        with_pgp="pgp" in sealed.metadata.foreign_services,
    )


def _nameable(leaves: Iterable[LeafState]) -> Iterator[SecretName]:
    for leaf in leaves:
        keys = tuple(step for step in leaf.path if isinstance(step, str))
        sealed_text = leaf.sealed_as == LeafType.STR.value and leaf.encrypted_by_rule
        if sealed_text and not leaf.empty and keys == leaf.path:
            try:
                name = parse_secret_name("/".join(keys))
            except RepositoryError:
                continue
            if key_path(name) == keys:
                yield name


def _refuse_clashes(declarations: Sequence[Declaration], host: Host) -> None:
    seen: dict[SecretName, Declaration] = {}
    for declaration in declarations:
        if first := seen.get(declaration.name):
            raise RepositoryError(
                f"{first.address} and {declaration.address} both reach {host.name}",
                hint="give one of them another name",
            )
        seen[declaration.name] = declaration
    for above, below in clashes(seen):
        raise RepositoryError(
            f"{seen[above].address} and {seen[below].address} both reach {host.name},"
            " and a value cannot have others below it",
            hint="give one of them another name",
        )
