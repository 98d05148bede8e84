"""rotate: data keys, a value, a host's key, a person's."""

from collections.abc import Callable
from pathlib import Path

import click

from nixsecrets.age.recipient import Recipient
from nixsecrets.cli.app import parse_recipient_argument, path_in, require_manifest
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.host_keys import KeyOptions, key_options, obtain
from nixsecrets.cli.renewal import value_command
from nixsecrets.cli.scope import document_at
from nixsecrets.cli.touches import foretell
from nixsecrets.cli.writing import WritingApp, find_app
from nixsecrets.errors import UsageError
from nixsecrets.fleet.load import Repository
from nixsecrets.plans import documents, replacing, rotate
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.recipients import Asked
from nixsecrets.system import hostproof


@click.group("rotate")
def command() -> None:
    """Make something new that others may know."""


command.add_command(value_command)


def accept_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--accept-recipient",
        "accepted",
        metavar="AGE1…",
        multiple=True,
        help="Wrap to this one although nothing explains it; may be repeated.",
    )(command)


@command.command("data-keys")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[DOCUMENT]...")
@accept_option
@consent_options
def data_keys(paths: tuple[Path, ...], accepted: tuple[str, ...], consent: Consent) -> None:
    """Seal every value of the documents anew, under new data keys.

    Without DOCUMENT: every one. Whoever kept an old data key opens nothing that is written from
    now on; the values themselves stay, and so does what he has read.
    """
    app = find_app(paths[0] if paths else None)
    asked = Asked(accepted=frozenset(one.text for one in _recipients(accepted)))
    with app.change(dry_run=consent.dry_run) as repository:
        chosen = [document_at(repository, path_in(app, path)) for path in paths]
        chosen = chosen or [path for path, _ in documents.sealed(repository)]
        foretell(app, repository, chosen)
        draft = rotate.data_keys(Draft(repository), chosen, app.unlock, app.now, asked)
        carry_out(app, draft.plan("rotate data keys"), consent)


@command.command("host")
@click.argument("name")
@key_options
@click.option("--finish", is_flag=True, help="Drop the old key.")
@click.option("--force", is_flag=True, help="Finish without a proof that it has the new one.")
@consent_options
def host_command(
    name: str, source: KeyOptions, consent: Consent, *, finish: bool, force: bool
) -> None:
    """Give the host NAME another key, in two steps.

    First the new key stands beside the old one, and both open. When the machine runs with the new
    one, `hosts --verify` has it prove that, and --finish drops the old one: from policy and
    documents, with new data keys, and with the list of the values that it could read.
    """
    if finish and source.given:
        raise UsageError("--finish takes no key", hint="give the new key first, without --finish")
    if force and not finish:
        raise UsageError("--force goes with --finish")
    app = find_app()
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        if finish:
            draft = _finished(app, repository, name, force=force)
        else:
            host = repository.fleet.host(name)
            obtained = obtain(app, source, host.host_name, host.identity)
            draft = replacing.begin_host(Draft(repository), host.name, obtained.key, app.unlock)
            draft = obtained.into(draft, host.host_name)
        intent = f"finish rotating the key of {name}" if finish else f"rotate the key of {name}"
        carry_out(app, draft.plan(intent), consent)


@command.command("admin")
@click.argument("name")
@click.argument("added", nargs=-1, metavar="[RECIPIENT|FILE]...")
@click.option("--finish", "old", metavar="OLD", multiple=True, help="Drop this recipient.")
@click.option("--force", is_flag=True, help="Finish without an identity of another one.")
@consent_options
def admin_command(
    name: str, added: tuple[str, ...], old: tuple[str, ...], consent: Consent, *, force: bool
) -> None:
    """Give the person NAME another recipient, in two steps.

    First RECIPIENT stands beside the old ones, wherever they stand. When its identity is here,
    --finish OLD drops an old one: from policy and documents, with new data keys, and with the
    list of the values that it could read.
    """
    if bool(added) == bool(old):
        raise UsageError(
            "a new recipient or --finish is needed, one of the two",
            hint=f"`nixsecrets rotate admin {name} RECIPIENT`, later "
            f"`nixsecrets rotate admin {name} --finish OLD`",
        )
    app = find_app()
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        person = repository.fleet.person(name).name
        draft = Draft(repository)
        if old:
            dropped = _recipients(old)
            if not force:
                found = app.identities.identities
                replacing.refuse_unproved(draft, person, dropped, found)
            draft = replacing.finish_person(draft, person, dropped, app.unlock, app.now)
        else:
            draft = replacing.begin_person(draft, person, _recipients(added), app.unlock)
        intent = f"finish rotating {name}" if old else f"rotate {name}"
        carry_out(app, draft.plan(intent), consent)


def _recipients(given: tuple[str, ...]) -> tuple[Recipient, ...]:
    return tuple(one for text in given for one in parse_recipient_argument(text))


def _finished(app: WritingApp, repository: Repository, name: str, *, force: bool) -> Draft:
    host = repository.fleet.host(name)
    proved = None if force else hostproof.load_proofs(app.state).get(host.name, "")
    return replacing.finish_host(Draft(repository), host.name, proved, app.unlock, app.now)
