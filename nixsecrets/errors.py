"""Every failure a user can meet: what is wrong, where, and what to do now."""

from enum import IntEnum
from typing import Self

from nixsecrets.override import override


class ExitStatus(IntEnum):
    """What a process of ours ends with; `docs/exit-codes.md` explains each."""

    DONE = 0
    FOUND = 1
    USAGE = 2
    REPOSITORY = 3
    NO_IDENTITY = 4
    DAMAGED = 5
    PROGRAM = 6
    BUSY = 7
    FAULT = 70
    INTERRUPTED = 130


_MOST = 400  # characters of a problem: a name in it may be as long as the text it was read from
_HEAD, _TAIL = 280, 100


class NixsecretsError(Exception):
    """A failure with one clause that names the thing at fault, never a plaintext.

    Args:
        problem: one clause, lower case, no full stop; of one that is too long the middle is left
            out.
        hint: what to do now, a command where there is one.
        line: 1-based line in the text at fault, where it is known.
        column: 1-based column, only together with `line`.
    """

    status = ExitStatus.FAULT

    def __init__(
        self,
        problem: str,
        *,
        hint: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        self.problem = _shortened(problem)
        super().__init__(self.problem)
        self.hint = hint
        self.line = line
        self.column = column
        self.place: str | None = None

    def within(self, place: object) -> Self:
        """Name the file (or other source) at fault, unless a closer one is named already.

        For use where a text is handed to a parser that knows no files:
        `raise error.within(path) from None`.
        """
        if self.place is None:
            self.place = str(place)
        return self

    @override
    def __str__(self) -> str:
        parts = [str(part) for part in (self.place, self.line, self.column) if part is not None]
        return f"{':'.join(parts)}: {self.problem}" if self.place else self.problem


class FoundError(NixsecretsError):
    """A check or a verification found something."""

    status = ExitStatus.FOUND


class UsageError(NixsecretsError):
    """The command line does not say enough, or says what cannot be."""

    status = ExitStatus.USAGE


class RepositoryError(NixsecretsError):
    """Policy, manifest, names or documents of the repository are wrong."""

    status = ExitStatus.REPOSITORY


class NoIdentityError(NixsecretsError):
    """No identity opens a document."""

    status = ExitStatus.NO_IDENTITY


class IntegrityError(NixsecretsError):
    """A MAC or a ciphertext does not hold."""

    status = ExitStatus.DAMAGED


class ProgramError(NixsecretsError):
    """A program that we ran failed; the problem tells its own status."""

    status = ExitStatus.PROGRAM


class BusyError(NixsecretsError):
    """Somebody else holds the lock, or changed a file meanwhile."""

    status = ExitStatus.BUSY


def _shortened(problem: str) -> str:
    return problem if len(problem) <= _MOST else f"{problem[:_HEAD]} … {problem[-_TAIL:]}"
