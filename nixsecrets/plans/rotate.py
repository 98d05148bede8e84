"""Renew: new data keys for documents."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import PurePosixPath

from nixsecrets.errors import NixsecretsError
from nixsecrets.plans import documents, recipients
from nixsecrets.plans.draft import Draft, Unlock
from nixsecrets.plans.recipients import NOTHING_ASKED, Asked
from nixsecrets.sops import sealing
from nixsecrets.sops.document import Document
from nixsecrets.sops.keygroups import KeyGroups


def data_keys(
    draft: Draft,
    paths: Iterable[PurePosixPath],
    unlock: Unlock,
    now: datetime,
    asked: Asked = NOTHING_ASKED,
) -> Draft:
    """Return the draft with every value of the documents sealed anew under new data keys.

    A document's recipients become the policy's; where no rule governs it, they stay, provided
    that key files or the policy know them.

    Args:
        draft: so far.
        paths: the documents.
        unlock: opens them.
        now: the time of the change.
        asked: what was said of recipients beside that.

    Raises:
        NoIdentityError: one of the documents does not open.
        IntegrityError: one of them is damaged.
        RepositoryError: services other than age hold its data key too.
    """
    for path in dict.fromkeys(paths):
        opened = documents.open_at(draft.repository, path, unlock)
        wanted = _wanted(draft, path, opened.document, asked)
        try:
            content = sealing.new_data_key(opened, wanted, now)
        except NixsecretsError as error:
            raise error.within(path) from None
        difference = recipients.drift(draft.repository, path, opened.document)
        changed = (
            recipients.describe(asked.known_by or draft.fleet, difference) if difference else ""
        )
        draft = draft.changed(path, content, f"new data key{'; ' if changed else ''}{changed}")
    return draft


def _wanted(draft: Draft, path: PurePosixPath, document: Document, asked: Asked) -> KeyGroups:
    intended = recipients.intended(draft.fleet, path, asked)
    if intended is not None:
        return intended
    try:
        return recipients.present(draft.fleet, document.metadata, asked)
    except NixsecretsError as error:
        raise error.within(path) from None
