"""init."""

from dataclasses import dataclass
import click

from nixsecrets.age.identity import generate_identity
from nixsecrets.age.recipient import Recipient, RecipientKind
from nixsecrets.change import Export
from nixsecrets.cli.app import App, new_app, parse_recipient_argument, tell, user_name
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.fleet.names import parse_person_name
from nixsecrets.plans import start
from nixsecrets.plans.draft import Draft


@dataclass(frozen=True, slots=True)
class _Admin:
    """The first admin's recipients, and a new identity file where there was none."""

    recipients: tuple[Recipient, ...]
    exports: tuple[Export, ...] = ()


@click.command("init")
@click.option("--admin", metavar="NAME", help="The first admin's name; else your user name.")
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="RECIPIENT|FILE",
    help="The first admin's recipients; else your age or SSH identity, or a new one.",
)
@consent_options
def command(admin: str | None, recipients: tuple[str, ...], consent: Consent) -> None:
    """Start here: find the hosts, write manifest, policy and the first admin.

    Each directory of the repository that holds a configuration.nix becomes a host of the
    manifest; `nixsecrets add-host` brings its key.
    """
    app = new_app()
    person = parse_person_name(admin or user_name(app))
    with app.change(dry_run=consent.dry_run) as repository:
        found = start.find_hosts(repository)
        chosen = _admin(app, recipients)
        draft = start.init(Draft(repository), person, chosen.recipients, found)
        for export in chosen.exports:
            draft = draft.exporting(export)
        carry_out(app, draft.plan(f"init, with {person} as the first admin"), consent)
        for host in found:
            tell(f"next: nixsecrets add-host {host.name}")


def _admin(app: App, given: tuple[str, ...]) -> _Admin:
    if given:
        return _Admin(tuple(one for text in given for one in parse_recipient_argument(text)))
    own = _own_recipient(app)
    if own is not None:
        return _Admin((own,))
    content, recipient = generate_identity()
    file = app.default_identity_file
    export = Export(file, content, "a new age identity of yours: keep a copy of it elsewhere")
    return _Admin((recipient,), (export,))


def _own_recipient(app: App) -> Recipient | None:
    """Return the recipient of the user's first age identity, else of the first SSH key."""
    found = app.identities.identities
    ssh = [one for one in found if one.recipient.kind is not RecipientKind.X25519]
    from_ssh = {one.source for one in ssh}
    age = [one for one in found if one.source not in from_ssh]
    return next((one.recipient for one in (*age, *ssh)), None)
