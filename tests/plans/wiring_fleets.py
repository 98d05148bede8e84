"""Small fleets in a folder: manifest, keys, configurations and sealed documents."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from nixsecrets.change import Plan
from nixsecrets.fleet.load import Repository, open_repository
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import wiring
from nixsecrets.plans.draft import Draft
from nixsecrets.sops.sealing import seal
from tests.fleet.fleets import MODEL, a_recipient

NOW = datetime(2026, 3, 1, tzinfo=UTC)

CONFIGURATION = b"""{ pkgs, ... }:
{
  imports = [ ./hardware-configuration.nix ];

  services.openssh.enable = true;
}
"""

FLAKE = b"""{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { nixpkgs, ... }@inputs: {
    nixosConfigurations.nixhq = nixpkgs.lib.nixosSystem {
      modules = [ ./systems/hq/configuration.nix ];
    };
    nixosConfigurations.nixt460 = nixpkgs.lib.nixosSystem {
      modules = [ ./systems/t460/configuration.nix ];
    };
  };
}
"""

Files = Mapping[str, bytes]


def one_host(manifest: str = "", *, host: str = "{ attribute: nixhq }") -> dict[str, bytes]:
    """Return a fleet of hq alone, its key and a configuration with sshd.

    Args:
        manifest: further sections.
        host: what the manifest says of hq.
    """
    return {
        "nixsecrets.yaml": f"version: 1\nhosts:\n  hq: {host}\n{manifest}".encode(),
        "keys/hosts/hq.pub": f"{a_recipient().text}\n".encode(),
        "systems/hq/configuration.nix": CONFIGURATION,
    }


def model() -> dict[str, bytes]:
    """Return the model fleet with keys for all and documents for hq and for all hosts."""
    hosts = ("hq", "t460", "t15g", "vm01", "mac")
    return {
        "nixsecrets.yaml": MODEL,
        "flake.nix": FLAKE,
        "shared/secrets.yaml": sealed("miscguy:\n    hashed-password: x\n"),
        "systems/hq/secrets.yaml": sealed("nextcloud:\n    admin-password: x\n"),
        **{f"keys/hosts/{host}.pub": f"{a_recipient().text}\n".encode() for host in hosts},
        **{f"systems/{host}/configuration.nix": CONFIGURATION for host in hosts},
    }


def sealed(text: str) -> bytes:
    return seal(Plaintext(text.encode()), [a_recipient()], NOW)


def repository(root: Path, files: Files) -> Repository:
    """Write the files of a fleet and read it."""
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    paths = frozenset(
        PurePosixPath(file.relative_to(root)) for file in root.rglob("*") if file.is_file()
    )
    return open_repository(root, lambda: paths)


def bring(known: Repository, *hosts: str, force: bool = False) -> Plan:
    """Return the plan that brings the wiring of the named hosts, of all where none is named."""
    wanted = [host for host in known.fleet.hosts if not hosts or host.name in hosts]
    return wiring.bring(Draft(known), wanted, force=force).plan("wire")


def contents(plan: Plan) -> dict[str, str]:
    return {str(change.path): (change.after or b"").decode() for change in plan.changes}
