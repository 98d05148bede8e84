"""rebuild."""

import click
from click.exceptions import Exit

from nixsecrets.audit import check
from nixsecrets.audit.finding import Severity
from nixsecrets.change import Plan
from nixsecrets.cli.app import App, in_color, tell
from nixsecrets.cli.carry_out import Consent, consent_options
from nixsecrets.cli.deployment import Deployment, Job, Request, Step, committed, decide, plan
from nixsecrets.cli.writing import find_app
from nixsecrets.errors import ExitStatus, FoundError, ProgramError
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import CommitSettings, Engine, Host
from nixsecrets.override import override
from nixsecrets.report import json, text
from nixsecrets.report.printable import printable
from nixsecrets.system import git, terminal
from nixsecrets.system.deploy import nixos_rebuild, printed
from nixsecrets.system.deploy.target import Action

PROFILE = nixos_rebuild.PROFILE


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
@click.option("--local", is_flag=True, help="HOST is this machine, whatever it is called.")
@click.option("--target-host", metavar="USER@HOST", help="Where ssh reaches HOST.")
@click.option("--no-check", is_flag=True, help="Go on whatever the checks find.")
@click.option("--no-fetch", is_flag=True, help="Do not compare with the upstream.")
@click.option("--no-commit", is_flag=True, help="Commit nothing afterwards; push nothing.")
@click.option("--no-push", is_flag=True, help="Commit, but do not push.")
@consent_options
def command(
    hosts: tuple[str, ...],
    message: str,
    action: str,
    local: bool,
    target_host: str | None,
    extra: tuple[str, ...],
    consent: Consent,
    **left_out: bool,
) -> None:
    """Check, build, switch, commit and push; without HOST for this machine.

    In this order: keyless checks; `git fetch`, where a branch that is behind stops; new files
    staged; nixos-rebuild, its output also in the host's rebuild.log; after --switch and --boot a
    commit that names the generation, and a push. EXTRA goes to nixos-rebuild as it is.
    """
    steps = frozenset(step for step in Step if not left_out[f"no_{step.value}"])
    request = Request(Action(action), local, target_host, extra, steps, message)
    app = find_app()
    with app.change(dry_run=consent.dry_run) as repository:
        work = decide(app, repository, hosts, request)
        if Step.CHECK in steps:
            _check(repository, work, consent)
        runs = any(job.runs for job in work.jobs)
        if runs or consent.dry_run or consent.as_json:
            _show(plan(work), consent)
        if consent.dry_run:
            return
        if runs and not consent.yes and not terminal.confirm("rebuild?"):
            tell("nothing was changed")
            raise Exit(ExitStatus.INTERRUPTED)
        _carry_out(work, consent)


def _check(repository: Repository, work: Deployment, consent: Consent) -> None:
    tracked = work.tracked if work.app.in_git else None
    found = check.run(repository, tracked, work.hosts)
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


def _show(shown: Plan, consent: Consent) -> None:
    in_text = text.render_plan(shown, color=in_color())
    click.echo(json.render_plan(shown) if consent.as_json else in_text)


def _carry_out(work: Deployment, consent: Consent) -> None:
    if work.has(Step.FETCH):
        _compare_with_upstream(work.app)
    if work.app.in_git:
        git.stage(work.app.root, work.new)
    for job in work.jobs:
        match job.engine:
            case Engine.PRINT:
                lines = printed.render_lines(job.target, job.arguments, work.app.root)
                click.echo("\n".join(map(printable, lines)), err=consent.as_json)
            case Engine.NIXOS_REBUILD:
                log = work.fleet.manifest.rebuild.log_of(job.host)
                nixos_rebuild.deploy(job.target, job.arguments, work.app.root, log)
        settings = work.commit_of(job)
        if settings is not None:
            _commit(work, job, settings)


def _compare_with_upstream(app: App) -> None:
    if git.upstream(app.root) is None:
        tell("the branch has no upstream: nothing is fetched or pushed")
        return
    try:
        git.fetch(app.root)
    except ProgramError as error:
        raise ProgramError(error.problem, hint="without a network: give --no-fetch") from None
    found = git.upstream(app.root)
    if found is None or not found.behind:
        return
    commits = f"{found.behind} commit{'' if found.behind == 1 else 's'}"
    raise FoundError(
        f"the branch and its upstream have diverged: {commits} there, {found.ahead} here"
        if found.ahead
        else f"the branch is {commits} behind its upstream",
        hint="git pull --rebase --autostash",
    )


def _commit(work: Deployment, job: Job, settings: CommitSettings) -> None:
    host, root = job.host, work.app.root
    generation = nixos_rebuild.find_generation(job.target.address, PROFILE)
    if generation is None:
        tell(f"{host.name}: the number of its generation could not be read")
    number = "?" if generation is None else str(generation)
    message = settings.message_of(host, number, work.request.message)
    try:
        made = git.commit(root, message, committed(work, job, settings))
    except ProgramError as error:
        problem = f"{host.name} is rebuilt, but nothing was committed: {error.problem}"
        raise ProgramError(problem, hint=error.hint) from None
    tell(f"{host.name}: " + (f"committed {message!r}" if made else "nothing to commit"))
    if settings.push and work.has(Step.PUSH) and git.upstream(root) is not None:
        _push(work.app, host)


def _push(app: App, host: Host) -> None:
    try:
        git.push(app.root)
    except ProgramError as error:
        problem = f"{host.name} is rebuilt, but nothing was pushed: {error.problem}"
        raise ProgramError(problem, hint="git pull --rebase --autostash && git push") from None
    tell(f"{host.name}: pushed")
