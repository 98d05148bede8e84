"""Files that a flake does not see because git does not track them."""

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.audit.survey import Survey, content_of
from nixsecrets.audit.wording import command, listed
from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.layout import FLAKE
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Host
from nixsecrets.nix.bindings import body, direct
from nixsecrets.nix.syntax import NixSyntaxError, descendants, parse
from nixsecrets.nix.systems import find_systems

_LOCK = FLAKE.with_name("flake.lock")


def findings(found: Survey) -> Iterator[Finding]:
    """Yield the documents, wiring and modules of flake hosts that exist and are not tracked."""
    if found.tracked is None:
        return
    in_flake = {
        host.name: host
        for host in found.hosts
        if host.attribute is not None and not host.without_flake
    }
    needed: dict[PurePosixPath, list[str]] = {}
    for document in found.managed:
        readers = (one.name for one in document.readers if isinstance(one, Host))
        needed[document.path] = [name for name in readers if name in in_flake]
    modules = _Modules(found.repository)
    for host in in_flake.values():
        for path in dict.fromkeys((*_around(found, host), *modules.of(host))):
            needed.setdefault(path, []).append(host.name)
    for path, names in needed.items():
        if names and path not in found.tracked and content_of(found.repository, path) is not None:
            yield _unseen(path, names, is_ignored=path not in found.paths)


def _unseen(path: PurePosixPath, names: list[str], *, is_ignored: bool) -> Finding:
    blind = f"so that the flake does not see it for {listed(names)}"
    if is_ignored:
        words = f"git ignores it, {blind}"
        remedy = f"{command('git', 'check-ignore', '-v', path)} shows the line to take out"
        return Finding("document/ignored", Severity.ERROR, str(path), words, remedy)
    words = f"git does not track it, {blind}"
    return Finding(
        "document/untracked", Severity.ERROR, str(path), words, command("git", "add", path)
    )


def _around(found: Survey, host: Host) -> Iterator[PurePosixPath]:
    yield from (FLAKE, _LOCK)
    if host.recipient is not None:
        yield found.fleet.layout.wiring(host.name, host.directory)


class _Modules:
    """Which modules a host is made of, as far as path literals in `imports` tell."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._in_flake = _systems(repository)
        self._imported: dict[PurePosixPath, tuple[PurePosixPath, ...]] = {}

    def of(self, host: Host) -> Iterator[PurePosixPath]:
        waiting = [host.configuration, *self._in_flake.get(host.attribute or "", ())]
        seen: set[PurePosixPath] = set()
        while waiting:
            path = waiting.pop()
            if path not in seen:
                seen.add(path)
                yield path
                waiting.extend(self._imports(path))

    def _imports(self, path: PurePosixPath) -> tuple[PurePosixPath, ...]:
        if path not in self._imported:
            content = content_of(self._repository, path)
            known = content if isinstance(content, bytes) else b""
            self._imported[path] = tuple(
                resolved
                for literal in _imported_literals(known)
                if (resolved := _resolved(self._repository, literal, path.parent)) is not None
            )
        return self._imported[path]


def _systems(repository: Repository) -> Mapping[str, tuple[PurePosixPath, ...]]:
    content = content_of(repository, FLAKE)
    if not isinstance(content, bytes):
        return {}
    try:
        systems = find_systems(content)
    except NixsecretsError:
        return {}
    return {
        system.attribute: tuple(
            path
            for literal in system.modules
            if (path := _resolved(repository, literal, FLAKE.parent)) is not None
        )
        for system in systems
    }


def _imported_literals(content: bytes) -> list[str]:
    """Return the path literals in a module's `imports`; none of what is no module."""
    if b"imports" not in content:
        return []
    try:
        source = parse(content)
    except NixSyntaxError:
        return []
    return [
        source.text(node)
        for bound in direct(source, body(source.root))
        if bound.path == ("imports",) and bound.value is not None
        for node in descendants(bound.value)
        if node.type == "path_expression"
    ]


def _resolved(repository: Repository, literal: str, folder: PurePosixPath) -> PurePosixPath | None:
    """Return the file that a relative path literal means; None: it lies outside, or is computed."""
    if not literal.startswith(".") or "${" in literal:
        return None
    path = PurePosixPath(posixpath.normpath(folder / literal))
    if ".." in path.parts:
        return None
    return path / "default.nix" if repository.sources.is_directory(path) else path
