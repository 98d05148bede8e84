"""Where things live in the repository; no other module spells a path."""

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.names import GroupName, HostName, PersonName

MANIFEST = PurePosixPath("nixsecrets.yaml")
FLAKE = PurePosixPath("flake.nix")

_PLACEHOLDER = r"\{[^{}]*\}|[{}]"
_CONTROL = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\\]"

# What of a pattern changes from one host, group or person to the next; None: nothing does.
PLACEHOLDERS: Mapping[str, str | None] = {
    "host": "{host}",
    "wiring": "{host}",
    "host-document": "{host}",
    "group-document": "{group}",
    "shared-document": None,
    "host-key": "{host}",
    "person-key": "{person}",
    "policy": None,
}


def parse_path(text: str) -> PurePosixPath:
    """Return `text` as a path below the repository's root.

    Raises:
        RepositoryError: it is absolute, leaves the root, names `.git`, or is not spelled plainly.
    """
    components = text.split("/")
    if re.search(_CONTROL, text) or not text.strip():
        raise RepositoryError(f"{text!r} is no path")
    if text.startswith("/"):
        raise RepositoryError(
            f"{text!r} is an absolute path", hint="write it relative to the repository's root"
        )
    if ".git" in components or not all(components) or {".", ".."} & set(components):
        raise RepositoryError(
            f"{text!r} is no plain path below the repository's root",
            hint="write it without '.', '..', '.git' and doubled or trailing slashes",
        )
    return PurePosixPath(text)


def parse_pattern(text: str, placeholder: str | None) -> str:
    """Return `text` as a pattern of paths.

    Args:
        text: a path below the root, `placeholder` anywhere in it.
        placeholder: `{host}`, `{group}` or `{person}`: must occur, and nothing else may. None:
            the pattern is one plain path.

    Raises:
        RepositoryError: another placeholder occurs, the needed one does not, or it is no path.
    """
    found = set(re.findall(_PLACEHOLDER, text))
    foreign = sorted(found - {placeholder})
    if foreign:
        raise RepositoryError(
            f"{foreign[0]!r} has no meaning in the pattern {text!r}",
            hint=f"the placeholder here is {placeholder}" if placeholder else "take it out",
        )
    if placeholder and not found:
        raise RepositoryError(
            f"the pattern {text!r} gives every {placeholder.strip('{}')} the same path",
            hint=f"put {placeholder} into it",
        )
    return str(parse_path(text))


class Layout(NamedTuple):
    """Patterns of paths; each holds its one placeholder, see `PLACEHOLDERS`.

    Args:
        host_directories: a host lives in the first that exists. Patterns below the first of them
            (or any other) are taken relative to the directory in which a host really lives.
    """

    host_directories: tuple[str, ...] = ("systems/{host}",)
    wiring_pattern: str = "systems/{host}/secrets.nix"
    host_document_pattern: str = "systems/{host}/secrets.yaml"
    group_document_pattern: str = "shared/secrets/{group}.yaml"
    shared_document_pattern: str = "shared/secrets.yaml"
    host_key_pattern: str = "keys/hosts/{host}.pub"
    person_key_pattern: str = "keys/admins/{person}.pub"
    policy_pattern: str = ".sops.yaml"

    @classmethod
    def of(cls, host_directories: tuple[str, ...], given: Mapping[str, str]) -> "Layout":
        """Return the layout of parsed patterns.

        Args:
            host_directories: at least one.
            given: the other patterns by their manifest keys. What is missing is the default; a
                host's files then lie in the host's directory, wherever that is.
        """
        usual = cls()
        first = host_directories[0]
        return cls(
            host_directories,
            given.get("wiring", f"{first}/secrets.nix"),
            given.get("host-document", f"{first}/secrets.yaml"),
            given.get("group-document", usual.group_document_pattern),
            given.get("shared-document", usual.shared_document_pattern),
            given.get("host-key", usual.host_key_pattern),
            given.get("person-key", usual.person_key_pattern),
            given.get("policy", usual.policy_pattern),
        )

    def spelled(self) -> tuple[tuple[str, str], ...]:
        """Return manifest key and pattern of everything but the hosts' directories."""
        return (
            ("wiring", self.wiring_pattern),
            ("host-document", self.host_document_pattern),
            ("group-document", self.group_document_pattern),
            ("shared-document", self.shared_document_pattern),
            ("host-key", self.host_key_pattern),
            ("person-key", self.person_key_pattern),
            ("policy", self.policy_pattern),
        )

    @property
    def shared_document(self) -> PurePosixPath:
        return PurePosixPath(self.shared_document_pattern)

    @property
    def policy(self) -> PurePosixPath:
        return PurePosixPath(self.policy_pattern)

    def directory(
        self, host: HostName, is_directory: Callable[[PurePosixPath], bool]
    ) -> PurePosixPath:
        """Return where a host lives that names no directory of its own.

        Args:
            host: its name.
            is_directory: asked only where there are several patterns; if it knows none of them,
                the first is meant.
        """
        places = [_fill(pattern, "{host}", host) for pattern in self.host_directories]
        if len(places) == 1:
            return places[0]
        return next((place for place in places if is_directory(place)), places[0])

    def wiring(self, host: HostName, directory: PurePosixPath) -> PurePosixPath:
        return self._of_host(self.wiring_pattern, host, directory)

    def host_document(self, host: HostName, directory: PurePosixPath) -> PurePosixPath:
        return self._of_host(self.host_document_pattern, host, directory)

    def group_document(self, group: GroupName) -> PurePosixPath:
        return _fill(self.group_document_pattern, "{group}", group)

    def host_key(self, host: HostName) -> PurePosixPath:
        return _fill(self.host_key_pattern, "{host}", host)

    def person_key(self, person: PersonName) -> PurePosixPath:
        return _fill(self.person_key_pattern, "{person}", person)

    def _of_host(self, pattern: str, host: HostName, directory: PurePosixPath) -> PurePosixPath:
        for home in self.host_directories:
            if pattern.startswith(f"{home}/"):
                return directory / _fill(pattern.removeprefix(f"{home}/"), "{host}", host)
        return _fill(pattern, "{host}", host)


def _fill(pattern: str, placeholder: str, name: str) -> PurePosixPath:
    return PurePosixPath(pattern.replace(placeholder, name))
