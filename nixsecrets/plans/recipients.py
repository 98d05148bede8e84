"""Bring documents' recipients to what the policy says."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.age.recipient import (
    Recipient,
    RecipientKind,
    canonical_text,
    parse_recipient,
)
from nixsecrets.age.ssh import convert_public_key, parse_public_key
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet.access import Reader, everyone, names_of, recipients_of, spoken_name
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Fleet
from nixsecrets.fleet.policy import Policy, Rule
from nixsecrets.override import override
from nixsecrets.plans import documents
from nixsecrets.plans.draft import Draft, Unlock
from nixsecrets.plans.policy import managed_rule
from nixsecrets.sops import sealing
from nixsecrets.sops.document import Document
from nixsecrets.sops.keygroups import KeyGroups, groups_of
from nixsecrets.sops.metadata import Metadata


class Asked(NamedTuple):
    """What the user says of recipients beside key files and policy, by their canonical texts.

    Args:
        accepted: may be wrapped to, although nothing explains them.
        leaving: are to be wrapped to no more.
        known_by: the fleet that still knows who is leaving, for what is said of it.
    """

    accepted: frozenset[str] = frozenset()
    leaving: frozenset[str] = frozenset()
    known_by: Fleet | None = None


NOTHING_ASKED = Asked()


class Drift(NamedTuple):
    """How a document's recipients differ from the policy's.

    Args:
        missing: recipients of the policy, by their canonical texts.
        surplus: those of the document alone.
        split: how the policy splits the data key, where the document does otherwise.
    """

    missing: tuple[str, ...]
    surplus: tuple[str, ...]
    split: str = ""

    def __bool__(self) -> bool:
        return any(self)


class _Split(NamedTuple):
    """Key groups by their recipients' canonical texts.

    Args:
        groups: their order is nothing.
        threshold: 0: it is not known. It says nothing of a single group.
    """

    groups: tuple[tuple[str, ...], ...]
    threshold: int

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(text for group in self.groups for text in group))

    @override
    def __str__(self) -> str:
        if len(self.groups) == 1:
            return "one key group"
        return f"{self.threshold or 'some'} of {len(self.groups)} key groups"

    def among(self, texts: frozenset[str]) -> Counter[frozenset[str]]:
        return Counter(texts.intersection(group) for group in self.groups)


def bring(draft: Draft, paths: Iterable[PurePosixPath], unlock: Unlock) -> Draft:
    """Return the draft with each of the documents wrapped for exactly the policy's recipients.

    A document that has them already, in any order, is not touched, and one without a rule is not
    either. Dropping a recipient takes nothing away that it may have kept: a warning names
    `nixsecrets rotate data-keys`.

    Raises:
        NoIdentityError: a document that must change does not open.
        RepositoryError: a recipient of the policy is of a sort that is not supported.
    """
    for path in paths:
        draft = _bring(draft, path, unlock)
    return draft


def drifting(repository: Repository, paths: Iterable[PurePosixPath]) -> Iterator[PurePosixPath]:
    """Yield the documents that `bring` would change."""
    for path in paths:
        if drift(repository, path, documents.read_outline(repository, path)):
            yield path


def drift(repository: Repository, path: PurePosixPath, document: Document) -> Drift | None:
    """Compare a document with its rule; None: no rule governs it."""
    rule = repository.fleet.policy.rule_for(path) if repository.fleet.policy else None
    if rule is None:
        return None
    wanted, found = _split_of(rule), _split_in(document)
    common = frozenset(wanted.texts) & frozenset(found.texts)
    split = ""
    if str(wanted) != str(found):
        split = f"{wanted} instead of {found}"
    elif wanted.among(common) != found.among(common):
        split = "other key groups"
    return Drift(
        tuple(text for text in wanted.texts if text not in common),
        tuple(text for text in found.texts if text not in common),
        split,
    )


def intended(fleet: Fleet, path: PurePosixPath, asked: Asked = NOTHING_ASKED) -> KeyGroups | None:
    """Return the recipients that the policy gives a document; None: no rule governs it.

    Raises:
        RepositoryError: one of them is of a sort that is not supported, the rule names none, or
            none in one of several key groups, or those cannot have its threshold; or it is a
            managed rule, and no key file explains one of them.
    """
    rule = fleet.policy.rule_for(path) if fleet.policy else None
    if rule is None:
        return None
    try:
        wanted = _recipients_of(rule)
        if fleet.managed and managed_rule(fleet, path) is not None:
            _refuse_unexplained(fleet, rule, wanted.recipients, asked.accepted)
    except NixsecretsError as error:
        raise RepositoryError(error.problem, hint=error.hint, line=rule.line).within(
            fleet.layout.policy
        ) from None
    return wanted


def opened_alike(recipient: Recipient) -> str:
    """Return what two recipients share that one private half opens: ssh-ed25519 as its `age1…`."""
    match recipient.kind:
        case RecipientKind.SSH_ED25519:
            return convert_public_key(parse_public_key(recipient.text)).text
        case _:
            return recipient.text


def explained(fleet: Fleet) -> frozenset[str]:
    """Return the recipients that key files speak of, by their texts."""
    return frozenset(one.text for reader in everyone(fleet) for one in recipients_of(reader))


def present(fleet: Fleet, metadata: Metadata, asked: Asked = NOTHING_ASKED) -> KeyGroups:
    """Return the recipients that a document has, where key files or the policy know them.

    Who is leaving is left out, and with him a key group that he was alone in.

    Anybody who may write the document may have put its labels there.

    Raises:
        RepositoryError: one is unknown, or of a sort that is not supported.
    """
    groups = tuple(
        tuple(
            _known(fleet, stanza.recipient, asked.accepted)
            for stanza in group.stanzas
            if canonical_text(stanza.recipient) not in asked.leaving
        )
        for group in metadata.groups
    )
    kept = tuple(
        group
        for group, whole in zip(groups, metadata.groups, strict=True)
        if group or not whole.stanzas
    )
    if len(kept) < len(groups) and len(kept) < max(metadata.threshold, 1):
        raise RepositoryError(
            "it would have too few readers left", hint="give it a creation rule with others"
        )
    return KeyGroups(kept, metadata.threshold)


def needing_others(fleet: Fleet, readers: KeyGroups) -> tuple[str, ...]:
    """Return the readers in some key groups, but in too few to open a document alone."""
    return tuple(
        spoken_name(reader)
        for reader in everyone(fleet)
        if 0 < _held(reader, readers) < readers.threshold
    )


def warn_needing_others(draft: Draft, path: PurePosixPath, readers: KeyGroups) -> Draft:
    names = ", ".join(needing_others(draft.fleet, readers))
    return draft.warning(f"{path}: {names} cannot open it alone") if names else draft


def _held(reader: Reader, readers: KeyGroups) -> int:
    own = frozenset(recipients_of(reader))
    return sum(not own.isdisjoint(group) for group in readers.groups)


def _split_of(rule: Rule) -> _Split:
    groups = (
        tuple(canonical_text(entry.text) for entry in group if entry.kind == "age")
        for group in rule.groups
    )
    return _Split(tuple(groups), rule.shamir_threshold or len(rule.groups))


def _split_in(document: Document) -> _Split:
    groups = (
        tuple(canonical_text(stanza.recipient) for stanza in group.stanzas)
        for group in document.metadata.groups
    )
    return _Split(tuple(groups), document.metadata.threshold)


def _recipients_of(rule: Rule) -> KeyGroups:
    if not rule.recipients:
        others = ", ".join(dict.fromkeys(entry.kind for entry in rule.foreign)) or "nobody"
        raise RepositoryError(
            f"{rule.named} names no age recipient, only {others}", hint="add one to it"
        )
    for number, group in enumerate(rule.groups):
        kinds = dict.fromkeys(entry.kind for entry in group)
        if kinds and "age" not in kinds:
            raise RepositoryError(
                f"{rule.named} gives key group {number} to {', '.join(kinds)} alone, which could "
                "not be given a share of the data key",
                hint="write all recipients into one group, or use sops where the split is meant",
            )
    groups = (
        tuple(parse_recipient(entry.text) for entry in group if entry.kind == "age")
        for group in rule.groups
    )
    return groups_of(KeyGroups(tuple(groups), rule.shamir_threshold or 0))


def _known(fleet: Fleet, label: str, accepted: frozenset[str]) -> Recipient:
    recipient = parse_recipient(label)
    policy = fleet.policy or Policy()
    stated = {entry.text for rule in policy.rules for entry in rule.recipients}
    stated |= {anchor.text for anchor in policy.anchors}
    known = explained(fleet) | set(map(canonical_text, stated)) | accepted
    if recipient.text not in known:
        raise RepositoryError(
            f"neither a key file nor the policy explains its recipient {recipient.text}",
            hint=f"add a creation rule for it to {fleet.layout.policy}; if you know whose it is, "
            f"`nixsecrets rotate data-keys DOCUMENT --accept-recipient {recipient.text}`",
        )
    return recipient


def _refuse_unexplained(
    fleet: Fleet, rule: Rule, wanted: Iterable[Recipient], accepted: frozenset[str]
) -> None:
    known = explained(fleet) | accepted
    for recipient in wanted:
        if recipient.text not in known:
            raise RepositoryError(
                f"{rule.named} names {names_of(fleet, recipient.text)}, whom no key file explains",
                hint="`nixsecrets rekey` takes it out of that rule",
            )


def _bring(draft: Draft, path: PurePosixPath, unlock: Unlock) -> Draft:
    document = documents.read_outline(draft.repository, path)
    difference = drift(draft.repository, path, document)
    if not difference:
        return draft
    wanted = intended(draft.fleet, path)
    if wanted is None:
        return draft
    try:
        content = sealing.rewrap(document, unlock(document), wanted)
    except NixsecretsError as error:
        raise error.within(path) from None
    draft = draft.changed(path, content, f"re-wrapped: {describe(draft.fleet, difference)}")
    draft = warn_needing_others(draft, path, wanted)
    names = ", ".join(names_of(draft.fleet, text) for text in difference.surplus)
    if difference.split and len(wanted.groups) > 1:
        names = "whoever could open it"
    if names:
        draft = draft.warning(
            f"{path}: {names} may keep the data key that it had; "
            f"`nixsecrets rotate data-keys {path}` makes a new one"
        )
    return draft


def describe(fleet: Fleet, difference: Drift) -> str:
    """Return a drift in names: `+ t15g, - paper, 2 of 3 key groups instead of one`."""
    added = [f"+ {names_of(fleet, text)}" for text in difference.missing]
    dropped = [f"- {names_of(fleet, text)}" for text in difference.surplus]
    return ", ".join((*added, *dropped, *filter(None, [difference.split])))


def describe_readers(fleet: Fleet, readers: KeyGroups) -> str:
    """Return readers in names: `ann, hq`; of several groups `2 of [ann], [bob, hq]`."""
    groups = [
        ", ".join(names_of(fleet, recipient.text) for recipient in group)
        for group in readers.groups
    ]
    if len(groups) == 1:
        return groups[0]
    return f"{readers.threshold} of {', '.join(f'[{names}]' for names in groups)}"
