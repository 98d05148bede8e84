"""Bring the generated Nix of each host to what the declarations say, and into its configuration."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from nixsecrets.change import Source
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet.access import delivered, document_for, document_of
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
    Template,
)
from nixsecrets.fleet.names import SecretName, clashes, parse_secret_name
from nixsecrets.nix.edit import declared_secrets
from nixsecrets.nix.syntax import NixSyntaxError
from nixsecrets.plans import (
    documents,
    wiring_flake,
    wiring_home,
    wiring_modules,
    wiring_place,
    wiring_sops_nix,
    wiring_text,
)
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.wiring_modules import OlderDefinition
from nixsecrets.plans.wiring_text import Platform, Secret, Wiring
from nixsecrets.sops import document
from nixsecrets.sops.document import LeafState
from nixsecrets.sops.stores.formats import Format
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
    draft = wiring_sops_nix.bring_sops_nix(draft, wired)
    return wiring_home.bring(draft, hosts, force=force)


def render(repository: Repository, host: Host) -> bytes:
    """Return what a host's wiring is to be; errors as those of `bring`."""
    return wiring_text.render(wiring_of(repository, host))


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
            raise wiring_text.hand_edited(present, content, path)
    for words in _left_out(draft.repository, host):
        draft = draft.noting(words)
    return draft.changed(path, content, _summary(present, content, host))


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
    platform = _platform(repository, host)
    for template in _templates(repository.fleet, host):
        for option in wiring_text.left_out(template, platform):
            yield f"{template.address}: sops-nix's module of {host.name} has no {option}"
    for declaration in _delivered(repository, host):
        for option in wiring_text.left_out(declaration, platform):
            yield f"{declaration.address}: sops-nix's module of {host.name} has no {option}"
        if declaration.name in known:
            yield (
                f"{declaration.address} is left out of the wiring of {host.name}:"
                f" {known[declaration.name]} has it already"
            )


def wiring_of(repository: Repository, host: Host) -> Wiring:
    """Return what a host's wiring is to say; errors as those of `bring`."""
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
            Secret(declaration, document_for(fleet, declaration))
            for declaration in sorted(declarations, key=lambda one: one.name)
        ),
        consumers=_consumers(fleet, host),
        platform=_platform(repository, host),
        templates=_templates(fleet, host),
    )


def _templates(fleet: Fleet, host: Host) -> tuple[Template, ...]:
    reaching = (one for one in fleet.templates if fleet.manifest.reaches(one.scope, host.name))
    return tuple(sorted(reaching, key=lambda one: one.name))


def _platform(repository: Repository, host: Host) -> Platform:
    try:
        flake = wiring_flake.read_flake(repository) if host.attribute else None
    except NixSyntaxError:
        return Platform.NIXOS
    darwin = flake is not None and wiring_flake.is_darwin(flake, host)
    return Platform.DARWIN if darwin else Platform.NIXOS


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
            known = {(document_for(fleet, one), one.key_path) for one in declared}
            for scope in _scopes(fleet, host):
                path = document_of(fleet, scope)
                for name in _contents(repository.sources.find(path)).names:
                    if (path, key_path(name)) not in known:
                        yield Declaration(name, scope)


def _scopes(fleet: Fleet, host: Host) -> tuple[Scope, ...]:
    groups = (InGroup(group.name) for group in fleet.groups if host.name in group.hosts)
    return (Shared(), *groups, OnHost(host.name))


def _with_pgp(repository: Repository, host: Host) -> bool:
    fleet = repository.fleet
    paths = [document_of(fleet, scope) for scope in _scopes(fleet, host)]
    paths += [document_for(fleet, one) for one in delivered(fleet, host) if one.file is not None]
    sources = map(repository.sources.find, dict.fromkeys(paths))
    return any(
        b"pgp" in source.content and _contents(source).with_pgp for source in sources if source
    )


def _contents(source: Source | None) -> _Contents:
    if source is None:
        return _Contents((), with_pgp=False)
    try:
        return _survey(source.content, documents.form_of(source.path, source.content))
    except NixsecretsError as error:
        raise error.within(source.path) from None


@lru_cache(maxsize=64)
def _survey(content: bytes, form: Format) -> _Contents:
    """Survey a document; the hosts of a fleet ask for the same ones in turn."""
    sealed = document.parse(content, form)
    return _Contents(
        tuple(_nameable(_reachable(sealed.leaf_states(), form))),
        with_pgp="pgp" in sealed.metadata.foreign_services,
    )


def _reachable(leaves: Iterable[LeafState], form: Format) -> Iterator[LeafState]:
    """Yield the leaves that sops-nix can take out of a document, which it may deliver whole."""
    match form:
        case Format.YAML:
            yield from leaves
        case Format.JSON:
            yield from (leaf for leaf in leaves if len(leaf.path) == 1)
        case Format.DOTENV | Format.INI | Format.BINARY:
            yield from ()


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
