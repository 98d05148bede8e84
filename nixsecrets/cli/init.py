"""init."""

from dataclasses import dataclass

import click

from nixsecrets.age.identity import generate_identity
from nixsecrets.age.recipient import Recipient, RecipientKind
from nixsecrets.change import Export
from nixsecrets.cli.app import App, parse_recipient_argument, tell, user_name
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.writing import new_app
from nixsecrets.errors import NoIdentityError
from nixsecrets.fleet.names import parse_person_name
from nixsecrets.plans import start
from nixsecrets.plans.draft import Draft

_SSH = (RecipientKind.SSH_ED25519, RecipientKind.SSH_RSA)


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
    if not consent.dry_run:
        names: tuple[str, ...] = tuple(host.name for host in found)
        for name in names or ("NAME",):
            tell(f"next: nixsecrets add-host {name}")


def _admin(app: App, given: tuple[str, ...]) -> _Admin:
    if given:
        return _Admin(tuple(one for text in given for one in parse_recipient_argument(text)))
    own = _own_recipient(app)
    if own is not None:
        return _Admin((own,))
    content, recipient = generate_identity()
    file = app.default_identity_file
    for words in app.identities.refused:
        if words.startswith(f"{file}:"):
            raise NoIdentityError(words, hint="give --recipient with your public half")
    export = Export(file, content, "a new age identity of yours: keep a copy of it elsewhere")
    return _Admin((recipient,), (export,))


def _own_recipient(app: App) -> Recipient | None:
    """Return the recipient of the user's first age identity, else of the first SSH key."""
    found = [(one.recipient, one.source) for one in app.identities.identities if one.recipient]
    of_ssh = {source for one, source in found if one.kind in _SSH}
    age = [one for one, source in found if source not in of_ssh]
    ssh = [one for one, _ in found if one.kind in _SSH]
    return next(iter((*age, *ssh)), None)
