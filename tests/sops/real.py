"""The real sops, as an oracle."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from nixsecrets.age.identity import Identity, generate_identity, parse_identities
from nixsecrets.age.recipient import Recipient
from nixsecrets.plaintext import Plaintext

_FAST = {"GOMAXPROCS": "1", "GOGC": "off"}
"""Go's own variables: a program that ends at once needs no threads and collects no garbage."""


@dataclass(frozen=True)
class RealSops:
    """The real program with one identity, in a folder that no `.sops.yaml` governs.

    Args:
        program: path of sops.
        folder: where it runs.
        identity: what it opens documents with.
        secret: the text of that identity.
    """

    program: str
    folder: Path
    identity: Identity
    secret: Plaintext

    @property
    def recipient(self) -> Recipient:
        return self.identity.recipient

    def run(
        self,
        *arguments: str,
        content: bytes,
        secret: Plaintext | None = None,
        ssh: Path | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run on a file that holds `content`; what it does in place is found in that file."""
        self.file.write_bytes(content)
        own = {"SOPS_AGE_SSH_PRIVATE_KEY_FILE": str(ssh)} if ssh else {}
        secret = secret or self.secret
        return subprocess.run(
            [self.program, *arguments],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "SOPS_AGE_KEY": secret.reveal().decode(),
            }
            | _FAST
            | own,
            capture_output=True,
            check=False,
        )

    def output(self, *arguments: str, content: bytes) -> bytes:
        """Return what it prints; an exit status other than 0 fails the test."""
        return _stdout(self.run(*arguments, content=content))

    @property
    def file(self) -> Path:
        return self.folder / "document.yaml"

    def encrypt(self, content: bytes, *options: str, to: str | None = None) -> bytes:
        arguments = ("encrypt", "--age", to or self.recipient.text, *options, self.file.name)
        return _stdout(self.run(*arguments, content=content))

    def decrypt(self, content: bytes, *options: str, secret: Plaintext | None = None) -> bytes:
        return _stdout(
            self.run("decrypt", *options, self.file.name, content=content, secret=secret)
        )

    def edit(self, content: bytes, command: str, *arguments: str) -> bytes:
        """Return what a command that works in place makes of `content`."""
        _stdout(self.run(command, *arguments, content=content))
        return self.file.read_bytes()


def make_identity() -> tuple[Identity, Plaintext]:
    secret, _recipient = generate_identity()
    (identity,) = parse_identities(secret, "the test").identities
    return identity, secret


def _stdout(done: subprocess.CompletedProcess[bytes]) -> bytes:
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
