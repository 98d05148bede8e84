"""A plan while it is being decided: the repository as it would be, and what is to be said."""

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.change import Export, FollowUp, Plan
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Fleet
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops.document import Document

Unlock = Callable[[Document], Plaintext]
"""Returns a document's data key; `NoIdentityError` where no identity opens it."""


class Draft(NamedTuple):
    """What has been decided so far; planners take one and return the next."""

    repository: Repository
    exports: tuple[Export, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def fleet(self) -> Fleet:
        return self.repository.fleet

    def changed(self, path: PurePosixPath, after: bytes | None, *why: str) -> "Draft":
        return self._replace(repository=self.repository.changed(path, after, *why))

    def exporting(self, export: Export) -> "Draft":
        return self._replace(exports=(*self.exports, export))

    def following(self, follow_up: FollowUp) -> "Draft":
        return self._replace(follow_ups=(*self.follow_ups, follow_up))

    def warning(self, words: str) -> "Draft":
        return self if words in self.warnings else self._replace(warnings=(*self.warnings, words))

    def noting(self, words: str) -> "Draft":
        return self if words in self.notes else self._replace(notes=(*self.notes, words))

    def plan(self, intent: str) -> Plan:
        return Plan(
            intent,
            tuple(self.repository.changes.values()),
            self.exports,
            self.follow_ups,
            self.warnings,
            self.notes,
        )
