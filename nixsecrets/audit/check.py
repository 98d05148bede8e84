"""Everything that can be wrong and known without an identity, of a whole repository."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import PurePosixPath

from nixsecrets.audit import (
    ages,
    declarations,
    documents,
    elsewhere,
    plaintext,
    policy,
    recipients,
    rules,
    tracking,
    wiring,
)
from nixsecrets.audit.finding import Finding, sort_findings
from nixsecrets.audit.survey import Survey, survey
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Host


def run(
    repository: Repository,
    tracked: frozenset[PurePosixPath] | None,
    now: datetime,
    hosts: Sequence[Host] | None = None,
) -> tuple[Finding, ...]:
    """Return what is wrong, errors first.

    A stanza's label is a claim: that a host is named proves that nobody forgot it, not that the
    stanza opens.

    Args:
        repository: as it stands.
        tracked: the files that git tracks; None: there is no git.
        now: the time by which a value's age is told.
        hosts: only what concerns these; None: everything.
    """
    found = survey(repository, tracked, hosts)
    return sort_findings(dict.fromkeys(_all(found, now)))


def _all(found: Survey, now: datetime) -> Iterator[Finding]:
    yield from policy.findings(found)
    yield from documents.findings(found)
    yield from recipients.findings(found)
    yield from declarations.findings(found)
    yield from elsewhere.findings(found)
    yield from ages.findings(found, now.date())
    yield from wiring.findings(found)
    yield from tracking.findings(found)
    if found.whole:
        yield from rules.findings(found)
        yield from plaintext.findings(found)
