"""Declarations whose values stand in documents that the people keep, and files in homes."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.audit.survey import Survey
from nixsecrets.audit.wording import at, command, listed
from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.access import recipients_of, spoken_name
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.model import AtHome, Declaration, Host, User
from nixsecrets.plans import documents, recipients

_IN_HOMES = ("/home/", "/root/", "/Users/")


def findings(found: Survey) -> Iterator[Finding]:
    for declaration in found.fleet.declarations:
        waiting = _waiting(found, declaration)
        if declaration.file is not None and (found.whole or waiting):
            yield from _readers(found, declaration, declaration.file, waiting)
            yield from _value(found, declaration, declaration.file)
        if waiting and not isinstance(declaration.scope, AtHome):
            yield from _in_a_home(declaration)


def _waiting(found: Survey, declaration: Declaration) -> tuple[Host | User, ...]:
    """Return who is to open a declaration's document, of those asked about that have a key."""
    match declaration.scope:
        case AtHome(host, user):
            one = found.fleet.user(host, user)
            return (one,) if host in found.names and one.recipients else ()
        case scope:
            names = found.fleet.manifest.hosts_of(scope)
            return tuple(one for one in found.hosts if one.name in names and one.recipient)


def _readers(
    found: Survey,
    declaration: Declaration,
    path: PurePosixPath,
    waiting: tuple[Host | User, ...],
) -> Iterator[Finding]:
    """Yield who is declared to be given a value and could not open its document."""
    try:
        wanted = recipients.intended(found.fleet, path)
    except NixsecretsError:  # told of the policy
        return
    given = {one.text for one in wanted.recipients} if wanted else set()
    without = [one for one in waiting if not given & {each.text for each in recipients_of(one)}]
    if without and declaration.deliver:
        names = listed([spoken_name(one) for one in without])
        words = f"{declaration.address} stands in {path}, which no rule lets {names} read"
        place = at(MANIFEST, declaration.line)
        yield Finding("declaration/not-a-reader", Severity.ERROR, place, words)


def _value(found: Survey, declaration: Declaration, path: PurePosixPath) -> Iterator[Finding]:
    severity = Severity.ERROR if declaration.deliver else Severity.WARNING
    place = at(MANIFEST, declaration.line)
    if found.repository.sources.find(path) is None:
        words = f"{declaration.address} is to stand in {path}, which does not exist"
        yield Finding("declaration/no-value", severity, place, words)
    elif not declaration.whole_file and not _stands(found, declaration, path):
        words = f"{declaration.address} has no value: {path} has no such leaf"
        remedy = command("nixsecrets", "set", str(declaration.address))
        yield Finding("declaration/no-value", severity, place, words, remedy)


def _stands(found: Survey, declaration: Declaration, path: PurePosixPath) -> bool:
    if not documents.seems_sealed(found.repository, path):
        return True  # told of the document
    try:
        return documents.read(found.repository, path).has_leaf(declaration.key_path)
    except NixsecretsError:  # told of the document
        return True


def _in_a_home(declaration: Declaration) -> Iterator[Finding]:
    """Yield a path whose missing folders sops-nix makes as root (its issue 381)."""
    if declaration.path is not None and declaration.path.startswith(_IN_HOMES):
        words = (
            f"{declaration.address} is to stand at {declaration.path}, and folders that are"
            " missing above it will belong to root"
        )
        place = at(MANIFEST, declaration.line)
        yield Finding("declaration/path-in-home", Severity.WARNING, place, words)
