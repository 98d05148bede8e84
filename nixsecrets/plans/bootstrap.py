"""A machine's identity before the machine exists: made, laid out for an installer, in escrow."""

import shlex
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nixsecrets.age.identity import generate_identity, parse_identities
from nixsecrets.age.ssh import generate_ed25519
from nixsecrets.age.sshfile import parse_openssh
from nixsecrets.change import PUBLIC_MODE, Export
from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.address import Place
from nixsecrets.fleet.load import Repository, parse_host_key
from nixsecrets.fleet.model import (
    Address,
    Host,
    HostKey,
    Identity,
    IdentityFile,
    IdentitySsh,
    InFile,
)
from nixsecrets.fleet.names import HostName, SecretName
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import documents, hosts, leaving, secrets
from nixsecrets.plans.draft import Draft, Unlock

USUAL = IdentitySsh(("/etc/ssh/ssh_host_ed25519_key",))
_SSH_LEAF = "ssh_host_ed25519_key"
_AGE_LEAF = "age_identity"


class Seed(NamedTuple):
    """What a machine is given before it exists.

    Args:
        key: the public half.
        private: the file with the private half.
        identity: where the machine keeps it; of several paths the first.
    """

    key: HostKey
    private: Plaintext
    identity: Identity

    @property
    def place(self) -> PurePosixPath:
        """The absolute path of the private half on the machine."""
        match self.identity:
            case IdentityFile(path):
                return PurePosixPath(path)
            case IdentitySsh(paths):
                return PurePosixPath(paths[0])

    @property
    def kind(self) -> str:
        match self.identity:
            case IdentityFile():
                return "age identity"
            case IdentitySsh():
                return "host key"


def generate(identity: Identity, machine: str) -> Seed:
    """Make a new identity of the sort that a machine keeps: an age identity or an SSH host key."""
    match identity:
        case IdentityFile():
            private, recipient = generate_identity()
            return Seed(parse_host_key(recipient.text), private, identity)
        case IdentitySsh():
            private, public = generate_ed25519(f"root@{machine}")
            return Seed(parse_host_key(public.line), private, identity)


def add(draft: Draft, new: hosts.NewHost, unlock: Unlock) -> Draft:
    """Return the draft with a host that is not installed yet; as `hosts.add` does.

    Raises:
        RepositoryError: it has a key already; else as of `hosts.add`.
    """
    for host in draft.fleet.hosts:
        if host.name == new.name and host.recipient is not None:
            raise RepositoryError(
                f"{new.name} has a key already, and `bootstrap` is for a machine without one",
                hint=f"`nixsecrets rotate host {new.name} --generate DIR` makes a new one; "
                "--from-escrow lays out the one that was kept",
            )
    return hosts.add(draft, new, unlock)


def lay_out(draft: Draft, name: HostName, seed: Seed, directory: Path) -> Draft:
    """Return the draft with a tree of files for the root of a machine, and what to do with it.

    Args:
        draft: so far, with the host.
        name: of the host.
        seed: its identity.
        directory: absolute; becomes the machine's root.
    """
    host = draft.fleet.host(name)
    for export in exports(seed, directory / seed.place.relative_to("/"), host.host_name):
        draft = draft.exporting(export._replace(passable=_passable(seed, directory)))
    draft = draft.noting(_installation(host, directory))
    if seed.identity != USUAL and isinstance(seed.identity, IdentitySsh):
        draft = draft.noting(
            f"sshd of {host.host_name} must use it: services.openssh.hostKeys = [ {{ path = "
            f'"{seed.place}"; type = "ed25519"; }} ]; what it is mounted from, neededForBoot'
        )
    return draft.noting(f"when it runs, remove {directory}: it holds a private half")


def exports(seed: Seed, file: Path, machine: str) -> tuple[Export, ...]:
    """Return the files of an identity: the private half, and with SSH the public one beside it."""
    private = Export(file, seed.private, f"private {seed.kind} of {machine}")
    match seed.identity:
        case IdentityFile():
            return (private,)
        case IdentitySsh():
            line = Plaintext(f"{seed.key.public_key}\n".encode())
            what = f"public {seed.kind} of {machine}"
            return (private, Export(Path(f"{file}.pub"), line, what, PUBLIC_MODE))


def keep(draft: Draft, name: HostName, seed: Seed, unlock: Unlock, now: datetime) -> Draft:
    """Return the draft with the private half in a document that admins alone read.

    Raises:
        RepositoryError: a rule of the people's would let others read it.
        NoIdentityError: there is such a document, and it does not open.
    """
    place = _escrow(draft.repository, name, seed.identity)
    draft = secrets.set_value(draft, place, seed.private, unlock, now)
    return draft.noting(
        f"every admin can open {place.path}; when the machine runs: `nixsecrets hosts --verify "
        f"{name}`, then `nixsecrets bootstrap {name} --drop-escrow`"
    )


def from_escrow(repository: Repository, name: HostName, unlock: Unlock) -> Seed:
    """Return the identity that was kept for a host.

    Raises:
        RepositoryError: none was kept, or it is not the host's any more.
        NoIdentityError: no identity opens the document.
    """
    host = repository.fleet.host(name)
    identity = host.identity or USUAL
    place = _escrow(repository, name, identity)
    _require_escrow(repository, name)
    found = documents.value_at(repository, place.path, place.key_path, unlock)
    if found is None or found.value is None:
        raise RepositoryError(
            f"has no {place.address.name}, which {name} is to have by the manifest's `identity`"
        ).within(place.path)
    seed = Seed(_public_half(identity, found.value, name), found.value, identity)
    if seed.key.recipient != host.recipient:
        raise RepositoryError(
            f"holds another key than {name} has now",
            hint=f"`nixsecrets bootstrap {name} --drop-escrow` takes it away",
        ).within(place.path)
    return seed


def drop_escrow(draft: Draft, name: HostName) -> Draft:
    """Return the draft without the document that keeps a host's private half, and its rule.

    Raises:
        RepositoryError: none is kept.
    """
    host = draft.fleet.host(name)
    _require_escrow(draft.repository, host.name)
    draft = leaving.without_documents(draft, [draft.fleet.layout.host_key_document(host.name)])
    return draft.noting(
        f"git's history keeps it: who could open it may still have that key; "
        f"`nixsecrets rotate host {name}` makes it worthless for what is written from then on"
    )


def _installation(host: Host, directory: Path) -> str:
    if host.attribute is None:
        return f"bring what lies in {directory} to the root of {host.host_name}, owned by root"
    tree, flake = shlex.quote(str(directory)), shlex.quote(f".#{host.attribute}")
    address = host.address or "root@ADDRESS"
    return (
        "install it: nix run github:nix-community/nixos-anywhere -- "
        f"--extra-files {tree} --flake {flake} {address}"
    )


def _passable(seed: Seed, directory: Path) -> frozenset[Path]:
    """Return the folders that all may pass through; an age identity's own is not one of them."""
    parents = (directory / seed.place.relative_to("/")).parents
    inside = [folder for folder in parents if directory in folder.parents]
    match seed.identity:
        case IdentityFile():
            return frozenset(inside[1:])
        case IdentitySsh():
            return frozenset(inside)


def _escrow(repository: Repository, name: HostName, identity: Identity) -> Place:
    path = repository.fleet.layout.host_key_document(name)
    leaf = _AGE_LEAF if isinstance(identity, IdentityFile) else _SSH_LEAF
    return Place(path, (leaf,), Address(InFile(path), SecretName(leaf)), None)


def _require_escrow(repository: Repository, name: HostName) -> None:
    path = repository.fleet.layout.host_key_document(name)
    if repository.sources.find(path) is None:
        raise RepositoryError(
            f"no key of {name} is kept in escrow",
            hint=f"{path} would hold it, had it been made with `bootstrap NAME DIR --escrow`",
        )


def _public_half(identity: Identity, private: Plaintext, name: HostName) -> HostKey:
    match identity:
        case IdentityFile():
            found = parse_identities(private, f"the identity of {name}").identities
            recipient = found[0].recipient if found else None
            if recipient is None:
                raise RepositoryError(f"what is kept for {name} is no age identity")
            return parse_host_key(recipient.text)
        case IdentitySsh():
            public = parse_openssh(private.reveal().decode(errors="replace").strip()).public
            return parse_host_key(public._replace(comment=f"root@{name}").line)
