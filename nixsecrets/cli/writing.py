"""What a command is given that changes something: apart, so that `get` does not load it."""

import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from nixsecrets.change import Plan
from nixsecrets.cli.app import App, find_root, new_root, tell
from nixsecrets.errors import ProgramError
from nixsecrets.fleet.access import document_for, everyone, key_file_of, managed_documents
from nixsecrets.fleet.layout import LOCK, MANIFEST, public_half
from nixsecrets.fleet.load import Repository, open_repository
from nixsecrets.override import override
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops.document import Document
from nixsecrets.system import git, lock, transaction
from nixsecrets.system.progress import Progress


class WritingApp(App):
    """One call of the tool that changes something.

    Args:
        root: the repository's root.
        host_identity: as of `App`.
        step: called before each smallest action of a transaction.
    """

    def __init__(
        self, root: Path, *, host_identity: bool = False, step: transaction.Step | None = None
    ) -> None:
        super().__init__(root, host_identity=host_identity)
        self.step = step
        self.progress = Progress()

    @override
    def unlock(self, document: Document) -> Plaintext:
        data_key = super().unlock(document)
        self.progress.count("documents opened")
        return data_key

    @contextmanager
    def change(self, *, dry_run: bool) -> Iterator[Repository]:
        """Hold the lock, carry on an interrupted change, and read the repository."""
        try:
            with self._held(dry_run=dry_run) as repository:
                yield repository
        finally:
            self.progress.clear()

    @contextmanager
    def _held(self, *, dry_run: bool) -> Iterator[Repository]:
        if dry_run:
            yield self.read()
            return
        with lock.exclusive(self.state):
            carried_on = transaction.recover(self.root, self.state)
            if carried_on:
                tell(carried_on)
            repository = open_repository(self.root, self.paths)
            if carried_on:
                self._stage_own(repository)
            yield repository

    def apply(self, plan: Plan) -> None:
        """Make a plan a fact, and stage its new files."""
        new = [change.path for change in plan.changes if change.before is None]
        step = self.step or self.progress.step
        try:
            transaction.apply(self.root, self.state, plan, step, lambda: self.stage(new))
        finally:
            self.progress.clear()

    def stage(self, paths: Iterable[PurePosixPath]) -> None:
        """Stage files in full, so that a flake sees them; nothing without git.

        Raises:
            ProgramError: git does not; the files are written nevertheless.
        """
        new = list(paths)
        if not self.in_git or not new:
            return
        try:
            git.stage(self.root, new)
        except ProgramError as error:
            raise ProgramError(
                f"the change stands, but its new files are not staged: {error.problem}",
                hint=shlex.join(("git", "-C", str(self.root), "add", "--", *map(str, new))),
            ) from error

    def _stage_own(self, repository: Repository) -> None:
        """Stage what an interrupted change may have left unstaged."""
        fleet = repository.fleet
        own = {MANIFEST, LOCK, fleet.layout.policy}
        own.update(key_file_of(fleet, reader) for reader in everyone(fleet))
        own.update(document.path for document in managed_documents(fleet))
        own.update(public_half(document_for(fleet, one), one.name) for one in fleet.declarations)
        for host in fleet.hosts:
            own.add(fleet.layout.wiring(host.name, host.directory))
        self.stage(sorted(own & self.index.untracked))


def find_app(file: Path | None = None, *, host_identity: bool = False) -> WritingApp:
    """Return the call for a command that changes something; the rest as of `app.find_root`."""
    return WritingApp(find_root(file), host_identity=host_identity)


def new_app() -> WritingApp:
    """Return the call for a repository that is to become a fleet."""
    return WritingApp(new_root())
