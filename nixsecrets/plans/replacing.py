"""A host's or a person's key gives way to another: both open for a while, then the new one."""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import count

from nixsecrets.age.identity import Identity
from nixsecrets.age.recipient import Recipient
from nixsecrets.errors import FoundError, NoIdentityError, RepositoryError
from nixsecrets.fleet.load import OLD_KEY
from nixsecrets.fleet.model import Fleet, Host, HostKey
from nixsecrets.fleet.names import HostName, PersonName
from nixsecrets.fleet.policy_edit import spell_anchor
from nixsecrets.plans import (
    documents,
    hosts,
    knowledge,
    leaving,
    people,
    policy,
    recipients,
    rotate,
)
from nixsecrets.plans.draft import Draft, Unlock
from nixsecrets.plans.recipients import Asked
from nixsecrets.sops import document


def begin_host(draft: Draft, name: HostName, key: HostKey, unlock: Unlock) -> Draft:
    """Return the draft with a host's new key beside the old one, in key file, policy, documents.

    Raises:
        RepositoryError: the host is unknown or has no key yet, the key is somebody's, or another
            rotation is not finished.
        NoIdentityError: a document does not open.
    """
    host = draft.fleet.host(name)
    old = _refuse_no_rotation(host, key)
    hosts.refuse_key_of_others(draft.fleet, name, key)
    path = draft.fleet.layout.host_key(name)
    content = f"{key.public_key}\n{OLD_KEY} {host.public_key}\n".encode()
    draft = draft.changed(path, content, f"+ {key.recipient.text}", f"old: {old.text}")
    draft = policy.follow(_joined(draft, old, key.recipient, host.anchor))
    draft = recipients.bring(draft, knowledge.carriers(draft.repository, [old.text]), unlock)
    return draft.noting(
        f"both keys of {name} open its documents; when it runs with the new one: "
        f"`nixsecrets hosts --verify {name}`, then `nixsecrets rotate host {name} --finish`"
    )


def finish_host(
    draft: Draft, name: HostName, proved: str | None, unlock: Unlock, now: datetime
) -> Draft:
    """Return the draft with a host's old key gone and new data keys for what it could open.

    Args:
        draft: so far.
        name: a known host.
        proved: the recipient whose possession the host has proved; None: that is not asked.
        unlock: opens what the old key could open.
        now: the time of the change.

    Raises:
        FoundError: the new key is not the proved one.
        RepositoryError: no key of the host is being rotated.
        NoIdentityError: a document does not open.
    """
    before = draft.repository
    host = before.fleet.host(name)
    if host.old is None or host.recipient is None:
        raise RepositoryError(
            f"no key of {name} is being rotated",
            hint=f"`nixsecrets rotate host {name} --key FILE` begins",
        )
    if proved not in (None, host.recipient.text):
        raise FoundError(
            f"nothing has proved yet that {name} holds its new key",
            hint=f"`nixsecrets hosts --verify {name}` asks it; --force does without",
        )
    texts = frozenset((host.old.text,))
    known = knowledge.addresses(before, texts)
    carried = knowledge.carriers(before, texts)
    path = before.fleet.layout.host_key(name)
    draft = draft.changed(path, f"{host.public_key}\n".encode(), f"- {host.old.text}")
    draft = policy.remove(draft, texts)
    draft = policy.follow(_usual_anchor(draft, host.recipient, host.anchor))
    draft = rotate.data_keys(
        draft, carried, unlock, now, Asked(leaving=texts, known_by=before.fleet)
    )
    return knowledge.told(draft, f"the old key of {name}", known)


def begin_person(
    draft: Draft, name: PersonName, added: tuple[Recipient, ...], unlock: Unlock
) -> Draft:
    """Return the draft with a person's new recipients beside the others, wherever those stand.

    Raises:
        RepositoryError: the person is unknown, or a recipient is somebody's already.
        NoIdentityError: a document does not open.
    """
    person = draft.fleet.person(name)
    if already := [one for one in added if one in person.recipients]:
        raise RepositoryError(f"{already[0].text} is one of {name} already")
    old = [recipient.text for recipient in person.recipients]
    carried = knowledge.carriers(draft.repository, old)
    for one in person.recipients:
        for new in added:
            draft = _joined(draft, one, new, name)
    draft = people.add(draft, name, added, unlock)
    draft = recipients.bring(draft, carried, unlock)
    finish = " ".join(f"--finish {text}" for text in old[:1])
    return draft.noting(
        f"all recipients of {name} open the documents; when the new identity is at hand: "
        f"`nixsecrets rotate admin {name} {finish}`"
    )


def finish_person(
    draft: Draft,
    name: PersonName,
    dropped: Collection[Recipient],
    unlock: Unlock,
    now: datetime,
) -> Draft:
    """Return the draft with old recipients of a person gone; as `leaving.drop_recipients`."""
    draft = leaving.drop_recipients(draft, name, dropped, unlock, now)
    return _usual_anchor(draft, draft.fleet.person(name).recipients[0], name)


def refuse_unproved(
    draft: Draft,
    name: PersonName,
    dropped: Collection[Recipient],
    identities: Sequence[Identity],
) -> None:
    """Refuse to drop recipients before an identity of another one opens what they open.

    Raises:
        FoundError: no identity of a remaining recipient is available, or it does not open.
    """
    kept = {
        recipients.opened_alike(one)
        for one in draft.fleet.person(name).recipients
        if one not in dropped
    }
    own = [
        one
        for one in identities
        if one.recipient and recipients.opened_alike(one.recipient) in kept
    ]
    hint = f"run this where {name}'s new identity is; --force does without"
    if not own:
        raise FoundError(
            f"no identity of the recipients that {name} keeps is available here", hint=hint
        )
    for path in knowledge.carriers(draft.repository, [one.text for one in dropped]):
        try:
            document.open_data_key(documents.read(draft.repository, path), own)
        except NoIdentityError:
            raise FoundError(
                f"the identity of the recipients that {name} keeps does not open it", hint=hint
            ).within(path) from None


def _refuse_no_rotation(host: Host, key: HostKey) -> Recipient:
    if host.recipient is None:
        raise RepositoryError(
            f"{host.name} has no key yet", hint=f"`nixsecrets add-host {host.name}` gives it one"
        )
    if key.recipient in (host.recipient, host.old):
        raise RepositoryError(f"that key is one of {host.name} already")
    if host.old is not None:
        raise RepositoryError(
            f"another rotation of the key of {host.name} is not finished",
            hint=f"`nixsecrets rotate host {host.name} --finish`",
        )
    return host.recipient


def _joined(draft: Draft, old: Recipient, new: Recipient, anchor: str) -> Draft:
    """Let `new` stand beside `old` in every rule, under an anchor of its own."""
    return policy.join(draft, old.text, new.text, _free_anchor(draft.fleet, new, anchor))


def _free_anchor(fleet: Fleet, recipient: Recipient, usual: str) -> str:
    usual = spell_anchor(usual)
    if fleet.policy is None:
        return usual
    taken = {anchor.name: anchor.text for anchor in fleet.policy.anchors}
    numbered = (f"{usual}-{number}" for number in count(2))
    candidates = (usual, *(next(numbered) for _ in range(len(taken) + 1)))
    return next(name for name in candidates if taken.get(name, recipient.text) == recipient.text)


def _usual_anchor(draft: Draft, recipient: Recipient, usual: str) -> Draft:
    """Give a recipient the anchor that the one before it left behind."""
    if draft.fleet.policy is None:
        return draft
    present, wanted = draft.fleet.policy.name_of(recipient.text), spell_anchor(usual)
    is_free = draft.fleet.policy.anchor(wanted) is None
    return policy.rename(draft, present, wanted) if present and is_free else draft
