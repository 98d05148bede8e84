"""Who stands in a policy: each recipient, what it is called, and whether it is a machine's."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from nixsecrets.age.recipient import Recipient, canonical_text, parse_recipient
from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.load import parse_host_key
from nixsecrets.fleet.model import HostKey
from nixsecrets.fleet.policy_nodes import AliasNode, MappingNode, Node, ScalarNode, SequenceNode
from nixsecrets.fleet.policy_reading import read_policy
from nixsecrets.plans import spelling

# What lists of recipients are called in real policies; `- &users:` is an anchor with a colon.
_HOST_LISTS = frozenset(
    {"host", "hosts", "server", "servers", "machine", "machines", "system", "systems", "nodes"}
)
_PERSON_LISTS = frozenset(
    {"user", "users", "admin", "admins", "people", "home", "homes", "yubikeys", "members", "team"}
)
_COMMENT = r"[^\n#]*#\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*$"
_AGE = ("age1", "ssh-")


class Sort(Enum):
    """What a party's name, or that of its list, says it is."""

    HOST = auto()
    PERSON = auto()
    UNSAID = auto()


@dataclass(frozen=True, slots=True)
class Party:
    """A recipient of a policy.

    Args:
        text: its canonical spelling, or as it stands where it is none of age.
        names: its anchors, else the comment behind it; there may be none.
        sort: whose it is said to be.
        kind: the field that rules name it under (`age`, `pgp`, …).
        rules: places of the rules that name it.
    """

    text: str
    names: tuple[str, ...]
    sort: Sort
    kind: str
    rules: frozenset[int]

    @property
    def forms(self) -> frozenset[str]:
        return spelling.forms(self.names)

    @property
    def spoken(self) -> str:
        return self.names[0] if self.names else self.text

    @property
    def is_age(self) -> bool:
        return self.kind == "age"

    @property
    def host_key(self) -> HostKey | None:
        """Return it as a host's key; None: no host could open anything unattended with it."""
        try:
            return parse_host_key(self.text) if self.is_age else None
        except NixsecretsError:
            return None

    @property
    def recipient(self) -> Recipient | None:
        """Return it as a recipient that can be wrapped to; None: it is none."""
        try:
            return parse_recipient(self.text) if self.is_age else None
        except NixsecretsError:
            return None


def find(content: bytes) -> tuple[Party, ...]:
    """Return the parties of a policy that can be read, anchors first, each recipient once."""
    read = read_policy(content)
    root = read.composition.root
    labels = dict(_labelled(root, ())) if root is not None else {}
    kinds: dict[str, str] = {}
    rules: dict[str, set[int]] = {}
    names: dict[str, list[str]] = {}
    for anchor in read.policy.anchors:
        names.setdefault(canonical_text(anchor.text), []).append(anchor.name)
    for rule in read.policy.rules:
        for entry in (*rule.recipients, *rule.foreign):
            text = canonical_text(entry.text)
            kinds.setdefault(text, entry.kind)
            rules.setdefault(text, set()).add(rule.place)
    return tuple(
        Party(
            text,
            called := tuple(names.get(text, ())) or _comment(read.text, text),
            _sort(called, labels),
            kinds.get(text) or ("age" if text.startswith(_AGE) else "pgp"),
            frozenset(rules.get(text, ())),
        )
        for text in dict.fromkeys((*names, *kinds))
        if text in kinds or text.startswith(_AGE)
    )


def _comment(policy: str, text: str) -> tuple[str, ...]:
    found = re.search(re.escape(text) + _COMMENT, policy, re.MULTILINE)
    return (found[1],) if found else ()


def _sort(names: tuple[str, ...], labels: dict[str, tuple[str, ...]]) -> Sort:
    """Return what an anchor's prefix says, else the innermost list with a telling name."""
    for name in names:
        if spelling.is_of_host(name):
            return Sort.HOST
        if spelling.is_of_person(name):
            return Sort.PERSON
    for label in reversed(labels.get(names[0], ()) if names else ()):
        word = label.strip(": '\"").lower()
        if word in _HOST_LISTS:
            return Sort.HOST
        if word in _PERSON_LISTS:
            return Sort.PERSON
    return Sort.UNSAID


def _labelled(node: Node, labels: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each anchor of a text with the names of the lists and mappings that it stands in."""
    match node:
        case ScalarNode(anchor=str() as anchor):
            yield anchor, labels
        case SequenceNode(anchor=anchor, items=items):
            for item in items:
                yield from _labelled(item, (*labels, *filter(None, (anchor,))))
        case MappingNode(pairs=pairs):
            for name, value in pairs:
                known = (name.text, name.anchor) if isinstance(name, ScalarNode) else ()
                yield from _labelled(value, (*labels, *filter(None, known)))
        case ScalarNode() | AliasNode():
            return
