"""rotate value."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click

from nixsecrets.cli import generate
from nixsecrets.cli.app import read_file, require_manifest
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.scope import Choose, find_place, scope_options
from nixsecrets.cli.secrets import stripped
from nixsecrets.cli.writing import WritingApp, find_app
from nixsecrets.errors import UsageError
from nixsecrets.fleet.address import Address, Place, Purpose, parse_argument, place_of
from nixsecrets.fleet.generator import Asked, Prompt
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import AtHome, Declaration
from nixsecrets.generators.generated import Generated, Inputs
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import renewal
from nixsecrets.plans.draft import Draft
from nixsecrets.sops import branch
from nixsecrets.system import terminal


class _Which(NamedTuple):
    names: tuple[str, ...]
    due: bool
    every: bool


class _Source(NamedTuple):
    """Where values come from that nothing makes.

    Args:
        file: from this one.
        is_for_one: there is only one, which may also come on stdin.
    """

    file: Path | None
    is_for_one: bool


@click.command("value")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--due", is_flag=True, help="All that are older than their max-age.")
@click.option("--every", is_flag=True, help="NAME on every host that has a value of its own.")
@click.option(
    "--from-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The value is a file's, if it is one that nothing makes.",
)
@scope_options
@consent_options
def value_command(
    names: tuple[str, ...],
    due: bool,
    every: bool,
    from_file: Path | None,
    choose: Choose,
    consent: Consent,
) -> None:
    """Put another value in the place of each NAME, and of all that is made from it.

    Generators make it; a value without one is asked for, or comes from stdin or a file. The plan
    says which hosts have it, what reads it, which units restart, and what else is to be done.
    """
    which = _Which(names, due, every)
    _refuse_unclear(which, choose)
    app = find_app(choose.file)
    with app.change(dry_run=consent.dry_run) as repository:
        places = _places(app, repository, which, choose)
        if from_file is not None:
            _refuse_generated(places)
        source = _Source(from_file, is_for_one=len(places) == 1)
        renew = partial(_renewed, app, consent, source)
        draft = renewal.rotate(Draft(repository), places, app.unlock, renew, app.now)
        what = str(places[0].address) if len(places) == 1 else f"{len(places)} values"
        carry_out(app, draft.plan(f"rotate {what}" if places else "rotate what is due"), consent)


def _refuse_unclear(which: _Which, choose: Choose) -> None:
    if bool(which.names) == which.due:
        raise UsageError(
            "a NAME or --due is needed, one of the two", hint="nixsecrets rotate value --due"
        )
    if which.every and (which.due or any(choose)):
        raise UsageError("--every takes a NAME and no scope: it is for every host")


def _refuse_generated(places: Sequence[Place]) -> None:
    """Refuse a file as the value of what a generator makes."""
    for place in places:
        generator = place.declaration.generator if place.declaration else None
        if generator is not None and not isinstance(generator, Prompt):
            raise UsageError(
                f"the generator {generator.kind} makes {place.address}, and --from-file was given",
                hint=f"nixsecrets set {place.address} --from-file FILE",
            )


def _places(
    app: WritingApp, repository: Repository, which: _Which, choose: Choose
) -> tuple[Place, ...]:
    if which.due:
        require_manifest(repository)
        scope = choose.scope(app)
        late = renewal.due(Draft(repository), app.now)
        return tuple(place for place in late if scope in (None, place.address.scope))
    if which.every:
        return tuple(one for name in which.names for one in _on_every_host(repository, name))
    found = (_place(app, repository, name, choose) for name in which.names)
    return tuple({place.address: place for place in found}.values())


def _place(app: WritingApp, repository: Repository, name: str, choose: Choose) -> Place:
    if not isinstance(parse_argument(name), Address) and choose.scope(app) is None:
        own = [one for one in _called(repository, name) if one.each]
        if own:
            raise UsageError(
                f"{own[0].name} has a value per host",
                hint="say --host HOST, or --every for all of them",
            )
    return find_place(app, repository, name, choose, Purpose.READ, branch.has_branch)


def _on_every_host(repository: Repository, name: str) -> tuple[Place, ...]:
    draft = Draft(repository)
    own = [one for one in _called(repository, name) if one.each or isinstance(one.scope, AtHome)]
    if not own:
        raise UsageError(f"{name} has no value per host", hint=f"nixsecrets rotate value {name}")
    places = [place_of(repository.fleet, one.address) for one in own]
    return tuple(place for place in places if renewal.has_value(draft, place)) or tuple(places[:1])


def _called(repository: Repository, name: str) -> Sequence[Declaration]:
    return [one for one in repository.fleet.declarations if one.name == name]


def _renewed(
    app: WritingApp, consent: Consent, source: _Source, place: Place, inputs: Inputs
) -> Generated:
    declaration = place.declaration
    if declaration is None or declaration.generator is None:
        return Generated(_given(consent, source, place, Asked.HIDDEN))
    if isinstance(declaration.generator, Prompt):
        return Generated(_given(consent, source, place, declaration.generator.asked))
    return generate.made(app, consent, declaration, inputs)


def _given(consent: Consent, source: _Source, place: Place, asked: Asked) -> Plaintext:
    """Return a value that a person gives: a file's, typed, or from stdin.

    Raises:
        UsageError: it came from nowhere.
    """
    if consent.dry_run:
        return generate.PLACEHOLDER
    hint = f"nixsecrets rotate value {place.address} --from-file FILE"
    if not source.is_for_one and (source.file or not terminal.is_interactive()):
        raise UsageError("it is to be typed, and there are others too", hint=hint)
    if source.file is not None:
        return stripped(Plaintext(read_file(source.file)), raw=False)
    if terminal.is_interactive():
        description = place.declaration.description if place.declaration else None
        return generate.typed(place.address, description, asked)
    value = terminal.read_stdin()
    if not value:
        raise UsageError("it is to be typed, and nothing came on stdin", hint=hint)
    return stripped(value, raw=False)
