"""The engine print: command lines for a person to run, where the tool runs none."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from nixsecrets.system.deploy.target import Flake, Target


def render_lines(target: Target, arguments: Sequence[str], root: Path) -> tuple[str, ...]:
    """Return the lines to paste into a shell; one of a flake begins in the repository."""
    enter = (shlex.join(("cd", str(root))),) if isinstance(target.system, Flake) else ()
    return (*enter, shlex.join(arguments))
