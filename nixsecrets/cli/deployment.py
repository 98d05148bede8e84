"""What one call of `rebuild` does, decided before anything is done."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import PurePosixPath
from threading import Lock

from nixsecrets.change import FollowUp, Plan
from nixsecrets.cli.app import App
from nixsecrets.errors import RepositoryError, UsageError
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import CommitSettings, Engine, Fleet, Host
from nixsecrets.system import git, ssh
from nixsecrets.system.deploy import colmena, deploy_rs, nixos_rebuild, state
from nixsecrets.system.deploy.target import Action, Configuration, Flake, System, Target

PROFILE = state.PROFILE

_FLAKE = PurePosixPath("flake.nix")
_CHECKS = "checks"


class Step(Enum):
    """What stands around the rebuild itself and may be left out; the flag is `--no-` and this."""

    CHECK = "check"
    FETCH = "fetch"
    COMMIT = "commit"
    PUSH = "push"
    VERIFY = "verify"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for.

    Args:
        action: what becomes of the built systems.
        local: take the one host for this machine, whatever its name.
        address: of the one host; None: the manifest's.
        extra: further arguments for nixos-rebuild.
        steps: those that were not switched off.
        message: for the commit.
        engine: None: the manifest's.
    """

    action: Action
    local: bool
    address: str | None
    extra: tuple[str, ...]
    steps: frozenset[Step]
    message: str
    engine: Engine | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One host's rebuild, decided."""

    host: Host
    engine: Engine
    target: Target
    arguments: tuple[str, ...]

    @property
    def runs(self) -> bool:
        return self.engine is not Engine.PRINT


@dataclass(frozen=True, slots=True)
class Deployment:
    """Everything that one call does, decided.

    Args:
        app: the call.
        fleet: as it was read.
        request: what was asked for.
        jobs: in the order in which they are done.
        new: untracked files that belong to the hosts; they are staged before.
        profile: of the system, on each host.
        turn: of the host that opens documents or commits just now.
    """

    app: App
    fleet: Fleet
    request: Request
    jobs: tuple[Job, ...]
    new: tuple[PurePosixPath, ...]
    profile: PurePosixPath
    turn: AbstractContextManager[object] = field(default_factory=Lock, compare=False)

    @property
    def hosts(self) -> tuple[Host, ...]:
        return tuple(job.host for job in self.jobs)

    @property
    def logs(self) -> frozenset[PurePosixPath]:
        return frozenset(map(self.fleet.manifest.rebuild.log_of, self.fleet.hosts))

    @property
    def tracked(self) -> frozenset[PurePosixPath]:
        """What git tracks once the new files are staged."""
        return self.app.index.tracked.union(self.new)

    def has(self, step: Step) -> bool:
        return self.app.in_git and step in self.request.steps

    def checks_of(self, job: Job) -> tuple[PurePosixPath, ...]:
        """Return the user's own checks of a host, as its folder holds them."""
        folder = job.host.directory / _CHECKS
        return tuple(sorted(path for path in self.app.paths() if path.parent == folder))

    def commit_of(self, job: Job) -> CommitSettings | None:
        """Return how a host's rebuild is committed; None: it is not."""
        if not job.runs or not self.request.action.makes_generation:
            return None
        return self.fleet.manifest.rebuild.commit if self.has(Step.COMMIT) else None


def decide(app: App, repository: Repository, names: Sequence[str], request: Request) -> Deployment:
    fleet = repository.fleet
    hosts = _choose(app, fleet, names)
    if (request.local or request.address) and len(hosts) > 1:
        raise UsageError("--local and --target-host speak of one host")
    jobs = tuple(_job(app, repository, host, request) for host in hosts)
    work = Deployment(app, fleet, request, jobs, (), PROFILE)
    return replace(work, new=_new_files(work))


def plan(work: Deployment) -> Plan:
    names = ", ".join(host.name for host in work.hosts)
    intent = f"rebuild {names} ({work.request.action})"
    return Plan(intent, follow_ups=tuple(_steps(work)), warnings=tuple(_about_logs(work)))


def committed(work: Deployment, job: Job, settings: CommitSettings) -> list[PurePosixPath]:
    """Return what a commit names: paths with tracked files, file by file beside a tracked log."""
    named: list[PurePosixPath] = []
    for place in settings.paths_of(job.host):
        inside = sorted(path for path in work.tracked if path.is_relative_to(place))
        if work.logs.isdisjoint(inside):
            named += [place] if inside else []
        else:
            named += [path for path in inside if path not in work.logs]
    return named


def _choose(app: App, fleet: Fleet, names: Sequence[str]) -> list[Host]:
    for name in names:
        if name in list(Action) and name not in [host.name for host in fleet.hosts]:
            raise UsageError(f"no host is called {name}", hint=f"nixsecrets rebuild --{name}")
    if names:
        return [fleet.host(name) for name in dict.fromkeys(names)]
    here = fleet.this_machine(app.host_name)
    if here is None:
        known = ", ".join(host.name for host in fleet.hosts)
        raise UsageError(
            f"this machine is {app.host_name}, which is the `host-name` of no host",
            hint=f"name one of {known}" if known else "nixsecrets add-host NAME",
        )
    return [here]


def _job(app: App, repository: Repository, host: Host, request: Request) -> Job:
    engine = request.engine or repository.fleet.engine_of(host)
    address = _address(app, host, engine, request)
    target = Target(
        host.name,
        _system(repository, host),
        request.action,
        ssh.validate_address(address) if address else None,
        request.extra,
    )
    return Job(host, engine, target, _command(app, host, engine, target))


def _command(app: App, host: Host, engine: Engine, target: Target) -> tuple[str, ...]:
    match engine:
        case Engine.COLMENA:
            return colmena.command(target, host.attribute or host.name)
        case Engine.DEPLOY_RS:
            return deploy_rs.command(target, host.attribute or host.name)
        case Engine.NIXOS_REBUILD | Engine.PRINT:
            privilege = nixos_rebuild.find_privilege(target)
            return nixos_rebuild.command(target, app.root, privilege)


def _system(repository: Repository, host: Host) -> System:
    if host.without_flake or repository.sources.find(_FLAKE) is None:
        return Configuration(host.configuration)
    if host.attribute is None:
        raise RepositoryError(
            f"host {host.name} has no attribute, so that {_FLAKE} cannot be asked for it",
            hint=f"write `attribute:` (or `configuration:`) under hosts.{host.name} in {MANIFEST}",
        )
    return Flake(host.attribute)


def _address(app: App, host: Host, engine: Engine, request: Request) -> str | None:
    """Return where ssh reaches a host; None: nothing but the machine at hand is needed."""
    if request.action is Action.BUILD:
        return None
    if request.address or request.local or host.host_name == app.host_name:
        return request.address
    if host.address is None and engine is not Engine.PRINT:
        raise RepositoryError(
            f"host {host.name} is not this machine ({app.host_name}) and has no address",
            hint=f"write `address:` under hosts.{host.name} in {MANIFEST}, or give --target-host",
        )
    return host.address


def _new_files(work: Deployment) -> tuple[PurePosixPath, ...]:
    """Return the untracked files that belong to the hosts: a flake sees tracked ones only."""
    if not work.app.in_git:
        return ()
    settings = work.fleet.manifest.rebuild.commit or CommitSettings()
    places = {place for host in work.hosts for place in settings.paths_of(host)}
    candidates = work.app.index.untracked - work.logs
    return tuple(sorted(path for path in candidates if any(map(path.is_relative_to, places))))


def _steps(work: Deployment) -> Iterator[FollowUp]:
    has_upstream = work.app.in_git and git.upstream(work.app.root) is not None
    if work.has(Step.FETCH) and has_upstream:
        yield FollowUp(("git", "fetch"), "stops here if the branch is behind its upstream")
    if work.new:
        yield FollowUp(("git", "add", "--", *map(str, work.new)), "new: a flake would not see them")
    for job in work.jobs:
        yield FollowUp(job.arguments, _purpose(work, job))
        settings = work.commit_of(job)
        if settings is None:
            continue
        message = settings.message_of(job.host, "N", work.request.message)
        if paths := committed(work, job, settings):
            yield FollowUp(
                ("git", "commit", "-m", message, "--", *map(str, paths)),
                "these paths only, whatever else is staged",
            )
        if settings.push and work.has(Step.PUSH) and has_upstream:
            yield FollowUp(("git", "push"), "to the upstream of the branch")


def _purpose(work: Deployment, job: Job) -> str:
    match job.engine:
        case Engine.PRINT:
            return f"{job.host.name}: printed only, for you to run"
        case Engine.NIXOS_REBUILD | Engine.COLMENA | Engine.DEPLOY_RS:
            log = work.fleet.manifest.rebuild.log_of(job.host)
            return f"{job.host.name}: the output also goes to {log}"


def _about_logs(work: Deployment) -> Iterator[str]:
    """Warn of logs that git would show as new or changed files."""
    if not work.app.in_git:
        return
    logs = {work.fleet.manifest.rebuild.log_of(job.host) for job in work.jobs if job.runs}
    ignored = {found.path for found in git.ignored(work.app.root, logs)}
    for log in sorted(logs & work.tracked):
        yield f"{log} is tracked by git, and left out of the commit: git rm --cached {log}"
    for name in sorted({log.name for log in logs - work.tracked - ignored}):
        yield f"{name} is not ignored by git; a line for .gitignore: {name}"
