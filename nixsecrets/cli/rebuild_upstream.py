"""The branch and its upstream, before a rebuild: what is built is to be what others have too."""

from nixsecrets.cli.app import App, tell
from nixsecrets.errors import FoundError, ProgramError, UsageError
from nixsecrets.system import git

_HINT = "git pull --rebase --autostash"


def compare(app: App) -> None:
    """Fetch, and stop where the branch is behind.

    Raises:
        FoundError: it is, or has diverged.
        ProgramError: nothing can be fetched.
    """
    found = _fetched(app)
    if found is None or not found.behind:
        return
    if found.ahead:
        raise _diverged(found)
    raise FoundError(
        f"the branch is {_commits(found.behind)} behind its upstream",
        hint=f"{_HINT}, or give --pull",
    )


def pull(app: App) -> None:
    """Fetch, and bring a branch that is behind to its upstream; its new commits are listed.

    Raises:
        FoundError: it has commits of its own.
        ProgramError: nothing can be fetched, or a file that was changed here is in the way.
        UsageError: there is nothing to pull from.
    """
    if not app.in_git or git.upstream(app.root) is None:
        raise UsageError("--pull: the branch has no upstream")
    found = _fetched(app)
    if found is None or not found.behind:
        return
    if found.ahead:
        raise _diverged(found)
    for line in git.upstream_log(app.root):
        tell(f"pulled: {line}")
    git.fast_forward(app.root)


def _fetched(app: App) -> git.Upstream | None:
    if git.upstream(app.root) is None:
        tell("the branch has no upstream: nothing is fetched or pushed")
        return None
    try:
        git.fetch(app.root)
    except ProgramError as error:
        raise ProgramError(error.problem, hint="without a network: give --no-fetch") from None
    return git.upstream(app.root)


def _diverged(found: git.Upstream) -> FoundError:
    there = _commits(found.behind)
    words = f"the branch and its upstream have diverged: {there} there, {found.ahead} here"
    return FoundError(words, hint=_HINT)


def _commits(number: int) -> str:
    return f"{number} commit{'' if number == 1 else 's'}"
