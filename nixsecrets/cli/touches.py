"""How many documents only a program opens: a key in hardware may want a touch for each."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from nixsecrets.age.identity import Effort
from nixsecrets.age.recipient import canonical_text
from nixsecrets.cli.app import App, tell
from nixsecrets.fleet.load import Repository
from nixsecrets.plans import documents


def foretell(app: App, repository: Repository, paths: Iterable[PurePosixPath]) -> None:
    """Tell it before the first document is opened; nothing where no identity is a program's.

    Args:
        app: with the identities.
        repository: where the documents are.
        paths: those that are going to be opened; looked at only where it matters.
    """
    identities = app.identities.identities
    programs = [one.source for one in identities if one.effort is Effort.PROGRAM]
    if not programs:
        return
    own = {one.recipient.text for one in identities if one.effort is Effort.NONE and one.recipient}
    count = sum(own.isdisjoint(_labels(repository, path)) for path in paths)
    if count:
        what = "1 document is" if count == 1 else f"{count} documents are"
        places = ", ".join(dict.fromkeys(programs))
        tell(f"{what} opened by a plugin alone ({places}), which may want a touch for each")


def _labels(repository: Repository, path: PurePosixPath) -> frozenset[str]:
    return frozenset(map(canonical_text, documents.read_outline(repository, path).recipients))
