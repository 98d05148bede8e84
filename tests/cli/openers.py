"""Who opens what: every document of a fleet tried with every identity, by us and by sops."""

import os
import subprocess
from collections.abc import Mapping
from hashlib import sha512
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from nixsecrets.age import bech32
from nixsecrets.age.identity import Identity, parse_identities
from nixsecrets.errors import NoIdentityError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import document
from tests.cli.scenes import Scene
from tests.tools import require_sops

_PREFIX = "AGE-SECRET-KEY-"


def of_machine(scene: Scene, machine: str) -> Path:
    """Return an age identity file of a machine's SSH host key, as sops-nix converts it."""
    key = load_ssh_private_key(scene.key(machine).read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    file = scene.folder / f"{machine}.age"
    secret = sha512(key.private_bytes_raw()).digest()[:32]
    file.write_text(f"{bech32.encode(_PREFIX.lower(), secret).upper()}\n")
    return file


def of_person(scene: Scene, name: str) -> Path:
    """Make an age identity file for somebody."""
    file = scene.folder / f"{name}.age"
    secret = sha512(os.urandom(32)).digest()[:32]
    file.write_text(f"{bech32.encode(_PREFIX.lower(), secret).upper()}\n")
    return file


def everyone(scene: Scene) -> dict[str, Path]:
    """Return the identities of all machines, and of all people that `of_person` made."""
    machines = {file.parent.name for file in scene.folder.glob("machines/*/ssh_host_ed25519_key")}
    people = {file.stem: file for file in scene.folder.glob("*.age")}
    return people | {machine: of_machine(scene, machine) for machine in machines}


def recipient_of(file: Path) -> str:
    recipient = _identities(file)[0].recipient
    assert recipient is not None
    return recipient.text


def openers(scene: Scene, files: Mapping[str, Path]) -> dict[str, set[str]]:
    """Return who opens each document of the tree; we and the real sops must agree."""
    found = {}
    for file in sorted(scene.root.rglob("*.yaml")):
        path = str(file.relative_to(scene.root))
        if b"\nsops:\n" in file.read_bytes():
            ours = {name for name, one in files.items() if _we_open(file, one)}
            theirs = {name for name, one in files.items() if _sops_opens(scene, file, one)}
            assert ours == theirs, path
            found[path] = ours
    return found


def _identities(file: Path) -> tuple[Identity, ...]:
    return parse_identities(Plaintext(file.read_bytes()), file.name).identities


def _we_open(file: Path, identity: Path) -> bool:
    sealed = document.parse(file.read_bytes())
    try:
        data_key = document.open_data_key(sealed, _identities(identity))
    except NoIdentityError:
        return False
    document.open_document(sealed, data_key)
    return True


def _sops_opens(scene: Scene, file: Path, identity: Path) -> bool:
    environment = {**scene.environment, "SOPS_AGE_KEY_FILE": str(identity)}
    environment["HOME"] = environment["XDG_CONFIG_HOME"] = str(scene.folder / "nobody")
    ended = subprocess.run(
        [require_sops(), "decrypt", str(file)], env=environment, capture_output=True, check=False
    )
    assert ended.returncode in (0, 128), ended.stderr
    return ended.returncode == 0
