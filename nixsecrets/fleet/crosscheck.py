"""What no section of the manifest shows by itself: names and files that meet."""

from collections import ChainMap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple, TypeAlias, TypeVar

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.declared import PlacedDeclaration
from nixsecrets.fleet.dependencies import Declared, circle_error, find_circle, inputs_of
from nixsecrets.fleet.layout import FLAKE, MANIFEST, Layout
from nixsecrets.fleet.model import (
    AtHome,
    Declaration,
    Group,
    Host,
    InGroup,
    Manifest,
    OnHost,
    Person,
    Scope,
    Shared,
    Template,
)
from nixsecrets.fleet.names import HostName, nearest
from nixsecrets.fleet.outline import Span
from nixsecrets.fleet.template_reading import PlacedTemplate

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


class Stated(NamedTuple):
    """What of the manifest has files."""

    hosts: Placed[Host]
    groups: Placed[Group]
    people: Placed[Person]
    declarations: Sequence[PlacedDeclaration] = ()


def check_files(stated: Stated, layout: Layout, layout_at: Span) -> None:
    """Refuse two things of the fleet that the layout puts into one file.

    Raises:
        RepositoryError: at the second of the two.
    """
    taken = {
        host.configuration: f"the configuration of host {host.name!r}" for _, host in stated.hosts
    }
    taken |= {MANIFEST: "the manifest", FLAKE: "the flake", layout.policy: "the policy"}
    shared = (layout_at, "the shared document", layout.shared_document)
    admins = (layout_at, "the admins' document", layout.admin_document)
    for at, who, path in (shared, admins, *_files(stated, layout)):
        if path in taken:
            raise at.fault(
                f"{who} and {taken[path]} have the same file {path}", "change a pattern of `layout`"
            )
        taken[path] = who


def _files(stated: Stated, layout: Layout) -> Iterator[tuple[Span, str, PurePosixPath]]:
    for at, person in stated.people:
        yield at, f"person {person.name!r}", layout.person_key(person.name)
    for at, host in stated.hosts:
        who = f"host {host.name!r}"
        yield at, who, layout.host_document(host.name, host.directory)
        yield at, who, layout.wiring(host.name, host.directory)
        yield at, who, layout.host_key(host.name)
        yield at, f"the escrowed key of {who}", layout.host_key_document(host.name)
    for at, group in stated.groups:
        yield at, f"group {group.name!r}", layout.group_document(group.name)
    homes = {one.scope: at for at, one in reversed(stated.declarations)}
    directories = {host.name: host.directory for _, host in stated.hosts}
    for scope, at in homes.items():
        if isinstance(scope, AtHome):
            who = f"user {scope.user!r} of host {scope.host!r}"
            yield at, who, layout.home_document(scope.host, scope.user, directories[scope.host])
            yield at, who, layout.user_key(scope.host, scope.user)


def check_generators(placed: Sequence[PlacedDeclaration]) -> None:
    """Refuse values made from something that is not declared, or from each other in a circle.

    Raises:
        RepositoryError: at one that is made so.
    """
    places = {declaration.address: at for at, declaration in placed}
    known, inputs = Declared.of(places.keys()), {}
    for at, declaration in placed:
        address = declaration.address
        try:
            inputs[address] = inputs_of(address, declaration.generator, known)
        except RepositoryError as error:
            raise at.fault(error.problem, error.hint) from None
    if circle := find_circle(inputs):
        found = circle_error(circle)
        raise places[circle[0]].fault(found.problem, found.hint)


def check_declarations(placed: Sequence[PlacedDeclaration], manifest: Manifest) -> None:
    """Refuse what cannot stand on one host over all its scopes, or in one document.

    Raises:
        RepositoryError: the same name twice, `a` beside `a/b`, one consumer set twice, or one
            path twice; at the later of the two.
    """
    of_scope: dict[Scope, list[PlacedDeclaration]] = {}
    for item in placed:
        of_scope.setdefault(item[1].scope, []).append(item)
    nothing = _Together(ChainMap(), ChainMap(), ChainMap(), ChainMap())
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
        paths: by every `path`, the declaration that is to stand there.
    """

    names: ChainMap[str, PlacedDeclaration]
    parents: ChainMap[str, PlacedDeclaration]
    consumers: ChainMap[str, PlacedDeclaration]
    paths: ChainMap[str, PlacedDeclaration]

    def grown(self, declarations: Iterable[PlacedDeclaration]) -> "_Together":
        """Return these and `declarations`; raise where they cannot stand together."""
        more = _Together(*(known.new_child() for known in self))
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
        if path := item[1].path:
            if other := self.paths.get(path):
                raise _meet(item, other, f"both are to stand at {path}", "change one `path`")
            self.paths[path] = item
        self.names[name] = item
        self.parents.update(dict.fromkeys(above, item))


def _meet(
    one: PlacedDeclaration, other: PlacedDeclaration, words: str, hint: str
) -> RepositoryError:
    (first_at, first), (at, later) = sorted((one, other), key=lambda item: item[0].start)
    return at.fault(f"{later.address} and {first.address} of line {first_at.line} {words}", hint)


def check_templates(placed: Sequence[PlacedTemplate], manifest: Manifest) -> None:
    """Refuse templates that a host could not fill in, and two of one name or path on a host.

    Args:
        placed: the templates.
        manifest: with its declarations.

    Raises:
        RepositoryError: at the template's text; of two that meet, at the later name.
    """
    named: dict[str, list[Declaration]] = {}
    for declaration in manifest.declarations:
        named.setdefault(declaration.name, []).append(declaration)
    names: dict[tuple[HostName, str], str] = {}
    paths = _paths(manifest)
    for at, content_at, template in placed:
        for name in template.names:
            if name not in named:
                raise _unknown(content_at, name, named)
            _check_placeholder(content_at, template, named[name], manifest)
        for host in manifest.hosts_of(template.scope):
            _claim_on(at, template.address, (host, template.name), names)
            if template.path is not None:
                _claim_on(at, template.address, (host, template.path), paths)


def _claim_on(
    at: Span, address: str, place: tuple[HostName, str], taken: dict[tuple[HostName, str], str]
) -> None:
    host, what = place
    if (other := taken.setdefault(place, address)) != address:
        raise at.fault(f"{address} and {other} are both to be {what} on {host}", _RENAME)


def _paths(manifest: Manifest) -> dict[tuple[HostName, str], str]:
    """Return whose value is to stand at a path of a host."""
    return {
        (host, one.path): str(one.address)
        for one in manifest.declarations
        if one.path is not None and one.deliver
        for host in manifest.hosts_of(one.scope)
    }


def _unknown(at: Span, name: str, known: Iterable[str]) -> RepositoryError:
    near = nearest(name, known)
    return at.fault(
        f"the template holds {name!r}, which is not declared",
        f"did you mean {' or '.join(near)}?" if near else "declare it under `secrets:`",
    )


def _check_placeholder(
    at: Span, template: Template, declarations: Sequence[Declaration], manifest: Manifest
) -> None:
    name = declarations[0].name
    for host in manifest.hosts_of(template.scope):
        given = (one for one in declarations if manifest.reaches(one.scope, host))
        found = next(given, None)
        if found is None or not found.deliver:
            raise at.fault(
                f"the template holds {name!r}, which {host} is not given",
                f"declare it for {host} too, or the template for others",
            )
        if found.needed_for_users:
            raise at.fault(
                f"the template holds {name!r}, which is needed for users and thus in no template",
                "take 'needed-for-users' out, or the placeholder",
            )
