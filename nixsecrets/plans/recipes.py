"""Add what a known service needs: declared, made, encrypted and wired, in one plan."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, TypeAlias

from nixsecrets.fleet import recipe as recipes
from nixsecrets.fleet.dependencies import Declared, inputs_of
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.manifest_declare import add_declaration, add_template
from nixsecrets.fleet.model import (
    Address,
    Admins,
    Declaration,
    Fleet,
    Host,
    InGroup,
    OnHost,
    Shared,
)
from nixsecrets.fleet.recipe import Filled, Recipe
from nixsecrets.fleet.recipe_filling import Entries, Line, Values
from nixsecrets.nix.options import bound_string
from nixsecrets.nix.render import render_attribute
from nixsecrets.plans import generate, wiring, wiring_modules
from nixsecrets.plans.draft import Draft, Unlock
from nixsecrets.plans.generate import Make

Receivers: TypeAlias = Shared | InGroup | OnHost
_Stated: TypeAlias = tuple[Declaration, Entries]
_ETC = "/etc/"


class Order(NamedTuple):
    """What is to be added, and for whom.

    Args:
        recipe: what.
        scope: who is given what it delivers.
        values: of its parameters, see `recipe.values_of`.
    """

    recipe: Recipe
    scope: Receivers
    values: Values


def add(draft: Draft, order: Order, unlock: Unlock, make: Make, now: datetime) -> Draft:
    """Return the draft with what a recipe declares, its values, and the wiring.

    What is declared already stays as it is, and is told. Nix that people write themselves is a
    note with its place, and so are definitions that the wiring meets.

    Args:
        draft: so far, of a fleet with a manifest.
        order: what is added.
        unlock: opens the documents that exist.
        make: makes a value, once for each that is missing.
        now: the time of the change.

    Raises:
        RepositoryError: the host or group is unknown; the manifest would be wrong with it, or
            takes no insertion.
        NoIdentityError: a document does not open.
    """
    hosts = _receivers(draft.fleet, order.scope)
    filled = recipes.filled(order.recipe, order.values)
    stated = tuple(_of_scope(one, order.scope) for one in filled.stated.declarations)
    draft = _with_declarations(draft, stated)
    draft = _with_templates(draft, filled, order.scope)
    draft = _with_values(draft, stated, unlock, make, now)
    if not draft.repository.changes:
        return draft
    return _with_words(wiring.bring(draft, hosts), order, filled, hosts)


def _receivers(fleet: Fleet, scope: Receivers) -> list[Host]:
    match scope:
        case OnHost(name):
            return [fleet.host(name)]
        case InGroup(name):
            return [fleet.host(host) for host in fleet.group(name).hosts]
        case Shared():
            return list(fleet.hosts)


def _of_scope(stated: _Stated, scope: Receivers) -> _Stated:
    declaration, entries = stated
    if isinstance(declaration.scope, Admins):
        return stated
    return declaration._replace(scope=scope), entries


def _with_declarations(draft: Draft, stated: tuple[_Stated, ...]) -> Draft:
    known = {one.address: one for one in draft.fleet.declarations}
    needed = _needed(tuple(declaration for declaration, _ in stated), frozenset(known))
    for declaration, entries in stated:
        address = declaration.address
        if address in known:
            place = f"{MANIFEST}:{known[address].line}"
            draft = draft.noting(f"{address} is declared already, and stays as it is: {place}")
        elif address in needed:
            content = draft.repository.sources.read(MANIFEST).content
            content = add_declaration(content, declaration, entries.fields)
            draft = draft.changed(MANIFEST, content, f"+ {address}")
    return draft


def _needed(declarations: tuple[Declaration, ...], known: frozenset[Address]) -> frozenset[Address]:
    """Return what is to be declared: not an input alone of something that is declared already."""
    addresses = Declared.of([one.address for one in declarations])
    inputs = {
        one.address: frozenset(inputs_of(one.address, one.generator, addresses).values())
        for one in declarations
    }
    used = frozenset[Address]().union(*inputs.values())
    needed = {address for address in inputs if address not in used} - known
    waiting = list(needed)
    while waiting:
        more = inputs[waiting.pop()] - needed - known
        needed |= more
        waiting += more
    return frozenset(needed)


def _with_templates(draft: Draft, filled: Filled, scope: Receivers) -> Draft:
    known = {(one.scope, one.name): one for one in draft.fleet.templates}
    for template, entries in filled.stated.templates:
        one = template._replace(scope=scope)
        if older := known.get((scope, one.name)):
            place = f"{MANIFEST}:{older.line}"
            draft = draft.noting(f"the template {one.name} stays as it is: {place}")
        else:
            content = draft.repository.sources.read(MANIFEST).content
            content = add_template(content, one, entries.fields)
            draft = draft.changed(MANIFEST, content, f"+ template {one.name}")
    return draft


def _with_values(
    draft: Draft, stated: tuple[_Stated, ...], unlock: Unlock, make: Make, now: datetime
) -> Draft:
    """Make what has a generator and no value; without one there is nothing to be asked for."""
    own = {declaration.address for declaration, _ in stated}
    declared = (one for one in draft.fleet.declarations if one.address in own)
    wanted = [one.address for one in declared if one.generator]
    return generate.generate(draft, wanted, unlock, make, now) if wanted else draft


def _with_words(draft: Draft, order: Order, filled: Filled, hosts: list[Host]) -> Draft:
    draft = _with_clear_files(draft, hosts)
    for line in filled.lines:
        draft = draft.noting(_told(draft, order.scope, line, hosts))
    for note in filled.notes:
        draft = draft.noting(note)
    return draft


def _told(draft: Draft, scope: Receivers, line: Line, hosts: list[Host]) -> str:
    """Say what Nix is to be written, where, and which of it stands there already."""
    older = dict.fromkeys(
        f"{one.path}:{one.line} sets {one.option} already"
        for host in hosts
        for one in wiring_modules.older_definitions(draft.repository, host, line.sets)
    )
    text = "".join(f"\n  {words}" if words else "\n" for words in line.text.split("\n"))
    return "; ".join((f"the rest is yours to write, {_place(draft, scope, hosts)}", *older)) + (
        f":{text}"
    )


def _place(draft: Draft, scope: Receivers, hosts: list[Host]) -> str:
    match scope:
        case OnHost():
            (host,) = hosts
            found = wiring_modules.own_configuration(draft.repository, host)
            return f"in {found or host.configuration}"
        case InGroup(name):
            return f"in a module of each host of the group {name}"
        case Shared():
            return "in a module of every host"


def _with_clear_files(draft: Draft, hosts: list[Host]) -> Draft:
    """Warn of files in clear that an older definition of a consumer names."""
    for host in hosts:
        for older in wiring.older_definitions(draft.repository, host):
            module = draft.repository.sources.read(older.path).content
            named = bound_string(module, older.option) or ""
            if named.startswith(_ETC):
                for words in _clear_files(draft, host, named.removeprefix(_ETC)):
                    draft = draft.warning(words)
    return draft


def _clear_files(draft: Draft, host: Host, name: str) -> Iterator[str]:
    below = f"environment.etc.{render_attribute(name)}"
    options = (f"{below}.text", f"{below}.source")
    for one in wiring_modules.older_definitions(draft.repository, host, options):
        yield (
            f"{one.path}:{one.line}: {one.option} puts a value in clear into the store of"
            f" {host.name}, and into git's history: remove it, and do not use that value again"
        )
