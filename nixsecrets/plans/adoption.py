"""The first plan of a repository that has sops-nix already: a manifest that says what is there.

Policy, documents and Nix files keep every byte.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePosixPath

from nixsecrets.age.recipient import canonical_text
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet import manifest_edit
from nixsecrets.fleet.layout import MANIFEST, Layout
from nixsecrets.fleet.load import parse_host_key
from nixsecrets.fleet.model import Deliver, HostSettings, Person, Role
from nixsecrets.fleet.names import HostName, PersonName, parse_person_name
from nixsecrets.fleet.policy_source import find_generated
from nixsecrets.plans import policies, policy, proposal, spelling
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.hosts import described
from nixsecrets.plans.linking import Linked, Links, View
from nixsecrets.plans.parties import Party
from nixsecrets.sops.stores.formats import Format, format_of

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Member:
    """A person as the manifest is to have it."""

    person: Person
    party: Party


@dataclass(frozen=True, slots=True)
class _Machine:
    """A host as the manifest is to have it; `key` is the line of its key file, "" without one."""

    name: HostName
    settings: HostSettings
    directory: PurePosixPath | None
    key: str


def adopt(draft: Draft, view: View, links: Links) -> Draft:
    """Return the draft with the manifest and the key files of those that the policy names.

    Raises:
        RepositoryError: there is a manifest already, or a key file that says something else.
    """
    if draft.repository.sources.find(MANIFEST) is not None:
        raise RepositoryError(
            "the repository has one already", hint="`nixsecrets add-host NAME` goes on from here"
        ).within(MANIFEST)
    people = _people(view, links)
    layout = proposal.propose(_evidence(view, links))
    machines = tuple(_machines(draft, view, links, layout, people))
    manifest = manifest_edit.render_new(
        layout,
        tuple(member.person for member in people),
        tuple((one.name, one.settings) for one in machines),
        Deliver.DECLARED,
    )
    for path, content, why in _key_files(layout, machines, people):
        draft = _with_key_file(draft, path, content, why)
    draft = draft.changed(MANIFEST, manifest, *_why(machines, people))
    told = (
        _of_policies(view),
        unread_policies(draft),
        _of_hosts(links),
        _of_people(view, links, people),
    )
    for words in chain.from_iterable(told):
        draft = draft.noting(words)
    return _foretold(draft)


def unread_policies(draft: Draft) -> Iterator[str]:
    """Yield what is to be said of policies under a name that sops does not read."""
    for path in sorted(draft.repository.paths()):
        if path.name == policies.UNREAD_NAME:
            yield f"{path}: sops never reads it, the name is {policies.POLICY_NAME}"


def _evidence(view: View, links: Links) -> proposal.Evidence:
    governed = {}
    for path in view.documents:
        rule = view.policy.rule_for(path)
        if rule is not None and format_of(path.name) is Format.YAML:
            entries = () if rule.is_catch_all else rule.recipients  # a managed one is narrowed
            governed[path] = frozenset(canonical_text(entry.text) for entry in entries)
    homes = {linked.host.name: linked.host.directory for linked in links.hosts}
    keys = frozenset(linked.party.text for linked in links.hosts if linked.party)
    return proposal.Evidence(homes, governed, keys, view.repository.paths(), view.file.path)


def _people(view: View, links: Links) -> tuple[_Member, ...]:
    """Return the people that a key file can speak of; one in every rule is an admin."""
    every = frozenset(rule.place for rule in view.policy.rules if rule.recipients)
    anchors = {name for party in view.parties for name in party.names}
    taken: set[str] = {linked.host.name for linked in links.hosts}
    taken |= {
        linked.party.names[0] for linked in links.hosts if linked.party and linked.party.names
    }
    found = []
    for said, party in links.people:
        recipient = party.recipient
        if recipient is None:
            continue
        short = spelling.bare(said)
        name = _person_name(said if short in anchors | taken else short, taken)
        role = Role.ADMIN if every and every <= party.rules else Role.MEMBER
        taken.add(name)
        found.append(_Member(Person(name, role, (recipient,)), party))
    return tuple(found)


def _person_name(said: str, taken: set[str]) -> PersonName:
    """Return a name that is free and a person's: one that cannot be gets what can before it."""
    try:
        parse_person_name(said)
    except RepositoryError:
        said = f"person-{''.join(sign for sign in said if sign.isalnum())}"[:40]
    numbered = [said, *(f"{said}-{number}" for number in range(2, len(taken) + 3))]
    return parse_person_name(next(name for name in numbered if name not in taken))


def _machines(
    draft: Draft, view: View, links: Links, layout: Layout, people: Iterable[_Member]
) -> Iterator[_Machine]:
    is_directory = draft.repository.sources.is_directory
    keys: set[str] = set()
    anchors: set[str] = {member.person.name for member in people}
    names: set[str] = set()
    for linked in links.hosts:
        host, settings = linked.host, linked.host.settings
        key = _key_line(linked)
        if key and (text := parse_host_key(key).recipient.text) in keys:
            key = ""
        elif key:
            keys.add(text)
        anchor = _free(_anchor(view, linked, has_key=bool(key)), anchors)
        host_name = _free(settings.host_name or settings.attribute or host.name, names)
        usual = layout.directory(host.name, is_directory)
        settings = settings._replace(
            directory=host.directory if host.directory not in (None, usual) else None,
            anchor=anchor if anchor != host.name else None,
            host_name=host_name if host_name != (settings.attribute or host.name) else None,
        )
        yield _Machine(host.name, settings, host.directory, key)


def _free(name: str, taken: set[str]) -> str:
    """Return a name that nobody has, and let it be taken."""
    numbered = [name, f"{name}-host", *(f"{name}-{number}" for number in range(2, len(taken) + 3))]
    free = next(one for one in numbered if one not in taken)
    taken.add(free)
    return free


def _key_line(linked: Linked) -> str:
    if linked.party is None or linked.party.host_key is None:
        return ""
    return linked.line or linked.party.host_key.public_key


def _anchor(view: View, linked: Linked, *, has_key: bool) -> str:
    """Return its anchor; where it has none, a name that stands for nobody else in the policy."""
    if has_key and linked.party:
        for name in linked.party.names:
            if view.policy.anchor(name) is not None:
                return name
    stands = view.policy.anchor(linked.host.name)
    return f"{linked.host.name}-host" if stands is not None else linked.host.name


def _key_files(
    layout: Layout, machines: Iterable[_Machine], people: Iterable[_Member]
) -> Iterator[tuple[PurePosixPath, bytes, str]]:
    for one in machines:
        if one.key:
            yield layout.host_key(one.name), f"{one.key}\n".encode(), one.key
    for member in people:
        lines = "".join(f"{one.label}\n" for one in member.person.recipients)
        yield layout.person_key(member.person.name), lines.encode(), member.party.text


def _with_key_file(draft: Draft, path: PurePosixPath, content: bytes, why: str) -> Draft:
    """Return the draft with a key file; one that lies there already keeps every byte."""
    present = draft.repository.sources.find(path)
    if present is None:
        return draft.changed(path, content, _short(why))
    if _says_same(present.content, content):
        return draft
    raise RepositoryError(
        "it is there already and says something else than the policy",
        hint=f"the policy's is {_short(why)}: mend one of them, or move the file away",
    ).within(path)


def _says_same(present: bytes, wanted: bytes) -> bool:
    try:
        return (
            parse_host_key(present.decode()).recipient == parse_host_key(wanted.decode()).recipient
        )
    except (NixsecretsError, UnicodeDecodeError):
        return present.split() == wanted.split()


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:40]}…"  # noqa: PLR2004  # a line of a terminal


def _why(machines: Iterable[_Machine], people: Iterable[_Member]) -> Iterator[str]:
    for one in machines:
        where = f" in {one.directory}" if one.directory else ", without a directory"
        anchor = f", anchor {one.settings.anchor or one.name}" if one.key else ", no key"
        yield f"host {one.name}{where}: {described(one.settings)}{anchor}"
    for member in people:
        yield f"{member.person.role.value} {member.person.name}: {_short(member.party.spoken)}"


def _of_policies(view: View) -> Iterator[str]:
    content = policies.content_of(view.repository, view.file.path)
    made = find_generated(
        view.file.path, content, lambda path: policies.content_of(view.repository, path)
    )
    if made is not None:
        place = made.source or "the file that it is made from"
        yield f"{view.file.path} is written by a program ({made.sign}): change {place} instead"
    if view.others:
        names = ", ".join(str(other.path) for other in view.others)
        yield f"{view.file.path} governs most documents; left to sops: {names}"
    without = [path for path in view.documents if view.policy.rule_for(path) is None]
    inside = [path for path in without if path.is_relative_to(view.file.path.parent)]
    if inside:
        yield f"{_some(inside)}: no rule governs it; `nixsecrets status` shows every document"


def _of_hosts(links: Links) -> Iterator[str]:
    owner: dict[str, HostName] = {}
    for linked in links.hosts:
        party = linked.party
        if party is None:
            continue
        if party.host_key is None:
            yield (
                f"{linked.host.name} has no key file: its recipient {_short(party.spoken)} needs "
                "more than a file to open anything"
            )
        elif party.text in owner:
            yield (
                f"{linked.host.name} has no key file: its recipient is that of "
                f"{owner[party.text]}, and a host's key is its own"
            )
        owner.setdefault(party.text, linked.host.name)
    if links.unlinked:
        places = [host.directory or host.name for host in links.unlinked]
        yield (
            f"{_some(places)}: not taken for a host, since no recipient bears the name; "
            "`--host NAME=ANCHOR` makes it one"
        )


def _of_people(view: View, links: Links, people: Iterable[_Member]) -> Iterator[str]:
    members = tuple(people)
    foreign = [party for _, party in links.people if not party.is_age]
    foreign += [party for party in links.nameless if not party.is_age]
    if foreign:
        names = _some([f"{party.kind} {_short(party.spoken)}" for party in foreign])
        yield f"{names}: not of age, so it is neither checked nor changed"
    wrong = [party for _, party in links.people if party.is_age and party.recipient is None]
    if wrong:
        yield f"{_some([party.spoken for party in wrong])}: no recipient that age knows"
    nameless = [party for party in links.nameless if party.is_age]
    if nameless:
        yield (
            f"{_some([_short(party.text) for party in nameless])}: nothing names it; "
            "`--host NAME=RECIPIENT` or `--person NAME=RECIPIENT` does"
        )
    if not any(member.person.role is Role.ADMIN for member in members):
        yield f"nobody stands in every rule of {view.file.path}, so nobody is taken for an admin"


def _some(items: Iterable[object]) -> str:
    """Return a few of many, and how many more there are."""
    spelled = [str(item) for item in items]
    more = len(spelled) - _SHOWN
    few = ", ".join(spelled[:_SHOWN])
    return f"{few} and {more} more" if more > 0 else few


def _foretold(draft: Draft) -> Draft:
    """Tell what the next change of readers would do to the policy; init itself leaves it alone."""
    path = draft.fleet.layout.policy
    try:
        then = policy.follow(draft)
    except NixsecretsError as error:
        return draft.warning(f"readers cannot be changed yet: {error}")
    change = then.repository.changes.get(path)
    if change is None:
        return draft
    return draft.noting(f"the next change of readers also edits {path}: {_some(change.why)}")
