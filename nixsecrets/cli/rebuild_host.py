"""The rebuild of one host, from its build to the commit."""

import click

from nixsecrets.cli import rebuild_proof, rebuild_return
from nixsecrets.cli.app import App, tell
from nixsecrets.cli.deployment import Deployment, Job, Step, committed
from nixsecrets.cli.rebuild_proof import Expectation, Outcome
from nixsecrets.cli.rebuild_return import ReturnedError
from nixsecrets.errors import FoundError, ProgramError
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import CommitSettings, Engine, Host
from nixsecrets.report.printable import printable
from nixsecrets.system import deployments, git
from nixsecrets.system.deploy import printed, running, state


def carry_out(work: Deployment, repository: Repository, job: Job, *, as_json: bool) -> int | None:
    """Rebuild a host, look at it, and commit; return its generation, where it is known.

    Raises:
        ProgramError: the rebuild failed.
        FoundError: the host does not show what it was given, or does not answer any more.
    """
    match job.engine:
        case Engine.PRINT:
            lines = printed.render_lines(job.target, job.arguments, work.app.root)
            click.echo("\n".join(map(printable, lines)), err=as_json)
            return None
        case Engine.NIXOS_REBUILD | Engine.COLMENA | Engine.DEPLOY_RS:
            return _rebuild(work, repository, job)


def _rebuild(work: Deployment, repository: Repository, job: Job) -> int | None:
    expectation = rebuild_proof.expect(work, repository, job)
    _deploy(work, repository, job, expectation)
    if work.request.action.activates:
        outcome = rebuild_proof.prove(work, job, expectation)
        _judge(work, repository, job, expectation, outcome)
    else:
        outcome = Outcome(state.read(job.target.address, work.profile), ran=False, problems=())
    generation = outcome.after.generation if outcome.after else None
    settings = work.commit_of(job)
    if settings is not None:
        with work.turn:
            _record(work, job, settings, outcome)
    return generation


def _record(work: Deployment, job: Job, settings: CommitSettings, outcome: Outcome) -> None:
    generation = outcome.after.generation if outcome.after else None
    _commit(work, job, settings, generation)
    if outcome.ran and generation is not None:
        deployments.note(work.app.root, job.host.name, generation)
    if settings.push and work.has(Step.PUSH) and git.upstream(work.app.root) is not None:
        _push(work.app, job.host)


def _deploy(work: Deployment, repository: Repository, job: Job, expectation: Expectation) -> None:
    log = work.fleet.manifest.rebuild.log_of(job.host)
    try:
        running.deploy(job.engine.value, job.target, job.arguments, work.app.root, log)
    except ProgramError as error:
        if work.request.action.activates and expectation.before is not None:
            after = state.read(job.target.address, work.profile)
            if after is None:
                tell(str(rebuild_proof.lost(job, expectation.before)))
            elif after.generation != expectation.before.generation:
                back = rebuild_return.after_failure(
                    work, repository, job, expectation.before, after
                )
                if back:
                    raise ReturnedError(error) from None
        raise


def _judge(
    work: Deployment,
    repository: Repository,
    job: Job,
    expectation: Expectation,
    outcome: Outcome,
) -> None:
    if not outcome.problems:
        return
    for words in outcome.problems:
        tell(f"{job.host.name}: {words}")
    before, after = expectation.before, outcome.after
    back = rebuild_return.after_failure(work, repository, job, before, after)
    error = FoundError(
        f"{job.host.name} was rebuilt, and is not as it must be; nothing was committed",
        hint=f"what is wrong stands above; `nixsecrets rebuild {job.host.name} --no-rollback` "
        "leaves it there to be looked at",
    )
    raise ReturnedError(error) if back else error


def _commit(work: Deployment, job: Job, settings: CommitSettings, generation: int | None) -> None:
    host, root = job.host, work.app.root
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


def _push(app: App, host: Host) -> None:
    try:
        git.push(app.root)
    except ProgramError as error:
        problem = f"{host.name} is rebuilt, but nothing was pushed: {error.problem}"
        raise ProgramError(problem, hint="git pull --rebase --autostash && git push") from None
    tell(f"{host.name}: pushed")
