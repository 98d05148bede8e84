"""One machine under many names: how directory, attribute, host name and anchor are compared."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

_SEPARATORS = re.compile(r"[-_.:/ ]+")
_LEAST_IN_COMMON = 3  # characters; a shorter name begins or ends too many others

# Prefixes of anchors in real policies: of machines, and of people and their homes and tokens.
_HOST_PREFIX = re.compile(r"(?:hosts?|servers?|nixos|machines?|systems?|nodes?)[-_]", re.IGNORECASE)
_PERSON_PREFIX = re.compile(
    r"(?:users?|admins?|people|home|yk|yubikey|ssh|member|ops)[-_]", re.IGNORECASE
)

Key = TypeVar("Key")
Other = TypeVar("Other")


def plain(name: str) -> str:
    """Return a name without case and separators."""
    return _SEPARATORS.sub("", name).lower()


def is_of_host(anchor: str) -> bool:
    return _HOST_PREFIX.match(anchor) is not None


def is_of_person(anchor: str) -> bool:
    return _PERSON_PREFIX.match(anchor) is not None


def bare(anchor: str) -> str:
    """Return an anchor without the prefix that says whose it is."""
    for prefix in (_HOST_PREFIX, _PERSON_PREFIX):
        found = prefix.match(anchor)
        if found and len(found[0]) < len(anchor):
            return anchor[found.end() :]
    return anchor


def forms(names: Iterable[str]) -> frozenset[str]:
    """Return the plain spellings of names, with and without their prefixes."""
    return frozenset(plain(form) for name in names for form in (name, bare(name)) if plain(form))


def same(ours: Collection[str], theirs: Collection[str]) -> bool:
    """Say whether two have a form in common."""
    return not set(ours).isdisjoint(theirs)


def alike(ours: Collection[str], theirs: Collection[str]) -> bool:
    """Say whether a form of one begins or ends a form of the other."""
    return any(
        len(short) >= _LEAST_IN_COMMON and (long.startswith(short) or long.endswith(short))
        for one in ours
        for other in theirs
        for short, long in [sorted((one, other), key=len)]
    )


def pair_off(
    ours: Mapping[Key, frozenset[str]], theirs: Mapping[Other, frozenset[str]]
) -> dict[Key, Other]:
    """Return who is whom: first those with a form in common, then those that are alike.

    Only where nobody else on either side would do as well.
    """
    pairs: dict[Key, Other] = {}
    for fits in (same, alike):
        left = {key: value for key, value in ours.items() if key not in pairs}
        right = {key: value for key, value in theirs.items() if key not in pairs.values()}
        found = {
            key: [other for other, names in right.items() if fits(value, names)]
            for key, value in left.items()
        }
        wanted = [other for others in found.values() for other in others]
        pairs |= {
            key: others[0]
            for key, others in found.items()
            if len(others) == 1 and wanted.count(others[0]) == 1
        }
    return pairs
