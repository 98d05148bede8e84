"""bootstrap."""

from pathlib import Path

import click

from nixsecrets.cli.app import App, free_directory, lies_in, require_manifest
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.host_settings import identity_of, machine_of, settings_options
from nixsecrets.cli.writing import find_app
from nixsecrets.errors import UsageError
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import HostSettings
from nixsecrets.fleet.names import HostName, parse_group_name, parse_host_name
from nixsecrets.plans import bootstrap
from nixsecrets.plans.bootstrap import Seed
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.hosts import NewHost
from nixsecrets.system import git


@click.command("bootstrap")
@click.argument("name")
@click.argument("directory", required=False, type=click.Path(path_type=Path, file_okay=False))
@settings_options
@click.option("--group", "groups", multiple=True, help="A group it joins; may be repeated.")
@click.option("--escrow", is_flag=True, help="Keep the private half for the admins too.")
@click.option("--from-escrow", is_flag=True, help="Lay out the key that was kept, once more.")
@click.option("--drop-escrow", is_flag=True, help="Keep the private half no longer; no DIRECTORY.")
@consent_options
def command(
    name: str,
    directory: Path | None,
    settings: HostSettings,
    groups: tuple[str, ...],
    consent: Consent,
    *,
    escrow: bool,
    from_escrow: bool,
    drop_escrow: bool,
) -> None:
    """Give the host NAME a key before its machine exists.

    DIRECTORY, which must be new or empty, becomes a tree for an installer (`nixos-anywhere
    --extra-files`): the new host key where sshd looks for it, or where --identity-path says; with
    --identity-file an age identity. The host is added as by add-host, in the same transaction.

    The private half is kept in DIRECTORY alone, unless --escrow puts it into a document that only
    admins open.
    """
    app, host = find_app(), parse_host_name(name)
    joined = tuple(parse_group_name(group) for group in groups)
    is_known = from_escrow or drop_escrow
    if (from_escrow and drop_escrow) or (is_known and (escrow or joined or any(settings))):
        raise UsageError("--from-escrow and --drop-escrow stand alone: the host is known already")
    target = None if drop_escrow else _target(app, directory)
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        draft = Draft(repository)
        if target is None:
            draft, intent = bootstrap.drop_escrow(draft, host), f"drop the escrow of {host}"
        elif from_escrow:
            seed = bootstrap.from_escrow(repository, host, app.unlock)
            draft, intent = bootstrap.lay_out(draft, host, seed, target), f"lay out {host} again"
        else:
            seed = _new_seed(repository, host, settings)
            draft = bootstrap.add(draft, NewHost(host, seed.key, settings, joined), app.unlock)
            if escrow:
                draft = bootstrap.keep(draft, host, seed, app.unlock, app.now)
            draft, intent = bootstrap.lay_out(draft, host, seed, target), f"bootstrap {host}"
        carry_out(app, draft.plan(intent), consent)


def _new_seed(repository: Repository, host: HostName, settings: HostSettings) -> Seed:
    identity = identity_of(repository, host, settings) or bootstrap.USUAL
    return bootstrap.generate(identity, machine_of(repository, host, settings))


def _target(app: App, directory: Path | None) -> Path:
    """Return where the tree is to lie.

    Raises:
        UsageError: nothing says where, it holds something, or it lies in a repository.
    """
    if directory is None:
        raise UsageError("nothing says where the tree is to lie", hint="give DIRECTORY")
    target = free_directory(directory)
    if git.is_work_tree(target) or lies_in(app, target / "tree"):
        raise UsageError(
            f"{directory} lies in a repository, where a private half must never be",
            hint="give a directory outside",
        )
    return target
