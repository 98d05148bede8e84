"""The repository read once: the index as a Fleet, and Sources for the bytes of a path."""

from collections.abc import Callable, Mapping
from functools import lru_cache
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
from nixsecrets.fleet.model import Fleet, HostKey, Manifest
from nixsecrets.fleet.names import HostName, PersonName
from nixsecrets.fleet.policy import Policy
from nixsecrets.fleet.policy_reading import parse_policy

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

    def on_disk(self, path: PurePosixPath) -> Source | None:
        if path not in self._read:
            self._read[path] = _load(self._root, path)
        return self._read[path]

    def is_directory(self, path: PurePosixPath) -> bool:
        return (self._root / path).is_dir()

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
        changes: one a path, in the order in which they were decided.
    """

    fleet: Fleet
    sources: Sources
    paths: Paths
    spoken: frozenset[PurePosixPath]
    changes: Mapping[PurePosixPath, Change] = MappingProxyType({})

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
            before.mode if before else PUBLIC_MODE,
        )
        changes = {**self.changes, path: change}
        if after == (before.content if before else None):
            del changes[path]
        changed = self._replace(sources=self.sources.overlaid(path, after), changes=changes)
        return changed.interpreted() if path in self.spoken else changed

    def interpreted(self) -> "Repository":
        """Return the repository with its fleet read from the files as they are now."""
        fleet = interpret(self.sources)
        return self._replace(fleet=fleet, spoken=_files_of(fleet))


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
    people = {
        person.name: _person_recipients(sources, manifest.layout, person.name)
        for person in manifest.people
    }
    known = {name: found for name, found in hosts.items() if found is not None}
    policy = _policy(sources, manifest.layout)
    return Fleet(manifest.joined(known, people), policy, manifest_source is not None)


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
    return frozenset((MANIFEST, layout.policy, *hosts, *people))


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
        return _only_line(_text(source))
    except NixsecretsError as error:
        raise error.within(path) from None


def _only_line(text: str) -> HostKey:
    """Return what the one line says that is neither blank nor a comment."""
    lines = [
        (number, line)
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise RepositoryError("there is no recipient in it", hint="a host has one key")
    if len(lines) > 1 and not holds_private_half(text):
        raise RepositoryError("a second recipient", hint="a host has one key", line=lines[1][0])
    number, line = lines[0]
    try:
        return parse_host_key(line)
    except RepositoryError as error:
        raise RepositoryError(error.problem, hint=error.hint, line=number) from None


def _person_recipients(
    sources: Sources, layout: Layout, person: PersonName
) -> tuple[Recipient, ...]:
    path = layout.person_key(person)
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


def _load(root: Path, path: PurePosixPath) -> Source | None:
    file = root / path
    try:
        with file.open("rb") as stream:
            mode = file.stat().st_mode & 0o777
            return Source(path, stream.read(), mode)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RepositoryError(f"cannot be read: {error.strerror}").within(path) from None
