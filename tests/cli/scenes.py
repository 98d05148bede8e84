"""Temporary fleets, and the tool run on them as a user would run it."""

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path

TOOL = (sys.executable, "-m", "nixsecrets")
MARKER = "correct-horse-battery-staple"
MACHINES = ("hq", "t460", "t15g", "mac")
_FOREIGN = ("SOPS_", "NIX", "GIT_", "XDG_", "EDITOR", "VISUAL", "COLUMNS", "NO_COLOR")


@dataclass(frozen=True)
class Ended:
    """A process that ended; stdout as bytes, since values are bytes."""

    status: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout.decode()


@dataclass(frozen=True)
class Scene:
    """A folder with a repository, a home of its own, and the machines' SSH host keys.

    Args:
        folder: holds all of it.
        variables: added to the environment.
    """

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.folder / "fleet"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def identity_file(self) -> Path:
        return self.home / ".config/sops/age/keys.txt"

    def key(self, machine: str) -> Path:
        """Return a machine's private SSH host key; its public half lies beside it."""
        return self.folder / "machines" / machine / "ssh_host_ed25519_key"

    def public(self, machine: str) -> str:
        return str(self.key(machine).with_suffix(".pub"))

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith(_FOREIGN)}
        return kept | {
            "HOME": str(self.home),
            "USER": "miscguy",
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_GLOBAL": str(self.home / ".gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "NIX_CONFIG": "download-attempts = 1",
            "https_proxy": "http://127.0.0.1:9",
            **self.variables,
        }

    def with_variables(self, **variables: str) -> "Scene":
        return Scene(self.folder, {**self.variables, **variables})

    def run(self, *arguments: str, stdin: bytes = b"", folder: str = "fleet") -> Ended:
        return self.start(*TOOL, *arguments, stdin=stdin, folder=folder)

    def start(self, *arguments: str, stdin: bytes = b"", folder: str = "fleet") -> Ended:
        ended = subprocess.run(
            arguments,
            env=self.environment,
            cwd=self.folder / folder,
            input=stdin,
            capture_output=True,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr.decode())

    def done(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run the tool, which is to end with 0, and return its stdout."""
        ended = self.run(*arguments, stdin=stdin)
        assert ended.status == 0, ended
        return ended.text

    def git(self, *arguments: str) -> str:
        ended = self.start("git", *arguments)
        assert ended.status == 0, ended
        return ended.text

    def commit(self) -> None:
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "a step")

    def talk(
        self,
        arguments: tuple[str, ...],
        *turns: tuple[str, str],
        meanwhile: Callable[[], object] = lambda: None,
    ) -> tuple[int, str]:
        """Run the tool at a terminal; for each turn wait for the prompt, do `meanwhile`, type.

        Returns:
            Its status, and everything that the screen showed.
        """
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.root)
            os.execve(sys.executable, [*TOOL, *arguments], self.environment)  # noqa: S606  # at a terminal of its own
        screen = ""
        for prompt, typed in turns:
            seen = ""
            while prompt not in seen:
                seen += os.read(terminal, 4096).decode()
            meanwhile()
            os.write(terminal, typed.encode())
            screen += seen
        screen += _rest(terminal)
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        return os.waitstatus_to_exitcode(status), screen.replace("\r\n", "\n")

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def edit(self, path: str, old: str, new: str) -> None:
        text = self.read(path)
        assert old in text, (path, old)
        self.write(path, text.replace(old, new, 1))

    def tree(self) -> dict[str, tuple[int, bytes]]:
        """Return mode and content of every file, git's index and the journal's folder included.

        The lock stays behind, and is no part of a change; nor are git's own objects and caches.
        """
        return {
            str(file.relative_to(self.folder)): (file.lstat().st_mode, _content(file))
            for file in sorted(self.folder.rglob("*"))
            if ".git" not in file.parts or "nixsecrets" in file.parts
            if file.name not in ("lock", "nixsecrets")
        } | {"index": (0, self.git("ls-files", "--stage").encode())}


def copied(template: Scene, folder: Path) -> Scene:
    shutil.copytree(template.folder, folder, symlinks=True, dirs_exist_ok=True)
    return Scene(folder)


def make_bare(folder: Path) -> Scene:
    """Make a flake of machines that knows no secrets yet; the user has no identity."""
    scene = Scene(folder)
    scene.home.mkdir()
    (scene.home / ".gitconfig").write_text(
        "[user]\n\tname = Test\n\temail = test@example.org\n[init]\n\tdefaultBranch = main\n"
    )
    with as_file(files("nixsecrets") / "demo" / "fleet") as fleet:
        shutil.copytree(fleet, scene.root)
    scene.write(".gitignore", "rebuild.log\n")
    scene.git("init", "--quiet")
    scene.commit()
    for machine in MACHINES:
        file = scene.key(machine)
        file.parent.mkdir(parents=True)
        options = ("-q", "-t", "ed25519", "-N", "", "-C", f"root@{machine}", "-f", str(file))
        assert scene.start("ssh-keygen", *options).status == 0
    return scene


def make_fleet(bare: Scene, folder: Path) -> Scene:
    """Make a fleet with an admin, hq and t460 (in the group laptops), and a few values."""
    scene = copied(bare, folder)
    scene.done("init", "--admin", "miscguy", "--yes")
    scene.edit("nixsecrets.yaml", "\nhosts:", "\ngroups:\n  laptops: { hosts: [t460] }\n\nhosts:")
    for host in ("hq", "t460"):
        scene.done("add-host", host, "--key", scene.public(host), "--yes")
    for address, value in (
        ("host/hq:nextcloud/admin-password", MARKER),
        ("shared:wifi/psk", "of the whole house"),
        ("host/t460:restic/password", "of t460"),
        ("host/hq:restic/password", "of hq"),
    ):
        scene.done("set", address, "--yes", stdin=value.encode())
    scene.commit()
    return scene


def make_clear(scene: Scene) -> Scene:
    """Give a bare scene an admin, hq and t460, and a Nextcloud with its passwords in clear."""
    scene.edit(
        "shared/nextcloud-server.nix",
        """    database.createLocally = true;
    config = {
      dbtype = "pgsql";
      adminuser = "admin";
    };
  };
""",
        f"""    config = {{
      dbtype = "pgsql";
      dbhost = "db.example.org";
      dbpassFile = "/etc/nextcloud-db-pass";
      adminuser = "admin";
      adminpassFile = "/etc/nextcloud-admin-pass";
    }};
  }};

  environment.etc."nextcloud-admin-pass".text = "{MARKER}";
  environment.etc."nextcloud-db-pass".text = "{MARKER} of the database";
""",
    )
    (scene.folder / "db-pass").write_text(f"{MARKER} of the database\n")
    scene.done("init", "--admin", "miscguy", "--yes")
    for host in ("hq", "t460"):
        scene.done("add-host", host, "--key", scene.public(host), "--yes")
    scene.commit()
    return scene


def _content(file: Path) -> bytes:
    if file.is_symlink():
        return os.fsencode(file.readlink())
    return file.read_bytes() if file.is_file() else b""


def _rest(terminal: int) -> str:
    screen = b""
    try:
        while block := os.read(terminal, 4096):
            screen += block
    except OSError:  # the other end of a terminal is gone: EIO (pty(7))
        return screen.decode()
    return screen.decode()
