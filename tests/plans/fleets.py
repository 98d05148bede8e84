"""A small fleet on disk with real keys, and what a plan would make of it."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import ndiff
from pathlib import Path, PurePosixPath

from nixsecrets.age.identity import Identity, generate_identity, parse_identities
from nixsecrets.age.recipient import Recipient
from nixsecrets.age.ssh import generate_ed25519, parse_private_key
from nixsecrets.audit import check
from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.change import digest
from nixsecrets.fleet.load import Repository, open_repository, parse_host_key
from nixsecrets.fleet.model import HostKey, HostSettings
from nixsecrets.fleet.names import GroupName, HostName
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import hosts
from nixsecrets.plans.draft import Draft, Unlock
from nixsecrets.sops import document
from nixsecrets.sops.document import Document
from nixsecrets.sops.rules import DEFAULT_SELECTION, Selection
from nixsecrets.sops.sealing import Terms, seal

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MARKER = "correct-horse-battery-staple"

MANIFEST = """\
version: 1

people:
  ann: { role: admin }

hosts:
  hq:   { attribute: nixhq }
  t460: { attribute: nixt460 }   # the old one
  vm01:                          # no sshd
    configuration: systems/vm01/configuration.nix
    identity: { file: /var/lib/sops-nix/key.txt }

groups:
  laptops:
    hosts:
      - t460
  servers:
    hosts: [hq]

secrets:
  shared:
    miscguy/hashed-password: { needed-for-users: true }
  groups:
    laptops:
      wifi/psk:
  hosts:
    hq:
      nextcloud/admin-password: { owner: nextcloud }
"""

POLICY = """\
# Who reads what.
keys:
  # people
  - &ann {ann}
  # machines
  - &hq {hq}   # the desktop
  - &t460 {t460}

creation_rules:
  # one a machine
  - path_regex: ^systems/hq/secrets\\.yaml$
    key_groups:
      - age:
          - *ann
          - *hq
  - path_regex: ^systems/t460/secrets\\.yaml$
    key_groups:
      - age:
          - *ann
          - *t460
  # what they have in common
  - path_regex: ^shared/secrets/laptops\\.yaml$
    key_groups:
      - age:
          - *ann
          - *t460
  - path_regex: ^shared/secrets/servers\\.yaml$
    key_groups:
      - age:
          - *ann
          - *hq
  - path_regex: ^shared/secrets\\.yaml$
    key_groups:
      - age:
          - *ann
          - *hq
          - *t460
  # everything else
  - path_regex: \\.yaml$
    key_groups:
      - age:
          - *ann
"""

FLAKE = """\
{
  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  };

  outputs =
    { nixpkgs, ... }@inputs:
    {
      nixosConfigurations = {
        nixhq = nixpkgs.lib.nixosSystem {
          modules = [ ./systems/hq/configuration.nix ];
        };
        nixt460 = nixpkgs.lib.nixosSystem {
          modules = [ ./systems/t460/configuration.nix ];
        };
        nixt15g = nixpkgs.lib.nixosSystem {
          modules = [
            ./systems/t15g/configuration.nix
          ];
        };
      };
    };
}
"""

CONFIGURATION = """\
# A machine.
{ pkgs, ... }:
{
  imports = [
    ./hardware-configuration.nix
  ];

  services.openssh.enable = true;
}
"""

SHARED = "miscguy:\n    hashed-password: x\n"
LAPTOPS = "wifi:\n    psk: y\n"
HQ = f"# of hq\nnextcloud:\n    admin-password: {MARKER}\n"


@dataclass(frozen=True)
class Machine:
    """A host's key pair."""

    private: Plaintext
    key: HostKey

    @property
    def identities(self) -> tuple[Identity, ...]:
        return parse_private_key(self.private, "a host's")


def machine(name: str = "host") -> Machine:
    private, public = generate_ed25519(f"root@{name}")
    return Machine(private, parse_host_key(public.line))


def person() -> tuple[Identity, Recipient]:
    content, recipient = generate_identity()
    return _read(content), recipient


def _read(identity_file: Plaintext) -> Identity:
    return parse_identities(identity_file, "a person's").identities[0]


def unlock_with(*identities: Identity) -> Unlock:
    def unlock(sealed: Document) -> Plaintext:
        return document.open_data_key(sealed, identities)

    return unlock


@dataclass(frozen=True)
class Tree:
    """A repository's files in a folder, every one known to git."""

    root: Path

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for path, content in files.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def read(self, path: str) -> str:
        return (self.root / path).read_bytes().decode()

    def edit(self, path: str, old: str, new: str) -> None:
        text = self.read(path)
        assert old in text, (path, old)
        self.write({path: text.replace(old, new, 1)})

    def paths(self) -> frozenset[PurePosixPath]:
        return frozenset(
            PurePosixPath(file.relative_to(self.root))
            for file in self.root.rglob("*")
            if file.is_file() and ".git" not in file.parts
        )

    def repository(self) -> Repository:
        return open_repository(self.root, self.paths)

    def draft(self) -> Draft:
        return Draft(self.repository())

    def apply(self, draft: Draft) -> None:
        """Write what a plan changes, each file held against what the plan was decided on."""
        for change in draft.plan("test").changes:
            file = self.root / change.path
            before = digest(file.read_bytes()) if file.exists() else None
            assert before == change.before
            if change.after is None:
                file.unlink()
            else:
                self.write({str(change.path): change.after})

    def seal(
        self, path: str, text: str, *to: Recipient, selection: Selection = DEFAULT_SELECTION
    ) -> None:
        self.write({path: seal(Plaintext(text.encode()), to, NOW, Terms(selection=selection))})

    def values(self, path: str, *identities: Identity) -> dict[str, str]:
        """Return a document's values as the holder of the identities reads them."""
        return values((self.root / path).read_bytes(), *identities)

    def findings(self, severity: Severity) -> list[Finding]:
        found = check.run(self.repository(), self.paths(), NOW)
        return [finding for finding in found if finding.severity is severity]

    def git(self, *arguments: str) -> str:
        command = ("git", "-C", str(self.root), *arguments)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True)
class Fleet(Tree):
    """hq and t460 with keys, documents and wiring; vm01 without a key; ann is the admin."""

    admin_file: Plaintext
    ann: Recipient
    hq: Machine
    t460: Machine

    @property
    def admin(self) -> Identity:
        return _read(self.admin_file)

    @property
    def unlock(self) -> Unlock:
        return unlock_with(self.admin)

    def add(
        self,
        name: str,
        new: Machine,
        *groups: str,
        settings: HostSettings | None = None,
        unlock: Unlock | None = None,
    ) -> Draft:
        asked = hosts.NewHost(
            HostName(name), new.key, settings or HostSettings(), tuple(map(GroupName, groups))
        )
        return hosts.add(self.draft(), asked, unlock or self.unlock)


def make_fleet(root: Path) -> Fleet:
    admin_file, ann = generate_identity()
    fleet = Fleet(root, admin_file, ann, machine("hq"), machine("t460"))
    hq, t460 = fleet.hq.key, fleet.t460.key
    names = {"ann": ann.text, "hq": hq.recipient.text, "t460": t460.recipient.text}
    policy = POLICY
    for name, text in names.items():
        policy = policy.replace(f"{{{name}}}", text)
    fleet.write(
        {
            "nixsecrets.yaml": MANIFEST,
            ".sops.yaml": policy,
            "flake.nix": FLAKE,
            "keys/admins/ann.pub": f"{ann.text}\n",
            "keys/hosts/hq.pub": f"{hq.public_key}\n",
            "keys/hosts/t460.pub": f"{t460.public_key}\n",
            **{
                f"systems/{name}/configuration.nix": CONFIGURATION
                for name in ("hq", "t460", "t15g", "vm01")
            },
        }
    )
    fleet.seal("systems/hq/secrets.yaml", HQ, ann, hq.recipient)
    fleet.seal("shared/secrets.yaml", SHARED, ann, hq.recipient, t460.recipient)
    fleet.seal("shared/secrets/laptops.yaml", LAPTOPS, ann, t460.recipient)
    fleet.apply(fleet.add("hq", fleet.hq))
    fleet.apply(fleet.add("t460", fleet.t460))
    return fleet


def values(content: bytes, *identities: Identity) -> dict[str, str]:
    sealed = document.parse(content)
    opened = document.open_document(sealed, document.open_data_key(sealed, identities))
    return {
        "/".join(map(str, one.item.path)): (one.value or Plaintext(b"")).reveal().decode()
        for one in opened.items
        if isinstance(one.item, document.Leaf)
    }


def after(draft: Draft, path: str) -> str:
    """Return a file as a plan leaves it."""
    return draft.repository.sources.read(PurePosixPath(path)).content.decode()


def changed(draft: Draft) -> list[str]:
    return [str(change.path) for change in draft.plan("test").changes]


def why(draft: Draft, path: str) -> list[str]:
    changes = {str(change.path): change for change in draft.plan("test").changes}
    return list(changes[path].why)


def difference(before: str, after: str) -> list[str]:
    """Return the lines put in (`+ …`) and taken out (`- …`)."""
    lines = ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]
