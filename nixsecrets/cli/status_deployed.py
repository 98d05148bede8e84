"""status --deployed: what each host runs, by the notes that rebuilds leave."""

from functools import cache, partial

from nixsecrets.audit import deployed
from nixsecrets.cli.app import App, tell
from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Host
from nixsecrets.report.table import Table
from nixsecrets.system import deployments

_COLUMNS = ("host", "generation", "commit", "verified", "behind", "older values")
_SHORT = 12


def list_hosts(app: App, repository: Repository) -> Table:
    """Return what was last deployed to each host and verified, and what it lacks by now.

    Raises:
        RepositoryError: there is no git, in which rebuilds are noted.
    """
    if not app.in_git:
        raise RepositoryError(f"{app.root} is in no git repository, where rebuilds are noted")
    rows = tuple(_row(app, repository, host) for host in repository.fleet.hosts)
    behind = [row[0] for row in rows if row[4] not in ("", "0") or row[5]]
    if behind:
        tell(f"to bring them in step: nixsecrets rebuild {' '.join(behind)}")
    return Table(_COLUMNS, rows, empty="no hosts")


def _row(app: App, repository: Repository, host: Host) -> tuple[str, ...]:
    last = deployments.last(app.root, host.name)
    if last is None:
        return host.name, "", "", "never deployed by nixsecrets", "", ""
    generation = "?" if last.generation is None else str(last.generation)
    told = (host.name, generation, last.commit[:_SHORT], f"{last.noted:%Y-%m-%d %H:%M} UTC")
    behind = deployments.commits_since(app.root, last.commit, deployed.paths_of(repository, host))
    if behind is None:
        return *told, "its commit is gone", ""
    content_at = cache(partial(deployments.content_at, app.root, last.commit))
    values = deployed.older_values(repository, host, content_at, last.noted.date())
    return *told, str(behind), ", ".join(values)
