"""The first plan of a repository: manifest, first admin, policy."""

from collections.abc import Iterable
from dataclasses import replace

from nixsecrets.age.recipient import Recipient
from nixsecrets.errors import RepositoryError
from nixsecrets.fleet import manifest_edit
from nixsecrets.fleet.layout import MANIFEST, Layout
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Deliver, HostSettings, Person
from nixsecrets.fleet.names import PersonName
from nixsecrets.plans import adoption, discovery, policy, proposal
from nixsecrets.plans.discovery import FoundHost
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.hosts import described


def find_hosts(repository: Repository) -> discovery.Found:
    """Return the machines; where nothing says that anything is one, what stands like one is."""
    found = discovery.find(repository)
    return found if found.hosts else replace(found, hosts=found.likely, likely=())


def init(
    draft: Draft, admin: PersonName, recipients: tuple[Recipient, ...], found: discovery.Found
) -> Draft:
    """Return the draft with a manifest of these hosts, the first admin and a policy.

    No host gets a rule before its key is known: `add-host` brings both.

    Raises:
        RepositoryError: the repository has a manifest already, or the admin a key file.
    """
    layout = _layout(found.hosts)
    _refuse_existing(draft, layout, admin)
    settings = tuple((host.name, _placed(draft, layout, host)) for host in found.hosts)
    manifest = manifest_edit.render_new(layout, (Person(admin),), settings, Deliver.ALL)
    why = (f"host {host.name}: {described(host.settings)}" for host in found.hosts)
    draft = draft.changed(MANIFEST, manifest, *why)
    for home in found.left_out:
        draft = draft.noting(f"{home} is not taken for a host: its name is not free for one")
    for host in draft.fleet.hosts:
        if host.recipient is not None:
            key = layout.host_key(host.name)
            draft = draft.warning(f"{key} is there already: {host.name} reads what it is given")
    lines = "".join(f"{recipient.label}\n" for recipient in recipients)
    path = layout.person_key(admin)
    draft = draft.changed(path, lines.encode(), *(f"+ {one.text}" for one in recipients))
    for words in adoption.unread_policies(draft):
        draft = draft.noting(words)
    return policy.bring(draft)


def _layout(hosts: Iterable[FoundHost]) -> Layout:
    evidence = proposal.Evidence(
        {host.name: host.directory for host in hosts},
        {},
        frozenset(),
        frozenset(),
        Layout().policy,
    )
    return proposal.propose(evidence)


def _placed(draft: Draft, layout: Layout, host: FoundHost) -> HostSettings:
    """Return a host's settings with its directory, where the layout does not give it."""
    usual = layout.directory(host.name, draft.repository.sources.is_directory)
    if host.directory in (None, usual):
        return host.settings
    return host.settings._replace(directory=host.directory)


def _refuse_existing(draft: Draft, layout: Layout, admin: PersonName) -> None:
    sources = draft.repository.sources
    if sources.find(MANIFEST) is not None:
        raise RepositoryError(
            "the repository has one already", hint="`nixsecrets add-host NAME` goes on from here"
        ).within(MANIFEST)
    if sources.find(layout.person_key(admin)) is not None:
        raise RepositoryError(
            f"{admin} has a key file already", hint="remove it, or choose another --admin NAME"
        ).within(layout.person_key(admin))
