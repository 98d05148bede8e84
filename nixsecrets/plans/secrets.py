"""Change one value: write it, or take it away."""

from datetime import datetime

from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet.access import delivered, document_of
from nixsecrets.fleet.address import Place
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.model import Deliver, Host, InFile
from nixsecrets.fleet.names import clashes
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import documents, policy, recipients, wiring
from nixsecrets.plans.draft import Draft, Unlock
from nixsecrets.sops import changing, document, sealing
from nixsecrets.sops.sealing import Terms
from nixsecrets.sops.stores.formats import Format, format_of
from nixsecrets.sops.stores.text import Scalar
from nixsecrets.sops.tree import LeafType


def set_value(draft: Draft, place: Place, value: Plaintext, unlock: Unlock, now: datetime) -> Draft:
    """Return the draft with a string at a place; a new document, rule and wiring come with it.

    An existing leaf changes its document only. A new one also changes the wiring of the hosts
    that are to have it: where it is declared, or where the manifest delivers everything.

    Raises:
        RepositoryError: the name cannot stand there, or no rule governs the document.
        NoIdentityError: the document does not open.
    """
    documents.refuse_other_policies(draft.repository, place.path)
    if not value:
        draft = draft.warning(f"{place.address} is empty, and an empty value is never encrypted")
    if draft.repository.sources.find(place.path) is None:
        return _wire(_new_document(draft, place, value, now), place)
    opened = documents.open_at(draft.repository, place.path, unlock)
    is_new = opened.find(place.key_path) is None
    try:
        content = changing.set_value(opened, place.key_path, value, now)
    except NixsecretsError as error:
        raise error.within(place.path) from None
    if value:
        draft = _warn_of_clear(draft, place, encrypted=_is_sealed(content, place))
    draft = draft.changed(place.path, content, f"{'+ ' if is_new else ''}{place.address}")
    return _wire(draft, place) if is_new else draft


def remove(draft: Draft, place: Place, unlock: Unlock, now: datetime) -> Draft:
    """Return the draft without a leaf; its declaration, if there is one, stays and is told.

    Raises:
        RepositoryError: there is no such leaf.
        NoIdentityError: the document does not open.
    """
    if draft.repository.sources.find(place.path) is None:
        raise _unknown(place)
    opened = documents.open_at(draft.repository, place.path, unlock)
    if opened.find(place.key_path) is None:
        raise _unknown(place)
    try:
        content = changing.remove_value(opened, place.key_path, now)
    except NixsecretsError as error:
        raise error.within(place.path) from None
    draft = draft.changed(place.path, content, f"- {place.address}")
    if place.declaration is None:
        return _rewire(draft, place)
    return draft.warning(
        f"{place.address} is still declared ({MANIFEST}:{place.declaration.line})"
        + ("; a host that is to have it will not build" if place.declaration.deliver else "")
    )


def _unknown(place: Place) -> RepositoryError:
    return RepositoryError(f"no document has {place.address}", hint="`nixsecrets ls` lists all")


def _new_document(draft: Draft, place: Place, value: Plaintext, now: datetime) -> Draft:
    draft = policy.bring_rule_of(draft, place.path)
    wanted = recipients.intended(draft.fleet, place.path)
    rule = draft.fleet.policy.rule_for(place.path) if draft.fleet.policy else None
    if rule is None or wanted is None:
        raise RepositoryError(
            "no rule of the policy governs it, so that nobody could read it",
            hint=_hint_for_unruled(draft, place),
        ).within(place.path)
    if rule.foreign:
        kinds = ", ".join(dict.fromkeys(entry.kind for entry in rule.foreign))
        draft = draft.warning(f"{place.path} is made for age recipients only, without {kinds}")
    terms = Terms(format_of(place.path.name), rule.selection, rule.mac_only_encrypted)
    encrypted = terms.form is Format.BINARY or rule.selection.encrypts(place.key_path, ())
    draft = _warn_of_clear(draft, place, encrypted=encrypted)
    scalar = Scalar(LeafType.STR, value.reveal())
    try:
        content = sealing.seal_leaf(place.key_path, scalar, wanted, now, terms)
    except NixsecretsError as error:
        raise error.within(place.path) from None
    names = recipients.describe_readers(draft.fleet, wanted)
    return draft.changed(place.path, content, f"new document for {names}", f"+ {place.address}")


def _hint_for_unruled(draft: Draft, place: Place) -> str:
    match place.address.scope:
        case InFile():
            return f"add a creation rule for it to {draft.fleet.layout.policy}"
        case _:
            hosts = [host.name for host in _reached(draft, place) if host.recipient is None]
            return " and ".join(f"nixsecrets add-host {name}" for name in hosts) or (
                f"its readers have no key file yet; see {draft.fleet.layout.policy}"
            )


def _is_sealed(content: bytes, place: Place) -> bool:
    """Look at what was made: a rule about comments cannot be asked about a path alone."""
    states = document.parse(content, format_of(place.path.name)).leaf_states()
    return any(state.path == place.key_path and state.sealed_as for state in states)


def _warn_of_clear(draft: Draft, place: Place, *, encrypted: bool) -> Draft:
    if encrypted:
        return draft
    return draft.warning(f"{place.address} will stand in clear: its document's rule leaves it out")


def _wire(draft: Draft, place: Place) -> Draft:
    _refuse_clash(draft, place)
    return _rewire(draft, place)


def _rewire(draft: Draft, place: Place) -> Draft:
    if draft.fleet.manifest.deliver is not Deliver.ALL and place.declaration is None:
        return draft
    return wiring.bring(draft, [host for host in _reached(draft, place) if host.recipient])


def _reached(draft: Draft, place: Place) -> list[Host]:
    scope = place.address.scope
    if isinstance(scope, InFile) or document_of(draft.fleet, scope) != place.path:
        return []
    return [draft.fleet.host(name) for name in draft.fleet.manifest.hosts_of(scope)]


def _refuse_clash(draft: Draft, place: Place) -> None:
    for host in _reached(draft, place):
        names = {one.name for one in delivered(draft.fleet, host)} | {place.address.name}
        for outer, inner in clashes(sorted(names)):
            if place.address.name in (outer, inner):
                raise RepositoryError(
                    f"{outer} beside {inner} on {host.name}: "
                    "a file and a folder of one name cannot both be delivered"
                )
