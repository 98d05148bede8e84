"""Bring .sops.yaml to what the fleet says: anchors of its readers, and managed rules."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from nixsecrets.age.recipient import canonical_text
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet import policy_anchor, policy_joining, policy_leaving, policy_rules
from nixsecrets.fleet.access import (
    ManagedDocument,
    managed_documents,
    names_of,
    possible_documents,
    recipients_of,
    spoken_name,
)
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.model import Fleet, OnHost
from nixsecrets.fleet.names import HostName
from nixsecrets.fleet.policy import Policy, RecipientEntry, Rule, exact_pattern
from nixsecrets.fleet.policy_reading import parse_policy
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.policy_names import anchor_names, changed
from nixsecrets.plans.policy_readers import add_like, join, remove, rename, replace, respell

__all__ = [
    "add_like",
    "bring",
    "bring_rule_of",
    "follow",
    "is_catch_all",
    "join",
    "managed_rule",
    "remove",
    "rename",
    "replace",
    "respell",
]


def bring(draft: Draft) -> Draft:
    """Return the draft with every managed rule naming exactly its readers.

    The people's rules are left alone; where one governs a managed document that is there and does
    not name all its readers, a warning says so. Without a manifest all rules are the people's.

    Raises:
        RepositoryError: an anchor holds another recipient than the key file, a document lies
            where no rule of the policy reaches, or the policy is written in a way that takes no
            insertion (the text to insert is told).
    """
    return _bring(draft, managed_documents(draft.fleet))


def follow(draft: Draft, newcomer: HostName | None = None) -> Draft:
    """Do what `bring` does for a change of readers, and leave what only a catch-all governs.

    A rule of its own would give such a document other readers than it has, which is for `rekey`
    to do, with the document. One that is not there yet has none to lose, and gets its rule; so
    does the one that waits for a host that comes, which the caller wraps for it.
    """
    documents = managed_documents(draft.fleet)
    waiting = OnHost(newcomer) if newcomer else None
    caught = [one for one in documents if one.scope != waiting and _is_caught(draft, one)]
    draft = _bring(draft, tuple(one for one in documents if one not in caught))
    return _warn_of_foreign_rules(draft, caught)


def _is_caught(draft: Draft, document: ManagedDocument) -> bool:
    rule = draft.fleet.policy.rule_for(document.path) if draft.fleet.policy else None
    is_there = draft.repository.sources.find(document.path) is not None
    return is_there and rule is not None and is_catch_all(rule)


def bring_rule_of(draft: Draft, path: PurePosixPath) -> Draft:
    """Return the draft with the rule of one managed document, also one to come; else as `bring`.

    A document to come gets a rule of its own, in front of a rule of the people's that would open
    it to another host, or close it to one of its readers.
    """
    every = possible_documents(draft.fleet)
    documents = tuple(document for document in every if document.path == path)
    is_to_come = draft.repository.sources.find(path) is None
    return _bring(draft, documents, frozenset(documents if is_to_come else ()))


def managed_rule(fleet: Fleet, path: PurePosixPath) -> Rule | None:
    """Return the rule that governs a path if the tool may edit it: it is that path, escaped."""
    rule = fleet.policy.rule_for(path) if fleet.policy else None
    inside = fleet.policy.inside(path) if fleet.policy else None
    return rule if rule and inside and rule.pattern_text == exact_pattern(inside) else None


def is_catch_all(rule: Rule) -> bool:
    """Say whether a rule matches a document that nobody can have meant by it."""
    return rule.is_catch_all


@dataclass(frozen=True, slots=True)
class _Task:
    """A managed document, its path as the policy spells it, and the anchors of its readers."""

    document: ManagedDocument
    inside: PurePosixPath
    anchors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Edition:
    """The policy's text while it is edited, and what was done to it."""

    content: bytes
    why: tuple[str, ...] = ()

    @property
    def policy(self) -> Policy:
        return parse_policy(self.content)

    def then(self, content: bytes, why: Iterable[str]) -> "_Edition":
        return _Edition(content, (*self.why, *why))


def _bring(
    draft: Draft,
    documents: tuple[ManagedDocument, ...],
    to_come: Container[ManagedDocument] = (),
) -> Draft:
    fleet = draft.fleet
    if not documents:
        return draft
    if fleet.policy is None:
        return _make(draft)
    try:
        names = anchor_names(fleet)
    except NixsecretsError as error:
        raise error.within(fleet.layout.policy) from None
    own, lacking, left = [], [], []
    for task in _tasks(fleet, documents, names):
        if managed_rule(fleet, task.document.path):
            own.append(task)
        elif _wants_rule(fleet, task.document, to_come):
            lacking.append(task)
        else:
            left.append(task.document)
    draft = _warn_of_foreign_rules(draft, left)
    before = _Edition(draft.repository.sources.read(fleet.layout.policy).content)
    try:
        edition = _with_anchors(before, fleet, (*own, *lacking), names)
        edition = _with_rules(edition, fleet, lacking)
        edition = _with_readers(edition, fleet, own)
    except NixsecretsError as error:
        raise error.within(fleet.layout.policy) from None
    return changed(draft, edition.content, *edition.why)


def _make(draft: Draft) -> Draft:
    fleet = draft.fleet
    names = anchor_names(fleet)
    tasks = _tasks(fleet, managed_documents(fleet), names)
    content = policy_rules.render_new(
        tuple((name, text) for text, name in names.items()),
        tuple((task.inside, task.anchors) for task in tasks if task.anchors),
    )
    return changed(draft, content, "new policy")


def _tasks(
    fleet: Fleet, documents: Iterable[ManagedDocument], names: Mapping[str, str]
) -> list[_Task]:
    policy = fleet.policy or Policy(folder=fleet.layout.policy.parent)
    tasks = []
    for document in documents:
        inside = policy.inside(document.path)
        if inside is None:
            raise RepositoryError(
                f"{document.path} lies outside of {policy.folder}, where the policy stands, so "
                "that no rule can govern it",
                hint=f"under `layout` of {MANIFEST}, put `policy` or that document elsewhere",
            ).within(MANIFEST)
        anchors = tuple(names[recipient.text] for recipient in document.recipients)
        tasks.append(_Task(document, inside, anchors))
    return tasks


def _wants_rule(
    fleet: Fleet, document: ManagedDocument, to_come: Container[ManagedDocument]
) -> bool:
    """Say whether a document without a rule of its own is to get one."""
    rule = fleet.policy.rule_for(document.path) if fleet.policy else None
    if rule is None or is_catch_all(rule):
        return True
    return document in to_come and _means_others(fleet, document, rule)


def _means_others(fleet: Fleet, document: ManagedDocument, rule: Rule) -> bool:
    """Say whether a rule lets a host read that the document is not for, or leaves a reader out."""
    named = {canonical_text(entry.text) for entry in rule.recipients}
    others = (host for host in fleet.hosts if host not in document.readers)
    reads = any(one.text in named for host in others for one in recipients_of(host))
    return reads or bool(_left_out(document, rule))


def _left_out(document: ManagedDocument, rule: Rule) -> list[str]:
    named = {canonical_text(entry.text) for entry in rule.recipients}
    return [
        spoken_name(reader)
        for reader in document.readers
        if not all(recipient.text in named for recipient in recipients_of(reader))
    ]


def _warn_of_foreign_rules(draft: Draft, documents: Iterable[ManagedDocument]) -> Draft:
    for document in documents:
        rule = draft.fleet.policy.rule_for(document.path) if draft.fleet.policy else None
        missing = _left_out(document, rule) if rule else []
        if rule and missing and draft.repository.sources.find(document.path) is not None:
            draft = draft.warning(
                f"the rule {rule.pattern_text!r} (line {rule.line}) governs {document.path} and is "
                f"not the tool's to edit; it does not name {', '.join(missing)}"
            )
    return draft


def _with_anchors(
    edition: _Edition, fleet: Fleet, tasks: Iterable[_Task], names: Mapping[str, str]
) -> _Edition:
    """Add the anchors that rules are to name: people's behind people's, hosts' behind hosts'."""
    present = {anchor.name for anchor in edition.policy.anchors}
    needed = {name for task in tasks for name in task.anchors} - present
    texts = {name: text for text, name in names.items() if name in needed}
    for readers in (fleet.people, fleet.hosts, fleet.users):
        same = {names[one.text] for reader in readers for one in recipients_of(reader)}
        new = {name: text for name, text in texts.items() if name in same}
        if new:
            beside = [one.name for one in edition.policy.anchors if one.name in same]
            last = beside[-1] if beside else None
            content = policy_anchor.add_anchors(edition.content, new, last)
            edition = edition.then(content, [f"+ anchor &{name}" for name in new])
            texts = {name: text for name, text in texts.items() if name not in new}
    return edition


def _with_readers(edition: _Edition, fleet: Fleet, tasks: Iterable[_Task]) -> _Edition:
    """Let each task's rule, which it has, name its readers and nobody else.

    A document that nobody is to read keeps its rule as it stands: a rule must name somebody.
    """
    policy = edition.policy
    joining: dict[int, list[str]] = {}
    leaving: dict[int, list[str]] = {}
    why: list[str] = []
    texts = {anchor.name: canonical_text(anchor.text) for anchor in reversed(policy.anchors)}
    for task in tasks:
        rule = policy.rule_for(task.inside)
        if rule is None or not task.anchors:
            continue
        wanted = {texts[name]: name for name in task.anchors}
        named = {canonical_text(entry.text): entry for entry in rule.recipients}
        new = [name for text, name in wanted.items() if text not in named]
        gone = [entry for text, entry in named.items() if text not in wanted]
        if new:
            joining[rule.place] = new
        if gone:
            leaving[rule.place] = [_spelled(entry, texts) for entry in gone]
        path = task.document.path
        why += [f"{path}: + {name}" for name in new]
        why += [f"{path}: - {names_of(fleet, canonical_text(entry.text))}" for entry in gone]
    content = policy_joining.add_to_rules(edition.content, joining)
    return edition.then(policy_leaving.remove_from_rules(content, leaving), why)


def _spelled(entry: RecipientEntry, texts: Mapping[str, str]) -> str:
    """Return an entry's anchor, unless that name also stands for something else."""
    is_plain = entry.anchor and texts.get(entry.anchor) == canonical_text(entry.text)
    return entry.anchor if entry.anchor and is_plain else entry.text


def _with_rules(edition: _Edition, fleet: Fleet, tasks: Sequence[_Task]) -> _Edition:
    """Give each task a rule of its own, behind those of its sort."""
    for of_hosts in (True, False):
        new = [
            task
            for task in tasks
            if task.anchors and isinstance(task.document.scope, OnHost) == of_hosts
        ]
        if new:
            readers = {task.inside: task.anchors for task in new}
            sibling = _last_rule(edition.policy, fleet, of_hosts=of_hosts)
            content = policy_rules.add_rules(edition.content, readers, sibling)
            why = [f"+ rule for {one.document.path}: {', '.join(one.anchors)}" for one in new]
            edition = edition.then(content, why)
    return edition


def _last_rule(policy: Policy, fleet: Fleet, *, of_hosts: bool) -> int | None:
    """Return the last managed rule of documents of hosts, or of the other sorts."""
    folder = Policy(folder=fleet.layout.policy.parent)
    paths = (
        folder.inside(document.path)
        for document in managed_documents(fleet)
        if isinstance(document.scope, OnHost) == of_hosts
    )
    patterns = {exact_pattern(path) for path in paths if path is not None}
    return max((rule.place for rule in policy.rules if rule.pattern_text in patterns), default=None)
