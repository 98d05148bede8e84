"""A small fleet with a remote, a stand-in for nixos-rebuild, and the tool run as a user would."""

import fcntl
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FILES = {
    ".gitignore": "rebuild.log\n",
    ".sops.yaml": "creation_rules: []\n",
    "flake.nix": "{ }\n",
    "notes.txt": "of the people\n",
    "systems/hq/configuration.nix": "{ }\n",
    "systems/t15g/configuration.nix": "{ }\n",
    "systems/t460/configuration.nix": "{ }\n",
    "systems/mac/configuration.nix": "{ }\n",
    "systems/lost/configuration.nix": "{ }\n",
    "systems/vm01/configuration.nix": "{ }\n",
}
MANIFEST = """\
version: 1
hosts:
  hq: {{ attribute: nixhq, host-name: {here} }}
  t15g: {{ attribute: nixt15g, address: root@nixt15g }}
  t460: {{ attribute: nixt460, address: jane@nixt460:2222 }}
  mac: {{ configuration: systems/mac/configuration.nix, address: root@mac }}
  vm01: {{ attribute: vm01, rebuild: {{ engine: print }} }}
  lost: {{ attribute: lost }}
  bare: {{ address: root@bare }}
"""
# Its help is nixos-rebuild's to ask about; every other call is recorded.
STAND_IN = """\
#!{python}
import fcntl, json, os, pathlib, sys
here = pathlib.Path(__file__).parent
if sys.argv[1:] == ["--help"]:
    sys.exit(sys.stdout.write((here / "help").read_text()) and 0)
held = False
state = ".git/nixsecrets" if os.path.exists(".git") else ".nixsecrets"
with open(state + "/lock") as lock:
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        held = True
staged = os.popen("git diff --cached --name-only").read().split()
call = dict(arguments=sys.argv[1:], cwd=os.getcwd(), held=held, staged=staged)
call["options"] = os.environ.get("NIX_SSHOPTS")
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(call) + "\\n")
print("building the system configuration...", file=sys.stderr)
for document in sorted(pathlib.Path().glob("systems/*/secrets.yaml")):
    print(document.read_text(), file=sys.stderr)
print("/nix/store/stand-in")
sys.exit(int((here / "status").read_text()))
"""
# The profile of the machine under the tests is none of NixOS's.
DRIVER = """\
import sys
from pathlib import Path
from nixsecrets.cli import deployment, main
deployment.PROFILE = Path(sys.argv.pop(1))
main()
"""


@dataclass(frozen=True)
class Ended:
    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Place:
    """A temporary folder with the fleet, its bare remote, another clone, and the stand-in."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "fleet"

    @property
    def profile(self) -> Path:
        return self.folder / "profiles/system"

    def rebuild(self, *arguments: str) -> Ended:
        ended = subprocess.run(
            [sys.executable, "-c", DRIVER, str(self.profile), "rebuild", *arguments],
            cwd=self.root,
            env={**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def calls(self) -> list[dict[str, object]]:
        calls = self.folder / "bin/calls"
        return [json.loads(line) for line in calls.read_text().splitlines()]

    def arguments(self) -> list[object]:
        return [call["arguments"] for call in self.calls()]

    def git(self, *arguments: str, folder: str = "fleet") -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=self.folder / folder,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def subjects(self, folder: str = "fleet") -> list[str]:
        return self.git("log", "--format=%s", folder=folder).splitlines()

    def committed(self) -> list[str]:
        return self.git("show", "--format=", "--name-only", "HEAD").splitlines()

    def status(self) -> list[str]:
        return self.git("status", "--porcelain").splitlines()

    def write(self, path: str, text: str, folder: str = "fleet") -> None:
        file = self.folder / folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def commit_elsewhere(self) -> None:
        """Let somebody else push a commit."""
        self.git("clone", "--quiet", "remote.git", "other", folder=".")
        self.git("commit", "--quiet", "--allow-empty", "-m", "theirs", folder="other")
        self.git("push", "--quiet", folder="other")

    def is_locked(self) -> bool:
        with (self.root / ".git/nixsecrets/lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


def make_place(folder: Path) -> Place:
    """Make the fleet committed and pushed, with generation 425 on this machine."""
    place = Place(folder)
    for path, text in FILES.items():
        place.write(path, text)
    place.write("nixsecrets.yaml", MANIFEST.format(here=socket.gethostname()))
    place.git("init", "--quiet")
    place.git("add", ".")
    place.git("commit", "--quiet", "-m", "start")
    place.git("clone", "--quiet", "--bare", "fleet", "remote.git", folder=".")
    place.git("remote", "add", "origin", str(folder / "remote.git"))
    place.git("fetch", "--quiet")
    place.git("branch", "--quiet", "--set-upstream-to=origin/main")
    place.write("status", "0", folder="bin")
    place.write("calls", "", folder="bin")
    place.write("help", "nixos-rebuild [--sudo] [--target-host host]\n", folder="bin")
    place.write("nixos-rebuild", STAND_IN.format(python=sys.executable), folder="bin")
    (folder / "bin/nixos-rebuild").chmod(0o755)
    place.profile.parent.mkdir()
    place.profile.symlink_to("system-425-link")
    return place
