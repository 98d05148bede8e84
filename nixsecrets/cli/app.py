"""What every command is given: the repository, the identities, the clock."""

import os
import pwd
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath

import click

from nixsecrets.age.recipient import (
    Recipient,
    canonical_text,
    parse_recipient,
    parse_recipients,
)
from nixsecrets.age.sshkey import holds_private_half
from nixsecrets.errors import (
    NixsecretsError,
    NoIdentityError,
    RepositoryError,
    UsageError,
)
from nixsecrets.fleet.access import names_of
from nixsecrets.fleet.layout import MANIFEST
from nixsecrets.fleet.load import Repository, open_repository
from nixsecrets.fleet.model import Host
from nixsecrets.plaintext import Plaintext
from nixsecrets.report.printable import printable
from nixsecrets.sops import document as documents
from nixsecrets.sops.document import Document
from nixsecrets.system import git, interrupted, lock, terminal
from nixsecrets.system.identities import (
    FoundIdentities,
    default_identity_file,
    load_host_identity,
    load_identities,
)

_POLICY = ".sops.yaml"


class App:
    """One call of the tool, which reads; `writing.WritingApp` is one that changes something.

    Args:
        root: the repository's root.
        host_identity: open documents with this machine's SSH host key alone.
    """

    def __init__(self, root: Path, *, host_identity: bool = False) -> None:
        self.root = root
        self.environment: Mapping[str, str] = os.environ
        self.now = datetime.now(UTC)
        self.host_name = os.uname().nodename
        self._host_identity = host_identity

    @cached_property
    def in_git(self) -> bool:
        return git.is_work_tree(self.root)

    @cached_property
    def state(self) -> Path:
        return lock.state_directory(
            self.root, git.git_directory(self.root) if self.in_git else None
        )

    @cached_property
    def index(self) -> git.Index:
        return git.list_paths(self.root) if self.in_git else git.walk(self.root)

    def paths(self) -> frozenset[PurePosixPath]:
        return self._paths

    @cached_property
    def _paths(self) -> frozenset[PurePosixPath]:
        return self.index.tracked | self.index.untracked

    def read(self) -> Repository:
        """Read the repository for a command that changes nothing; an interrupted change is told."""
        words = interrupted.pending(self.state)
        if words:
            tell(f"warning: {words}")
        return open_repository(self.root, self.paths)

    def this_machine(self, repository: Repository) -> Host | None:
        return repository.fleet.this_machine(self.host_name)

    @cached_property
    def identities(self) -> FoundIdentities:
        if self._host_identity:
            return load_host_identity()
        ask = terminal.ask_passphrase if terminal.is_interactive() else None
        return load_identities(self.environment, Path.home(), ask=ask, tell=tell)

    @property
    def default_identity_file(self) -> Path:
        return default_identity_file(self.environment, Path.home())

    def unlock(self, document: Document) -> Plaintext:
        """Return a document's data key; where none opens it, say whose identity would."""
        found = self.identities
        try:
            return documents.open_data_key(document, found.identities)
        except NoIdentityError as error:
            raise NoIdentityError(error.problem, hint=self._hint(document, error)) from None

    def _hint(self, document: Document, error: NixsecretsError) -> str:
        fleet = open_repository(self.root, self.paths).fleet
        names = ", ".join(names_of(fleet, canonical_text(label)) for label in document.recipients)
        repair = "leave --host-identity out" if self._host_identity else error.hint or ""
        refused = [f"not used: {words}" for words in self.identities.refused]
        return "; ".join((f"it is wrapped for {names}", repair, *refused))


def find_app(file: Path | None = None, *, host_identity: bool = False) -> App:
    """Return the call for a command that only reads; arguments and errors as of `find_root`."""
    return App(find_root(file), host_identity=host_identity)


def find_root(file: Path | None = None) -> Path:
    """Return the root of the fleet that the working directory lies in.

    Args:
        file: the document that the user named, if any: without a fleet, `root_for` it counts.

    Raises:
        RepositoryError: there is neither a manifest nor a policy on the way up, nor a document.
    """
    root = _fleet_above(Path.cwd())
    if root is None and file is not None:
        return root_for(file)
    if root is None:
        problem = f"no {MANIFEST} and no {_POLICY} here or above"
        raise RepositoryError(problem, hint="nixsecrets init")
    return root


def _fleet_above(here: Path) -> Path | None:
    for name in (str(MANIFEST), _POLICY):
        for folder in (here, *here.parents):
            if (folder / name).is_file():
                return folder
    return None


def root_for(file: Path) -> Path:
    """Return the root that a file is taken in: its fleet's, else git's, else its folder.

    Of fleets within one another it is that of the working directory, if the file lies in it.
    """
    folder = (Path.cwd() / file).parent.resolve()
    for start in (Path.cwd(), folder):
        root = _fleet_above(start)
        if root is not None and folder.is_relative_to(root.resolve()):
            return root
    return git.find_root(folder) or folder


def new_root() -> Path:
    """Return the root of a repository that is to become a fleet: git's, else this folder."""
    here = Path.cwd()
    return git.find_root(here) or here


def tell(words: str) -> None:
    """Say something beside the result, on stderr."""
    click.echo(f"nixsecrets: {printable(words)}", err=True)


def write_value(value: Plaintext) -> None:
    """Print a value: exact bytes into a pipe, with a newline behind it on a terminal.

    Raises:
        RepositoryError: stdout takes no more.
        BrokenPipeError: its reader went away.
    """
    content = value.reveal()
    ends = b"\n" if sys.stdout.isatty() and not content.endswith(b"\n") else b""
    try:
        sys.stdout.buffer.write(content + ends)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        said = (error.strerror or "refused").lower()
        hint = "see where it leads; what is there now is not whole"
        raise RepositoryError(f"stdout cannot be written: {said}", hint=hint) from None


def in_color() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def absolute(file: Path) -> Path:
    """Return a file that the user named relative to the working directory."""
    return file.absolute()


def read_file(file: Path) -> bytes:
    """Return a file that the user named, in or outside the repository.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        said = (error.strerror or "refused").lower()
        raise UsageError(f"{file} cannot be read: {said}") from None


def path_in(app: App, file: Path) -> PurePosixPath:
    """Return a file that the user named as a path of the repository.

    Raises:
        UsageError: it lies outside.
    """
    absolute = (Path.cwd() / file).parent.resolve() / file.name
    if not absolute.is_relative_to(app.root.resolve()):
        raise UsageError(f"{file} lies outside the repository {app.root}")
    return PurePosixPath(absolute.relative_to(app.root.resolve()))


def lies_in(app: App, file: Path) -> bool:
    """Say whether a file that the user named would lie in the repository; `-` lies nowhere."""
    folder = (Path.cwd() / file).parent.resolve()
    return file != Path("-") and folder.is_relative_to(app.root.resolve())


def parse_recipient_argument(text: str) -> tuple[Recipient, ...]:
    """Return the recipients that an argument is, or that the file it names holds.

    Raises:
        UsageError: it is a private half, which is not repeated, or no file can be read.
        RepositoryError: it is no recipient that can be wrapped to.
    """
    refuse_private_half(text)
    is_file = not text.startswith(("age1", "ssh-"))
    lines = read_file(Path(text)).decode("utf-8", "replace") if is_file else text
    try:
        return parse_recipients(lines) if is_file else (parse_recipient(lines),)
    except NixsecretsError as error:
        raise error.within(text if is_file else "RECIPIENT") from None


def require_manifest(repository: Repository) -> None:
    """Refuse a fleet that has a policy only: its hosts and people have no names.

    Raises:
        RepositoryError: there is no manifest.
    """
    fleet = repository.fleet
    if not fleet.managed:
        raise RepositoryError(
            f"without {MANIFEST} hosts and people are unknown",
            hint=f"edit {fleet.layout.policy} by hand, then run `nixsecrets rekey`",
        )


def refuse_private_half(argument: str) -> None:
    """Refuse an identity where something public belongs; it is not repeated."""
    if holds_private_half(argument):
        raise UsageError(
            "an argument holds a private half, which other users of this machine may have seen",
            hint="give the public half; best make a new pair",
        )


def user_name(app: App) -> str:
    """Return the user's name, for the first admin.

    Raises:
        UsageError: neither the environment nor the machine knows it.
    """
    named = app.environment.get("USER") or app.environment.get("LOGNAME")
    try:
        return named or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        raise UsageError("nothing tells your user name", hint="give --admin NAME") from None


def free_directory(asked: Path) -> Path:
    """Return a folder that the user named, which may be missing.

    Raises:
        UsageError: it holds something.
    """
    if asked.exists() and any(asked.iterdir()):
        raise UsageError(f"{asked} is not empty", hint="name a folder that does not exist")
    return asked.resolve()


def demo_environment(directory: Path) -> Mapping[str, str]:
    """Return an environment with a home of its own: no identities or settings of the user.

    Nor is there a network: locking the flake's inputs would download all of nixpkgs.
    """
    foreign = ("SOPS_", "GIT_", "XDG_", "NIX_SSHOPTS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    home = directory / "home"
    kept.update(
        HOME=str(home),
        USER="miscguy",
        XDG_CONFIG_HOME=str(home / ".config"),
        SOPS_AGE_KEY_FILE=str(home / ".config/sops/age/keys.txt"),
        NIX_CONFIG="download-attempts = 1",  # nix.conf(5); the first one meets the proxy below
        https_proxy="http://127.0.0.1:9",  # the discard port (RFC 863), where nobody answers
        GIT_CONFIG_NOSYSTEM="1",
        GIT_CONFIG_GLOBAL=os.devnull,
        GIT_AUTHOR_NAME="miscguy",
        GIT_AUTHOR_EMAIL="miscguy@example.org",
        GIT_COMMITTER_NAME="miscguy",
        GIT_COMMITTER_EMAIL="miscguy@example.org",
    )
    return kept
