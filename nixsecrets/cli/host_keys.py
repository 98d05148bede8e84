"""Where a host's key comes from: a file, a scan, a new pair, an age recipient, this machine."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path

import click

from nixsecrets.change import Export
from nixsecrets.cli.app import App, absolute, read_file, refuse_private_half
from nixsecrets.cli.scanning import scanned
from nixsecrets.errors import NixsecretsError, UsageError
from nixsecrets.fleet.load import parse_host_key
from nixsecrets.fleet.model import HostKey, Identity, IdentityFile
from nixsecrets.plans import bootstrap
from nixsecrets.plans.bootstrap import USUAL, Seed
from nixsecrets.plans.draft import Draft
from nixsecrets.system import git

THIS_MACHINE = Path("/etc/ssh/ssh_host_ed25519_key.pub")
_ALGORITHMS = ("ssh-", "ecdsa-", "sk-", "age1")
_OF_SSH = "an SSH host key, as a line or a file, goes with --key"


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """Where the host's key comes from; at most one of the first four."""

    key: str | None
    scan: str | None
    generate: Path | None
    age: str | None
    fingerprint: str | None

    @property
    def given(self) -> bool:
        options = (self.key, self.scan, self.generate, self.age, self.fingerprint)
        return any(option is not None for option in options)


@dataclass(frozen=True, slots=True)
class Obtained:
    key: HostKey
    exports: tuple[Export, ...] = ()
    seed: Seed | None = None

    def into(self, draft: Draft, machine: str) -> Draft:
        """Return the draft with the files of a new pair, and where they belong."""
        if self.seed is not None:
            draft = draft.noting(_journey(self.seed, machine))
        for export in self.exports:
            draft = draft.exporting(export)
        return draft


def key_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options for a host's key, handed over as one `source`."""

    @click.option("--key", metavar="FILE|LINE", help="The host's ssh-ed25519 public key.")
    @click.option("--scan", metavar="ADDR", help="Ask the host by ssh-keyscan.")
    @click.option("--fingerprint", metavar="SHA256:…", help="What the scanned key must be.")
    @click.option(
        "--generate",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        help="Make a new identity; both halves go to DIR, outside any repository.",
    )
    @click.option("--age", metavar="AGE1…", help="An age recipient, for a host without sshd.")
    @wraps(command)
    def with_source(
        *,
        key: str | None,
        scan: str | None,
        fingerprint: str | None,
        generate: Path | None,
        age: str | None,
        **others: object,
    ) -> None:
        command(source=KeyOptions(key, scan, generate, age, fingerprint), **others)

    return with_source


def obtain(
    app: App, options: KeyOptions, machine: str, identity: Identity | None = None
) -> Obtained:
    """Return the public half that is asked for; without a word, this machine's own.

    Args:
        app: this call.
        options: at most one source.
        machine: what the host that is added calls itself.
        identity: where it keeps its private half, for a new one; None: as sshd usually does.
    """
    sources = {
        "--key": options.key,
        "--scan": options.scan,
        "--generate": options.generate,
        "--age": options.age,
    }
    given = [option for option, value in sources.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} were given, and a host has one key")
    if options.fingerprint is not None and options.scan is None:
        raise UsageError("--fingerprint goes with --scan")
    if options.key is not None:
        return Obtained(_from_key(options.key))
    if options.age is not None:
        refuse_private_half(options.age)
        if not options.age.startswith("age1"):
            raise UsageError("--age takes a recipient, which begins with age1", hint=_OF_SSH)
        return Obtained(_parsed(options.age, "--age"))
    if options.scan is not None:
        return Obtained(scanned(app, options.scan, options.fingerprint))
    if options.generate is not None:
        return _generated(absolute(options.generate), machine, identity or USUAL)
    return Obtained(_of_this_machine(app, machine))


def _from_key(key: str) -> HostKey:
    refuse_private_half(key)
    if key.startswith(_ALGORITHMS):
        return _parsed(key, "--key")
    return _parsed(read_file(Path(key)).decode("utf-8", "replace"), key)


def _parsed(text: str, place: str) -> HostKey:
    try:
        return parse_host_key(text)
    except NixsecretsError as error:
        raise error.within(place) from None


def _of_this_machine(app: App, machine: str) -> HostKey:
    if app.host_name != machine:
        raise UsageError(
            f"this machine is {app.host_name}, not {machine}, so its key is not taken",
            hint=f"give --key, --scan, --generate or --age; or --host-name {app.host_name}, "
            "where that is what the host calls itself",
        )
    try:
        return _from_key(str(THIS_MACHINE))
    except UsageError as error:
        hint = (
            "run `ssh-keygen -A` as root, or give --age for a machine without sshd; with NixOS "
            "services.openssh.generateHostKeys = true makes one there too"
        )
        raise UsageError(error.problem, hint=hint) from None


def _journey(seed: Seed, machine: str) -> str:
    if isinstance(seed.identity, IdentityFile):
        return f"bring it to {seed.place} of {machine}, for root alone (0600), then remove it here"
    return f"bring both halves to {seed.place.parent} of {machine}, then remove them"


def _generated(directory: Path, machine: str, identity: Identity) -> Obtained:
    if git.is_work_tree(directory):
        raise UsageError(
            f"{directory} lies in a git work tree, where a private key must never be",
            hint="give a directory outside",
        )
    seed = bootstrap.generate(identity, machine)
    return Obtained(seed.key, bootstrap.exports(seed, directory / seed.place.name, machine), seed)
