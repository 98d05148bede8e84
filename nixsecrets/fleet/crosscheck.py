"""What no section of the manifest shows by itself: names and files that meet."""

from collections import ChainMap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple, TypeAlias, TypeVar

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.declared import PlacedDeclaration
from nixsecrets.fleet.layout import FLAKE, MANIFEST, Layout
from nixsecrets.fleet.model import Group, Host, InGroup, Manifest, OnHost, Person, Scope, Shared
from nixsecrets.fleet.outline import Span

Item = TypeVar("Item")
Placed: TypeAlias = Sequence[tuple[Span, Item]]

_RENAME = "give one of them another name"


def check_labels(hosts: Placed[Host], people: Placed[Person]) -> None:
    """Refuse two hosts with one attribute, host name or anchor, and an anchor that is a person.

    Raises:
        RepositoryError: at the second of the two.
    """
    anchors = {str(person.name): f"person {person.name!r}" for _, person in people}
    attributes: dict[str, str] = {}
    host_names: dict[str, str] = {}
    for at, host in hosts:
        me = f"host {host.name!r}"
        if host.attribute:
            _claim(at, me, "attribute", host.attribute, attributes)
        _claim(at, me, "host-name", host.host_name, host_names)
        _claim(at, me, "anchor", host.anchor, anchors)


def _claim(at: Span, who: str, what: str, value: str, taken: dict[str, str]) -> None:
    if value in taken:
        raise at.fault(
            f"{who} and {taken[value]} have the same {what} {value!r}",
            f"give {who} another with `{what}:`",
        )
    taken[value] = who


def check_files(
    hosts: Placed[Host],
    groups: Placed[Group],
    people: Placed[Person],
    layout: Layout,
    layout_at: Span,
) -> None:
    """Refuse two things of the fleet that the layout puts into one file.

    Raises:
        RepositoryError: at the second of the two.
    """
    taken = {host.configuration: f"the configuration of host {host.name!r}" for _, host in hosts}
    taken |= {MANIFEST: "the manifest", FLAKE: "the flake", layout.policy: "the policy"}
    shared = (layout_at, "the shared document", layout.shared_document)
    for at, who, path in (shared, *_files(hosts, groups, people, layout)):
        if path in taken:
            raise at.fault(
                f"{who} and {taken[path]} have the same file {path}", "change a pattern of `layout`"
            )
        taken[path] = who


def _files(
    hosts: Placed[Host], groups: Placed[Group], people: Placed[Person], layout: Layout
) -> Iterator[tuple[Span, str, PurePosixPath]]:
    for at, person in people:
        yield at, f"person {person.name!r}", layout.person_key(person.name)
    for at, host in hosts:
        who = f"host {host.name!r}"
        yield at, who, layout.host_document(host.name, host.directory)
        yield at, who, layout.wiring(host.name, host.directory)
        yield at, who, layout.host_key(host.name)
    for at, group in groups:
        yield at, f"group {group.name!r}", layout.group_document(group.name)


def check_declarations(placed: Sequence[PlacedDeclaration], manifest: Manifest) -> None:
    """Refuse what cannot stand on one host over all its scopes, or in one document.

    Raises:
        RepositoryError: the same name twice, `a` beside `a/b`, or one consumer set twice; at the
            later of the two.
    """
    of_scope: dict[Scope, list[PlacedDeclaration]] = {}
    for item in placed:
        of_scope.setdefault(item[1].scope, []).append(item)
    nothing = _Together(ChainMap(), ChainMap(), ChainMap())
    for declarations in of_scope.values():
        nothing.grown(declarations)
    shared = nothing.grown(of_scope.get(Shared(), ()))
    grouped: dict[tuple[Scope, ...], _Together] = {}
    for host in manifest.hosts:
        scopes = tuple(InGroup(group.name) for group in manifest.groups if host.name in group.hosts)
        if scopes not in grouped:
            grouped[scopes] = shared.grown(
                one for scope in scopes for one in of_scope.get(scope, ())
            )
        grouped[scopes].grown(of_scope.get(OnHost(host.name), ()))


class _Together(NamedTuple):
    """Declarations that can stand on one host; hosts build on what they have in common.

    Args:
        names: each declaration by its name.
        parents: by every name above a declared one, a declaration below it.
        consumers: by every option, the declaration that sets it.
    """

    names: ChainMap[str, PlacedDeclaration]
    parents: ChainMap[str, PlacedDeclaration]
    consumers: ChainMap[str, PlacedDeclaration]

    def grown(self, declarations: Iterable[PlacedDeclaration]) -> "_Together":
        """Return these and `declarations`; raise where they cannot stand together."""
        more = _Together(
            self.names.new_child(), self.parents.new_child(), self.consumers.new_child()
        )
        for item in declarations:
            more._add(item)
        return more

    def _add(self, item: PlacedDeclaration) -> None:
        name = item[1].name
        above = ["/".join(name.split("/")[:depth]) for depth in range(1, name.count("/") + 1)]
        if other := self.names.get(name):
            raise _meet(item, other, "reach one host", _RENAME)
        for other in (self.parents.get(name), *map(self.names.get, above)):
            if other:
                words = "reach one host, and a value cannot have others below it"
                raise _meet(item, other, words, _RENAME)
        for option in item[1].consumers:
            if other := self.consumers.get(option):
                raise _meet(item, other, f"both set {option}", "take it out of one of them")
            self.consumers[option] = item
        self.names[name] = item
        self.parents.update(dict.fromkeys(above, item))


def _meet(
    one: PlacedDeclaration, other: PlacedDeclaration, words: str, hint: str
) -> RepositoryError:
    (first_at, first), (at, later) = sorted((one, other), key=lambda item: item[0].start)
    return at.fault(f"{later.address} and {first.address} of line {first_at.line} {words}", hint)
