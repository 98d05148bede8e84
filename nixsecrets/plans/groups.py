"""Groups: made, joined, left, deleted; with what their members read."""

from collections.abc import Callable
from datetime import datetime
from pathlib import PurePosixPath

from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet import manifest_groups
from nixsecrets.fleet.access import admins, document_of, managed_documents, names_of
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.manifest_groups import Members
from nixsecrets.fleet.model import Fleet, Host, InGroup
from nixsecrets.fleet.names import GroupName, HostName
from nixsecrets.plans import knowledge, leaving, policy, recipients, rotate, wiring
from nixsecrets.plans.draft import Draft, Unlock
from nixsecrets.plans.recipients import Asked


def create(draft: Draft, name: GroupName, members: Members, unlock: Unlock) -> Draft:
    """Return the draft with one more group, its rule, and the wiring of its hosts.

    Raises:
        RepositoryError: there is such a group, a member is unknown, or manifest or policy take
            no such edit.
        NoIdentityError: a document does not open.
    """
    words = f"+ group {name}: {spoken(members)}" if any(members) else f"+ group {name}"
    draft = _edited(draft, lambda text: manifest_groups.add_group(text, name, members), words)
    return _given(policy.follow(draft), name, members, unlock)


def join(draft: Draft, name: GroupName, members: Members, unlock: Unlock) -> Draft:
    """Return the draft with members in a group, who read its documents; errors as of `create`."""
    words = f"group {name}: + {spoken(members)}"
    draft = _edited(draft, lambda text: manifest_groups.join_group(text, name, members), words)
    return _given(policy.follow(draft), name, members, unlock)


def leave(draft: Draft, name: GroupName, members: Members, unlock: Unlock, now: datetime) -> Draft:
    """Return the draft with members out of a group, and new data keys for what they lose.

    Raises:
        RepositoryError: one is not in it; else as of `create`.
        NoIdentityError: a document does not open.
    """
    before = draft.repository
    words = f"group {name}: - {spoken(members)}"
    draft = _edited(draft, lambda text: manifest_groups.leave_group(text, name, members), words)
    draft = _taken(policy.follow(draft), before, unlock, now)
    return wiring.bring(draft, _with_keys(draft.fleet, members.hosts))


def delete(draft: Draft, name: GroupName, unlock: Unlock, now: datetime) -> Draft:
    """Return the draft without a group, its document, and what is declared for it.

    Raises:
        RepositoryError: there is no such group; else as of `create`.
        NoIdentityError: a document does not open.
    """
    before = draft.repository
    group = before.fleet.group(name)
    document = document_of(before.fleet, InGroup(name))
    draft = _edited(draft, lambda text: manifest_groups.remove_group(text, name), f"- group {name}")
    draft = policy.follow(leaving.without_documents(draft, [document]))
    draft = _taken(draft, before, unlock, now)
    return wiring.bring(draft, _with_keys(draft.fleet, group.hosts))


def spoken(members: Members) -> str:
    return ", ".join((*members.hosts, *members.people))


def _edited(draft: Draft, edit: Callable[[bytes], bytes], words: str) -> Draft:
    source = draft.repository.sources.read(MANIFEST)
    try:
        content = edit(source.content)
    except NixsecretsError as error:
        raise error.within(MANIFEST) from None
    return draft.changed(MANIFEST, content, words)


def _with_keys(fleet: Fleet, names: tuple[HostName, ...]) -> list[Host]:
    return [host for host in fleet.hosts if host.name in names and host.recipient]


def _given(draft: Draft, name: GroupName, members: Members, unlock: Unlock) -> Draft:
    """Return the draft with what the group's members read wrapped for them too."""
    group = draft.fleet.group(name)
    paths = [
        document.path
        for document in managed_documents(draft.fleet)
        if draft.repository.sources.find(document.path) is not None
        and any(reader.name in (*group.hosts, *group.people) for reader in document.readers)
    ]
    draft = recipients.bring(draft, paths, unlock)
    return wiring.bring(draft, _with_keys(draft.fleet, members.hosts))


def _taken(draft: Draft, before: Repository, unlock: Unlock, now: datetime) -> Draft:
    """Return the draft with new data keys where readers are gone, and what each of them knows."""
    lost = _lost(before.fleet, draft.fleet)
    texts = frozenset(text for texts in lost.values() for text in texts)
    carried = [path for path in knowledge.carriers(before, texts) if path in lost]
    present = [path for path in carried if draft.repository.sources.find(path) is not None]
    draft = rotate.data_keys(draft, present, unlock, now, Asked(known_by=before.fleet))
    for text in sorted(texts):
        among = [path for path, texts in lost.items() if text in texts]
        known = knowledge.addresses(before, (text,), among)
        if known:
            draft = knowledge.told(draft, names_of(before.fleet, text), known)
    return draft


def _lost(before: Fleet, after: Fleet) -> dict[PurePosixPath, tuple[str, ...]]:
    """Return by document the recipients that are to read it no more; admins read what there is."""
    trusted = {one.text for person in admins(after) for one in person.recipients}
    now = {one.path: {each.text for each in one.recipients} for one in managed_documents(after)}
    lost = {
        one.path: tuple(
            each.text
            for each in one.recipients
            if each.text not in trusted and each.text not in now.get(one.path, ())
        )
        for one in managed_documents(before)
    }
    return {path: texts for path, texts in lost.items() if texts}
