"""Bring documents' recipients to what the policy says."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from nixsecrets.age.recipient import (
    Recipient,
    RecipientKind,
    canonical_text,
    parse_recipient,
)
from nixsecrets.age.ssh import convert_public_key, parse_public_key
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet.access import Reader, names_of, recipients_of
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Fleet
from nixsecrets.fleet.policy import Rule
from nixsecrets.plans import documents
from nixsecrets.plans.draft import Draft, Unlock
from nixsecrets.plans.policy import managed_rule
from nixsecrets.sops import sealing
from nixsecrets.sops.document import Document


@dataclass(frozen=True, slots=True)
class Drift:
    """How a document's recipients differ from the policy's, each by its canonical text."""

    missing: tuple[str, ...]
    surplus: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.surplus)


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


def drift(repository: Repository, path: PurePosixPath, document: Document) -> Drift | None:
    """Compare a document with its rule; None: no rule governs it."""
    rule = repository.fleet.policy.rule_for(path) if repository.fleet.policy else None
    if rule is None:
        return None
    wanted = dict.fromkeys(canonical_text(entry.text) for entry in rule.recipients)
    present = dict.fromkeys(canonical_text(label) for label in document.recipients)
    return Drift(
        tuple(text for text in wanted if text not in present),
        tuple(text for text in present if text not in wanted),
    )


def intended(fleet: Fleet, path: PurePosixPath) -> tuple[Recipient, ...] | None:
    """Return the recipients that the policy gives a document; None: no rule governs it.

    Raises:
        RepositoryError: one of them is of a sort that is not supported, the rule names none or
            splits the data key over several groups; or it is a managed rule, and no key file
            explains one of them.
    """
    rule = fleet.policy.rule_for(path) if fleet.policy else None
    if rule is None:
        return None
    try:
        wanted = _recipients_of(rule)
        if fleet.managed and managed_rule(fleet, path) is not None:
            _refuse_unexplained(fleet, rule, wanted)
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
    everyone: tuple[Reader, ...] = (*fleet.people, *fleet.hosts)
    return frozenset(one.text for reader in everyone for one in recipients_of(reader))


def _recipients_of(rule: Rule) -> tuple[Recipient, ...]:
    if rule.has_several_groups:
        raise RepositoryError(
            f"{rule.named} has several key groups (Shamir), which is not supported yet",
            hint="write all recipients into one group, unless the split is meant",
        )
    if not rule.recipients:
        others = ", ".join(dict.fromkeys(entry.kind for entry in rule.foreign)) or "nobody"
        raise RepositoryError(
            f"{rule.named} names no age recipient, only {others}", hint="add one to it"
        )
    return tuple(dict.fromkeys(parse_recipient(entry.text) for entry in rule.recipients))


def _refuse_unexplained(fleet: Fleet, rule: Rule, wanted: Iterable[Recipient]) -> None:
    known = explained(fleet)
    for recipient in wanted:
        if recipient.text not in known:
            raise RepositoryError(
                f"{rule.named} names {names_of(fleet, recipient.text)}, whom no key file explains",
                hint="`nixsecrets rekey` takes it out of that rule",
            )


def _bring(draft: Draft, path: PurePosixPath, unlock: Unlock) -> Draft:
    document = documents.read(draft.repository, path)
    difference = drift(draft.repository, path, document)
    if not difference:
        return draft
    documents.refuse_other_formats(path)
    wanted = intended(draft.fleet, path) or ()
    try:
        content = sealing.rewrap(document, unlock(document), wanted)
    except NixsecretsError as error:
        raise error.within(path) from None
    draft = draft.changed(path, content, f"re-wrapped: {describe(draft.fleet, difference)}")
    if difference.surplus:
        names = ", ".join(names_of(draft.fleet, text) for text in difference.surplus)
        draft = draft.warning(
            f"{path}: {names} may keep the data key that it had; "
            f"`nixsecrets rotate data-keys {path}` makes a new one"
        )
    return draft


def describe(fleet: Fleet, difference: Drift) -> str:
    """Return a drift in names: `+ t15g, - paper`."""
    added = [f"+ {names_of(fleet, text)}" for text in difference.missing]
    dropped = [f"- {names_of(fleet, text)}" for text in difference.surplus]
    return ", ".join((*added, *dropped))
