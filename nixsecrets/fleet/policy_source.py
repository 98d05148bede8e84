"""Policies that are written by a program: what says so, and from which file they are made.

Recognised as they are met in public: a header that says it, JSON written as YAML, and the Nix file
that policies are commonly made from beside it.
"""

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import NamedTuple

_SOURCES = (".sops.nix", "sops.nix", "sops.yaml.nix", ".sops.yaml.nix")
_FLAKE = PurePosixPath("flake.nix")
_HEADER = (
    r"(?i)\b(auto-?|is |was |been )generated\b|\bgenerated (by|from|with|using)\b"
    r"|\bdo not (edit|modify|change)\b"
)
_NIXAGO = rb"\bnixago\b"
_READ = 4096  # characters in which a header stands


class Generated(NamedTuple):
    """What a policy is made from.

    Args:
        source: the file to change; None: it is not known.
        sign: what says so, in words.
    """

    source: PurePosixPath | None
    sign: str


def find_generated(
    path: PurePosixPath, content: bytes | None, read: Callable[[PurePosixPath], bytes | None]
) -> Generated | None:
    """Return what a policy is made from; None: people write it.

    Args:
        path: of the policy, relative to the repository's root.
        content: the policy; None: it does not exist (some are made anew each time).
        read: the content of a file of the repository; None: it is not there.
    """
    source = _source(path, read)
    sign = _sign(content) if content is not None else None
    if sign is not None:
        return Generated(source, sign)
    if source is not None and (content is None or source != _FLAKE):
        return Generated(source, f"{source} stands for it")
    if source is not None and content is not None:
        return Generated(source, f"{source} makes files with nixago")
    return None


def _source(
    path: PurePosixPath, read: Callable[[PurePosixPath], bytes | None]
) -> PurePosixPath | None:
    folders = dict.fromkeys((path.parent, PurePosixPath()))
    candidates = (folder / name for folder in folders for name in _SOURCES)
    beside = next((one for one in candidates if _makes_policies(read(one))), None)
    if beside is not None:
        return beside
    flake = read(_FLAKE)
    makes = flake is not None and re.search(_NIXAGO, flake) and path.name.encode() in flake
    return _FLAKE if makes else None


def _makes_policies(content: bytes | None) -> bool:
    """Tell a policy's source from a host's module of the same name, which declares secrets."""
    return content is not None and b"creation_rules" in content


def _sign(content: bytes) -> str | None:
    text = content.decode("utf-8-sig", errors="replace")[:_READ].lstrip()
    if text.startswith("{"):
        return "it is JSON"
    comments = (line for line in text.splitlines() if line.lstrip().startswith("#"))
    return "its header says so" if any(re.search(_HEADER, line) for line in comments) else None
