"""What a generator makes, and what it is handed to make it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias

from nixsecrets.fleet.generator import Asked, Reference
from nixsecrets.plaintext import Plaintext


class Generated(NamedTuple):
    """A value.

    Args:
        value: what is encrypted.
        public: its public half in clear, a whole file; None: it has none.
    """

    value: Plaintext
    public: bytes | None = None


Inputs: TypeAlias = Mapping[Reference, Generated]
"""The values that one is made from, by how its generator spells them."""

Run: TypeAlias = Callable[[Sequence[str], Plaintext], Plaintext]
"""Runs a program with a text on its stdin and returns its stdout; `ProgramError` if it fails."""


class Hands(NamedTuple):
    """What a generator cannot do by itself.

    Args:
        run: programs, the user's own ones among them.
        ask: has a person type a value.
        now: from when on certificates are valid.
    """

    run: Run
    ask: Callable[[Asked], Plaintext]
    now: datetime
