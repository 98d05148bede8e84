"""Whether a host shows what it was given: its secrets, its units, the user's own checks."""

from collections.abc import Iterator
from typing import NamedTuple

from nixsecrets.cli.app import tell
from nixsecrets.cli.deployment import Deployment, Job, Step
from nixsecrets.errors import FoundError, ProgramError
from nixsecrets.fleet.load import Repository
from nixsecrets.plans import delivery
from nixsecrets.plans.delivery import Delivery
from nixsecrets.system import process, verification
from nixsecrets.system.deploy import state
from nixsecrets.system.deploy.state import State
from nixsecrets.system.verification import Question


class Expectation(NamedTuple):
    """What is known before the build.

    Args:
        before: the host as it ran then; None: it did not answer.
        nonce: of the digests in `delivery`.
        delivery: what it must show afterwards.
    """

    before: State | None
    nonce: str
    delivery: Delivery


class Outcome(NamedTuple):
    """What was seen afterwards.

    Args:
        after: the host as it runs now; None: it does not answer.
        ran: the files were looked at, or there were none.
        problems: clauses; none where all is as it must be.
    """

    after: State | None
    ran: bool
    problems: tuple[str, ...]


def expect(work: Deployment, repository: Repository, job: Job) -> Expectation:
    """Look at a host before its rebuild, and say what it must show after it."""
    nonce = verification.make_nonce()
    wanted = Delivery((), ())
    if work.request.action.activates and Step.VERIFY in work.request.steps:
        with work.turn:
            wanted = delivery.expected(repository, job.host, work.app.unlock, nonce)
    return Expectation(state.read(job.target.address, work.profile), nonce, wanted)


def prove(work: Deployment, job: Job, expectation: Expectation) -> Outcome:
    """Look at a host after its rebuild.

    Raises:
        FoundError: it answered before, and does not any more.
    """
    before, after = expectation.before, state.read(job.target.address, work.profile)
    if before is not None and after is None:
        raise lost(job, before)
    _tell_units(job, before, after)
    looks = after is not None and Step.VERIFY in work.request.steps
    ran, problems = _look(job, expectation) if looks else (False, ())
    if after is None and expectation.delivery.files:
        tell(f"warning: {job.host.name}: its secrets are not verified: it does not answer over ssh")
    return Outcome(after, ran, (*problems, *_checks(work, job)))


def lost(job: Job, before: State) -> FoundError:
    """Return the error about a host that no longer answers: nothing is tried from here."""
    number = "the one before" if before.generation is None else str(before.generation)
    return FoundError(
        f"{job.host.name} does not answer over ssh since it was activated",
        hint=f"at its console: choose generation {number} in the boot menu, or run "
        "`sudo nixos-rebuild switch --rollback` there",
    )


def _look(job: Job, expectation: Expectation) -> tuple[bool, tuple[str, ...]]:
    name, wanted = job.host.name, expectation.delivery
    if not wanted.files:
        return True, ()
    questions = [Question(file.path, file.digest is not None) for file in wanted.files]
    try:
        seen = verification.look(job.target.address, expectation.nonce, questions)
    except ProgramError as error:
        tell(f"warning: {name}: its secrets are not verified: {error.problem}")
        return False, ()
    problems = delivery.differences(wanted, seen)
    if not problems:
        count = len(wanted.files)
        tell(f"{name}: {count} file{'' if count == 1 else 's'} of secrets verified")
    closed = ", ".join(map(str, wanted.closed))
    if closed:
        tell(f"{name}: contents not compared, for no identity opens {closed}")
    return True, problems


def _tell_units(job: Job, before: State | None, after: State | None) -> None:
    if before is None or after is None:
        return
    for unit in sorted(after.failed - before.failed):
        tell(f"warning: {job.host.name}: {unit} has failed since")


def _checks(work: Deployment, job: Job) -> Iterator[str]:
    """Run the executables in the host's folder of checks; each is given host and destination."""
    address = job.target.address
    destination = address.destination if address else "localhost"
    for path in work.checks_of(job):
        tell(f"{job.host.name}: {path}")
        arguments = (str(work.app.root / path), job.host.name, destination)
        try:
            status = process.stream(arguments, cwd=work.app.root)
        except ProgramError as error:
            yield f"the check {path} did not run: {error.problem}"
            continue
        if status != 0:
            yield f"the check {path} ended with status {status}"
