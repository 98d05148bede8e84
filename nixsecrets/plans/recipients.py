"""Bring documents' recipients to what the policy says."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from nixsecrets.age.recipient import Recipient, canonical_text, parse_recipient
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet.access import names_of
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Fleet
from nixsecrets.fleet.policy import Rule
from nixsecrets.plans import documents
from nixsecrets.plans.draft import Draft, Unlock
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
    wanted = [canonical_text(entry.text) for entry in rule.recipients]
    present = [canonical_text(label) for label in document.recipients]
    return Drift(
        tuple(text for text in dict.fromkeys(wanted) if text not in present),
        tuple(text for text in dict.fromkeys(present) if text not in wanted),
    )


def intended(fleet: Fleet, path: PurePosixPath) -> tuple[Recipient, ...] | None:
    """Return the recipients that the policy gives a document; None: no rule governs it.

    Raises:
        RepositoryError: one of them is of a sort that is not supported, or the rule splits the
            data key over several groups.
    """
    rule = fleet.policy.rule_for(path) if fleet.policy else None
    if rule is None:
        return None
    return recipients_of_rule(fleet, rule)


def recipients_of_rule(fleet: Fleet, rule: Rule) -> tuple[Recipient, ...]:
    if rule.has_several_groups:
        raise RepositoryError(
            "the rule has several key groups (Shamir), which is not supported yet",
            hint="write all recipients into one group, unless the split is meant",
            line=rule.line,
        ).within(fleet.layout.policy)
    try:
        parsed = [parse_recipient(entry.text) for entry in rule.recipients]
    except NixsecretsError as error:
        raise RepositoryError(error.problem, hint=error.hint, line=rule.line).within(
            fleet.layout.policy
        ) from None
    return tuple(dict.fromkeys(parsed))


def _bring(draft: Draft, path: PurePosixPath, unlock: Unlock) -> Draft:
    document = documents.read(draft.repository, path)
    difference = drift(draft.repository, path, document)
    if not difference:
        return draft
    wanted = intended(draft.fleet, path) or ()
    if not wanted:
        raise RepositoryError("its rule has no age recipient", hint="add one").within(path)
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
