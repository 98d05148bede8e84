"""Run an engine's command line, with a log."""

import shlex
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from nixsecrets.errors import ProgramError
from nixsecrets.system.deploy.target import Target
from nixsecrets.system.process import stream
from nixsecrets.system.transaction import open_log

# Of switch-to-configuration, which runs when the profile is set already: an activation script
# failed, systemd did not reload, a unit failed.
_STATUSES_AFTER_PROFILE = (2, 3, 4)


def deploy(
    program: str, target: Target, arguments: Sequence[str], root: Path, log: PurePosixPath
) -> None:
    """Run a command line; what it says goes to stderr and anew to the log.

    Args:
        program: the engine's, for messages.
        target: whom the command line is for.
        arguments: of the engine's `command`.
        root: where it runs.
        log: in the repository.

    Raises:
        ProgramError: it cannot be started, or ends with another status than 0.
        RepositoryError: the log cannot be made.
    """
    with open_log(root, log) as written:
        _note(written, f"{target.name}: {shlex.join(arguments)}")
        ended = "did not end by itself"
        try:
            status = stream(arguments, log=written, cwd=root)
            ended = f"ended with status {status}"
        finally:
            _note(written, f"{target.name}: {ended}")
    if status != 0:
        raise _failure(program, target, status, log)


def _note(log: BinaryIO, words: str) -> None:
    """Add a line of ours to a log; one that takes no more stops nothing, as in `stream`."""
    with suppress(OSError):
        log.write(f"# {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC {words}\n".encode())


def _failure(program: str, target: Target, status: int, log: PurePosixPath) -> ProgramError:
    how = f"status {status}" if status > 0 else f"signal {-status}"
    hint = f"its output stands in {log}"
    if target.action.makes_generation and status in _STATUSES_AFTER_PROFILE:
        hint += "; the new generation may be the default at boot already"
    return ProgramError(f"{program} {target.action} of {target.name} failed with {how}", hint=hint)
