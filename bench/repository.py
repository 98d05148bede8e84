"""The folder that a command works on, as it was before the command."""

import filecmp
import os
import shutil
from pathlib import Path

from bench.cases import Policy


def restore(folder: Path, policy: Policy) -> None:
    """Copy the documents and the policy, durably: no command pays for this copy's writing."""
    repository = folder / "repository"
    _copy(folder / policy.value, repository / ".sops.yaml")
    for document in (folder / "pristine").iterdir():
        _copy(document, repository / "secrets" / document.name)


def unchanged(folder: Path) -> list[str]:
    """Return the names of the documents that are as they were."""
    names = [file.name for file in (folder / "pristine").iterdir()]
    same, _, _ = filecmp.cmpfiles(
        folder / "pristine", folder / "repository/secrets", names, shallow=False
    )
    return same


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    file = os.open(target, os.O_RDONLY)
    os.fsync(file)
    os.close(file)
