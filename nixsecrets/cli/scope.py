"""The options that say whose secret a name means."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import click

from nixsecrets.cli.app import App, path_in, tell
from nixsecrets.errors import NixsecretsError, RepositoryError, UsageError
from nixsecrets.fleet.access import document_of
from nixsecrets.fleet.address import (
    Leaves,
    Place,
    Purpose,
    ScopeChoice,
    candidates,
    locate,
    place_in,
)
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Admins, AtHome, InFile, InGroup, OnHost, Shared
from nixsecrets.fleet.names import (
    SecretName,
    parse_group_name,
    parse_host_name,
    parse_user_name,
)
from nixsecrets.plans import documents
from nixsecrets.sops.document import Document
from nixsecrets.sops.keypath import parse_key_path
from nixsecrets.sops.tree import KeyPath


class Choose(NamedTuple):
    """The scope that the user chose, if any; one at most is set, but a home is on a host."""

    host: str | None = None
    group: str | None = None
    shared: bool = False
    file: Path | None = None
    admins: bool = False
    home: str | None = None

    def scope(self, app: App) -> ScopeChoice | None:
        if self.home is not None and self.host is not None:
            return AtHome(parse_host_name(self.host), parse_user_name(self.home))
        if self.host is not None:
            return OnHost(parse_host_name(self.host))
        if self.group is not None:
            return InGroup(parse_group_name(self.group))
        if self.file:
            return InFile(path_in(app, self.file))
        if self.admins:
            return Admins()
        return Shared() if self.shared else None


UNSAID = Choose()


def scope_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `Choose`, handed over as one `choose`."""

    @click.option("--host", metavar="HOST", help="The host's own secret.")
    @click.option("--group", metavar="GROUP", help="The group's secret.")
    @click.option("--shared", is_flag=True, help="The secret of every host.")
    @click.option("--admins", is_flag=True, help="The admins' secret, which no host reads.")
    @click.option("--home", metavar="USER", help="With --host: USER's own, at its home there.")
    @click.option(
        "--file", metavar="DOCUMENT", type=click.Path(path_type=Path), help="In this document."
    )
    @wraps(command)
    def with_scope(
        *,
        host: str | None,
        group: str | None,
        shared: bool,
        file: Path | None,
        admins: bool,
        home: str | None,
        **others: object,
    ) -> None:
        choose = Choose(host, group, shared, file, admins, home)
        _refuse_several(choose)
        command(choose=choose, **others)

    return with_scope


def _refuse_several(choose: Choose) -> None:
    options = {
        "--host": choose.host if choose.home is None else None,
        "--group": choose.group,
        "--shared": choose.shared,
        "--file": choose.file,
        "--admins": choose.admins,
        "--home": choose.home,
    }
    given = [option for option, value in options.items() if value not in (None, False)]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} were given, and a secret has one scope")
    if choose.home is not None and choose.host is None:
        raise UsageError(f"--home {choose.home} is a home on some host", hint="say --host HOST too")


def name_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command NAME and the options of `scope_options`, or --path in place of NAME."""

    @click.argument("name", required=False)
    @click.option(
        "--path",
        "key_path",
        metavar="KEYPATH",
        help="""In place of NAME, as sops spells it: '["a"][0]["b"]'.""",
    )
    @scope_options
    @wraps(command)
    def with_name(*, name: str | None, key_path: str | None, **others: object) -> None:
        if (name is None) == (key_path is None):
            raise UsageError("give either NAME or --path")
        asked = parse_key_path(key_path) if key_path is not None else name
        command(name=asked, **others)

    return with_name


def find_place(
    app: App,
    repository: Repository,
    name: str | KeyPath,
    choose: Choose,
    purpose: Purpose,
    holds: Callable[[Document, KeyPath], bool] = Document.has_leaf,
) -> Place:
    """Return what a name and the options mean; documents are looked into only where needed."""
    if isinstance(name, tuple):
        return _place_by_path(app, repository, name, choose)

    def leaves() -> Leaves:
        known = dict(documents.readable(repository, tell_unreadable))
        own = app.this_machine(repository)
        return Leaves(
            tuple(path for path in candidates(repository.fleet, own, known) if path in known),
            lambda path, keys: holds(known[path], keys),
            lambda path: documents.names(known[path]),
        )

    return locate(repository.fleet, name, choose.scope(app), purpose, leaves)


def tell_unreadable(error: NixsecretsError) -> None:
    """Tell of a document that is passed over; what others hold is no less true."""
    tell(f"warning: passed over: {error}")


def _place_by_path(app: App, repository: Repository, key_path: KeyPath, choose: Choose) -> Place:
    scope, fleet = choose.scope(app), repository.fleet
    if scope is None:
        raise UsageError("--path is a place in a document, and none is named", hint="--file FILE")
    path = scope.path if isinstance(scope, InFile) else document_of(fleet, scope)
    return place_in(fleet, path, key_path, SecretName(documents.leaf_name(key_path)))


def document_at(repository: Repository, path: PurePosixPath) -> PurePosixPath:
    """Return the path of a document that the user named.

    Raises:
        UsageError: there is no such file.
        RepositoryError: it belongs to a policy nearer to it.
    """
    if repository.sources.find(path) is None:
        raise UsageError(f"{path}: no such document", hint="`nixsecrets ls` lists all")
    documents.refuse_other_policies(repository, path)
    return path


def no_value(place: Place, document: Document | None = None) -> RepositoryError:
    """Return the error of a place that holds nothing, with what to do now.

    Args:
        place: what was asked for.
        document: what stands at its path; None: nothing.
    """
    missing = "" if document else f": {place.path} does not exist"
    near = documents.near(document, place.address.name) if document else ""
    if documents.leaf_name(place.key_path) != "/".join(map(str, place.key_path)):
        near = "`nixsecrets ls` lists all"
    elif place.declaration is not None or not near:
        near = f"nixsecrets set {place.address}"
    return RepositoryError(f"{place.address} has no value{missing}", hint=near)
