"""A name and a scope → the document and the key path that are meant."""

from collections.abc import Callable, Iterable
from enum import Enum, auto
from pathlib import PurePosixPath
from typing import NamedTuple, TypeAlias

from nixsecrets.errors import RepositoryError, UsageError
from nixsecrets.fleet.access import document_for, document_of, managed_documents
from nixsecrets.fleet.layout import parse_path
from nixsecrets.fleet.model import (
    Address,
    Admins,
    AtHome,
    Declaration,
    Fleet,
    Host,
    InFile,
    InGroup,
    OnHost,
    Scope,
    Shared,
)
from nixsecrets.fleet.names import (
    SecretName,
    nearest,
    parse_group_name,
    parse_host_name,
    parse_secret_name,
    parse_user_name,
)
from nixsecrets.sops.stores.formats import Format, format_of
from nixsecrets.sops.tree import KeyPath

__all__ = [
    "Address",
    "Leaves",
    "Place",
    "Purpose",
    "ScopeChoice",
    "candidates",
    "key_path",
    "locate",
    "parse_argument",
    "place_in",
    "place_of",
]

ScopeChoice: TypeAlias = Scope | InFile

BINARY_LEAF = "data"
"""The one leaf of a binary document (`stores/json/store.go` of sops, `BinaryStore`)."""

_SPELLED = (
    "write NAME, shared:NAME, group/GROUP:NAME, host/HOST:NAME, home/HOST/USER:NAME, admins:NAME "
    "or file/PATH:NAME"
)


class Purpose(Enum):
    READ = auto()
    """`get` and `rm`: the leaf must be somewhere."""
    WRITE = auto()
    """`set`: the leaf may be new."""


class Leaves(NamedTuple):
    """What is asked of documents where the manifest does not know a name; nothing is decrypted.

    Args:
        candidates: the documents that may hold it, see `candidates`.
        has_leaf: whether the document at a path has a leaf at a key path.
        names: the names of the leaves of the document at a path, for hints.
    """

    candidates: tuple[PurePosixPath, ...]
    has_leaf: Callable[[PurePosixPath, tuple[str, ...]], bool]
    names: Callable[[PurePosixPath], Iterable[str]]


class Place(NamedTuple):
    """Where a value stands or is to stand.

    Args:
        path: the document.
        key_path: the keys (and positions) down to the leaf, outermost first.
        address: its one spelling.
        declaration: what the manifest says about it; None: nothing.
    """

    path: PurePosixPath
    key_path: KeyPath
    address: Address
    declaration: Declaration | None


def parse_argument(text: str) -> SecretName | Address:
    """Return what a command's argument names: a bare name, or a full address.

    Raises:
        UsageError: the part before the colon is no scope.
        RepositoryError: a name in it is no name.
    """
    prefix, colon, name = text.rpartition(":")
    if not colon:
        return parse_secret_name(text)
    return Address(_parse_scope(prefix), parse_secret_name(name))


def candidates(
    fleet: Fleet, this_machine: Host | None, others: Iterable[PurePosixPath]
) -> tuple[PurePosixPath, ...]:
    """Return the documents that may hold an undeclared name, in the order they are looked at.

    Args:
        fleet: its managed documents count.
        this_machine: the host this runs on; its documents come first.
        others: every document that a rule of the policy matches.
    """
    documents = managed_documents(fleet)
    own = [d.path for d in documents if this_machine and d.scope == OnHost(this_machine.name)]
    groups = [d.path for d in documents if isinstance(d.scope, InGroup)]
    shared = [d.path for d in documents if isinstance(d.scope, Shared)]
    hosts = [d.path for d in documents if isinstance(d.scope, OnHost)]
    rest = [d.path for d in documents]
    return tuple(dict.fromkeys((*own, *groups, *shared, *hosts, *rest, *others)))


def key_path(name: SecretName) -> tuple[str, ...]:
    return tuple(name.split("/"))


def locate(
    fleet: Fleet,
    argument: str,
    chosen: ScopeChoice | None,
    purpose: Purpose,
    leaves: Callable[[], Leaves],
) -> Place:
    """Return the place that an argument means, the first of these that applies.

    1. an address, or a name with a chosen scope: that document;
    2. the one declaration of the name;
    3. the one document that has the leaf; only now `leaves` is asked.

    Raises:
        UsageError: several are meant, scope and address differ, a new name has no scope, or the
            name has a value per host.
        RepositoryError: a host, a group or a name is unknown, with the nearest; no name at all.
    """
    asked = parse_argument(argument)
    if isinstance(asked, Address):
        if chosen not in (None, asked.scope):
            raise UsageError(
                f"{asked} and another scope are asked for at once", hint="leave one of them out"
            )
        return place_of(fleet, asked)
    if chosen:
        return place_of(fleet, Address(chosen, asked))
    known = [declaration for declaration in fleet.declarations if declaration.name == asked]
    if any(declaration.each for declaration in known):
        raise UsageError(
            f"{asked} has a value per host",
            hint="say --host HOST; `set --every --generate` is for all that have none",
        )
    declared = [place_of(fleet, declaration.address) for declaration in known]
    return _one_of(asked, declared) or _found(fleet, asked, purpose, leaves())


def place_in(fleet: Fleet, path: PurePosixPath, keys: KeyPath, name: SecretName) -> Place:
    """Return the place at a key path of a document, which `name` spells."""
    return place_of(fleet, Address(InFile(path), name))._replace(key_path=keys)


def _found(fleet: Fleet, name: SecretName, purpose: Purpose, leaves: Leaves) -> Place:
    found = [
        place_of(fleet, Address(InFile(path), name))
        for path in leaves.candidates
        if leaves.has_leaf(path, key_path(name))
    ]
    if place := _one_of(name, found):
        return place
    match purpose:
        case Purpose.READ:
            raise _nowhere(fleet, name, leaves)
        case Purpose.WRITE:
            raise UsageError(
                f"{name} is new, and nothing says whose it is",
                hint="say --host, --group or --shared" if fleet.managed else "say --file",
            )


def place_of(fleet: Fleet, address: Address) -> Place:
    """Return the place of an address; a managed document's path is spelled as its scope."""
    scope = address.scope
    if isinstance(scope, InFile):
        path = parse_path(str(scope.path))
        managed = {document.path: document.scope for document in managed_documents(fleet)}
        scope = managed.get(path, scope)
    else:
        path = document_of(fleet, scope)
    address = Address(scope, address.name)
    declared = (one for one in fleet.declarations if one.address == address)
    found = next(declared, None)
    if found is None or found.is_plain:
        return Place(path, key_path(address.name), address, found)
    path = document_for(fleet, found)
    return Place(path, _keys_in(path, found), address, found)


def _keys_in(path: PurePosixPath, declaration: Declaration) -> KeyPath:
    """Return where a declaration's value stands in its document.

    Raises:
        UsageError: it is the whole of a document that holds several values.
    """
    if not declaration.whole_file:
        return declaration.key_path
    if format_of(path.name) is Format.BINARY:
        return (BINARY_LEAF,)
    raise UsageError(
        f"{declaration.address} is the whole of {path}, which holds values of its own",
        hint=f"`nixsecrets decrypt {path}` prints it, `nixsecrets edit {path}` changes it",
    )


def _one_of(name: SecretName, places: list[Place]) -> Place | None:
    if len(places) > 1:
        addresses = ", ".join(str(place.address) for place in places)
        raise UsageError(f"{name} is {len(places)} secrets", hint=f"say which one: {addresses}")
    return places[0] if places else None


def _nowhere(fleet: Fleet, name: SecretName, leaves: Leaves) -> RepositoryError:
    known = {str(declaration.name) for declaration in fleet.declarations}
    known.update(found for path in leaves.candidates for found in leaves.names(path))
    near = nearest(name, known)
    hint = f"did you mean {' or '.join(near)}?" if near else "`nixsecrets ls` lists all"
    return RepositoryError(f"no document has {name}", hint=hint)


def _parse_scope(prefix: str) -> ScopeChoice:
    kind, _, rest = prefix.partition("/")
    match kind:
        case "admins" if not rest:
            return Admins()
        case "shared" if not rest:
            return Shared()
        case "group" if rest:
            return InGroup(parse_group_name(rest))
        case "host" if rest:
            return OnHost(parse_host_name(rest))
        case "home" if "/" in rest:
            host, _, user = rest.partition("/")
            return AtHome(parse_host_name(host), parse_user_name(user))
        case "file" if rest:
            return InFile(parse_path(rest))
        case _:
            raise UsageError(f"{prefix!r} is no scope", hint=_SPELLED)
