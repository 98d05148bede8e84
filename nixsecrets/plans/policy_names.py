"""The anchors that stand for the fleet's readers, and a change of the policy's text."""

from collections.abc import Container, Mapping, Sequence
from itertools import count
from pathlib import PurePosixPath

from nixsecrets.age.recipient import canonical_text
from nixsecrets.errors import RepositoryError
from nixsecrets.fleet import policy_edit
from nixsecrets.fleet.access import (
    Reader,
    anchor_of,
    everyone,
    recipients_of,
    spoken_name,
)
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.model import Fleet
from nixsecrets.fleet.policy import Policy
from nixsecrets.fleet.policy_difference import differences
from nixsecrets.fleet.policy_reading import parse_policy
from nixsecrets.fleet.policy_source import Generated, find_generated
from nixsecrets.plans.draft import Draft


def changed(draft: Draft, content: bytes, *why: str) -> Draft:
    """Return the draft with another policy.

    Raises:
        RepositoryError: the policy is made from another file; the hint says what to change there.
    """
    path = draft.fleet.layout.policy
    source = draft.repository.sources.find(path)
    before = source.content if source else None
    if content == before:
        return draft
    generated = generated_from(draft)
    if generated is None:
        return draft.changed(path, content, *why)
    wanted = differences(parse_policy(before or b""), parse_policy(content)) or why
    where = f"in {generated.source}" if generated.source else "where it is made"
    raise RepositoryError(
        f"the policy is generated ({generated.sign}), and an edit of it would be lost",
        hint=f"change it {where}, and generate it anew: {'; '.join(wanted)}",
    ).within(path)


def generated_from(draft: Draft) -> Generated | None:
    """Return what the fleet's policy is made from; None: people write it."""

    def read(path: PurePosixPath) -> bytes | None:
        if draft.repository.sources.is_directory(path):
            return None
        source = draft.repository.sources.find(path)
        return source.content if source else None

    path = draft.fleet.layout.policy
    return find_generated(path, read(path), read)


def anchor_names(fleet: Fleet) -> Mapping[str, str]:
    """Return the anchor that stands, or is to stand, for each reader's recipient, by its text.

    A new anchor bears a host's `anchor` or a person's name, a person's further ones a number too.

    Raises:
        RepositoryError: an anchor of that name stands for somebody else.
    """
    policy = fleet.policy or Policy()
    readers = everyone(fleet)
    taken = {anchor.name: canonical_text(anchor.text) for anchor in reversed(policy.anchors)}
    known = {canonical_text(anchor.text): anchor.name for anchor in reversed(policy.anchors)}
    usual = [usual_anchor(reader) for reader in readers if recipients_of(reader)]
    names: dict[str, str] = {}
    for reader in readers:
        texts = [recipient.text for recipient in recipients_of(reader)]
        if texts:
            _refuse_other_meaning(policy, reader, known, usual)
        for text in texts:
            if text not in names:
                name = known.get(text) or _free_name(usual_anchor(reader), text, taken, usual)
                names[text] = name
                taken.setdefault(name, text)
    return names


def usual_anchor(reader: Reader) -> str:
    return policy_edit.spell_anchor(anchor_of(reader))


def _free_name(usual: str, text: str, taken: Mapping[str, str], of_others: Sequence[str]) -> str:
    """Return the usual name, or it with the first number that is nobody's."""
    if taken.get(usual, text) == text:
        return usual
    numbered = (f"{usual}-{number}" for number in count(2))
    return next(name for name in numbered if name not in taken and name not in of_others)


def _refuse_other_meaning(
    policy: Policy, reader: Reader, known: Container[str], usual: Sequence[str]
) -> None:
    name = usual_anchor(reader)
    texts = {recipient.text for recipient in recipients_of(reader)}
    if usual.count(name) > 1:
        if all(text in known for text in texts):
            return
        raise RepositoryError(
            f"two of the fleet would both have the anchor &{name}",
            hint=f"give one of the hosts another `anchor:` in {MANIFEST}",
        )
    present = policy.anchor(name)
    if present is not None and canonical_text(present.text) not in texts:
        raise RepositoryError(
            f"the anchor &{name} holds another recipient than the key file of "
            f"{spoken_name(reader)}",
            hint=f"the key file is what the name is: write {min(texts)} behind the anchor, "
            "or restore the key file from git",
            line=present.line,
        )
