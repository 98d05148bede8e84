"""Apply a plan so that a crash leaves all of it or none; the only module that writes files.

The journal goes through three names, and each rename is atomic (rename(2)):

    preparing   temporary files are being written; taken back by removing them
    forward     the commit point is passed; every file is renamed into place
    back        something stood in the way; every file becomes what it was
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from nixsecrets.change import PRIVATE_MODE, Change, Export, Plan
from nixsecrets.errors import RepositoryError
from nixsecrets.system.disk import (
    create,
    fill,
    make_directory,
    read_inside,
    remove_file,
    remove_if_empty,
    rename,
    resolve_inside,
    sync,
    write_file,
)
from nixsecrets.system.git import is_work_tree
from nixsecrets.system.interrupted import CARRY_ON, Phase, left_behind
from nixsecrets.system.journal import (
    Entry,
    Journal,
    changed_meanwhile,
    parse_journal,
    plan_journal,
    render_journal,
)
from nixsecrets.system.lock import make_state
from nixsecrets.system.refusal import refuse_foreign_owner, told

Step = Callable[[str], None]
Settle = Callable[[], None]


def _quietly(_name: str) -> None:
    """Take no notice of a step."""


def _at_rest() -> None:
    """Have nothing to do once the files are in place."""


def apply(
    root: Path, state: Path, plan: Plan, step: Step = _quietly, settle: Settle = _at_rest
) -> None:
    """Make a plan's changes and exports a fact, all of them or none; its follow-ups are not run.

    The caller holds the lock and has called `recover`. Links inside the root are followed.

    Args:
        root: the repository's root.
        state: where the journal lies, see `lock.state_directory`.
        plan: what is to be done.
        step: called with a name before each smallest action.
        settle: what else belongs to the change, done when its files are in place; a process that
            dies before it is done leaves the journal, so that `recover` tells of it. Its failure
            takes nothing back.

    Raises:
        BusyError: a file is not what the plan was made for; that file is left as it is.
        RepositoryError: a path leaves the root, an export's file exists or lies in a work
            tree, or the operating system refuses (no permission, no room).
    """
    root = root.resolve()
    refuse_foreign_owner(root)
    with told(root):
        journal = plan_journal(root, plan)
        for export in plan.exports:
            check_export(export.file, root)
    made: list[Path] = []
    try:
        for export in plan.exports:
            step(f"export {export.file}")
            write_export(export, made)
        if journal.entries:
            make_state(state)
            _prepare(root, state, (journal, plan.changes), step)
            _go_forward(root, state, journal, step)
    except BaseException:
        if not _may_stand(root, state, journal):
            take_back(made)
        raise
    if journal.entries:
        _finish(state, step, settle)


def _finish(state: Path, step: Step, settle: Settle) -> None:
    try:
        step("settle")
        settle()
    finally:
        _forget(state)


def recover(root: Path, state: Path, step: Step = _quietly) -> str | None:
    """Carry on a change that was interrupted, to its end or back; the caller holds the lock.

    Returns:
        A sentence of what was done; None: no change was interrupted.
    """
    root = root.resolve()
    phase = left_behind(state)
    if phase is None:
        return None
    refuse_foreign_owner(root)
    file = state / phase
    try:
        with told(file):
            journal = parse_journal(file.read_bytes())
    except RepositoryError as error:
        raise error.within(file) from None
    for path in (*journal.directories, *(entry.path for entry in journal.entries)):
        if resolve_inside(root, path) != path:
            raise RepositoryError(
                f"{path} has become a link since a change was interrupted", hint=f"rm {path}"
            )
    match phase:
        case Phase.PREPARING:
            _tidy(root, state, journal, step)
        case Phase.FORWARD if _can_go_forward(root, journal):
            _go_forward(root, state, journal, step)
            step("forget")
            _forget(state)
            return f"an interrupted change was completed: {journal.intent}"
        case Phase.FORWARD | Phase.BACK:
            _go_back(root, state, journal, step)
    return f"an interrupted change was taken back: {journal.intent}"


def open_log(root: Path, path: PurePosixPath) -> BinaryIO:
    """Start a log in the repository anew: 0600, unbuffered, without journal.

    Raises:
        RepositoryError: `path` leaves the root, or the operating system refuses.
    """
    root = root.resolve()
    refuse_foreign_owner(root)
    file = root / resolve_inside(root, path)
    remove_file(file)
    return os.fdopen(create(file), "wb", buffering=0)


def _prepare(root: Path, state: Path, work: tuple[Journal, tuple[Change, ...]], step: Step) -> None:
    """Write everything that needs room on the disk, then pass the commit point."""
    journal, changes = work
    try:
        step("journal")
        remove_file(state / "new.json")
        write_file(state / "new.json", render_journal(journal), PRIVATE_MODE)
        sync([state / "new.json"])
        step("keep journal")
        rename(state / "new.json", state / Phase.PREPARING)
        for directory in journal.directories:
            step(f"make {directory}")
            make_directory(root / directory)
        for entry, change in zip(journal.entries, changes, strict=True):
            if change.after is not None:
                step(f"write {entry.path}")
                write_file(journal.temporary(root, entry), change.after, change.mode)
        step("sync files")
        sync(journal.temporary(root, entry) for entry in journal.entries if entry.after is not None)
        _sync_parents(root, journal, step)
        step("commit")
        rename(state / Phase.PREPARING, state / Phase.FORWARD)
    except BaseException:
        _give_up(root, state, journal)
        raise


def _go_forward(root: Path, state: Path, journal: Journal, step: Step) -> None:
    try:
        for entry in journal.entries:
            step(f"place {entry.path}")
            _place(root, journal, entry)
        _sync_parents(root, journal, step)
    except BaseException:
        _give_up(root, state, journal)
        raise


def _place(root: Path, journal: Journal, entry: Entry) -> None:
    temporary, file = journal.temporary(root, entry), root / entry.path
    now = _digest(root, entry.path)
    if now == entry.after and not temporary.exists():
        return
    if now not in (entry.before, entry.after):
        raise changed_meanwhile(entry.path)
    if entry.after is None:
        remove_file(file)
        return
    with told(file):
        temporary.replace(file)


def _can_go_forward(root: Path, journal: Journal) -> bool:
    for entry in journal.entries:
        now = _digest(root, entry.path)
        if now == entry.after:
            continue
        if now != entry.before:
            return False
        if entry.after is not None and _temporary_digest(root, journal, entry) != entry.after:
            return False
    return True


def _give_up(root: Path, state: Path, journal: Journal) -> None:
    """Leave nothing of a change that failed while this process lives."""
    try:
        _go_back(root, state, journal, _quietly)
    except RepositoryError as error:
        raise RepositoryError(
            f"{error.problem}, and the change could not be taken back",
            hint=f"put that right; then {CARRY_ON}",
        ) from error


def _go_back(root: Path, state: Path, journal: Journal, step: Step) -> None:
    """Make every file what it was, except those that somebody else has changed since."""
    if (state / Phase.FORWARD).exists():
        step("turn back")
        rename(state / Phase.FORWARD, state / Phase.BACK)
    if (state / Phase.BACK).exists():
        for entry in reversed(journal.entries):
            if _digest(root, entry.path) == entry.after != entry.before:
                step(f"restore {entry.path}")
                _restore(root, journal, entry)
    _tidy(root, state, journal, step)


def _restore(root: Path, journal: Journal, entry: Entry) -> None:
    temporary, file = journal.temporary(root, entry), root / entry.path
    if entry.old is None:
        remove_file(file)
        return
    remove_file(temporary)
    write_file(temporary, entry.old.content, entry.old.mode)
    sync([temporary])
    with told(file):
        temporary.replace(file)


def _tidy(root: Path, state: Path, journal: Journal, step: Step) -> None:
    """Remove temporary files, directories that we made and nobody uses, and the journal."""
    for entry in journal.entries:
        temporary = journal.temporary(root, entry)
        step(f"tidy {entry.path}")
        remove_file(temporary)
    for directory in reversed(journal.directories):
        step(f"remove {directory}")
        remove_if_empty(root / directory)
    _sync_parents(root, journal, step)
    step("forget")
    _forget(state)


def _forget(state: Path) -> None:
    for name in ("new.json", *Phase):
        remove_file(state / name)
    with suppress(RepositoryError):  # the change stands or is gone; there is no way back from here
        sync([state])


def _may_stand(root: Path, state: Path, journal: Journal) -> bool:
    """Say whether a change that failed late is a fact, or will be when it is carried on."""
    if (state / Phase.FORWARD).exists():
        return True
    return bool(journal.entries) and all(
        _digest(root, entry.path) == entry.after for entry in journal.entries
    )


def check_export(file: Path, root: Path | None) -> None:
    """Refuse a place for a new file in clear.

    Raises:
        RepositoryError: it is no absolute path, is taken, or lies below `root` or in a work tree.
    """
    if not file.is_absolute():
        raise RepositoryError(f"{file} is not an absolute path")
    if file.exists() or file.is_symlink():
        raise RepositoryError(
            f"{file} exists and is not overwritten", hint="choose another name, or move it away"
        )
    if is_work_tree(file.parent) or (root and file.resolve().is_relative_to(root)):
        raise RepositoryError(
            f"{file} would lie in a repository, where others read it",
            hint="choose a folder outside of every git work tree",
        )


def write_export(export: Export, made: list[Path]) -> None:
    """Write an export; what was made is appended to `made`, even if it fails midway."""
    for folder in reversed(export.file.parents):
        if not folder.exists():
            with told(folder):
                folder.mkdir(mode=0o700)
            made.append(folder)
            if folder in export.passable:
                with told(folder):
                    folder.chmod(0o755)  # whatever the umask
    descriptor = create(export.file)
    made.append(export.file)
    fill(export.file, descriptor, export.content.reveal(), export.mode)
    sync([export.file, export.file.parent])


def take_back(made: list[Path]) -> None:
    """Remove what `write_export` made."""
    for file in reversed(made):
        if file.is_dir():
            remove_if_empty(file)
        else:
            remove_file(file)


def _digest(root: Path, path: PurePosixPath) -> str | None:
    source = read_inside(root, path)
    return source.digest if source else None


def _temporary_digest(root: Path, journal: Journal, entry: Entry) -> str | None:
    return _digest(root, PurePosixPath(journal.temporary(root, entry).relative_to(root)))


def _sync_parents(root: Path, journal: Journal, step: Step) -> None:
    """Make names durable: those of the entries, and of directories that were made."""
    paths = [*journal.directories, *(entry.path for entry in journal.entries)]
    parents = {root / path.parent for path in paths}
    step("sync folders")
    sync(sorted(parent for parent in parents if parent.is_dir()))


def temporary_directory(prefix: str) -> Path:
    """Make a new folder that only we can enter, where the machine keeps temporary ones."""
    return Path(tempfile.mkdtemp(prefix=prefix))
