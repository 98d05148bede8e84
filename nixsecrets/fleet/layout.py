"""Where things live in the repository; no other module spells a path."""

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.names import (
    GroupName,
    HostName,
    PersonName,
    SecretName,
    UserName,
    is_user_name,
)

MANIFEST = PurePosixPath("nixsecrets.yaml")
LOCK = PurePosixPath("nixsecrets.lock.json")
FLAKE = PurePosixPath("flake.nix")

_PLACEHOLDER = r"\{[^{}]*\}|[{}]"
_CONTROL = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\\]"

# What of a pattern changes from one host, group, person or user to the next.
PLACEHOLDERS: Mapping[str, tuple[str, ...]] = {
    "host": ("{host}",),
    "wiring": ("{host}",),
    "host-document": ("{host}",),
    "group-document": ("{group}",),
    "shared-document": (),
    "home-document": ("{host}", "{user}"),
    "admin-document": (),
    "host-key-document": ("{host}",),
    "host-key": ("{host}",),
    "person-key": ("{person}",),
    "user-key": ("{host}", "{user}"),
    "policy": (),
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


def parse_pattern(text: str, *placeholders: str) -> str:
    """Return `text` as a pattern of paths.

    Args:
        text: a path below the root, the placeholders anywhere in it.
        placeholders: of `{host}`, `{group}`, `{person}` and `{user}`, those that must occur;
            nothing else may. Without any the pattern is one plain path.

    Raises:
        RepositoryError: another placeholder occurs, the needed one does not, or it is no path.
    """
    found = set(re.findall(_PLACEHOLDER, text))
    foreign = sorted(found.difference(placeholders))
    if foreign:
        known = " and ".join(placeholders)
        raise RepositoryError(
            f"{foreign[0]!r} has no meaning in the pattern {text!r}",
            hint=f"the placeholder here is {known}" if known else "take it out",
        )
    for placeholder in placeholders:
        if placeholder not in found:
            raise RepositoryError(
                f"the pattern {text!r} gives every {placeholder.strip('{}')} the same path",
                hint=f"put {placeholder} into it",
            )
    return str(parse_path(text))


def public_half(document: PurePosixPath, name: SecretName) -> PurePosixPath:
    """Return where the public half of a document's value stands, in clear, for Nix to read."""
    return document.with_suffix(".public") / f"{name}.pub"


class Layout(NamedTuple):
    """Patterns of paths; each holds its placeholders, see `PLACEHOLDERS`.

    Args:
        host_directories: a host lives in the first that exists. Patterns below the first of them
            (or any other) are taken relative to the directory in which a host really lives.
    """

    host_directories: tuple[str, ...] = ("systems/{host}",)
    wiring_pattern: str = "systems/{host}/secrets.nix"
    host_document_pattern: str = "systems/{host}/secrets.yaml"
    group_document_pattern: str = "shared/secrets/{group}.yaml"
    shared_document_pattern: str = "shared/secrets.yaml"
    home_document_pattern: str = "systems/{host}/home/{user}.yaml"
    admin_document_pattern: str = "keys/admins.yaml"
    host_key_document_pattern: str = "keys/hosts/{host}.private.yaml"
    host_key_pattern: str = "keys/hosts/{host}.pub"
    person_key_pattern: str = "keys/admins/{person}.pub"
    user_key_pattern: str = "keys/users/{host}/{user}.pub"
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
            given.get("home-document", f"{first}/home/{{user}}.yaml"),
            given.get("admin-document", usual.admin_document_pattern),
            given.get("host-key-document", usual.host_key_document_pattern),
            given.get("host-key", usual.host_key_pattern),
            given.get("person-key", usual.person_key_pattern),
            given.get("user-key", usual.user_key_pattern),
            given.get("policy", usual.policy_pattern),
        )

    def spelled(self) -> tuple[tuple[str, str], ...]:
        """Return manifest key and pattern of everything but the hosts' directories."""
        return (
            ("wiring", self.wiring_pattern),
            ("host-document", self.host_document_pattern),
            ("group-document", self.group_document_pattern),
            ("shared-document", self.shared_document_pattern),
            ("home-document", self.home_document_pattern),
            ("admin-document", self.admin_document_pattern),
            ("host-key-document", self.host_key_document_pattern),
            ("host-key", self.host_key_pattern),
            ("person-key", self.person_key_pattern),
            ("user-key", self.user_key_pattern),
            ("policy", self.policy_pattern),
        )

    @property
    def shared_document(self) -> PurePosixPath:
        return PurePosixPath(self.shared_document_pattern)

    @property
    def admin_document(self) -> PurePosixPath:
        return PurePosixPath(self.admin_document_pattern)

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

    def home_document(
        self, host: HostName, user: UserName, directory: PurePosixPath
    ) -> PurePosixPath:
        pattern = self.home_document_pattern.replace("{user}", user)
        return self._of_host(pattern, host, directory)

    def host_key_document(self, host: HostName) -> PurePosixPath:
        """Return where the private half of a host's key is kept for a machine to come."""
        return _fill(self.host_key_document_pattern, "{host}", host)

    def user_key(self, host: HostName, user: UserName) -> PurePosixPath:
        return _fill(self.user_key_pattern.replace("{user}", user), "{host}", host)

    def group_document(self, group: GroupName) -> PurePosixPath:
        return _fill(self.group_document_pattern, "{group}", group)

    def host_key(self, host: HostName) -> PurePosixPath:
        return _fill(self.host_key_pattern, "{host}", host)

    def person_key(self, person: PersonName) -> PurePosixPath:
        return _fill(self.person_key_pattern, "{person}", person)

    def users(
        self, host: HostName, names_in: Callable[[PurePosixPath], Collection[str]]
    ) -> tuple[UserName, ...]:
        """Return the users of a host that have a key file, in the order of their names.

        Args:
            host: its name.
            names_in: what a folder holds; nothing where there is none.
        """
        parts = self.user_key_pattern.replace("{host}", host).split("/")
        depth = next(index for index, part in enumerate(parts) if "{user}" in part)
        before, _, after = parts[depth].partition("{user}")
        after = after.partition("{user}")[0]
        found = []
        for name in sorted(names_in(PurePosixPath(*parts[:depth]))):
            user = name.removeprefix(before).removesuffix(after)
            if is_user_name(user):
                path = self.user_key(host, UserName(user))
                if path.name in names_in(path.parent):
                    found.append(UserName(user))
        return tuple(found)

    def _of_host(self, pattern: str, host: HostName, directory: PurePosixPath) -> PurePosixPath:
        for home in self.host_directories:
            if pattern.startswith(f"{home}/"):
                return directory / _fill(pattern.removeprefix(f"{home}/"), "{host}", host)
        return _fill(pattern, "{host}", host)


def _fill(pattern: str, placeholder: str, name: str) -> PurePosixPath:
    return PurePosixPath(pattern.replace(placeholder, name))
