"""init."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import click

from nixsecrets.age.identity import generate_identity
from nixsecrets.age.recipient import Recipient, RecipientKind
from nixsecrets.change import Export
from nixsecrets.cli.app import App, parse_recipient_argument, refuse_private_half, tell, user_name
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.writing import WritingApp, new_app
from nixsecrets.errors import NoIdentityError, UsageError
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.names import PersonName, parse_host_name, parse_person_name
from nixsecrets.plans import adoption, linking, start
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.linking import Choices, Links, Question, View
from nixsecrets.plans.recipients import opened_alike
from nixsecrets.system import terminal

_SSH = (RecipientKind.SSH_ED25519, RecipientKind.SSH_RSA)

Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class _Admin:
    """The first admin's recipients, and a new identity file where there was none."""

    recipients: tuple[Recipient, ...]
    exports: tuple[Export, ...] = ()


@dataclass(frozen=True, slots=True)
class _Said:
    """What the command line says of people and hosts."""

    admin: str | None
    recipients: tuple[str, ...]
    hosts: tuple[str, ...]
    people: tuple[str, ...]
    skip_unknown: bool


@click.command("init")
@click.option("--admin", metavar="NAME", help="The first admin's name; else your user name.")
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="RECIPIENT|FILE",
    help="The first admin's recipients; else your age or SSH identity, or a new one.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME=ANCHOR",
    help="A host's anchor or recipient in the policy that is there; `NAME=`: it has none.",
)
@click.option(
    "--person",
    "people",
    multiple=True,
    metavar="NAME=ANCHOR",
    help="Likewise a person's.",
)
@click.option("--skip-unknown", is_flag=True, help="Hosts that nothing links get no key yet.")
@consent_options
def command(
    admin: str | None,
    recipients: tuple[str, ...],
    hosts: tuple[str, ...],
    people: tuple[str, ...],
    skip_unknown: bool,
    consent: Consent,
) -> None:
    """Start here: find the hosts, write manifest, policy and the first admin.

    Each directory of the repository that holds a configuration.nix, and each system that the
    flake shows, becomes a host of the manifest; `nixsecrets add-host` brings its key.

    Where there is a .sops.yaml already, it is adopted as it stands: the manifest and keys/ say
    who its recipients are, and nothing else changes.
    """
    app = new_app()
    said = _Said(admin, recipients, hosts, people, skip_unknown)
    with app.change(dry_run=consent.dry_run) as repository:
        view = linking.look(repository)
        if view is not None:
            _adopt(app, Draft(repository), view, said, consent)
        else:
            _start(app, repository, said, consent)


def _start(app: WritingApp, repository: Repository, said: _Said, consent: Consent) -> None:
    if said.hosts or said.people:
        raise UsageError("--host and --person name what a policy has, and there is none")
    person = parse_person_name(said.admin or user_name(app))
    found = start.find_hosts(repository)
    chosen = _admin(app, said.recipients)
    draft = start.init(Draft(repository), person, chosen.recipients, found)
    for export in chosen.exports:
        draft = draft.exporting(export)
    carry_out(app, draft.plan(f"init, with {person} as the first admin"), consent)
    if not consent.dry_run:
        names: tuple[str, ...] = tuple(host.name for host in found.hosts)
        for name in names or ("NAME",):
            tell(f"next: nixsecrets add-host {name}")


def _adopt(app: WritingApp, draft: Draft, view: View, said: _Said, consent: Consent) -> None:
    choices = Choices(
        hosts=_pairs("--host", said.hosts, parse_host_name),
        people=_pairs("--person", said.people, parse_person_name),
        own=_own(app, view, said.recipients),
        name=parse_person_name(said.admin) if said.admin else None,
        user=_user(app),
        skip_unknown=said.skip_unknown,
    )
    adopted = adoption.adopt(draft, view, _answered(view, choices))
    if not choices.own.intersection(party.text for party in view.parties):
        adopted = adopted.warning("none of your identities is in the policy: you open nothing")
    carry_out(app, adopted.plan(f"adopt what {view.file.path} says"), consent)
    if not consent.dry_run:
        tell("next: nixsecrets check")


def _answered(view: View, choices: Choices) -> Links:
    """Ask which recipient is which host's until nothing is unknown.

    Raises:
        UsageError: nobody can be asked; the flags that would have answered are told.
    """
    links = linking.link(view, choices)
    while links.questions:
        if not terminal.is_interactive():
            raise _unasked(links.questions)
        question = links.questions[0]
        answer = _ask(question)
        choices = replace(choices, hosts={**choices.hosts, question.host: answer})
        links = linking.link(view, choices)
    return links


def _ask(question: Question) -> str:
    """Return the anchor that the user names; "" for none."""
    for number, candidate in enumerate(question.candidates, start=1):
        click.echo(f"  {number}  {candidate}", err=True)
    numbers = {str(number): one for number, one in enumerate(question.candidates, start=1)}
    words = f"which anchor is {question.host}'s? [number, name, or none] "
    while True:
        typed = terminal.ask(words, flag=f"--host {question.host}=ANCHOR")
        if typed is None or typed == "none":
            return ""
        if typed in numbers or typed in question.candidates:
            return numbers.get(typed, typed)
        tell("it is none of these")


def _unasked(questions: tuple[Question, ...]) -> UsageError:
    names = ", ".join(question.host for question in questions)
    flags = " ".join(f"--host {one.host}={one.candidates[0]}" for one in questions[:3])
    return UsageError(
        f"nothing tells which recipient of the policy is the one of {names}",
        hint=f"say it, as in `{flags}`, or `--host {questions[0].host}=` for none; "
        "--skip-unknown leaves all of them without a key",
    )


def _pairs(option: str, given: tuple[str, ...], parse: Callable[[str], Name]) -> Mapping[Name, str]:
    found: dict[Name, str] = {}
    for text in given:
        refuse_private_half(text)
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(
                f"{option} {text} names no anchor", hint=f"write {option} {text}=ANCHOR"
            )
        found[parse(name)] = value
    return found


def _own(app: App, view: View, given: tuple[str, ...]) -> frozenset[str]:
    """Return the user's recipients, each also as what it is converted to.

    Raises:
        UsageError: the user names one that the policy does not have.
    """
    named = [one for text in given for one in parse_recipient_argument(text)]
    stated = {party.text for party in view.parties}
    for one in named:
        if one.text not in stated:
            raise UsageError(
                f"{view.file.path} does not name {one.text}",
                hint="adopt it first; then `nixsecrets add-admin NAME RECIPIENT`",
            )
    found = named or [one.recipient for one in app.identities.identities if one.recipient]
    return frozenset(text for one in found for text in (one.text, opened_alike(one)))


def _user(app: App) -> PersonName | None:
    try:
        return parse_person_name(user_name(app))
    except UsageError:
        return None


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
