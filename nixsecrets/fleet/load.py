"""The repository read once: the index as a Fleet, and Sources for the bytes of a path."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

from nixsecrets.age.recipient import Recipient, RecipientKind, parse_recipient, parse_recipients
from nixsecrets.age.ssh import convert_public_key
from nixsecrets.age.sshkey import holds_private_half, parse_public_key
from nixsecrets.change import PUBLIC_MODE, Change, Source
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet.layout import MANIFEST, Layout
from nixsecrets.fleet.manifest import parse_manifest
from nixsecrets.fleet.model import AtHome, Fleet, HostKey, Manifest, User
from nixsecrets.fleet.names import HostName, UserName
from nixsecrets.fleet.policy import Policy
from nixsecrets.fleet.policy_reading import parse_policy

OLD_KEY = "old:"
"""In a host's key file, before the key that it leaves behind while it is being rotated."""
Paths = Callable[[], frozenset[PurePosixPath]]
"""Every file of the repository that git does not ignore; asked once, and only when needed."""


class Sources:
    """Bytes of the repository's files, each read at most once.

    Args:
        root: the repository's root.
        overlay: contents that a plan has decided on and that are not written yet; None: gone.
    """

    def __init__(
        self,
        root: Path,
        overlay: Mapping[PurePosixPath, bytes | None] | None = None,
        read: dict[PurePosixPath, Source | None] | None = None,
    ) -> None:
        self._root = root
        self._overlay = dict(overlay or {})
        self._read: dict[PurePosixPath, Source | None] = {} if read is None else read
        self._names: dict[PurePosixPath, frozenset[str]] = {}

    def find(self, path: PurePosixPath) -> Source | None:
        """Return a file as the plan so far leaves it; None: there is none."""
        if path in self._overlay:
            content = self._overlay[path]
            before = self.on_disk(path)
            mode = before.mode if before else PUBLIC_MODE
            return None if content is None else Source(path, content, mode)
        return self.on_disk(path)

    def read(self, path: PurePosixPath) -> Source:
        """Return a file that must be there.

        Raises:
            RepositoryError: it is not, or cannot be read.
        """
        source = self.find(path)
        if source is None:
            raise RepositoryError("no such file").within(path)
        return source

    def glance(self, path: PurePosixPath) -> Source | None:
        """Return a file that nobody named, as `find` does; None also where it cannot be read."""
        try:
            return self.find(path)
        except RepositoryError:
            return None

    def on_disk(self, path: PurePosixPath) -> Source | None:
        if path not in self._read:
            self._read[path] = _load(self._root, path)
        return self._read[path]

    def is_directory(self, path: PurePosixPath) -> bool:
        return path in self._added or (self._root / path).is_dir()

    def names_in(self, folder: PurePosixPath) -> frozenset[str]:
        """Return what a folder holds as the plan so far leaves it; nothing where there is none."""
        if folder not in self._names:
            is_known = not folder.parts or folder.name in self.names_in(folder.parent)
            names = _list(self._root, folder) if is_known else set[str]()
            names |= self._added.get(folder, set())
            gone = {path.name for path in self._gone if path.parent == folder}
            self._names[folder] = frozenset(names - gone)
        return self._names[folder]

    @cached_property
    def _added(self) -> Mapping[PurePosixPath, set[str]]:
        """By folder, what the overlay puts into it."""
        added: dict[PurePosixPath, set[str]] = {}
        for path, content in self._overlay.items():
            for place in (path, *path.parents) if content is not None else ():
                added.setdefault(place.parent, set()).add(place.name)
        return added

    @cached_property
    def _gone(self) -> tuple[PurePosixPath, ...]:
        return tuple(path for path, content in self._overlay.items() if content is None)

    def overlaid(self, path: PurePosixPath, content: bytes | None) -> "Sources":
        return Sources(self._root, {**self._overlay, path: content}, self._read)

    @property
    def paths_read(self) -> frozenset[PurePosixPath]:
        """The files that have been read from disk so far."""
        return frozenset(path for path, source in self._read.items() if source is not None)


class Repository(NamedTuple):
    """What a decision is made on: the fleet, its files, and what has been decided so far.

    Args:
        fleet: read from the files as `changes` leave them.
        sources: the same files' bytes.
        paths: see `Paths`.
        spoken: the files that say what the fleet is, there or not.
        counted: the documents of which the fleet knows whether there are any.
        changes: one a path, in the order in which they were decided.
    """

    fleet: Fleet
    sources: Sources
    paths: Paths
    spoken: frozenset[PurePosixPath]
    changes: Mapping[PurePosixPath, Change] = MappingProxyType({})
    counted: frozenset[PurePosixPath] = frozenset()

    def changed(self, path: PurePosixPath, after: bytes | None, *why: str) -> "Repository":
        """Return the repository as it is with one file more changed, and the fleet read anew.

        A file that is again what it is on disk is no change.
        """
        current = self.sources.find(path)
        if after == (current.content if current else None):
            return self
        before = self.sources.on_disk(path)
        earlier = self.changes.get(path)
        change = Change(
            path,
            before.digest if before else None,
            after,
            (*(earlier.why if earlier else ()), *why),
            before.mode if before else earlier.mode if earlier else PUBLIC_MODE,
        )
        changes = {**self.changes, path: change}
        if after == (before.content if before else None):
            del changes[path]
        changed = self._replace(sources=self.sources.overlaid(path, after), changes=changes)
        if path in self.spoken or (path in self.counted and (current is None or after is None)):
            return changed.interpreted()
        return changed

    def interpreted(self) -> "Repository":
        """Return the repository with its fleet read from the files as they are now."""
        fleet = interpret(self.sources)
        counted = frozenset(_documents_of(fleet.manifest, fleet.users))
        return self._replace(fleet=fleet, spoken=_files_of(fleet), counted=counted)


def open_repository(root: Path, paths: Paths) -> Repository:
    """Read manifest, policy and key files; documents are read when a decision asks for them.

    Raises:
        RepositoryError: one of them is wrong; its place is told.
    """
    return Repository(Fleet(), Sources(root), paths, frozenset()).interpreted()


def interpret(sources: Sources) -> Fleet:
    manifest_source = sources.find(MANIFEST)
    manifest = Manifest()
    if manifest_source is not None:
        try:
            manifest = parse_manifest(manifest_source.content, sources.is_directory)
        except NixsecretsError as error:
            raise error.within(MANIFEST) from None
    hosts = {host.name: _host_key(sources, manifest.layout, host.name) for host in manifest.hosts}
    layout = manifest.layout
    people = {
        person.name: _recipients(sources, layout.person_key(person.name))
        for person in manifest.people
    }
    known = {name: found for name, found in hosts.items() if found is not None}
    users = _users(sources, manifest)
    documents = _documents_of(manifest, users)
    present = frozenset(path for path in documents if path.name in sources.names_in(path.parent))
    return Fleet(
        manifest.joined(known, people),
        _policy(sources, layout),
        manifest_source is not None,
        users,
        present,
    )


@lru_cache(maxsize=4096)
def parse_host_key(line: str) -> HostKey:
    """Return what a host's key file says: an `ssh-ed25519` line or an `age1…` recipient.

    Remembered, since a plan reads the fleet anew whenever it has changed what the fleet is.

    Raises:
        RepositoryError: it is neither; with the reason.
    """
    text = line.strip()
    if text.startswith("age1"):
        recipient = parse_recipient(text)
        if recipient.kind not in (RecipientKind.X25519, RecipientKind.HYBRID):
            raise RepositoryError(
                "a host opens its documents unattended, and this recipient needs a plugin there",
                hint="give the recipient of an identity file: age-keygen on the host",
            )
        return HostKey(recipient, recipient.text)
    public_key = parse_public_key(text)
    return HostKey(convert_public_key(public_key), public_key.line)


def _files_of(fleet: Fleet) -> frozenset[PurePosixPath]:
    layout = fleet.layout
    hosts = (layout.host_key(host.name) for host in fleet.hosts)
    people = (layout.person_key(person.name) for person in fleet.people)
    users = (layout.user_key(user.host, user.name) for user in fleet.users)
    return frozenset((MANIFEST, layout.policy, *hosts, *people, *users))


def _documents_of(manifest: Manifest, users: Iterable[User]) -> Iterator[PurePosixPath]:
    """Yield the documents that a fleet need not have: the admins', homes' and host keys'."""
    layout = manifest.layout
    homes = {host.name: host.directory for host in manifest.hosts}
    yield layout.admin_document
    yield from (layout.home_document(one.host, one.name, homes[one.host]) for one in users)
    yield from map(layout.host_key_document, homes)


def _users(sources: Sources, manifest: Manifest) -> tuple[User, ...]:
    """Return the users whom declarations name, then those who have a key file, by host."""
    layout = manifest.layout
    scopes = (declaration.scope for declaration in manifest.declarations)
    named: dict[tuple[HostName, UserName], None] = {
        (scope.host, scope.user): None for scope in scopes if isinstance(scope, AtHome)
    }
    for host in manifest.hosts:
        named |= dict.fromkeys(
            (host.name, user) for user in layout.users(host.name, sources.names_in)
        )
    return tuple(
        User(host, user, _recipients(sources, layout.user_key(host, user))) for host, user in named
    )


def _policy(sources: Sources, layout: Layout) -> Policy | None:
    source = sources.find(layout.policy)
    if source is None:
        return None
    try:
        return parse_policy(source.content)._replace(folder=layout.policy.parent)
    except NixsecretsError as error:
        raise error.within(layout.policy) from None


def _host_key(sources: Sources, layout: Layout, host: HostName) -> HostKey | None:
    path = layout.host_key(host)
    source = sources.find(path)
    if source is None:
        return None
    try:
        return _key_in(_text(source))
    except NixsecretsError as error:
        raise error.within(path) from None


def _key_in(text: str) -> HostKey:
    """Return what the lines say that are neither blank nor comments: its key, and an old one."""
    lines = [
        (number, line)
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    old = [(number, line) for number, line in lines if line.startswith(OLD_KEY)]
    lines = [numbered for numbered in lines if numbered not in old]
    if not lines:
        raise RepositoryError("there is no recipient in it", hint="a host has one key")
    if (second := lines[1:] or old[1:]) and not holds_private_half(text):
        raise RepositoryError("a second recipient", hint="a host has one key", line=second[0][0])
    key = _key_on(*lines[0])
    older = [_key_on(number, line.removeprefix(OLD_KEY)).recipient for number, line in old]
    return key._replace(old=older[0] if older else None)


def _key_on(number: int, line: str) -> HostKey:
    try:
        return parse_host_key(line)
    except RepositoryError as error:
        raise RepositoryError(error.problem, hint=error.hint, line=number) from None


def _recipients(sources: Sources, path: PurePosixPath) -> tuple[Recipient, ...]:
    source = sources.find(path)
    if source is None:
        return ()
    try:
        return parse_recipients(_text(source))
    except NixsecretsError as error:
        raise error.within(path) from None


def _text(source: Source) -> str:
    try:
        return source.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = source.content.count(b"\n", 0, error.start) + 1
        raise RepositoryError("the text is not UTF-8", line=line) from None


def _list(root: Path, folder: PurePosixPath) -> set[str]:
    if _leads_out(root, folder):
        return set()
    try:
        return {entry.name for entry in (root / folder).iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError as error:
        raise RepositoryError(f"cannot be read: {error.strerror}").within(folder) from None


def _load(root: Path, path: PurePosixPath) -> Source | None:
    file = root / path
    try:
        mode = file.stat().st_mode
        if _leads_out(root, path):
            problem = f"leads out of the repository, to {file.resolve()}, and is not read"
            hint = "put the file itself there, or take the link away"
            raise RepositoryError(problem, hint=hint).within(path)
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a pipe would let us wait for ever
            raise RepositoryError("cannot be read: it is no regular file").within(path)
        return Source(path, file.read_bytes(), mode & 0o777)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RepositoryError(f"cannot be read: {error.strerror}").within(path) from None


def _leads_out(root: Path, path: PurePosixPath) -> bool:
    """Say whether a path leaves the repository; links within it may stand."""
    if path.is_absolute() or ".." in path.parts:
        return True
    steps = (path, *path.parents)
    if not any(os.path.islink(f"{root}/{step}") for step in steps):  # noqa: PTH114  # asked of every file; Path takes three times as long
        return False
    return not (root / path).resolve().is_relative_to(root.resolve())
