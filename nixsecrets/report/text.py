"""Plan, findings and Table as text for a person.

Nothing here ends in a newline, and nothing measures a terminal or reads `NO_COLOR`: the caller
says whether there is colour and how wide a line may be. Text of the repository is shown with
control characters spelled out.
"""

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from textwrap import wrap

from nixsecrets.audit.finding import Finding, Severity, sort_findings
from nixsecrets.change import PRIVATE_MODE, Change, Export, FollowUp, Plan
from nixsecrets.report.kind import Kind, kind_of
from nixsecrets.report.printable import printable, printable_lines
from nixsecrets.report.table import Table

_LONGEST_ALIGNED = 48  # columns; one long path does not push every reason to the right
_GAP = "  "


class _Style(Enum):
    """ECMA-48 "select graphic rendition" parameters."""

    PLAIN = ""
    STRONG = "1"
    FAINT = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"


@dataclass(frozen=True, slots=True)
class _Pen:
    color: bool

    def write(self, text: str, style: _Style) -> str:
        if not self.color or style is _Style.PLAIN:
            return text
        return f"\x1b[{style.value}m{text}\x1b[0m"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file in a plan: what happens to it, and why."""

    verb: str
    style: _Style
    place: str
    why: tuple[str, ...]


def render_plan(plan: Plan, *, color: bool = False) -> str:
    """Return the plan as blocks with blank lines between them: intent, files, programs, words."""
    pen = _Pen(color)
    blocks = [
        pen.write(printable(plan.intent), _Style.STRONG) + ": " + _sum_up(plan),
        _list_files([_change_entry(change) for change in plan.changes], pen),
        _under(
            "outside the repository",
            _list_files([_export_entry(export) for export in plan.exports], pen),
        ),
        _under("afterwards", _list_programs(plan.follow_ups, pen)),
        *(
            pen.write("warning:", _Style.YELLOW) + " " + printable_lines(warning)
            for warning in plan.warnings
        ),
        *("note: " + printable_lines(note) for note in plan.notes),
    ]
    return "\n\n".join(block for block in blocks if block)


def render_findings(findings: Sequence[Finding], *, color: bool = False) -> str:
    """Return the findings, errors first, and their number.

    Neighbours of one rule that one command repairs share the line which names it.
    """
    pen = _Pen(color)
    ordered = sort_findings(findings)
    rule_width = max((len(finding.rule) for finding in ordered), default=0)
    lines: list[str] = []
    for finding, following in zip_longest(ordered, ordered[1:]):
        lines.append(
            pen.write(f"{finding.severity.value:<7}", _severity_style(finding.severity))
            + f" {finding.rule:<{rule_width}}{_GAP}"
            + f"{printable(finding.place)}: {printable(finding.words)}"
        )
        if finding.remedy and not _same_repair(finding, following):
            lines.append(
                " " * 8 + pen.write("fix:", _Style.FAINT) + f" {printable(finding.remedy)}"
            )
    return "\n".join([*lines, *([""] if lines else []), _count_findings(ordered)])


def render_table(table: Table, *, color: bool = False, width: int | None = None) -> str:
    """Return the table with aligned columns, heads in capitals.

    Args:
        table: what is listed.
        color: whether escape sequences may be used.
        width: columns of the terminal; cells are broken at blanks to keep within them, a word
            never is. None: no limit.
    """
    caption = [printable(table.caption)] if table.caption else []
    if not table.rows:
        return "\n".join([*caption, printable_lines(table.empty)])
    heads = [column.upper() for column in table.columns]
    rows = [[" ".join(printable(cell).split()) for cell in row] for row in table.rows]
    widths = _column_widths([heads, *rows], width)
    pen = _Pen(color)
    head = [pen.write(line, _Style.STRONG) for line in _row_lines(heads, widths)]
    return "\n".join([*caption, *head, *(line for row in rows for line in _row_lines(row, widths))])


def _sum_up(plan: Plan) -> str:
    if plan.empty:
        return "nothing to do"
    kinds = Counter(kind_of(change) for change in plan.changes)
    numbers = (
        (kinds[Kind.NEW], "new"),
        (kinds[Kind.CHANGE], "changed"),
        (kinds[Kind.REMOVE], "removed"),
        (len(plan.exports), "outside the repository"),
        (len(plan.follow_ups), "to run afterwards"),
    )
    return ", ".join(f"{number} {what}" for number, what in numbers if number)


def _change_entry(change: Change) -> _Entry:
    kind = kind_of(change)
    return _Entry(kind.value, _kind_style(kind), str(change.path), change.why)


def _export_entry(export: Export) -> _Entry:
    half = "private half, " if export.mode == PRIVATE_MODE else ""
    what = f"{export.what} ({half}{export.mode:04o})"
    return _Entry("write", _Style.GREEN, str(export.file), (what,))


def _list_files(entries: Sequence[_Entry], pen: _Pen) -> str:
    lengths = (len(printable(entry.place)) for entry in entries)
    width = max((length for length in lengths if length <= _LONGEST_ALIGNED), default=0)
    return "\n".join(line for entry in entries for line in _entry_lines(entry, width, pen))


def _entry_lines(entry: _Entry, place_width: int, pen: _Pen) -> Iterable[str]:
    verb = pen.write(f"{entry.verb:<6}", entry.style)
    place = printable(entry.place)
    why = [printable(clause) for clause in entry.why]
    beside = why.pop(0) if why and len(place) <= place_width else ""
    yield f"{_GAP}{verb}{_GAP}{place:<{place_width}}{_GAP}{beside}".rstrip()
    indent = _GAP + " " * 6 + _GAP + " " * place_width + _GAP
    yield from (f"{indent}{clause}" for clause in why)


def _list_programs(follow_ups: Iterable[FollowUp], pen: _Pen) -> str:
    """Return command lines to copy; the reason above each is a comment to a shell."""
    return "\n".join(
        pen.write(f"{_GAP}# {printable(follow_up.why)}", _Style.FAINT)
        + f"\n{_GAP}{printable(shlex.join(follow_up.arguments))}"
        for follow_up in follow_ups
    )


def _under(title: str, block: str) -> str:
    return f"{title}:\n{block}" if block else ""


def _kind_style(kind: Kind) -> _Style:
    match kind:
        case Kind.NEW:
            return _Style.GREEN
        case Kind.CHANGE:
            return _Style.PLAIN
        case Kind.REMOVE:
            return _Style.RED


def _severity_style(severity: Severity) -> _Style:
    match severity:
        case Severity.ERROR:
            return _Style.RED
        case Severity.WARNING:
            return _Style.YELLOW


def _same_repair(finding: Finding, following: Finding | None) -> bool:
    return following is not None and (finding.severity, finding.rule, finding.remedy) == (
        following.severity,
        following.rule,
        following.remedy,
    )


def _count_findings(findings: Sequence[Finding]) -> str:
    numbers = Counter(finding.severity for finding in findings)
    return ", ".join(
        f"{numbers[severity] or 'no'} {severity.value}{'' if numbers[severity] == 1 else 's'}"
        for severity in Severity
    )


def _column_widths(rows: Sequence[Sequence[str]], width: int | None) -> list[int]:
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    least = [max(len(word) for cell in column for word in cell.split()) for column in columns]
    available = sum(widths) if width is None else width - len(_GAP) * (len(columns) - 1)
    while sum(widths) > available:
        spare, widest = max(
            (widths[index] if widths[index] > least[index] else 0, index)
            for index in range(len(columns))
        )
        if not spare:
            break
        widths[widest] -= 1
    return widths


def _row_lines(row: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    broken = [
        wrap(cell, width, break_on_hyphens=False) for cell, width in zip(row, widths, strict=True)
    ]
    for cells in zip_longest(*broken, fillvalue=""):
        padded = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
        yield _GAP.join(padded).rstrip()
