"""rebuild."""

import click
from click.exceptions import Exit

from nixsecrets.audit import check
from nixsecrets.audit.finding import Severity
from nixsecrets.change import Plan
from nixsecrets.cli import rebuild_host, rebuild_many, rebuild_return, rebuild_upstream
from nixsecrets.cli.app import in_color, tell
from nixsecrets.cli.carry_out import Consent, consent_options
from nixsecrets.cli.deployment import Deployment, Request, Step, decide, plan
from nixsecrets.cli.rebuild_many import Many, many_options
from nixsecrets.cli.writing import find_app
from nixsecrets.errors import ExitStatus, FoundError
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Engine
from nixsecrets.override import override
from nixsecrets.report import json, text
from nixsecrets.system import git, terminal
from nixsecrets.system.deploy.target import Action


class _WithExtra(click.Command):
    """A command whose arguments behind `--` are another program's."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        rest = super().parse_args(ctx, args[:end])
        ctx.params["extra"] = tuple(args[end + 1 :])
        return rest

    @override
    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- EXTRA...]"]


@click.command("rebuild", cls=_WithExtra)
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
@click.option("-m", "--message", default="", help="What the commit says behind the generation.")
@click.option(
    "--switch", "action", flag_value="switch", default="switch", help="Activate, also at boot."
)
@click.option("--boot", "action", flag_value="boot", help="Activate at the next boot.")
@click.option("--test", "action", flag_value="test", help="Activate, but not at boot.")
@click.option("--build", "action", flag_value="build", help="Build only.")
@click.option(
    "--dry-activate", "action", flag_value="dry-activate", help="Tell what would be activated."
)
@click.option(
    "--engine",
    type=click.Choice([one.value for one in Engine]),
    help="In place of the manifest's.",
)
@click.option("--local", is_flag=True, help="HOST is this machine, whatever it is called.")
@click.option("--target-host", metavar="USER@HOST", help="Where ssh reaches HOST.")
@click.option("--no-check", is_flag=True, help="Go on whatever the checks find.")
@click.option("--no-fetch", is_flag=True, help="Do not compare with the upstream.")
@click.option("--no-commit", is_flag=True, help="Commit nothing afterwards; push nothing.")
@click.option("--no-push", is_flag=True, help="Commit, but do not push.")
@click.option("--no-verify", is_flag=True, help="Do not look at the secrets on HOST afterwards.")
@click.option("--no-rollback", is_flag=True, help="Stay with a generation that is not right.")
@click.option("--pull", is_flag=True, help="First take over the upstream's new commits.")
@click.option("--rollback", is_flag=True, help="Go back to the generation before.")
@click.option("--to", type=int, metavar="GENERATION", help="Go to a generation that HOST has.")
@many_options
@consent_options
def command(
    hosts: tuple[str, ...],
    message: str,
    action: str,
    local: bool,
    target_host: str | None,
    engine: str | None,
    extra: tuple[str, ...],
    consent: Consent,
    many: Many,
    pull: bool,
    rollback: bool,
    to: int | None,
    **left_out: bool,
) -> None:
    """Check, build, switch, commit and push; without HOST for this machine.

    In this order: keyless checks; `git fetch`, where a branch that is behind stops; new files
    staged; nixos-rebuild, its output also in the host's rebuild.log; after --switch and --test a
    look at the secrets on the host and its own checks, and back to the generation before where
    they are wrong; after --switch and --boot a commit that names the generation, and a push.
    EXTRA goes to nixos-rebuild as it is. With --on, --all, --parallel, --canary or --keep-going
    several hosts are rebuilt at once; one that ssh does not reach is pending, which is no failure.
    """
    steps = frozenset(step for step in Step if not left_out[f"no_{step.value}"])
    chosen = Engine(engine) if engine else None
    request = Request(Action(action), local, target_host, extra, steps, message, chosen)
    app = find_app()
    if pull and not consent.dry_run:
        rebuild_upstream.pull(app)
    with app.change(dry_run=consent.dry_run) as repository:
        names = rebuild_many.choose(app, repository, hosts, many)
        work = decide(app, repository, names, request)
        if rollback or to is not None:
            rebuild_return.go_back(work, repository, to, consent)
            return
        if Step.CHECK in steps:
            _check(repository, work, consent)
        runs = any(job.runs for job in work.jobs)
        if runs or consent.dry_run or consent.as_json:
            _show(plan(work), consent, beside=many.asked and not consent.dry_run)
        if consent.dry_run:
            return
        if runs and not consent.yes and not terminal.confirm("rebuild?"):
            tell("nothing was changed")
            raise Exit(ExitStatus.INTERRUPTED)
        _carry_out(work, repository, consent, many)


def _check(repository: Repository, work: Deployment, consent: Consent) -> None:
    tracked = work.tracked if work.app.in_git else None
    found = check.run(repository, tracked, work.app.now, work.hosts)
    if all(finding.severity is not Severity.ERROR for finding in found):
        if found:
            click.echo(text.render_findings(found), err=True)
        return
    in_text = text.render_findings(found, color=in_color())
    click.echo(json.render_findings(found) if consent.as_json else in_text)
    raise FoundError(
        "the checks found errors, so nothing was built",
        hint="repair them as told above; --no-check goes on with them",
    )


def _show(shown: Plan, consent: Consent, *, beside: bool) -> None:
    in_text = text.render_plan(shown, color=in_color())
    if consent.as_json and beside:
        click.echo(in_text, err=True)
        return
    click.echo(json.render_plan(shown) if consent.as_json else in_text)


def _carry_out(work: Deployment, repository: Repository, consent: Consent, many: Many) -> None:
    if work.has(Step.FETCH):
        rebuild_upstream.compare(work.app)
    if work.app.in_git:
        git.stage(work.app.root, work.new)
    if many.asked:
        rebuild_many.carry_out(work, repository, many, as_json=consent.as_json)
        return
    for job in work.jobs:
        rebuild_host.carry_out(work, repository, job, as_json=consent.as_json)
