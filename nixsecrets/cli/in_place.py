"""Show and carry out a plan of which one text, before or after, is in clear."""

import json

import click
from click.exceptions import Exit

from nixsecrets.change import Change, Plan
from nixsecrets.cli.app import in_color, tell
from nixsecrets.cli.carry_out import Consent
from nixsecrets.cli.writing import WritingApp
from nixsecrets.errors import ExitStatus
from nixsecrets.plaintext import Plaintext
from nixsecrets.report import json as report_json
from nixsecrets.report import text
from nixsecrets.system import in_place, terminal


def carry_out_in_place(
    app: WritingApp, plan: Plan, own: Change, content: Plaintext, consent: Consent
) -> None:
    """Take a plan to its end; of one file the text goes into no journal and no digest is shown.

    Args:
        app: its root is that of the plan's paths.
        plan: all that is shown.
        own: the change of `plan` that is made in place, behind all others.
        content: what is to stand there.
        consent: what the user said about the plan.
    """
    click.echo(_render(plan, own, as_json=consent.as_json))
    if consent.dry_run:
        return
    if not consent.yes and not terminal.confirm("apply?"):
        tell("nothing was changed")
        raise Exit(ExitStatus.INTERRUPTED)
    others = tuple(change for change in plan.changes if change is not own)
    if others:
        app.apply(plan._replace(changes=others))
    if own.before is None:
        in_place.write_new(app.root / own.path, content)
    else:
        in_place.replace(app.root, own.path, own.before, content, own.mode)


def _render(plan: Plan, own: Change, *, as_json: bool) -> str:
    if not as_json:
        return text.render_plan(plan, color=in_color())
    shown = json.loads(report_json.render_plan(plan))
    for change in shown["changes"]:
        if change["path"] == str(own.path):
            change["before"] = change["after"] = None
    return json.dumps(shown, indent=2)
