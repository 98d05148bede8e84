r"""Plan, findings and Table as JSON documents, for programs.

Field names are stable: new ones may come, none changes its meaning. No document holds a file's
content or a value. Text is ASCII (`\u` escapes), indented by two blanks, without a final newline.

Plan, its lists in the order in which things are done::

    {"intent": "add host t15g",
     "changes": [{"path": "shared/secrets.yaml",   relative to the repository's root
                  "kind": "change",                new | change | remove
                  "before": "9f86…",               sha256 of the content, null where there is none
                  "after": "60303a…",
                  "mode": "0644",                  permission bits afterwards
                  "why": ["re-wrap for hq, + t15g"]}],
     "exports": [{"file": "/media/t15g/ssh_host_ed25519_key",   outside the repository
                  "what": "host key of t15g",
                  "mode": "0600"}],
     "follow_ups": [{"arguments": ["nix", "flake", "lock"], "why": "lock the input sops-nix"}],
     "warnings": [], "notes": []}

Findings, errors first, then by place::

    {"findings": [{"rule": "recipients/missing", "severity": "error",
                   "place": "shared/secrets.yaml", "words": "host t15g has no stanza",
                   "remedy": "nixsecrets rekey"}],
     "errors": 1, "warnings": 0}

Table, a row's fields named after its columns with `_` for a blank::

    {"caption": null, "rows": [{"host": "hq", "flake_attribute": "nixhq"}]}
"""

import json
from collections.abc import Sequence

from nixsecrets.audit.finding import Finding, Severity, sort_findings
from nixsecrets.change import Change, Plan, digest
from nixsecrets.report.kind import kind_of
from nixsecrets.report.table import Table


def render_plan(plan: Plan) -> str:
    return _render(
        {
            "intent": plan.intent,
            "changes": [_change(change) for change in plan.changes],
            "exports": [
                {"file": str(export.file), "what": export.what, "mode": _mode(export.mode)}
                for export in plan.exports
            ],
            "follow_ups": [
                {"arguments": follow_up.arguments, "why": follow_up.why}
                for follow_up in plan.follow_ups
            ],
            "warnings": plan.warnings,
            "notes": plan.notes,
        }
    )


def render_findings(findings: Sequence[Finding]) -> str:
    return _render(
        {
            "findings": [
                {
                    "rule": finding.rule,
                    "severity": finding.severity.value,
                    "place": finding.place,
                    "words": finding.words,
                    "remedy": finding.remedy,
                }
                for finding in sort_findings(findings)
            ],
            "errors": sum(finding.severity is Severity.ERROR for finding in findings),
            "warnings": sum(finding.severity is Severity.WARNING for finding in findings),
        }
    )


def render_table(table: Table) -> str:
    fields = [column.replace(" ", "_") for column in table.columns]
    rows = [dict(zip(fields, row, strict=True)) for row in table.rows]
    return _render({"caption": table.caption, "rows": rows})


def _change(change: Change) -> dict[str, object]:
    return {
        "path": str(change.path),
        "kind": kind_of(change).value,
        "before": change.before,
        "after": None if change.after is None else digest(change.after),
        "mode": _mode(change.mode),
        "why": change.why,
    }


def _mode(mode: int) -> str:
    return f"{mode:04o}"


def _render(document: dict[str, object]) -> str:
    return json.dumps(document, indent=2)
