"""Give a document another text, as an editor gives it back; make a new one of a text."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.access import managed_documents
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Deliver, Fleet, InFile, Scope
from nixsecrets.fleet.names import SecretName
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import dates, documents, recipients, secrets, wiring
from nixsecrets.plans.documents import leaf_name
from nixsecrets.plans.draft import Draft, Unlock
from nixsecrets.sops import changing, document, sealing
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.stores.formats import Format, format_of
from nixsecrets.sops.tree import KeyPath, Leaf, LeafType

_EXAMPLES = {
    Format.YAML: b"# name: value\n",
    Format.JSON: b"{\n}\n",
    Format.DOTENV: b"# NAME=value\n",
    Format.INI: b"; [section]\n; name = value\n",
    Format.BINARY: b"",
}

_Place = tuple[int, KeyPath]
"""Which document of a stream, and where in it."""
_Value = tuple[LeafType | None, Plaintext | None]


def clear_text(repository: Repository, path: PurePosixPath, unlock: Unlock) -> Plaintext:
    """Return what an editor is to show: a document in clear, or an example of a new one.

    Raises:
        RepositoryError: there is no document, and no rule says who would read it.
        NoIdentityError: the document does not open.
    """
    documents.refuse_other_policies(repository, path)
    if repository.sources.find(path) is None:
        secrets.terms_of(Draft(repository), path)
        return Plaintext(_EXAMPLES[format_of(path.name)])
    return document.plain_text(documents.open_at(repository, path, unlock))


def put(draft: Draft, path: PurePosixPath, text: Plaintext, unlock: Unlock, now: datetime) -> Draft:
    """Return the draft with a document whose text in clear is `text`; wiring comes with it.

    Names of values that come, go or change are told. A document that has that text is not
    touched.

    Raises:
        RepositoryError: the text is none of the document's format, with its line; or it cannot be
            delivered.
        NoIdentityError: the document does not open.
    """
    documents.refuse_other_policies(draft.repository, path)
    if draft.repository.sources.find(path) is None:
        return _new(draft, path, text, now)
    opened = documents.open_at(draft.repository, path, unlock)
    if document.plain_text(opened) == text:
        return draft
    try:
        content = changing.replace_text(opened, text, now)
        changed = document.parse(content, opened.document.form)
        after = document.open_document(changed, opened.data_key)
    except NixsecretsError as error:
        raise error.within(path) from None
    difference = _compare(_values(opened), _values(after))
    scope = _scope_of(draft.fleet, path)
    draft = draft.changed(path, content, *_told(difference, scope or InFile(path)))
    draft = _dated(draft, path, difference, now)
    draft = _warn_of_clear(draft, path, (*difference.added, *difference.changed))
    return _deliver(draft, scope, difference) if scope else draft


class _Difference(NamedTuple):
    added: tuple[_Place, ...]
    changed: tuple[_Place, ...]
    removed: tuple[_Place, ...]


def _new(draft: Draft, path: PurePosixPath, text: Plaintext, now: datetime) -> Draft:
    draft, readers, terms = secrets.terms_of(draft, path)
    try:
        content = sealing.seal(text, readers, now, terms)
        made = document.parse(content, terms.form)
    except NixsecretsError as error:
        raise error.within(path) from None
    added = tuple((0, state.path) for state in made.leaf_states())
    difference = _Difference(added, (), ())
    scope = _scope_of(draft.fleet, path)
    names = recipients.describe_readers(draft.fleet, readers)
    lines = _told(difference, scope or InFile(path))
    draft = draft.changed(path, content, f"new document for {names}", *lines)
    draft = _dated(draft, path, difference, now)
    draft = _warn_of_clear(draft, path, added)
    return _deliver(draft, scope, difference) if scope else draft


def _dated(draft: Draft, path: PurePosixPath, difference: _Difference, now: datetime) -> Draft:
    scope = _scope_of(draft.fleet, path) or InFile(path)
    changed = [keys for _, keys in (*difference.added, *difference.changed)]
    lost = [keys for _, keys in difference.removed]
    found = dates.touched(draft.fleet, (scope, path), changed, lost)
    return dates.follow(draft, found.written, found.gone, now)


def _values(opened: OpenDocument) -> Mapping[_Place, Sequence[_Value]]:
    """Return what stands at each place: more than one value, where a name stands there twice."""
    found: dict[_Place, list[_Value]] = defaultdict(list)
    for one in opened.items:
        if isinstance(one.item, Leaf):
            found[one.item.document, one.item.path].append((one.kind, one.value))
    return found


def _compare(
    before: Mapping[_Place, Sequence[_Value]], after: Mapping[_Place, Sequence[_Value]]
) -> _Difference:
    return _Difference(
        tuple(place for place in after if place not in before),
        tuple(place for place in after if place in before and after[place] != before[place]),
        tuple(place for place in before if place not in after),
    )


def _told(difference: _Difference, scope: Scope | InFile) -> Sequence[str]:
    lines = [
        f"{sign} {scope.prefix}:{leaf_name(path)}"
        for sign, places in zip("+~-", difference, strict=True)
        for _, path in places
    ]
    return lines or ["comments or layout"]


def _warn_of_clear(draft: Draft, path: PurePosixPath, places: Sequence[_Place]) -> Draft:
    """Warn of new values that are not encrypted; looks at what was made."""
    paths = {keys for _, keys in places}
    scope = _scope_of(draft.fleet, path) or InFile(path)
    for state in documents.read(draft.repository, path).leaf_states():
        if state.path in paths and not (state.sealed_as or state.empty):
            address = f"{scope.prefix}:{leaf_name(state.path)}"
            draft = draft.warning(
                f"{address} will stand in clear: its document's rule leaves it out"
            )
    return draft


def _scope_of(fleet: Fleet, path: PurePosixPath) -> Scope | InFile | None:
    return next((one.scope for one in managed_documents(fleet) if one.path == path), None)


def _deliver(draft: Draft, scope: Scope | InFile, difference: _Difference) -> Draft:
    """Return the draft with the wiring of the hosts that are to have what came."""
    added = _names(difference.added)
    gone = _names(difference.removed)
    hosts = [draft.fleet.host(name) for name in draft.fleet.manifest.hosts_wired(scope)]
    declared = {one.name: one for one in draft.fleet.declarations if one.scope == scope}
    for name in gone & declared.keys():
        draft = draft.warning(
            f"{scope.prefix}:{name} is still declared ({MANIFEST}:{declared[name].line})"
            + ("; a host that is to have it will not build" if declared[name].deliver else "")
        )
    everything = draft.fleet.manifest.deliver is Deliver.ALL
    if added & declared.keys() or (everything and (added | gone) - declared.keys()):
        return wiring.bring(draft, [host for host in hosts if host.recipient])
    return draft


def _names(places: Sequence[_Place]) -> frozenset[SecretName]:
    return frozenset(SecretName(leaf_name(path)) for _, path in places)
