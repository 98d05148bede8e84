"""How findings name things: names first, long lists cut, paths as a shell takes them."""

import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

from nixsecrets.fleet.policy import Rule

_SHOWN = 3


def listed(names: Sequence[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`, and of more the first three and their number."""
    if len(names) > _SHOWN + 1:
        return f"{', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def command(*arguments: str | PurePosixPath) -> str:
    """Return a command line to copy into a shell."""
    return shlex.join(map(str, arguments))


def spoken(rule: Rule) -> str:
    """Return how a sentence names a rule of the policy."""
    return f"the {rule.named.removeprefix('the ')}"


def at(path: PurePosixPath, line: int | None) -> str:
    return f"{path}:{line}" if line else str(path)
