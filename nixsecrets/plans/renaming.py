"""A host under another name: everything that bears the old one moves in one plan."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet import manifest_renaming
from nixsecrets.fleet.layout import MANIFEST, Layout, public_half
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Fleet, Host, HostSettings, OnHost
from nixsecrets.fleet.names import HostName
from nixsecrets.fleet.policy_edit import spell_anchor
from nixsecrets.nix.mentions import MentionKind
from nixsecrets.plans import dates, documents, policy, recipients, relinking, wiring, wiring_text
from nixsecrets.plans.draft import Draft

_BUILT_FROM_NAME = re.compile(rb"defaultSopsFile\s*=[^;]*\bhostName\b")


class NewName(NamedTuple):
    """What a host is to be called.

    Args:
        name: by the fleet.
        attribute: in the flake; None: as it is.
        host_name: by itself; None: as it is.
    """

    name: HostName
    attribute: str | None = None
    host_name: str | None = None


def rename_host(draft: Draft, old: HostName, new: NewName) -> Draft:
    """Return the draft with a host under another name; documents keep every byte.

    Moved are its directory, where the layout says that it bears the name, its documents, its key
    files and its wiring; renamed are its anchor, the rules of its documents, and what the
    manifest says of it. A place that still spells the old name is a note.

    Raises:
        RepositoryError: the host is unknown, the name or a path of it is taken, or manifest or
            policy take no such edit.
    """
    before = draft.repository
    host = before.fleet.host(old)
    if new.name in {one.name for one in before.fleet.hosts}:
        raise RepositoryError(f"the fleet has a host {new.name} already").within(MANIFEST)
    said = manifest_renaming.stated(before.sources.read(MANIFEST).content, host)
    layout = before.fleet.layout
    home = _home(layout, host, new.name) if said.directory is None else host.directory
    named = dict(_named_files(before.fleet, host, new.name, home))
    moves = _moves(before, host, home, named)
    was_wired = _is_wired(before, host)
    settings = _settings(host, said, new, moves)
    draft = _moved(draft, moves)
    source = draft.repository.sources.read(MANIFEST)
    try:
        content = manifest_renaming.rename_host(source.content, old, new.name, settings)
    except NixsecretsError as error:
        raise error.within(MANIFEST) from None
    draft = draft.changed(MANIFEST, content, f"host {old} is called {new.name}")
    draft = dates.rename(draft, {old: new.name})
    renamed = draft.fleet.host(new.name)
    sealed = _documents(before, moves, named)
    draft = _in_policy(draft, host, renamed, sealed)
    _refuse_other_readers(draft, before.fleet, sealed)
    draft = relinking.follow(draft, {**moves, host.directory: home})
    if host.attribute and renamed.attribute:
        draft = relinking.respell(draft, MentionKind.ATTRIBUTE, host.attribute, renamed.attribute)
    draft = relinking.respell(draft, MentionKind.HOST_NAME, host.host_name, renamed.host_name)
    if was_wired:
        draft = wiring.bring(draft, [renamed])
    for words in _mentions(draft.repository, host, renamed):
        draft = draft.noting(words)
    return draft


def _home(layout: Layout, host: Host, new: HostName) -> PurePosixPath:
    """Return where the layout has the host from now on: by the pattern that it follows now."""
    for pattern in layout.host_directories:
        if PurePosixPath(pattern.replace("{host}", host.name)) == host.directory:
            return PurePosixPath(pattern.replace("{host}", new))
    return host.directory


def _moves(
    repository: Repository,
    host: Host,
    home: PurePosixPath,
    named: Mapping[PurePosixPath, PurePosixPath],
) -> Mapping[PurePosixPath, PurePosixPath]:
    """Return where each file of a host goes.

    Raises:
        RepositoryError: something stands there already.
    """
    moves = dict(named)
    others = {one.directory for one in repository.fleet.hosts} - {
        host.directory,
        *host.directory.parents,
    }
    for path in repository.paths() if home != host.directory else ():
        if host.directory in path.parents and others.isdisjoint(path.parents):
            moves.setdefault(path, home / path.relative_to(host.directory))
    moves = {
        path: target
        for path, target in sorted(moves.items())
        if path != target and repository.sources.find(path) is not None
    }
    for target in moves.values():
        if target not in moves and repository.sources.find(target) is not None:
            raise RepositoryError(
                "it is there already", hint="move it away, or choose another name"
            ).within(target)
    return moves


def _named_files(
    fleet: Fleet, host: Host, new: HostName, home: PurePosixPath
) -> Iterator[tuple[PurePosixPath, PurePosixPath]]:
    layout, old, directory = fleet.layout, host.name, host.directory
    yield layout.host_key(old), layout.host_key(new)
    yield layout.host_document(old, directory), layout.host_document(new, home)
    yield layout.host_key_document(old), layout.host_key_document(new)
    yield layout.wiring(old, directory), layout.wiring(new, home)
    for one in fleet.declarations:
        if one.scope == OnHost(old) and one.file is None:
            document = layout.host_document(old, directory)
            target = layout.host_document(new, home)
            yield public_half(document, one.name), public_half(target, one.name)
    for user in fleet.users:
        if user.host == old:
            name = user.name
            yield layout.user_key(old, name), layout.user_key(new, name)
            yield (
                layout.home_document(old, name, directory),
                layout.home_document(new, name, home),
            )


def _settings(
    host: Host, said: HostSettings, new: NewName, moves: Mapping[PurePosixPath, PurePosixPath]
) -> HostSettings:
    """Return what the host's entry must say, so that what is kept stays as it is."""
    attribute = host.attribute if new.attribute is None else new.attribute
    host_name = host.host_name if new.host_name is None else new.host_name
    is_usual = host_name == (attribute or new.name) and said.host_name is None
    configuration = moves.get(host.configuration, host.configuration)
    return HostSettings(
        attribute=new.attribute,
        host_name=None if is_usual else host_name,
        configuration=configuration if said.configuration else None,
    )


def _moved(draft: Draft, moves: Mapping[PurePosixPath, PurePosixPath]) -> Draft:
    sources = draft.repository.sources
    modes = {target: sources.read(path).mode for path, target in moves.items()}
    contents = {target: sources.read(path).content for path, target in moves.items()}
    for path, target in moves.items():
        if path not in contents:
            draft = draft.changed(path, None, f"moves to {target}")
    for target, content in contents.items():
        draft = draft.changed(target, content, "as it was")
    changes = {
        path: change._replace(mode=modes.get(path, change.mode))
        for path, change in draft.repository.changes.items()
    }
    paths = frozenset(moves.get(path, path) for path in draft.repository.paths())
    return draft._replace(
        repository=draft.repository._replace(changes=changes, paths=lambda: paths)
    )


def _in_policy(
    draft: Draft, host: Host, renamed: Host, moves: Mapping[PurePosixPath, PurePosixPath]
) -> Draft:
    """Return the draft with anchor and rules that follow the name, for the readers they had.

    Args:
        draft: with everything moved.
        host: as it was.
        renamed: as it is.
        moves: from where to where, also of documents that there are not yet.
    """
    if draft.fleet.policy is None:
        return draft
    old, new = spell_anchor(host.anchor), spell_anchor(renamed.anchor)
    if old != new and draft.fleet.policy.anchor(old) is not None:
        draft = policy.rename(draft, old, new)
    places = {path: _place(draft.fleet, path) for path in moves}
    for path, target in moves.items():
        if places[path] != _place(draft.fleet, target):
            draft = policy.respell(draft, path, target)
    return policy.follow(draft)


def _place(fleet: Fleet, path: PurePosixPath) -> int | None:
    rule = fleet.policy.rule_for(path) if fleet.policy else None
    return rule.place if rule else None


def _documents(
    before: Repository,
    moves: Mapping[PurePosixPath, PurePosixPath],
    named: Mapping[PurePosixPath, PurePosixPath],
) -> Mapping[PurePosixPath, PurePosixPath]:
    """Return the moves of documents, and of places whose rule waits for one."""
    sealed = {path: moves[path] for path, _ in documents.sealed(before) if path in moves}
    known = before.fleet.policy
    waiting = {
        path: target
        for path, target in named.items()
        if path != target and known and known.has_own_rule(path)
    }
    return {**waiting, **sealed}


def _refuse_other_readers(
    draft: Draft, before: Fleet, moves: Mapping[PurePosixPath, PurePosixPath]
) -> None:
    """Refuse where a moved document would be governed by a rule with other readers."""
    for path, target in moves.items():
        had, has = recipients.intended(before, path), recipients.intended(draft.fleet, target)
        if (had and set(had.recipients)) != (has and set(has.recipients)):
            raise RepositoryError(
                f"the rule that governs it at {path} does not govern it there",
                hint=f"in {before.layout.policy}, let that rule match both, then try again",
            ).within(target)


def _is_wired(repository: Repository, host: Host) -> bool:
    path = repository.fleet.layout.wiring(host.name, host.directory)
    source = repository.sources.find(path)
    return source is not None and wiring_text.is_ours(source.content)


def _mentions(repository: Repository, host: Host, renamed: Host) -> Iterator[str]:
    """Yield where Nix sources still spell what was renamed."""
    names = {str(host.directory): str(renamed.directory)}
    if host.attribute and renamed.attribute:
        names[host.attribute] = renamed.attribute
    names[host.host_name] = renamed.host_name
    words = {old: new for old, new in names.items() if old != new}
    for path in sorted(repository.paths()):
        source = repository.sources.glance(path) if path.suffix == ".nix" else None
        if source is None:
            continue
        for number, line in enumerate(source.content.decode(errors="replace").splitlines(), 1):
            for old, new in words.items():
                if re.search(rf"(?<![\w-]){re.escape(old)}(?![\w-])", line):
                    yield f"{path}:{number} spells {old}: write {new} where it means this host"
        if _BUILT_FROM_NAME.search(source.content) and renamed.host_name != renamed.name:
            yield (
                f"{path}: defaultSopsFile is built from hostName, which is {renamed.host_name} "
                f"on that machine, and its document lies in {renamed.directory}"
            )
