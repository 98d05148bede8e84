"""Names of hosts, groups, people, users and secrets, checked on the way in."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import NewType

from nixsecrets.errors import RepositoryError

HostName = NewType("HostName", str)
GroupName = NewType("GroupName", str)
PersonName = NewType("PersonName", str)
UserName = NewType("UserName", str)
SecretName = NewType("SecretName", str)

FLAT = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
TAKEN = frozenset({"all", "shared", "bak"})
COMPONENT = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
MOST_COMPONENTS = 8
NOT_FIRST = frozenset({"sops", "rendered"})  # sops' own block; sops-nix's folder of templates


def parse_host_name(text: str) -> HostName:
    return HostName(_flat(text, "host"))


def parse_group_name(text: str) -> GroupName:
    return GroupName(_flat(text, "group"))


def parse_person_name(text: str) -> PersonName:
    return PersonName(_flat(text, "person"))


def parse_user_name(text: str) -> UserName:
    return UserName(_flat(text, "user"))


def is_user_name(text: str) -> bool:
    return re.fullmatch(FLAT, text) is not None and text not in TAKEN


def parse_secret_name(text: str) -> SecretName:
    """Return `text` as a secret's name.

    Raises:
        RepositoryError: it is not 1 to 8 components of letters, digits, `.`, `_` and `-`, or its
            first component is one that sops or sops-nix keep for themselves.
    """
    components = text.split("/")
    if not all(re.fullmatch(COMPONENT, component) for component in components):
        raise RepositoryError(
            f"{text!r} is no name of a secret",
            hint="use letters, digits, '.', '_' and '-', with '/' between components",
        )
    if len(components) > MOST_COMPONENTS:
        raise RepositoryError(
            f"the secret name {text!r} has {len(components)} components",
            hint=f"use at most {MOST_COMPONENTS}",
        )
    if components[0] in NOT_FIRST:
        raise RepositoryError(
            f"the secret name {text!r} begins with {components[0]!r}, which sops keeps for itself",
            hint="choose another first component",
        )
    return SecretName(text)


def nearest(name: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """Return at most three of `candidates` that look like `name`, best first."""
    return tuple(get_close_matches(name, sorted(set(candidates)), n=3))


def clashes(names: Iterable[SecretName]) -> tuple[tuple[SecretName, SecretName], ...]:
    """Return the pairs of names that cannot stand in one tree: `a` beside `a/b`, shorter first."""
    known = dict.fromkeys(names)
    return tuple(
        (above, name)
        for name in known
        for depth in range(1, name.count("/") + 1)
        if (above := SecretName("/".join(name.split("/")[:depth]))) in known
    )


def _flat(text: str, what: str) -> str:
    if not re.fullmatch(FLAT, text):
        raise RepositoryError(
            f"{text!r} is no name of a {what}",
            hint="use letters, digits, '.', '_' and '-', at most 63, the first a letter or digit",
        )
    if text in TAKEN:
        raise RepositoryError(
            f"{text!r} cannot be the name of a {what}", hint="it has a meaning of its own"
        )
    return text
