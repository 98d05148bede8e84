"""What an interrupted change leaves behind, for those who only look: nothing here writes."""

import os
from enum import StrEnum
from pathlib import Path

from nixsecrets.system.lock import is_held

CARRY_ON = "`nixsecrets wire`, like every command that changes something, carries it on"


class Phase(StrEnum):
    """The names that a transaction's journal goes through, see `transaction`."""

    PREPARING = "preparing.json"
    FORWARD = "forward.json"
    BACK = "back.json"


def pending(state: Path) -> str | None:
    """Return a sentence on a change that was interrupted; for commands that only read."""
    if left_behind(state) is None or is_held(state):
        return None
    return f"a change was interrupted; {CARRY_ON}"


def left_behind(state: Path) -> Phase | None:
    # os.path.exists: a state folder that we may not look into is nothing to us.
    return next((phase for phase in Phase if os.path.exists(state / phase)), None)  # noqa: PTH110  # Path.exists raises on it
