"""Where a repository keeps its things, read from what is there: the layout that init proposes."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from nixsecrets.fleet.layout import Layout
from nixsecrets.fleet.names import HostName

_USUAL = "systems/{host}"
_FOR_ALL = frozenset(
    {"all", "common", "default", "global", "hosts", "secrets", "shared", "system", "systems"}
)
_LEAST_SHARING = 2
_BRACES = frozenset("{}")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a layout is read from.

    Args:
        homes: the hosts and where each lives; None: nobody knows.
        documents: the YAML documents that rules govern, and who reads each by its rule.
        keys: the recipients of the hosts that have one.
        paths: every file.
        policy: where the policy stands.
    """

    homes: Mapping[HostName, PurePosixPath | None]
    documents: Mapping[PurePosixPath, frozenset[str]]
    keys: frozenset[str]
    paths: frozenset[PurePosixPath]
    policy: PurePosixPath

    @property
    def is_crowded(self) -> bool:
        """Say whether one directory has several hosts."""
        homes = [home for home in self.homes.values() if home is not None]
        return len(set(homes)) < len(homes)


def propose(evidence: Evidence) -> Layout:
    """Return the patterns that give most hosts what they have; the rest goes beside it.

    Everything that a rule must govern lies below the policy's folder.
    """
    directories = _directories(evidence)
    first, folder = directories[0], evidence.policy.parent
    document = _host_document(evidence, first)
    given = {
        "host-document": document,
        "wiring": _wiring(evidence, directories),
        "policy": str(evidence.policy),
    }
    if evidence.is_crowded:
        given["home-document"] = str(folder / "home/{host}/{user}.yaml")
    if folder.parts:
        given |= {
            "shared-document": str(folder / "shared.yaml"),
            "group-document": str(folder / "groups/{group}.yaml"),
            "admin-document": str(folder / "admins.yaml"),
            "host-key-document": str(folder / "escrow/{host}.private.yaml"),
        }
        if not PurePosixPath(first).is_relative_to(folder):
            given["home-document"] = str(folder / "home/{host}/{user}.yaml")
    shared = _shared_document(evidence, Layout.of(directories, given))
    if shared is not None:
        given["shared-document"] = str(shared)
    return Layout.of(directories, given)


def _directories(evidence: Evidence) -> tuple[str, ...]:
    parents = Counter(
        home.parent
        for host, home in evidence.homes.items()
        if home is not None and home.name == host and not _BRACES & set(str(home))
    )
    found = tuple(str(folder / "{host}") for folder, _ in parents.most_common())
    above = Counter(home.parts[0] for home in evidence.homes.values() if home is not None)
    usual = f"{above.most_common(1)[0][0]}/{{host}}" if above else _USUAL
    return found or (usual,)


def _host_document(evidence: Evidence, first: str) -> str:
    patterns: dict[str, set[HostName]] = {}
    for path in evidence.documents:
        for host, home in evidence.homes.items():
            for pattern in _patterns(path, host, None if evidence.is_crowded else home, first):
                patterns.setdefault(pattern, set()).add(host)
    if patterns:
        return max(
            sorted(patterns), key=lambda one: (len(patterns[one]), _is_plain(one), -len(one))
        )
    folder = evidence.policy.parent
    if not PurePosixPath(first).is_relative_to(folder):
        return str(folder / "{host}.yaml")
    return f"{first}/secrets-{{host}}.yaml" if evidence.is_crowded else f"{first}/secrets.yaml"


def _patterns(
    path: PurePosixPath, host: HostName, home: PurePosixPath | None, first: str
) -> Iterator[str]:
    """Yield the pattern by which a document would be a host's: by its directory, or by its name."""
    if _BRACES & set(str(path)):
        return
    if home is not None and path.is_relative_to(home):
        yield f"{first}/{path.relative_to(home)}"
        return
    named = re.sub(rf"(?<![A-Za-z0-9._-]){re.escape(host)}(?![A-Za-z0-9_-])", "{host}", str(path))
    if "{host}" in named:
        yield named


def _is_plain(pattern: str) -> bool:
    stem = PurePosixPath(pattern).stem
    return stem == "{host}" or stem in _FOR_ALL


def _wiring(evidence: Evidence, directories: Sequence[str]) -> str:
    """Return a place that no host's people have put a file of their own to."""
    first, suffix = directories[0], "-{host}" if evidence.is_crowded else ""
    names = (
        f"{first}/{word}{suffix}.nix" for word in ("secrets", "nixsecrets", "nixsecrets-wiring")
    )
    for pattern in names:
        layout = Layout.of(tuple(directories), {"wiring": pattern})
        if evidence.paths.isdisjoint(_wirings(evidence, layout)):
            return pattern
    return f"{first}/nixsecrets-generated{suffix}.nix"


def _wirings(evidence: Evidence, layout: Layout) -> Iterable[PurePosixPath]:
    for host, home in evidence.homes.items():
        yield layout.wiring(host, home or layout.directory(host, lambda _path: False))


def _shared_document(evidence: Evidence, layout: Layout) -> PurePosixPath | None:
    """Return the one document that every host reads and that is called so, if it is one."""
    if len(evidence.keys) < _LEAST_SHARING:
        return None
    own = {
        layout.host_document(host, home or layout.directory(host, lambda _path: False))
        for host, home in evidence.homes.items()
    }
    found = [
        path
        for path, readers in evidence.documents.items()
        if evidence.keys <= readers and path not in own
        if _FOR_ALL & {path.stem, path.parent.name}
    ]
    return found[0] if len(found) == 1 else None
