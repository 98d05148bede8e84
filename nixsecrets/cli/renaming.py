"""rename-host."""

import click

from nixsecrets.cli.app import require_manifest
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.writing import find_app
from nixsecrets.fleet.names import parse_host_name
from nixsecrets.plans import renaming
from nixsecrets.plans.draft import Draft
from nixsecrets.system import terminal


@click.command("rename-host")
@click.argument("old")
@click.argument("new")
@click.option("--attribute", help="Its name in the flake from now on; asked where that is OLD.")
@click.option("--host-name", help="What the machine calls itself from now on; asked likewise.")
@consent_options
def command(
    old: str, new: str, attribute: str | None, host_name: str | None, consent: Consent
) -> None:
    """Call the host OLD NEW, and move everything that bears its name.

    Manifest, key file, directory, documents, anchor, rules and wiring change in one plan; no value
    is opened, and every document keeps its bytes.
    """
    app = find_app()
    name = parse_host_name(new)
    with app.change(dry_run=consent.dry_run) as repository:
        require_manifest(repository)
        host = repository.fleet.host(old)
        if attribute is None and host.attribute == host.name:
            attribute = _asked("flake attribute", "--attribute", host.name, name)
        if host_name is None and host.host_name == host.name:
            host_name = _asked("host name", "--host-name", host.name, name)
        wanted = renaming.NewName(name, attribute, host_name)
        draft = renaming.rename_host(Draft(repository), host.name, wanted)
        carry_out(app, draft.plan(f"rename host {host.name} to {name}"), consent)


def _asked(what: str, option: str, old: str, new: str) -> str:
    """Return which of two names it bears from now on."""
    flag = f"{option} {old}, or {option} {new}"
    return new if terminal.confirm(f"is its {what} {new} from now on?", flag=flag) else old
