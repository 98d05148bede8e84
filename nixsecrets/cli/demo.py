"""demo: a throwaway fleet, the main job on it, and the proof."""

import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files as package_files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

import click

from nixsecrets.age.identity import generate_identity
from nixsecrets.change import Change, Export, Plan
from nixsecrets.cli.app import demo_environment, free_directory, tell
from nixsecrets.errors import FoundError, ProgramError
from nixsecrets.plaintext import Plaintext
from nixsecrets.system import process, transaction

_SSH_HOSTS = ("hq", "t460", "t15g", "mac")
_NAME = "nextcloud/admin-password"


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where the demo happens.

    Args:
        directory: holds all of it.
        environment: of the programs it runs: a home of its own, none of the user's identities.
    """

    directory: Path
    environment: Mapping[str, str]

    @property
    def fleet(self) -> Path:
        return self.directory / "fleet"

    def host_identity(self, host: str) -> Path:
        return self.directory / "machines" / host / "ssh_host_ed25519_key"


@click.command("demo")
@click.argument("directory", required=False, type=click.Path(path_type=Path, file_okay=False))
def command(directory: Path | None) -> None:
    """Make a throwaway fleet of five machines and run the main job on it, each command shown.

    It lies in DIRECTORY, which must not hold anything, or in a new temporary one. The machines
    are made up; their keys and the encryption are real. Your own identities are not looked at.
    """
    asked = directory and free_directory(directory)
    stage = _set_up(asked or transaction.temporary_directory("nixsecrets-demo-"))
    _say("a flake of three machines and two without, with SSH host keys of their own")
    _run(stage, "init", "--admin", "miscguy", "--yes")
    for host in _SSH_HOSTS:
        public = str(stage.host_identity(host).with_suffix(".pub"))
        _run(stage, "add-host", host, "--key", public, "--address", f"nix{host}", "--yes")
    recipient = _identity_of_vm(stage)
    on_host = "/var/lib/sops-nix/key.txt"
    _run(stage, "add-host", "vm01", "--age", recipient, "--identity-file", on_host, "--yes")
    _run(stage, "set", _NAME, "--host", "hq", "--generate", "--yes")
    _run(stage, "wire", "--yes")
    _run(stage, "check")
    _run(stage, "rotate", "data-keys", "--yes")
    _run(stage, "rebuild", "hq", "--dry-run")
    _prove(stage)
    _say(f"the fleet lies in {stage.fleet}")
    _say(f"to look around: export SOPS_AGE_KEY_FILE={stage.environment['SOPS_AGE_KEY_FILE']}")


def _set_up(directory: Path) -> _Stage:
    stage = _Stage(directory, demo_environment(directory))
    _git(stage, "init", str(stage.fleet))
    files = ((PurePosixPath(".gitignore"), b"rebuild.log\n"), *_files())
    changes = tuple(Change(path, None, content) for path, content in files)
    notes = tuple(
        Export(
            stage.host_identity(host).with_name("README"),
            Plaintext(f"What {host} alone has: its SSH host key, made by ssh-keygen.\n".encode()),
            f"a note on {host}",
        )
        for host in _SSH_HOSTS
    )
    _write(stage, Plan("make a fleet", changes, notes))
    _git(stage, "-C", str(stage.fleet), "add", ".")
    _git(stage, "-C", str(stage.fleet), "commit", "--message", "the fleet")
    for host in _SSH_HOSTS:
        file = str(stage.host_identity(host))
        options = ("-q", "-t", "ed25519", "-N", "", "-C", f"root@{host}", "-f", file)
        process.output(("ssh-keygen", *options), environment=stage.environment)
    return stage


def _git(stage: _Stage, *arguments: str) -> None:
    branch = ("-c", "init.defaultBranch=main")
    process.output(("git", *branch, *arguments), environment=stage.environment)


def _write(stage: _Stage, plan: Plan) -> None:
    transaction.apply(stage.fleet, stage.fleet / ".git" / "nixsecrets", plan)


def _files() -> Iterator[tuple[PurePosixPath, bytes]]:
    yield from _below(package_files("nixsecrets") / "demo" / "fleet", PurePosixPath())


def _below(folder: Traversable, path: PurePosixPath) -> Iterator[tuple[PurePosixPath, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _below(entry, path / entry.name)
        elif entry.name.endswith(".nix"):
            yield path / entry.name, entry.read_bytes()


def _identity_of_vm(stage: _Stage) -> str:
    """Make the age identity of the machine without sshd, and return its recipient."""
    content, recipient = generate_identity()
    file = stage.directory / "machines" / "vm01" / "key.txt"
    _write(stage, Plan("age identity", exports=(Export(file, content, "age identity of vm01"),)))
    return recipient.text


def _run(stage: _Stage, *arguments: str) -> None:
    _show(arguments)
    status = process.stream(_program(arguments), environment=stage.environment, cwd=stage.fleet)
    if status != 0:
        raise ProgramError(f"the step ended with status {status}: {shlex.join(arguments)}")


def _prove(stage: _Stage) -> None:
    """Open the value with one machine's SSH host key alone, and fail to with another's."""
    _say("the proof: each machine has its SSH host key and nothing else")
    opened = _opened_by(stage, "hq")
    closed = _opened_by(stage, "t15g")
    if not opened or closed:
        raise FoundError("the proof failed: hq's key alone must open the value, t15g's must not")
    _say("hq's SSH host key opens the password; t15g's does not")


def _opened_by(stage: _Stage, host: str) -> bool:
    file = stage.host_identity(host)
    environment = {
        name: value for name, value in stage.environment.items() if not name.startswith("SOPS_")
    }
    environment["HOME"] = str(file.parent)
    environment["XDG_CONFIG_HOME"] = str(file.parent)
    environment["SOPS_AGE_SSH_PRIVATE_KEY_FILE"] = str(file)
    arguments = ("get", f"host/hq:{_NAME}")
    click.echo(f"\n$ SOPS_AGE_SSH_PRIVATE_KEY_FILE={file} nixsecrets {shlex.join(arguments)}")
    ended = process.run(_program(arguments), environment=environment, cwd=stage.fleet)
    if ended.status == 0:
        click.echo(f"({len(ended.stdout)} characters, not shown)")
    else:
        click.echo(ended.stderr.decode("utf-8", "replace").rstrip())
    return ended.status == 0


def _program(arguments: tuple[str, ...]) -> tuple[str, ...]:
    return (sys.executable, "-m", "nixsecrets", *arguments)


def _show(arguments: tuple[str, ...]) -> None:
    click.echo(f"\n$ nixsecrets {shlex.join(arguments)}")
    sys.stdout.flush()


def _say(words: str) -> None:
    click.echo("")
    tell(words)
