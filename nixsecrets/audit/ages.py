"""Values that are to be others: too old, asked for otherwise since, or easy to guess."""

from collections.abc import Iterator, Mapping
from datetime import date

from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.audit.survey import Survey
from nixsecrets.audit.wording import at, command
from nixsecrets.errors import RepositoryError
from nixsecrets.fleet import dependencies, lockfile
from nixsecrets.fleet.access import document_for
from nixsecrets.fleet.layout import LOCK, MANIFEST
from nixsecrets.fleet.lockfile import Entry
from nixsecrets.fleet.model import Declaration
from nixsecrets.generators.specification import spec_of
from nixsecrets.generators.strength import weak
from nixsecrets.sops.document import Document

_Known = Mapping[str, Entry]


def findings(found: Survey, today: date) -> Iterator[Finding]:
    """Yield what the lock file tells of values; a value itself is never looked at."""
    yield from _weak(found)
    source = found.repository.sources.find(LOCK)
    try:
        known = lockfile.parse_lock(source.content) if source else {}
    except RepositoryError as error:
        yield Finding("lock/damaged", Severity.ERROR, str(LOCK), error.problem, error.hint)
        return
    for one in _asked_about(found):
        yield from _of_value(one, known, today)
        yield from _undated(found, one, known)
    yield from _overtaken(found, known)
    if found.whole:
        yield from _unknown(found, known)


def _asked_about(found: Survey) -> Iterator[Declaration]:
    hosts_of = found.fleet.manifest.hosts_wired
    for one in found.fleet.declarations:
        if found.whole or found.names.intersection(hosts_of(one.scope)):
            yield one


def _of_value(one: Declaration, known: _Known, today: date) -> Iterator[Finding]:
    entry = known.get(str(one.address))
    if entry is None:
        return
    if lockfile.is_over_age(one, known, today):
        age = (today - entry.changed).days
        words = f"{one.address} is {age} days old, and is to be another after {one.max_age}"
        yield _renewable("value/too-old", one, words)
    if entry.spec != spec_of(one.generator):
        words = f"{one.address} was made before its declaration asked for what it asks for now"
        yield _renewable("value/stale", one, words)


def _undated(found: Survey, one: Declaration, known: _Known) -> Iterator[Finding]:
    """Yield a value that is to be another some day, and of which no date is known."""
    if one.max_age is None or str(one.address) in known:
        return
    document = found.documents.get(document_for(found.fleet, one))
    reading = document.reading if document else None
    if isinstance(reading, Document) and reading.has_leaf(one.key_path):
        words = f"{one.address} has no date in {LOCK}, so that nobody knows when it is too old"
        yield _renewable("value/undated", one, words)


def _overtaken(found: Survey, known: _Known) -> Iterator[Finding]:
    """Yield what was made from a value that is another one since; of the same day nobody knows."""
    declared = {one.address: one.generator for one in found.fleet.declarations}
    inputs = dependencies.inputs_of_all(declared)
    for one in _asked_about(found):
        own = known.get(str(one.address))
        for needed in inputs[one.address].values():
            other = known.get(str(needed))
            if own and other and other.changed > own.changed:
                words = f"{one.address} was made from an older {needed}"
                yield _renewable("value/stale", one, words)


def _weak(found: Survey) -> Iterator[Finding]:
    for one in _asked_about(found):
        why = weak(one.generator) if one.generator else None
        if why:
            words = f"{one.name} asks for {why}"
            yield Finding("generator/weak", Severity.WARNING, at(MANIFEST, one.line), words)


def _unknown(found: Survey, known: _Known) -> Iterator[Finding]:
    declared = {str(one.address) for one in found.fleet.declarations}
    for address in sorted(known.keys() - declared):
        words = f"{address} stands here and is not declared: take its line out"
        yield Finding("lock/undeclared", Severity.WARNING, str(LOCK), words)


def _renewable(rule: str, one: Declaration, words: str) -> Finding:
    remedy = command("nixsecrets", "rotate", "value", str(one.address))
    return Finding(rule, Severity.WARNING, at(MANIFEST, one.line), words, remedy)
