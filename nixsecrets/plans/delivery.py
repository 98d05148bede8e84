"""The files that a host must show after a rebuild, and how what it shows differs from them."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple, Protocol

from nixsecrets.change import digest
from nixsecrets.errors import NoIdentityError
from nixsecrets.fleet.load import Repository
from nixsecrets.fleet.model import Declaration, Host, Template
from nixsecrets.fleet.names import SecretName
from nixsecrets.fleet.templates import Placeholder
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import documents
from nixsecrets.plans.draft import Unlock
from nixsecrets.plans.wiring import wiring_of
from nixsecrets.plans.wiring_text import Platform, Secret
from nixsecrets.sops import document
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.stores.formats import Format, format_of

# Where sops-nix puts what has no `path` (modules/sops/default.nix, modules/sops/templates).
_SECRETS = "/run/secrets"
_FOR_USERS = "/run/secrets-for-users"
_RENDERED = "/run/secrets/rendered"
_MODE = "0400"
_ROOT = "root"


class HostFile(NamedTuple):
    """One file as a host must show it.

    Args:
        address: what findings call it.
        path: absolute, on the host.
        owner: the user's name.
        group: the group's name; None: that of the owner, which only Nix knows.
        mode: permission bits.
        digest: see `sum_of`; None: its content is not compared.
    """

    address: str
    path: str
    owner: str
    group: str | None
    mode: int
    digest: str | None


class Delivery(NamedTuple):
    """What a host must show; of values it holds digests only.

    Args:
        files: each once.
        closed: the documents that no identity opens, so that their contents are not compared.
    """

    files: tuple[HostFile, ...]
    closed: tuple[PurePosixPath, ...]


class Shown(Protocol):
    """A file as a host shows it: the mode in octal digits, the digest as of `sum_of`."""

    @property
    def owner(self) -> str: ...

    @property
    def group(self) -> str: ...

    @property
    def mode(self) -> str: ...

    @property
    def digest(self) -> str: ...


def expected(repository: Repository, host: Host, unlock: Unlock, nonce: str) -> Delivery:
    """Return the files that the wiring of a host means; none where it has no wiring, or is a Mac.

    Secrets that the host's own modules declare are not among them: their owners stand in Nix.

    Args:
        repository: as it is deployed.
        host: which one.
        unlock: opens documents; where it finds no identity, contents are not compared.
        nonce: drawn anew for each comparison, so that a digest tells nobody else anything.

    Raises:
        NixsecretsError: a document is damaged, or the wiring cannot be said.
    """
    path = repository.fleet.layout.wiring(host.name, host.directory)
    if host.recipient is None or repository.sources.find(path) is None:
        return Delivery((), ())
    wiring = wiring_of(repository, host)
    if wiring.platform is not Platform.NIXOS:
        return Delivery((), ())
    contents = _Contents(repository, unlock)
    values = {each.declaration.name: contents.of(each) for each in wiring.secrets}
    secrets = (_secret(one.declaration, values, nonce) for one in wiring.secrets)
    templates = (_template(one, values, nonce) for one in wiring.templates)
    return Delivery((*secrets, *templates), contents.closed)


def sum_of(content: Plaintext, nonce: str) -> str:
    """Return the SHA-256 of nonce, content, nonce, in hexadecimal digits."""
    return digest(nonce.encode() + content.reveal() + nonce.encode())


def differences(delivery: Delivery, shown: Mapping[str, Shown | None]) -> tuple[str, ...]:
    """Return a clause for each thing that a host shows otherwise, or not at all.

    Args:
        delivery: what it must show.
        shown: by path; None, or nothing: there is no such file.
    """
    found = ((file, shown.get(file.path)) for file in delivery.files)
    return tuple(words for file, seen in found for words in _differences(file, seen))


class _Contents:
    """The values of documents, each opened once."""

    def __init__(self, repository: Repository, unlock: Unlock) -> None:
        self._repository = repository
        self._unlock = unlock
        self._opened: dict[PurePosixPath, OpenDocument | None] = {}

    @property
    def closed(self) -> tuple[PurePosixPath, ...]:
        return tuple(path for path, opened in self._opened.items() if opened is None)

    def of(self, secret: Secret) -> Plaintext | None:
        """Return what a secret's file holds; None: not known."""
        opened = self._open(secret.document)
        if opened is None:
            return None
        if not secret.declaration.whole_file:
            found = opened.find(secret.declaration.key_path)
            return document.shown_value(found) if found else None
        match format_of(secret.document.name):
            case Format.YAML | Format.JSON:
                return None  # sops-install-secrets spells a tree in a way of its own
            case Format.DOTENV | Format.INI | Format.BINARY:
                return document.plain_text(opened)

    def _open(self, path: PurePosixPath) -> OpenDocument | None:
        if self._repository.sources.find(path) is None:
            return None
        if path not in self._opened:
            try:
                self._opened[path] = documents.open_at(self._repository, path, self._unlock)
            except NoIdentityError:
                self._opened[path] = None
        return self._opened[path]


def _secret(
    declaration: Declaration, values: Mapping[SecretName, Plaintext | None], nonce: str
) -> HostFile:
    folder = _FOR_USERS if declaration.needed_for_users else _SECRETS
    content = values[declaration.name]
    return _file(declaration, str(declaration.address), folder, content, nonce)


def _template(
    template: Template, values: Mapping[SecretName, Plaintext | None], nonce: str
) -> HostFile:
    pieces: list[bytes] = []
    for piece in template.content:
        value = values.get(piece.name) if isinstance(piece, Placeholder) else None
        if isinstance(piece, Placeholder) and value is None:
            return _file(template, template.address, _RENDERED, None, nonce)
        pieces.append(value.reveal() if value is not None else str(piece).encode())
    content = Plaintext(b"".join(pieces))
    return _file(template, template.address, _RENDERED, content, nonce)


def _file(
    file: Declaration | Template, address: str, folder: str, content: Plaintext | None, nonce: str
) -> HostFile:
    owner = file.owner or _ROOT
    return HostFile(
        address,
        file.path or f"{folder}/{file.name}",
        owner,
        file.group or (_ROOT if owner == _ROOT else None),
        int(file.mode or _MODE, 8),
        None if content is None else sum_of(content, nonce),
    )


def _differences(file: HostFile, seen: Shown | None) -> Iterator[str]:
    if seen is None:
        yield f"{file.address}: {file.path} is not there"
        return
    if seen.owner != file.owner:
        yield f"{file.address}: {file.path} belongs to {seen.owner}, not to {file.owner}"
    if file.group is not None and seen.group != file.group:
        yield f"{file.address}: {file.path} is of the group {seen.group}, not {file.group}"
    if int(seen.mode, 8) != file.mode:
        yield f"{file.address}: {file.path} has the mode {seen.mode}, not {file.mode:04o}"
    if file.digest is not None and seen.digest != file.digest:
        yield f"{file.address}: {file.path} holds another value"
