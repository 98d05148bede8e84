"""generate."""

import shlex
from collections.abc import Sequence
from functools import partial

import click

from nixsecrets.cli.app import require_manifest, tell
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.writing import WritingApp, find_app
from nixsecrets.errors import RepositoryError, UsageError
from nixsecrets.fleet.address import parse_argument
from nixsecrets.fleet.generator import Asked, Command, Prompt
from nixsecrets.fleet.model import Address, Declaration, Fleet
from nixsecrets.fleet.names import nearest
from nixsecrets.generators.generated import Generated, Hands, Inputs
from nixsecrets.generators.make import make
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import generate
from nixsecrets.plans.draft import Draft
from nixsecrets.system import process, terminal

PLACEHOLDER = Plaintext(b"not made in a dry run")


@click.command("generate")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@consent_options
def command(names: tuple[str, ...], consent: Consent) -> None:
    """Make the values that declarations ask for and that do not exist yet.

    Without NAME: all of them. What a value is made from comes first. A value that exists is never
    made anew. Programs that the manifest names are run after a question each, or with --yes.
    """
    app = find_app()
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        wanted = [one for name in names for one in _addresses(repository.fleet, name)]
        one_value = partial(made, app, consent)
        draft = generate.generate(Draft(repository), wanted, app.unlock, one_value, app.now)
        carry_out(app, draft.plan("generate values"), consent)


def _addresses(fleet: Fleet, argument: str) -> tuple[Address, ...]:
    """Return what an argument names: an address, or all declarations of a name."""
    asked = parse_argument(argument)
    if isinstance(asked, Address):
        return (asked,)
    found = tuple(one.address for one in fleet.declarations if one.name == asked)
    if not found:
        near = nearest(asked, {one.name for one in fleet.declarations})
        hint = f"did you mean {' or '.join(near)}?" if near else "declare it under `secrets:`"
        raise RepositoryError(f"{asked} is not declared", hint=hint)
    return found


def made(app: WritingApp, consent: Consent, declaration: Declaration, inputs: Inputs) -> Generated:
    """Return a new value, for which a person may be asked or a program run; not in a dry run.

    Raises:
        RepositoryError: nothing says how it is made.
        UsageError: nobody can be asked, or somebody said no.
    """
    generator = declaration.generator
    if generator is None:
        raise RepositoryError(f"{declaration.address} is declared without a generator")
    if consent.dry_run and isinstance(generator, Command | Prompt):
        return Generated(PLACEHOLDER)
    app.progress.clear()
    if isinstance(generator, Command):
        _agree(generator, consent)
    return make(generator, inputs, Hands(_run, partial(_asked, declaration), app.now))


def _agree(generator: Command, consent: Consent) -> None:
    words = shlex.join(generator.arguments)
    if not consent.yes and not terminal.confirm(f"run {words}?"):
        raise UsageError(f"{words} was not run, so that its value is not there")


def _run(arguments: Sequence[str], stdin: Plaintext) -> Plaintext:
    return Plaintext(process.output(arguments, stdin=stdin.reveal()))


def typed(address: Address, description: str | None, asked: Asked) -> Plaintext:
    """Have a person at the terminal type a value.

    Raises:
        UsageError: nothing was typed.
    """
    if description:
        tell(f"{address}: {description}")
    value = _typed(f"{address}: ", asked)
    if not value:
        raise UsageError("nothing was typed", hint=f"nixsecrets set {address}")
    return value


def _asked(declaration: Declaration, asked: Asked) -> Plaintext:
    if not terminal.is_interactive():
        raise UsageError(
            "it is to be typed, and stdin is no terminal",
            hint=f"nixsecrets set {declaration.address}",
        )
    return typed(declaration.address, declaration.description, asked)


def _typed(question: str, asked: Asked) -> Plaintext:
    match asked:
        case Asked.HIDDEN:
            return terminal.ask_hidden_twice(question)
        case Asked.LINE:
            return Plaintext((terminal.ask(question, flag="--yes") or "").encode())
        case Asked.MULTI_LINE:
            tell(f"{question}end it with Ctrl-D on a line of its own")
            return terminal.read_stdin()
