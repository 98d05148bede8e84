"""set and rm: values by name or key path."""

from collections.abc import Sequence
from pathlib import Path

import click

from nixsecrets.cli.app import read_file, tell
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.scope import Choose, find_place, name_options, no_value
from nixsecrets.cli.writing import WritingApp, find_app
from nixsecrets.errors import UsageError
from nixsecrets.fleet.address import Place, Purpose
from nixsecrets.fleet.model import Declaration
from nixsecrets.fleet.names import parse_secret_name
from nixsecrets.generators import passwords
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import documents, secrets
from nixsecrets.plans.draft import Draft
from nixsecrets.sops import branch
from nixsecrets.sops.tree import KeyPath
from nixsecrets.system import terminal


@click.command("set")
@name_options
@click.option(
    "--from-file", metavar="FILE", type=click.Path(path_type=Path), help="The value is a file's."
)
@click.option("--generate", is_flag=True, help="The value is 32 random letters and digits.")
@click.option(
    "--every", is_flag=True, help="With --generate: for each host that has none, one of its own."
)
@click.option("--raw", is_flag=True, help="Keep a final newline; else one is stripped.")
@click.option("--json-value", is_flag=True, help="It is JSON: number, true, null, list, object.")
@click.option("--idempotent", is_flag=True, expose_value=False, help="As sops has it: always so.")
@consent_options
def set_command(
    name: str | KeyPath,
    choose: Choose,
    from_file: Path | None,
    generate: bool,
    every: bool,
    raw: bool,
    json_value: bool,
    consent: Consent,
) -> None:
    """Set the value of NAME: asked for twice, or from stdin, a file or a generator.

    NAME is `nextcloud/admin-password`, or a full address: `host/hq:nextcloud/admin-password`.
    The value is never an argument: arguments are seen by every process. A value that is there
    already leaves its document untouched. With --path and --file, a position behind the last item
    of a list appends to it.
    """
    app = find_app(choose.file)
    if from_file is not None and generate:
        raise UsageError("--from-file and --generate were given, and a value has one source")
    if every:
        _set_every(app, name, choose, consent, generate=generate)
        return
    with app.change(dry_run=consent.dry_run) as repository:
        place = find_place(app, repository, name, choose, Purpose.WRITE)
        value = _value(place, from_file, generate=generate, raw=raw or json_value)
        values = branch.parse_json(value) if json_value else branch.text_value(value)
        draft = secrets.set_branch(Draft(repository), place, values, app.unlock, app.now)
        carry_out(app, draft.plan(f"set {place.address}"), consent)


@click.command("rm")
@name_options
@click.option("--idempotent", is_flag=True, help="What is not there is no error.")
@consent_options
def rm_command(name: str | KeyPath, choose: Choose, idempotent: bool, consent: Consent) -> None:
    """Remove the value of NAME, or all values below it; git's history keeps the ciphertext."""
    app = find_app(choose.file)
    with app.change(dry_run=consent.dry_run) as repository:
        place = find_place(app, repository, name, choose, Purpose.READ, branch.has_branch)
        is_there = repository.sources.find(place.path) is not None
        sealed = documents.read(repository, place.path) if is_there else None
        draft = Draft(repository)
        if sealed is not None and branch.has_branch(sealed, place.key_path):
            draft = secrets.remove(draft, place, app.unlock, app.now)
        elif not idempotent:
            raise no_value(place, sealed)
        carry_out(app, draft.plan(f"remove {place.address}"), consent)


def _set_every(
    app: WritingApp, name: str | KeyPath, choose: Choose, consent: Consent, *, generate: bool
) -> None:
    if not generate or any(choose) or not isinstance(name, str):
        raise UsageError(
            "--every gives each host a value of its own: it takes a NAME and --generate"
        )
    secret = parse_secret_name(name)
    with app.change(dry_run=consent.dry_run) as repository:
        declared = [one for one in repository.fleet.declarations if one.name == secret]
        _refuse_declared(secret, declared)
        make = passwords.password
        draft = secrets.set_every(Draft(repository), secret, make, app.unlock, app.now)
        carry_out(app, draft.plan(f"set {secret} on every host"), consent)


def _value(place: Place, from_file: Path | None, *, generate: bool, raw: bool) -> Plaintext:
    if generate:
        _refuse_declared(place.address, [place.declaration] if place.declaration else [])
        return passwords.password()
    if from_file is not None:
        return stripped(Plaintext(read_file(from_file)), raw=raw)
    if terminal.is_interactive():
        return terminal.ask_hidden_twice(f"{place.address}: ")
    value = terminal.read_stdin()
    if not value:
        raise UsageError(
            "nothing came on stdin, so nothing was changed",
            hint="did the program before the pipe fail? an empty value: --from-file /dev/null",
        )
    return stripped(value, raw=raw)


def _refuse_declared(what: object, declared: Sequence[Declaration]) -> None:
    """Leave to `generate` what has a generator of its own."""
    for generator in (one.generator for one in declared if one.generator):
        raise UsageError(
            f"{what} is declared with the generator {generator.kind}",
            hint=f"nixsecrets generate {what}",
        )


def stripped(value: Plaintext, *, raw: bool) -> Plaintext:
    """Return a value without its one final newline, which editors and `echo` add.

    A PEM text keeps it: OpenSSH takes no private key without.
    """
    content = value.reveal()
    if raw or not content.endswith(b"\n") or content.startswith(b"-----BEGIN "):
        return value
    tell("one final newline is left out; --raw keeps it")
    return Plaintext(content.removesuffix(b"\n").removesuffix(b"\r"))
