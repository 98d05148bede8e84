"""A machine that is rebuilt: a profile with generations, /run of its own, and the real sops.

`nixos-rebuild` is a stand-in. Its systems hold copies of the documents, as the store does, and
their activation decrypts them by sops with the machine's identity, as sops-install-secrets does.
"""

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.openers import of_machine
from tests.cli.rebuilding import DRIVER
from tests.cli.scenes import Ended, Scene
from tests.system.test_ssh import make_pair, unused_port
from tests.tools import require_sops, require_tool

_BUILD = """\
#!{python}
import json, os, pathlib, shutil, subprocess, sys
here = pathlib.Path(__file__).parent
if sys.argv[1:] == ["--help"]:
    sys.exit("nixos-rebuild [--sudo]")
profile = pathlib.Path("{folder}/profiles/system")
numbers = [int(one.name.split("-")[1]) for one in profile.parent.glob("system-*-link")]
number = max(numbers, default=0) + 1
system = pathlib.Path("{folder}/store", str(number))
for document in pathlib.Path().rglob("*secrets.yaml"):
    target = system / document
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(document, target)
shutil.copytree(here / "system", system, dirs_exist_ok=True)
(profile.parent / ("system-%d-link" % number)).symlink_to(system)
profile.unlink(missing_ok=True)
profile.symlink_to("system-%d-link" % number)
activate = system / "bin/switch-to-configuration"
sys.exit(subprocess.run([str(activate), sys.argv[1]]).returncode)
"""
_ACTIVATE = """\
#!{python}
import json, os, pathlib, signal, subprocess, sys
system = pathlib.Path(__file__).resolve().parent.parent
fault = (system / "fault").read_text()
if fault == "activation":
    sys.exit(2)
environment = dict(os.environ, SOPS_AGE_KEY_FILE="{identity}")
for name, document, mode, folder in json.loads((system / "manifest.json").read_text()):
    keys = "".join('["%s"]' % key for key in name.split("/"))
    arguments = ["{sops}", "decrypt", "--extract", keys, str(system / document)]
    value = subprocess.run(arguments, env=environment, check=True, capture_output=True).stdout
    file = pathlib.Path(folder, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    if fault == "missing" and name == "nextcloud/admin-password":
        continue
    file.write_bytes(b"another" if fault == "value" and name == "wifi/psk" else value)
    file.chmod(0o444 if fault == "mode" and name == "restic/password" else int(mode, 8))
if fault == "lost":
    os.kill(int(pathlib.Path("{folder}/sshd.pid").read_text()), signal.SIGTERM)
"""
_DELIVERED = [
    ("nextcloud/admin-password", "systems/hq/secrets.yaml", "0400", "/run/secrets"),
    ("restic/password", "systems/hq/secrets.yaml", "0400", "/run/secrets"),
    ("wifi/psk", "shared/secrets.yaml", "0400", "/run/secrets"),
]
_ENTER = """\
mount --bind "$1" /run; shift;
[ "$1" = "-" ] || "$1" -f "$2"; shift 2;
exec "$@"
"""


@dataclass(frozen=True)
class Machine:
    """The machine hq of a fleet, which is this one, or one behind a real sshd."""

    fleet: Scene
    port: int | None = None

    @property
    def folder(self) -> Path:
        return self.fleet.folder

    def fault(self, kind: str) -> None:
        """Let the systems that are built from now on be wrong."""
        (self.folder / "bin/system/fault").write_text(kind)

    def deliver(self, *entries: tuple[str, str, str, str]) -> None:
        """Let the systems that are built from now on deliver these too."""
        manifest = self.folder / "bin/system/manifest.json"
        manifest.write_text(json.dumps([*_DELIVERED, *entries]))

    def rebuild(self, *arguments: str) -> Ended:
        namespace = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        if os.geteuid() != 0:
            namespace.append("--map-root-user")
        sshd = [require_tool("sshd"), f"{self.folder}/sshd_config"] if self.port else ["-", "-"]
        tool = [sys.executable, "-c", DRIVER, f"{self.folder}/profiles/system", "rebuild"]
        enter = [*namespace, "sh", "-c", _ENTER, "sh", f"{self.folder}/run", *sshd]
        return self.fleet.start(*enter, *tool, "hq", *arguments, "--yes")

    @property
    def generation(self) -> str:
        return str((self.folder / "profiles/system").readlink())

    def shown(self, name: str, folder: str = "secrets") -> str:
        return (self.folder / "run" / folder / name).read_text()

    def note(self) -> str:
        ended = self.fleet.start("git", "notes", "--ref=nixsecrets/hq", "show", "HEAD")
        return ended.text.strip()


def make_machine(fleet: Scene, *, over_ssh: bool = False) -> Machine:
    folder = fleet.folder
    _require_namespace()
    words = {
        "python": sys.executable,
        "folder": folder,
        "identity": of_machine(fleet, "hq"),
        "sops": require_sops(),
    }
    for name in ("bin/system/bin", "profiles", "run/sshd", "store"):
        (folder / name).mkdir(parents=True)
    for name, text in (
        ("nixos-rebuild", _BUILD),
        ("system/bin/switch-to-configuration", _ACTIVATE),
    ):
        file = folder / "bin" / name
        file.write_text(text.format(**words))
        file.chmod(0o755)
    variables = {"PATH": f"{folder}/bin:{os.environ['PATH']}"}
    machine = Machine(fleet.with_variables(**variables))
    machine.deliver()
    machine.fault("")
    if over_ssh:
        port = unused_port()
        _prepare_sshd(folder, port)
        options = f"-F none -i {folder}/user -o UserKnownHostsFile={folder}/known -o BatchMode=yes"
        fleet.edit(
            "nixsecrets.yaml",
            "\nhosts:\n  hq: { ",
            f"\nhosts:\n  hq: {{ address: 'root@127.0.0.1:{port}', ",
        )
        machine = Machine(fleet.with_variables(NIX_SSHOPTS=options, **variables), port)
    else:
        fleet.edit(
            "nixsecrets.yaml",
            "\nhosts:\n  hq: { ",
            f"\nhosts:\n  hq: {{ host-name: {socket.gethostname()}, ",
        )
    fleet.commit()
    return machine


def _prepare_sshd(folder: Path, port: int) -> None:
    for name in ("sshd_key", "user"):
        make_pair(folder / name, "ed25519")
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'sshd_key.pub').read_text()}")
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nPidFile {folder}/sshd.pid\nStrictModes no\n"
        f"UsePAM no\nPermitRootLogin yes\nAuthorizedKeysFile {folder}/user.pub\n"
        f"HostKey {folder}/sshd_key\n"
    )


def _require_namespace() -> None:
    options = [] if os.geteuid() == 0 else ["--map-root-user"]
    arguments = ["unshare", "--mount", "--pid", *options, "--fork", "mount", "--bind", "/", "/"]
    require_tool("unshare")
    if subprocess.run(arguments, capture_output=True, check=False).returncode != 0:
        pytest.skip("no mount namespace can be made here")
