"""Let a user read, with an identity of its own, what stands at its home on a host."""

from nixsecrets.age.recipient import Recipient
from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.access import document_of
from nixsecrets.fleet.model import AtHome, Fleet
from nixsecrets.fleet.names import HostName, UserName
from nixsecrets.plans import policy, recipients, wiring
from nixsecrets.plans.draft import Draft, Unlock


def add_key(
    draft: Draft, host: HostName, user: UserName, added: tuple[Recipient, ...], unlock: Unlock
) -> Draft:
    """Return the draft with a user's recipients in key file, policy and the home's document.

    A known user's recipients are added to; none is taken away.

    Raises:
        RepositoryError: the host is unknown, or a recipient is a host's: it would read what is
            the user's alone.
        NoIdentityError: the home's document does not open.
    """
    machine = draft.fleet.host(host)
    _refuse_hosts(draft.fleet, added)
    draft = _into_key_file(draft, host, user, added)
    scope = AtHome(host, user)
    path = document_of(draft.fleet, scope)
    draft = policy.bring_rule_of(draft, path)
    if draft.repository.sources.find(path) is not None:
        draft = recipients.bring(draft, [path], unlock)
    is_declared = any(declaration.scope == scope for declaration in draft.fleet.declarations)
    if is_declared and machine.recipient is not None:
        return wiring.bring(draft, [machine])
    return draft


def _refuse_hosts(fleet: Fleet, added: tuple[Recipient, ...]) -> None:
    asked = set(map(recipients.opened_alike, added))
    for host in fleet.hosts:
        if host.recipient is not None and host.recipient.text in asked:
            raise RepositoryError(
                f"that recipient is the one of the host {host.name}, and a home is the user's",
                hint="make an identity for the user: age-keygen, or ssh-keygen -t ed25519",
            )


def _into_key_file(
    draft: Draft, host: HostName, user: UserName, added: tuple[Recipient, ...]
) -> Draft:
    path = draft.fleet.layout.user_key(host, user)
    source = draft.repository.sources.find(path)
    text = source.content.decode() if source else ""
    present = draft.fleet.user(host, user).recipients
    new = [recipient for recipient in dict.fromkeys(added) if recipient not in present]
    if text and not text.endswith("\n"):
        text += "\n"
    text += "".join(f"{recipient.label}\n" for recipient in new)
    draft = draft.changed(path, text.encode(), *(f"+ {recipient.text}" for recipient in new))
    return draft._replace(repository=draft.repository.interpreted())
