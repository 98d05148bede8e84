"""What Nix sources spell of a host that is called otherwise: path literals, attribute, name."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from nixsecrets.nix import paths
from nixsecrets.nix.mentions import MentionKind, rename_mentions
from nixsecrets.nix.syntax import NixSyntaxError
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.wiring_text import is_ours


def follow(draft: Draft, moves: Mapping[PurePosixPath, PurePosixPath]) -> Draft:
    """Return the draft with every relative path literal leading where its file went.

    Args:
        draft: with everything moved.
        moves: files and folders, from where to where.
    """
    earlier = {target: path for path, target in moves.items()}
    spelled = {str(path): str(target) for path, target in moves.items()}
    for path in sorted(draft.repository.paths()):
        source = draft.repository.sources.glance(path) if path.suffix == ".nix" else None
        if source is None or is_ours(source.content):
            continue
        folders = str(earlier.get(path, path).parent), str(path.parent)
        try:
            after = paths.follow(source.content, folders, spelled)
        except NixSyntaxError:
            continue
        draft = draft.changed(path, after, "path literals that lead to what moves")
    return draft


def respell(draft: Draft, kind: MentionKind, old: str, new: str) -> Draft:
    """Return the draft with a host's flake attribute, or its host name, spelled anew."""
    for path in sorted(draft.repository.paths()) if old != new else ():
        source = draft.repository.sources.glance(path) if path.suffix == ".nix" else None
        if source is None or old.encode() not in source.content:
            continue
        try:
            after = rename_mentions(source.content, kind, old, new)
        except NixSyntaxError:
            continue
        draft = draft.changed(path, after, f"{old} is {new}")
    return draft
