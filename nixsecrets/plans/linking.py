"""Which recipient of a policy is which machine's, and which a person's.

A host key that the repository holds is the proof; a name that fits nobody else is taken and shown;
anything else is asked.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from nixsecrets.age.recipient import canonical_text
from nixsecrets.errors import RepositoryError, UsageError
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import HostSettings
from nixsecrets.fleet.names import HostName, PersonName, nearest, parse_host_name
from nixsecrets.fleet.policy import Policy
from nixsecrets.plans import discovery, host_keys, parties, policies, spelling
from nixsecrets.plans.discovery import FoundHost
from nixsecrets.plans.host_keys import SaidKey
from nixsecrets.plans.hosts import place_of
from nixsecrets.plans.parties import Party, Sort
from nixsecrets.plans.policies import PolicyFile

_NO_MACHINES = frozenset({"home", "home-manager", "homes", "keys", "secrets", "users"})


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user said.

    Args:
        hosts: an anchor or recipient for a host; "": it has none.
        people: likewise for a person.
        own: the recipients of the user's own identities.
        name: what the user is to be called; None: as the policy does.
        user: what else the user may be called, where the policy has no name.
        skip_unknown: a host that nothing links is left without a key.
    """

    hosts: Mapping[HostName, str] = field(default_factory=dict)
    people: Mapping[PersonName, str] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    name: PersonName | None = None
    user: str | None = None
    skip_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A host of which nobody knows the recipient, and those that it may be, likely ones first."""

    host: HostName
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """A repository that has a policy already, looked at once.

    Args:
        repository: as it stands.
        file: the policy that governs most documents.
        policy: what it says.
        others: the policies beside it.
        documents: the files that bear sops metadata.
        parties: the policy's recipients.
        found: the machines.
        keys: the host keys in its files.
    """

    repository: Repository
    file: PolicyFile
    policy: Policy
    others: tuple[PolicyFile, ...]
    documents: tuple[PurePosixPath, ...]
    parties: tuple[Party, ...]
    found: discovery.Found
    keys: tuple[SaidKey, ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """A machine, its recipient, and the SSH line of it, where they are known."""

    host: FoundHost
    party: Party | None = None
    line: str | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """Who is who.

    Args:
        hosts: the machines.
        people: those that are named.
        nameless: recipients that nothing names.
        unlinked: what may be a machine, and no recipient bears its name.
        questions: what only the user can tell.
    """

    hosts: tuple[Linked, ...]
    people: tuple[tuple[str, Party], ...]
    nameless: tuple[Party, ...]
    unlinked: tuple[FoundHost, ...]
    questions: tuple[Question, ...]


def look(repository: Repository) -> View | None:
    """Return what there is; None: no policy.

    Raises:
        RepositoryError: the policy that governs most documents cannot be read.
    """
    files = policies.find(repository)
    if not files:
        return None
    documents = tuple(policies.find_documents(repository))
    nearest_of = (policies.nearest(files, path) for path in documents)
    uses = Counter(one.path for one in nearest_of if one is not None)
    chosen = max(files, key=lambda one: (uses[one.path], -len(one.path.parts)))
    if not isinstance(chosen.policy, Policy):
        raise chosen.policy
    content = repository.sources.read(chosen.path).content
    return View(
        repository,
        chosen,
        chosen.policy,
        tuple(one for one in files if one != chosen),
        documents,
        parties.find(content),
        discovery.find(repository),
        tuple(host_keys.find(repository)),
    )


def link(view: View, choices: Choices) -> Links:
    """Return who is who, by what the user said, then by key, then by name.

    Raises:
        UsageError: the user named a recipient that the policy does not have.
        RepositoryError: a name is none.
    """
    linking = _Linking(view, choices)
    linking.by_choice()
    linking.by_key()
    linking.by_name()
    linking.by_directory()
    linking.by_list()
    return linking.links()


class _Linking:
    def __init__(self, view: View, choices: Choices) -> None:
        self._view = view
        self._choices = choices
        self._known = {host.name: host for host in (*view.found.likely, *view.found.hosts)}
        self._certain = {host.name for host in view.found.hosts}
        self._linked: dict[HostName, Linked] = {}
        self._of_people = {
            self._chosen(text).text: name for name, text in choices.people.items() if text
        }

    def by_choice(self) -> None:
        for name, text in self._choices.hosts.items():
            host = self._known.setdefault(name, _without_directory(name))
            self._certain.add(name)
            self._linked[name] = Linked(host, self._chosen(text) if text else None)

    def by_key(self) -> None:
        """Link the hosts that a key in the repository is said to be of, where only one is said."""
        free = {party.text: party for party in self._free()}
        free |= {key.recipient: party for party in self._free() if (key := _converted(party))}
        said: dict[HostName, set[str]] = {}
        lines: dict[str, str] = {}
        for one in self._view.keys:
            words = spelling.forms(one.words)
            hosts = [host for host in self._waiting() if spelling.same(_forms(host), words)]
            if one.recipient in free and len(hosts) == 1:
                said.setdefault(hosts[0].name, set()).add(one.recipient)
                lines[one.recipient] = one.line
        for name, texts in said.items():
            if len(texts) == 1:
                text = next(iter(texts))
                self._linked[name] = Linked(self._known[name], free[text], lines[text])

    def by_name(self) -> None:
        hosts = {host.name: _forms(host) for host in self._waiting()}
        free = {party: party.forms for party in self._free() if party.sort is not Sort.PERSON}
        for name, party in spelling.pair_off(hosts, free).items():
            self._linked[name] = Linked(self._known[name], party)

    def by_directory(self) -> None:
        """Take a directory for a machine's whose name a recipient bears, where it is the only."""
        folders = _folders(self._view.repository)
        homes = {linked.host.directory for linked in self._linked.values()}
        for party in self._free():
            if party.sort is Sort.PERSON:
                continue
            found = [
                folder
                for folder in folders
                if folder not in homes and spelling.plain(folder.name) in party.forms
            ]
            if len(found) == 1:
                self._add(_in_directory(self._view.repository, found[0]), party)

    def by_list(self) -> None:
        """Take for a machine what a list of hosts, or the anchor's prefix, says is one."""
        for party in self._free():
            if party.sort is Sort.HOST:
                name = spelling.bare(party.names[0])
                self._add(_without_directory(name) if _is_host_name(name) else None, party)

    def links(self) -> Links:
        free = self._free()
        waiting = self._waiting()
        questions = tuple(
            Question(host.name, candidates)
            for host in waiting
            if host.name in self._certain and not self._choices.skip_unknown
            if (candidates := self._candidates(host, free))
        )
        without = (Linked(host) for host in waiting if host.name in self._certain)
        named = tuple((name, party) for party in self._rest() if (name := self._name_of(party)))
        return Links(
            tuple(sorted((*self._linked.values(), *without), key=lambda one: one.host.name)),
            named,
            tuple(party for party in self._rest() if not self._name_of(party)),
            tuple(host for host in waiting if host.name not in self._certain),
            questions,
        )

    def _rest(self) -> list[Party]:
        taken = {linked.party for linked in self._linked.values()}
        return [party for party in self._view.parties if party not in taken]

    def _free(self) -> list[Party]:
        """Return those that may still be a host's."""
        return [
            party
            for party in self._rest()
            if party.is_age and party.text not in self._of_people and not self._is_own(party)
        ]

    def _waiting(self) -> list[FoundHost]:
        return [host for name, host in self._known.items() if name not in self._linked]

    def _is_own(self, party: Party) -> bool:
        return party.text in self._choices.own

    def _candidates(self, host: FoundHost, free: Iterable[Party]) -> tuple[str, ...]:
        """Return whom a host may be: not a person, and nobody who reads everything."""
        every = frozenset(rule.place for rule in self._view.policy.rules)
        possible = [
            party
            for party in free
            if party.sort is not Sort.PERSON and party.host_key is not None
            if party.rules and (len(every) == 1 or party.rules != every)
        ]
        near = self._rules_near(host)
        ordered = sorted(possible, key=lambda party: not near & party.rules)
        return tuple(party.spoken for party in ordered)

    def _rules_near(self, host: FoundHost) -> frozenset[int]:
        """Return the rules of the documents in a host's directory."""
        if host.directory is None:
            return frozenset()
        inside = (path for path in self._view.documents if path.is_relative_to(host.directory))
        rules = (self._view.policy.rule_for(path) for path in inside)
        return frozenset(rule.place for rule in rules if rule is not None)

    def _name_of(self, party: Party) -> str | None:
        if party.text in self._of_people:
            return self._of_people[party.text]
        if self._is_own(party):
            return self._choices.name or (party.names[0] if party.names else self._choices.user)
        return party.names[0] if party.names else None

    def _add(self, host: FoundHost | None, party: Party) -> None:
        if host is not None and host.name not in self._known:
            self._known[host.name] = host
            self._linked[host.name] = Linked(host, party)

    def _chosen(self, text: str) -> Party:
        """Return the party of an anchor or a recipient."""
        wanted = canonical_text(text)
        for party in self._view.parties:
            if wanted == party.text or text in party.names:
                return party
        names = [name for party in self._view.parties for name in party.names]
        near = nearest(text, names)
        raise UsageError(
            f"{self._view.file.path} has neither an anchor nor a recipient {text!r}",
            hint=f"did you mean {' or '.join(near)}?" if near else None,
        )


def _forms(host: FoundHost) -> frozenset[str]:
    return spelling.forms(host.spellings)


def _converted(party: Party) -> SaidKey | None:
    """Return what an entry that is an SSH line comes to as a host's."""
    found = party.host_key
    if found is None or not party.text.startswith("ssh-"):
        return None
    return SaidKey(found.recipient.text, party.text, frozenset())


def _is_host_name(name: str) -> bool:
    try:
        parse_host_name(name)
    except RepositoryError:
        return False
    return True


def _without_directory(name: str) -> FoundHost:
    return FoundHost(parse_host_name(name), None, HostSettings(), frozenset({name}))


def _in_directory(repository: Repository, directory: PurePosixPath) -> FoundHost | None:
    if not _is_host_name(directory.name):
        return None
    settings = place_of(repository, HostSettings(), directory)
    name = parse_host_name(directory.name)
    return FoundHost(name, directory, settings, frozenset({name}))


def _folders(repository: Repository) -> Collection[PurePosixPath]:
    """Return the folders that may be a machine's: none of secrets, keys or homes."""
    folders = {folder for path in repository.paths() for folder in path.parents if folder.parts}
    return sorted(
        folder
        for folder in folders
        if _NO_MACHINES.isdisjoint(part.lower() for part in folder.parts)
    )
