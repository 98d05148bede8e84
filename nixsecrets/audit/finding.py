"""One thing that is wrong: which rule says so, where, and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """Whether `check` fails; members stand in the order in which they are shown."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """What an audit found.

    Args:
        rule: a stable slug, kind before defect (`recipients/missing`).
        severity: an error makes `check` exit 1.
        place: path relative to the repository's root, with `:line` (1-based) where it is known.
        words: one clause, lower case, no full stop, never a value.
        remedy: the command that repairs it, where one command does.
    """

    rule: str
    severity: Severity
    place: str
    words: str
    remedy: str | None = None


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings errors first, then by path, line, rule and words."""
    return tuple(sorted(findings, key=_order))


def _order(finding: Finding) -> tuple[int, str, int, str, str]:
    path, _, line = finding.place.rpartition(":")
    place = (path, int(line)) if path and line.isdecimal() else (finding.place, 0)
    return (list(Severity).index(finding.severity), *place, finding.rule, finding.words)
