"""Several hosts in one rebuild: which, how many at once, and what became of each."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import Enum
from functools import partial, wraps
from typing import NamedTuple

import click
from click.exceptions import Exit

from nixsecrets.cli import rebuild_host
from nixsecrets.cli.app import App, tell
from nixsecrets.cli.deployment import Deployment, Job
from nixsecrets.cli.rebuild_return import ReturnedError
from nixsecrets.errors import ExitStatus, NixsecretsError, UsageError
from nixsecrets.fleet import selection
from nixsecrets.fleet.load import Repository
from nixsecrets.report import json, text
from nixsecrets.report.table import Table
from nixsecrets.system import process
from nixsecrets.system.deploy import state
from nixsecrets.system.labels import labelled, stopwatch

_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Many:
    """What the command line says about several hosts; `parallel` None: it does not say."""

    on: tuple[str, ...]
    everything: bool
    parallel: int | None
    canary: str | None
    keep_going: bool

    @property
    def asked(self) -> bool:
        said = (self.on, self.everything, self.parallel, self.canary, self.keep_going)
        return any(said)


class _Fate(Enum):
    REBUILT = "rebuilt"
    PRINTED = "printed"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    PENDING = "pending"
    LEFT_OUT = "left out"


class _Ending(NamedTuple):
    """What became of a host; `status` is the error's, where there was one."""

    fate: _Fate
    seconds: float = 0.0
    generation: int | None = None
    status: ExitStatus = ExitStatus.DONE


def many_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options for several hosts, handed over as one `many`."""

    @click.option("--on", multiple=True, metavar="HOST,@GROUP", help="These, several at once.")
    @click.option("--all", "everything", is_flag=True, help="All that can be rebuilt from here.")
    @click.option(
        "--parallel",
        type=click.IntRange(min=1),
        metavar="N",
        help=f"At most N at once ({_AT_ONCE}). Without this, --on, --all, --canary and "
        "--keep-going the HOSTs are rebuilt in turn.",
    )
    @click.option("--canary", metavar="HOST", help="First HOST alone; the rest once it is right.")
    @click.option("--keep-going", is_flag=True, help="Begin further hosts after one has failed.")
    @wraps(command)
    def with_many(
        *,
        on: tuple[str, ...],
        everything: bool,
        parallel: int | None,
        canary: str | None,
        keep_going: bool,
        **others: object,
    ) -> None:
        command(many=Many(on, everything, parallel, canary, keep_going), **others)

    return with_many


def choose(app: App, repository: Repository, hosts: Sequence[str], many: Many) -> list[str]:
    """Return the names of the hosts that are asked for, the canary first.

    Raises:
        UsageError: none is left, or the canary is none of them.
        RepositoryError: a host or a group is unknown.
    """
    fleet = repository.fleet
    names = [*hosts, *selection.names_on(fleet, many.on)]
    if many.everything:
        found, aside = selection.all_names(fleet, app.host_name)
        names += found
        for one in aside:
            tell(f"{one.name}: left aside: {one.why}")
        if not names:
            raise UsageError("no host can be rebuilt from here")
    if many.canary is None:
        return names
    if fleet.host(many.canary).name not in names:
        raise UsageError(
            f"the canary {many.canary} is none of the hosts", hint="name it with --on too"
        )
    return [many.canary, *names]


def carry_out(work: Deployment, repository: Repository, many: Many, *, as_json: bool) -> None:
    """Rebuild the hosts, tell what became of each, and end with the first failure's status.

    Raises:
        Exit: a host failed, or those behind the canary were not begun.
        KeyboardInterrupt: we were interrupted; what ran has ended.
    """
    endings: dict[str, _Ending] = {}
    one = partial(_rebuild, work, repository, as_json=as_json)
    first = work.jobs[:1] if many.canary else ()
    rest = work.jobs[len(first) :]
    endings.update(_run(first, one, 1, keep_going=False))
    good = all(end.fate is _Fate.REBUILT for end in endings.values())
    if good:
        endings.update(_run(rest, one, many.parallel or _AT_ONCE, keep_going=many.keep_going))
    status = next((end.status for end in endings.values() if end.status), ExitStatus.DONE)
    left_out = _Ending(_Fate.LEFT_OUT)
    _show({job.host.name: endings.get(job.host.name, left_out) for job in work.jobs}, as_json)
    if status or (rest and not good):
        raise Exit(status or ExitStatus.PROGRAM)


def _run(
    jobs: Sequence[Job], one: Callable[[Job], _Ending], at_once: int, *, keep_going: bool
) -> dict[str, _Ending]:
    """Return the endings of the jobs that were begun, in the order in which they ended."""
    endings: dict[str, _Ending] = {}
    waiting, running = list(jobs), dict[Future[_Ending], Job]()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    job = waiting.pop(0)
                    running[pool.submit(one, job)] = job
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    ending = endings[running.pop(future).host.name] = future.result()
                    if ending.status and not keep_going:
                        waiting.clear()
        except KeyboardInterrupt:
            process.interrupt_streamed()
            raise
    return endings


def _rebuild(work: Deployment, repository: Repository, job: Job, *, as_json: bool) -> _Ending:
    name, seconds = job.host.name, stopwatch()
    if job.runs and job.target.address and state.read(job.target.address, work.profile) is None:
        tell(f"{name}: pending: ssh does not reach it, so it is not built")
        return _Ending(_Fate.PENDING, seconds())
    try:
        with labelled(name):
            generation = rebuild_host.carry_out(work, repository, job, as_json=as_json)
    except NixsecretsError as error:
        tell(f"{name}: {error}" + (f"; {error.hint}" if error.hint else ""))
        fate = _Fate.ROLLED_BACK if isinstance(error, ReturnedError) else _Fate.FAILED
        return _Ending(fate, seconds(), status=error.status)
    fate = _Fate.REBUILT if job.runs else _Fate.PRINTED
    return _Ending(fate, seconds(), generation)


def _show(endings: dict[str, _Ending], as_json: bool) -> None:
    rows = tuple(
        (
            name,
            end.fate.value,
            f"{end.seconds:.0f}",
            "" if end.generation is None else str(end.generation),
        )
        for name, end in endings.items()
    )
    table = Table(("host", "outcome", "seconds", "generation"), rows)
    click.echo(json.render_table(table) if as_json else text.render_table(table))
