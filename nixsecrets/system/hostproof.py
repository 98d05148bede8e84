"""Whether a machine holds the private half of its recorded SSH host key, and where that is kept.

`ssh-keyscan` stops before the host signs anything, so what it shows proves nothing. Here a real
key exchange takes place, in which the host signs with that key (RFC 4253, section 8); ssh accepts
the recorded key alone and asks for authentication only after it has checked the signature.
"""

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path, PurePosixPath

from nixsecrets.plaintext import Plaintext
from nixsecrets.system import disk, lock
from nixsecrets.system.memory import private_folder
from nixsecrets.system.process import run
from nixsecrets.system.refusal import told
from nixsecrets.system.ssh import Address

_PROVED = "proved.json"
_TIMEOUT_S = 5
_OPTIONS = {
    "IgnoreUnknown": "KnownHostsCommand",  # before OpenSSH 8.5
    "BatchMode": "yes",
    "ConnectTimeout": str(_TIMEOUT_S),
    "ControlMaster": "no",
    "ControlPath": "none",
    "GlobalKnownHostsFile": "/dev/null",
    "HostKeyAlgorithms": "ssh-ed25519",
    "KnownHostsCommand": "none",
    "LogLevel": "INFO",  # what is looked for below is not said quietly
    "NoHostAuthenticationForLocalhost": "no",
    "PreferredAuthentications": "none",
    "RemoteCommand": "none",
    "StrictHostKeyChecking": "yes",
    "UpdateHostKeys": "no",
    "VerifyHostKeyDNS": "no",
}
# What ssh says when the host key was accepted, and when it was not (sshconnect.c, sshconnect2.c).
_ACCEPTED = "Permission denied ("
_OTHER = ("Host key verification failed", "no matching host key type found")


class Proof(Enum):
    HELD = "held"
    OTHER = "other"
    """It answers with another key."""
    UNKNOWN = "unknown"
    """Nobody answered, or not as an SSH server does."""


def prove(address: Address, public: str, folder: Path, options: Sequence[str] = ()) -> Proof:
    """Ask a machine to prove that it holds the private half of `TYPE BASE64`; it runs nothing.

    Args:
        address: where it answers.
        public: the recorded key; the only one that is accepted, under any name.
        folder: where a list of that one known host may lie for a moment.
        options: of ssh, see `ssh.options_from`.

    Raises:
        ProgramError: ssh cannot be started.
    """
    with private_folder({}, folder) as private:
        line = Plaintext(f"* {public}\n".encode())
        file = private.write(PurePosixPath("known_hosts"), line)
        given = {**_OPTIONS, "UserKnownHostsFile": str(file), "HostKeyAlias": "recorded"}
        chosen = [word for key, value in given.items() for word in ("-o", f"{key}={value}")]
        port = ("-p", str(address.port)) if address.port else ()
        ended = run(("ssh", *chosen, *options, *port, "--", address.destination, "true"))
    said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
    last = said[-1] if said else ""  # a host that is jumped over speaks before
    if ended.status == 0 or _ACCEPTED in last:
        return Proof.HELD
    return Proof.OTHER if any(words in last for words in _OTHER) else Proof.UNKNOWN


def load_proofs(state: Path) -> Mapping[str, str]:
    """Return by host the recipient whose possession it has proved from here; none: never asked."""
    file = state / _PROVED
    with told(file):
        if not file.is_file():
            return {}
        content = file.read_bytes()
    try:
        data: object = json.loads(content)
    except ValueError:
        return {}
    if not isinstance(data, dict):
        return {}
    return {str(host): str(recipient) for host, recipient in data.items()}


def record_proofs(state: Path, proved: Mapping[str, str]) -> None:
    """Remember what hosts have proved, beside what is known already."""
    known = {**load_proofs(state), **proved}
    lock.make_state(state)
    draft = state / f"{_PROVED}.new"
    disk.remove_file(draft)
    disk.write_file(draft, json.dumps(known, sort_keys=True).encode(), 0o600)
    disk.rename(draft, state / _PROVED)
