"""Make a document of a whole text in clear: as it is, or in another format."""

from datetime import datetime
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.age.recipient import Recipient
from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.fleet.access import managed_documents
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import recipients, secrets, wiring
from nixsecrets.plans.draft import Draft
from nixsecrets.sops import conversion, document, sealing
from nixsecrets.sops.document import Document, OpenDocument
from nixsecrets.sops.keygroups import KeyGroups
from nixsecrets.sops.rules import DEFAULT_SELECTION, Selection
from nixsecrets.sops.sealing import Terms
from nixsecrets.sops.stores.formats import Format


class Request(NamedTuple):
    """What is asked of a new document.

    Args:
        name: what errors call the text.
        source: the format of the text in clear.
        target: the format of the document.
        governed: paths whose rule may say the readers, the first that has one.
        recipients: the readers, where they are given; a rule says the rest.
        otherwise: the readers where neither a rule nor the user says them.
        selection: which leaves are encrypted; None: what the rule says.
        mac_only_encrypted: also without a rule that says so.
    """

    name: str
    source: Format
    target: Format
    governed: tuple[PurePosixPath, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    otherwise: tuple[Recipient, ...] = ()
    selection: Selection | None = None
    mac_only_encrypted: bool = False


class Made(NamedTuple):
    """A new document.

    Args:
        draft: with warnings, and the policy's rule if that had to be made.
        content: the document.
        readers: those who open it, in names.
    """

    draft: Draft
    content: bytes
    readers: str


def encrypt(draft: Draft, plaintext: Plaintext, request: Request, now: datetime) -> Made:
    """Return a text in clear as a document.

    Raises:
        RepositoryError: it is sealed already, or none of its format; the other format cannot
            hold it; or nobody is given who reads it.
    """
    try:
        if document.is_sealed(plaintext.reveal(), request.source):
            raise RepositoryError("is encrypted already", hint="nixsecrets edit, set or rotate")
        converted = conversion.convert(plaintext, request.source, request.target)
        draft, readers, terms = _terms(draft, request)
        content = sealing.seal(converted.plaintext, readers, now, terms)
    except NixsecretsError as error:
        raise error.within(request.name) from None
    draft = _warn(draft, request.name, converted.dropped, content, request.target)
    return Made(draft, content, recipients.describe_readers(draft.fleet, readers))


def convert(draft: Draft, opened: OpenDocument, request: Request, now: datetime) -> Made:
    """Return a document's values in another format, sealed under a new data key.

    The readers are those of the rule, else those of the document; so are the leaves that are
    encrypted.

    Raises:
        RepositoryError: the other format cannot hold it; or a reader of the document is known
            to no key file and no policy.
    """
    given, metadata = request, opened.document.metadata
    if not given.recipients and not _governed(draft, given):
        known = recipients.present(draft.fleet, metadata)
        request = request._replace(otherwise=known.recipients)
        if len(known.groups) > 1:
            raise RepositoryError(
                "its data key is split over several key groups",
                hint="give the new document a rule of the policy",
            ).within(request.name)
    if not _governed(draft, given):
        only = metadata.mac_only_encrypted
        request = request._replace(selection=metadata.selection, mac_only_encrypted=only)
    made = encrypt(draft, document.plain_text(opened), request, now)
    bared = _sealed_leaves(opened.document) - _sealed_leaves(
        document.parse(made.content, request.target)
    )
    if bared > 0:
        words = f"{bared} values that are encrypted in {request.name} will stand in clear"
        made = made._replace(draft=made.draft.warning(words))
    return made


def put(made: Made, path: PurePosixPath, what: str) -> Draft:
    """Return the draft with a new document at its path, and the wiring of hosts that read it."""
    draft = made.draft.changed(path, made.content, f"{what} for {made.readers}")
    scopes = (one.scope for one in managed_documents(draft.fleet) if one.path == path)
    for scope in scopes:
        hosts = [draft.fleet.host(name) for name in draft.fleet.manifest.hosts_wired(scope)]
        draft = wiring.bring(draft, [host for host in hosts if host.recipient])
    return draft


def _governed(draft: Draft, request: Request) -> PurePosixPath | None:
    managed = {one.path for one in managed_documents(draft.fleet)}
    policy = draft.fleet.policy
    return next(
        (
            path
            for path in request.governed
            if path in managed or (policy and policy.rule_for(path) is not None)
        ),
        None,
    )


def _terms(draft: Draft, request: Request) -> tuple[Draft, KeyGroups, Terms]:
    path, policy = _governed(draft, request), draft.fleet.policy
    if path is not None and not request.recipients:
        draft, readers, (_form, selection, only) = secrets.terms_of(draft, path)
    else:
        given = request.recipients or request.otherwise
        if not given:
            problem = "no rule of a policy says who is to read it"
            raise RepositoryError(problem, hint="give --age RECIPIENT")
        rule = policy.rule_for(path) if policy and path else None
        readers = KeyGroups((tuple(dict.fromkeys(given)),))
        selection = rule.selection if rule else DEFAULT_SELECTION
        only = rule.mac_only_encrypted if rule else False
    only = only or request.mac_only_encrypted
    return draft, readers, Terms(request.target, request.selection or selection, only)


def _warn(draft: Draft, name: str, dropped: int, content: bytes, target: Format) -> Draft:
    if dropped:
        plural = "s have" if dropped > 1 else " has"
        draft = draft.warning(f"{dropped} comment{plural} no place in {target.value}")
    made = document.parse(content, target)
    if not _sealed_leaves(made):
        draft = draft.warning(f"nothing in {name} is encrypted: no value is chosen by its rule")
    return draft


def _sealed_leaves(known: Document) -> int:
    return sum(state.sealed_as is not None for state in known.leaf_states())
