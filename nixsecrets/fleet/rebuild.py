"""What a fleet says of its rebuilds: the engine, the log, the commit."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.fleet.host import Engine, Host


class CommitSettings(NamedTuple):
    """The commit after a rebuild; patterns hold {host}, {directory} and {attribute}.

    Args:
        message: {generation} and {message} have a meaning here too.
        paths: what is committed, where it exists.
        push: whether it is pushed.
    """

    message: str = "{attribute}: generation {generation} - {message}"
    paths: tuple[str, ...] = (
        "flake.nix",
        "flake.lock",
        "{directory}",
        "shared",
        "common",
        "keys",
        ".sops.yaml",
        "nixsecrets.yaml",
        "nixsecrets.lock.json",
    )
    push: bool = True

    def paths_of(self, host: Host) -> tuple[PurePosixPath, ...]:
        return tuple(PurePosixPath(_filled(path, _words(host))) for path in self.paths)

    def message_of(self, host: Host, generation: str, message: str) -> str:
        """Return the commit's message; without a `message` of the user's no dash dangles."""
        words = {**_words(host), "generation": generation, "message": message}
        filled = _filled(self.message, words)
        return filled if message else filled.rstrip(" -:")


class RebuildSettings(NamedTuple):
    """`commit` None: nothing is committed. `log` is a pattern as those of `CommitSettings`."""

    engine: Engine = Engine.NIXOS_REBUILD
    log: str = "{directory}/rebuild.log"
    commit: CommitSettings | None = CommitSettings()

    def log_of(self, host: Host) -> PurePosixPath:
        return PurePosixPath(_filled(self.log, _words(host)))


def _words(host: Host) -> dict[str, str]:
    return {
        "host": host.name,
        "directory": str(host.directory),
        "attribute": host.attribute or host.name,
    }


def _filled(pattern: str, words: Mapping[str, str]) -> str:
    """Fill all placeholders at once: what a word holds is never looked at again."""
    return re.sub(r"\{([a-z]+)\}", lambda found: words[found[1]], pattern)
