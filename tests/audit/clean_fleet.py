"""A fleet in which nothing is wrong, made by the planners; tests break one thing of a copy."""

import atexit
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

from pyrage import x25519

from nixsecrets.age.recipient import Recipient, parse_recipient
from nixsecrets.age.ssh import convert_public_key, generate_ed25519
from nixsecrets.audit import check
from nixsecrets.audit.finding import Finding
from nixsecrets.fleet.load import open_repository
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import policy, wiring
from nixsecrets.plans.draft import Draft
from nixsecrets.sops.rules import parse_selection
from nixsecrets.sops.sealing import Terms, seal
from nixsecrets.system import git

NOW = datetime(2026, 3, 1, tzinfo=UTC)

MANIFEST = """\
version: 1
people:
  ann: {}
hosts:
  hq: { attribute: nixhq }
  t15g: { attribute: nixt15g }
  vm01: { configuration: systems/vm01/configuration.nix, identity: { file: /var/lib/key.txt } }
groups:
  laptops: { hosts: [t15g] }
secrets:
  shared:
    wifi/psk:
  hosts:
    hq:
      nextcloud/admin-password:
        owner: nextcloud
        consumers: [services.nextcloud.config.adminpassFile]
      spare: { deliver: false }
"""
FLAKE = """\
{
  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs";
    sops-nix.url = "github:Mic92/sops-nix";
  };
  outputs =
    { nixpkgs, sops-nix, ... }:
    {
      nixosConfigurations.nixhq = nixpkgs.lib.nixosSystem {
        modules = [ ./systems/hq/configuration.nix sops-nix.nixosModules.sops ];
      };
      nixosConfigurations.nixt15g = nixpkgs.lib.nixosSystem {
        modules = [ ./systems/t15g/configuration.nix sops-nix.nixosModules.sops ];
      };
    };
}
"""
LOCK = '{ "nodes": { "root": { "inputs": { "nixpkgs": "nixpkgs", "sops-nix": "sops-nix" } } } }\n'
CONFIGURATION = """\
{ pkgs, ... }:
{
  imports = [
    ../../shared/base.nix
    ./secrets.nix
  ];

  services.openssh.enable = true;
}
"""
CHANNEL = CONFIGURATION.replace("./secrets.nix", "./secrets.nix\n    <sops-nix/modules/sops>")
SHARED = "wifi:\n  psk: one\n"
OF_HQ = "nextcloud:\n  admin-password: two\nspare: three\n"


@dataclass(frozen=True)
class Place:
    """A copy of the fleet, and everyone's public halves.

    Args:
        root: of the repository.
        recipients: of each person and host, by name.
        ssh_line: the ssh-ed25519 line that the recipient of hq is converted from.
    """

    root: Path
    recipients: Mapping[str, Recipient]
    ssh_line: str

    def check(self, *hosts: str) -> tuple[Finding, ...]:
        index = git.list_paths(self.root)
        repository = open_repository(self.root, lambda: index.tracked | index.untracked)
        chosen = [repository.fleet.host(name) for name in hosts] or None
        return check.run(repository, index.tracked, NOW, chosen)

    def found(self, *hosts: str) -> list[str]:
        """Return the findings a line each: severity, rule, place and words."""
        return [
            f"{one.severity.value} {one.rule} {one.place}: {one.words}"
            for one in self.check(*hosts)
        ]

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def write(self, path: str, content: str | bytes, *, track: bool = True) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        if track:
            self.git("add", "--force", "--", path)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that stands in a file once."""
        text = self.read(path)
        assert text.count(old) == 1
        self.write(path, text.replace(old, new))

    def remove(self, path: str) -> None:
        self.git("rm", "--quiet", "--force", "--", path)

    def seal(
        self, path: str, text: str, *names: str, selection: Mapping[str, str] | None = None
    ) -> None:
        """Write a document for readers by name, or by a recipient spelled out."""
        self.write(path, self.sealed(text, names, selection))

    def sealed(
        self, text: str, names: Iterable[str], selection: Mapping[str, str] | None = None
    ) -> bytes:
        readers = [self.recipients.get(name) or parse_recipient(name) for name in names]
        return seal(
            Plaintext(text.encode()),
            readers,
            NOW,
            Terms(selection=parse_selection(selection or {})),
        )

    def plan(self) -> None:
        """Write what `rekey` would do to the policy, and `wire` to the wiring."""
        index = git.list_paths(self.root)
        repository = open_repository(self.root, lambda: index.tracked | index.untracked)
        draft = policy.bring(Draft(repository))
        draft = wiring.bring(draft, draft.fleet.hosts, force=True)
        for path, change in draft.repository.changes.items():
            self.write(str(path), change.after or b"")

    def line(self, path: str, text: str) -> int:
        """Return the 1-based line of the first line that holds a text."""
        lines = self.read(path).splitlines()
        return next(number for number, line in enumerate(lines, start=1) if text in line)

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True)


def make_place(folder: Path) -> Place:
    """Copy the clean fleet into a folder that does not exist."""
    clean = _clean()
    shutil.copytree(clean.root, folder)
    return Place(folder, clean.recipients, clean.ssh_line)


def a_recipient() -> str:
    return str(x25519.Identity.generate().to_public())


def _remove(folder: Path, maker: int) -> None:
    """Remove the fleet when its maker ends; what a test forks ends too, and is not meant."""
    if os.getpid() == maker:
        shutil.rmtree(folder)


@cache
def _clean() -> Place:
    _, public = generate_ed25519("root@hq")
    recipients = {name: parse_recipient(a_recipient()) for name in ("ann", "t15g", "vm01")}
    recipients["hq"] = convert_public_key(public)
    folder = Path(mkdtemp(prefix="clean-fleet-"))
    atexit.register(_remove, folder, os.getpid())
    place = Place(folder, recipients, public.line)
    place.git("init", "--quiet")
    for path, content in _files(place).items():
        place.write(path, content)
    place.seal("shared/secrets.yaml", SHARED, "ann", "hq", "t15g", "vm01")
    place.seal("systems/hq/secrets.yaml", OF_HQ, "ann", "hq")
    place.plan()
    return place


def _files(place: Place) -> Mapping[str, str]:
    recipients = place.recipients
    return {
        "nixsecrets.yaml": MANIFEST,
        "flake.nix": FLAKE,
        "flake.lock": LOCK,
        "shared/base.nix": "{ }\n",
        "keys/admins/ann.pub": f"{recipients['ann'].text}\n",
        "keys/hosts/hq.pub": f"{place.ssh_line}\n",
        "keys/hosts/t15g.pub": f"{recipients['t15g'].text}\n",
        "keys/hosts/vm01.pub": f"{recipients['vm01'].text}\n",
        "systems/hq/configuration.nix": CONFIGURATION,
        "systems/t15g/configuration.nix": CONFIGURATION,
        "systems/vm01/configuration.nix": CHANNEL,
    }


def path_of(place: str) -> PurePosixPath:
    """Return the path of a finding's place."""
    head, _, line = place.rpartition(":")
    return PurePosixPath(head if line.isdecimal() else place)
