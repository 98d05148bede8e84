"""Back to an earlier generation: after a rebuild that failed, or because the user says so."""

from functools import partial

import click
from click.exceptions import Exit

from nixsecrets.change import Plan
from nixsecrets.cli.app import in_color, tell
from nixsecrets.cli.carry_out import Consent
from nixsecrets.cli.deployment import Deployment, Job, Step
from nixsecrets.errors import (
    ExitStatus,
    NixsecretsError,
    ProgramError,
    RepositoryError,
    UsageError,
)
from nixsecrets.fleet.load import Repository
from nixsecrets.plans import earlier
from nixsecrets.plans.earlier import Earlier
from nixsecrets.report import json, text
from nixsecrets.system import deployments, terminal
from nixsecrets.system.deploy import state
from nixsecrets.system.deploy.state import Activation, State
from nixsecrets.system.deploy.target import Action


class ReturnedError(NixsecretsError):
    """Another error, of a host that is back at the generation before."""

    def __init__(self, error: NixsecretsError) -> None:
        super().__init__(error.problem, hint=error.hint)
        self.status = error.status


def after_failure(
    work: Deployment, repository: Repository, job: Job, before: State | None, after: State | None
) -> bool:
    """Take a host back to the generation that it ran before, or say why it stays; True: it is back.

    The profile moves before activation, so that generations are compared, not statuses alone.
    """
    name = job.host.name
    if before is None or after is None or before.generation is None:
        tell(f"{name} stays as it is: the generation before is not known")
        return False
    if work.request.action is not Action.TEST and after.generation == before.generation:
        tell(f"{name} stays as it is: it has no other generation than before")
        return False
    words = _obstacle(work, repository, job, before)
    command = f"nixsecrets rebuild {name} --to {before.generation}"
    if words is not None:
        tell(f"{name} stays at generation {after.generation}: {words}; {command}")
        return False
    kind = Activation.TEST if work.request.action is Action.TEST else Activation.SWITCH
    try:
        state.go_to(job.target.address, before.generation, kind, work.profile)
    except ProgramError as error:
        tell(f"warning: {name}: {error.problem}; at its console: nixos-rebuild switch --rollback")
        return False
    tell(f"{name} is back at generation {before.generation}")
    return True


def _obstacle(work: Deployment, repository: Repository, job: Job, before: State) -> str | None:
    if Step.ROLLBACK not in work.request.steps:
        return "--no-rollback was given"
    found = _earlier(work, job, before.generation, before.made_s)
    if found is None:
        return f"nothing tells what generation {before.generation} was built from"
    return earlier.obstacle(repository, job.host, found)


def _earlier(
    work: Deployment, job: Job, generation: int | None, made_s: int | None
) -> Earlier | None:
    if not work.app.in_git or generation is None:
        return None
    root = work.app.root
    commit = deployments.find_commit(root, job.host.name, generation, made_s)
    return None if commit is None else partial(deployments.content_at, root, commit)


def go_back(work: Deployment, repository: Repository, to: int | None, consent: Consent) -> None:
    """Take the hosts to an earlier generation of theirs.

    Args:
        work: its hosts; the rest of it is not done.
        repository: as it is now.
        to: the generation; None: the one before the present one.
        consent: what the user said beforehand.

    Raises:
        UsageError: something else is asked for too, or a host is rebuilt by hand.
        RepositoryError: a host has no such generation.
        ProgramError: a host does not answer, or the return failed.
        Exit: the user said no.
    """
    if work.request.action is not Action.SWITCH:
        raise UsageError(f"--{work.request.action} and a way back exclude each other")
    for job in work.jobs:
        if not job.runs:
            raise UsageError(
                f"{job.host.name} is rebuilt by hand, and so is its way back",
                hint="there: sudo nixos-rebuild switch --rollback",
            )
    chosen = [(job, *_choose(work, job, to)) for job in work.jobs]
    warnings = [
        words for job, number, _ in chosen for words in _warnings(work, repository, job, number)
    ]
    steps = ", ".join(f"{job.host.name} from {now} to {number}" for job, number, now in chosen)
    shown = Plan(f"go back: {steps}", warnings=tuple(warnings))
    in_text = text.render_plan(shown, color=in_color())
    click.echo(json.render_plan(shown) if consent.as_json else in_text)
    if consent.dry_run:
        return
    if not consent.yes and not terminal.confirm("go back?"):
        tell("nothing was changed")
        raise Exit(ExitStatus.INTERRUPTED)
    for job, number, _ in chosen:
        state.go_to(job.target.address, number, Activation.SWITCH, work.profile)
        tell(f"{job.host.name} is back at generation {number}")


def _choose(work: Deployment, job: Job, to: int | None) -> tuple[int, int]:
    """Return the generation to go to, and the present one."""
    name, now = job.host.name, state.read(job.target.address, work.profile)
    if now is None:
        raise ProgramError(f"{name} does not answer over ssh", hint="try again when it does")
    if now.generation is None:
        raise RepositoryError(f"the generation of {name} cannot be read")
    older = [number for number in now.generations if number < now.generation]
    if to is None and not older:
        raise RepositoryError(f"{name} has no generation before {now.generation}")
    if to is not None and to not in now.generations:
        known = ", ".join(map(str, now.generations)) or "none"
        raise RepositoryError(f"{name} has no generation {to}", hint=f"it has {known}")
    return (older[-1] if to is None else to), now.generation


def _warnings(work: Deployment, repository: Repository, job: Job, number: int) -> tuple[str, ...]:
    name = job.host.name
    if job.host.recipient is None:
        return ()
    found = _earlier(work, job, number, None)
    if found is None:
        words = f"{name}: no rebuild from here noted what generation {number} was built from"
        return (words,)
    values = [one.declaration.address for one in earlier.other_values(repository, job.host, found)]
    closed = earlier.closed_documents(repository, job.host, found)
    told = []
    if values:
        told.append(f"{name}: these values go back too: {', '.join(map(str, values))}")
    if closed:
        told.append(f"{name}: its key would not open {', '.join(map(str, closed))} any more")
    return tuple(told)
