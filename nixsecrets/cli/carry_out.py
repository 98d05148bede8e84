"""Show a plan, have it confirmed, apply it, stage what is new, run what follows."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import click
from click.exceptions import Exit

from nixsecrets.change import FollowUp, Plan
from nixsecrets.cli.app import App, in_color, tell
from nixsecrets.cli.writing import WritingApp
from nixsecrets.errors import ExitStatus, ProgramError, RepositoryError
from nixsecrets.fleet.load import Sources, open_repository
from nixsecrets.plans import lockout
from nixsecrets.report import json, text
from nixsecrets.system import git, process, terminal


@dataclass(frozen=True, slots=True)
class Consent:
    """What the user said about the plan beforehand."""

    dry_run: bool
    yes: bool
    as_json: bool


def consent_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--dry-run`, `--yes` and `--json`, handed over as one `consent`."""

    @click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
    @click.option("-y", "--yes", is_flag=True, help="Apply the plan without asking.")
    @click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
    @wraps(command)
    def with_consent(*, dry_run: bool, yes: bool, as_json: bool, **others: object) -> None:
        command(consent=Consent(dry_run, yes, as_json), **others)

    return with_consent


def carry_out(app: WritingApp, plan: Plan, consent: Consent) -> None:
    """Take a plan from its showing to its end.

    Raises:
        RepositoryError: git ignores a path of it, or it locks somebody out; nothing was written.
        UsageError: nobody can be asked and `--yes` was not given.
        Exit: the user said no.
    """
    app.progress.clear()
    _refuse_ignored(app, plan)
    lockout.refuse(
        Sources(app.root),
        plan,
        lambda: app.identities.identities,
        lambda: open_repository(app.root, app.paths),
    )
    render = json.render_plan(plan) if consent.as_json else text.render_plan(plan, color=in_color())
    click.echo(render)
    if consent.dry_run or plan.empty:
        return
    if not consent.yes and not terminal.confirm("apply?"):
        tell("nothing was changed")
        raise Exit(ExitStatus.INTERRUPTED)
    app.apply(plan)
    for export in plan.exports:
        tell(f"wrote {export.file}: {export.what}")
    for follow_up in plan.follow_ups:
        _follow(app, follow_up)


def _refuse_ignored(app: App, plan: Plan) -> None:
    if not app.in_git:
        return
    written = [change.path for change in plan.changes if change.after is not None]
    for found in git.ignored(app.root, written):
        raise RepositoryError(
            f"{found.path} is ignored by git ({found.source}:{found.line}: {found.pattern}), "
            "so that neither a flake nor a commit would see it",
            hint=f"take that line out of {found.source}, or add `!/{found.path}` below it",
        )


def _follow(app: App, follow_up: FollowUp) -> None:
    """Run a program after the change stands; where it fails, the command is told."""
    try:
        process.output(follow_up.arguments, cwd=app.root)
    except ProgramError as error:
        command = shlex.join(follow_up.arguments)
        tell(f"the change stands; what follows did not run ({error.problem}): {command}")
        return
    tell(f"done: {follow_up.why}")
