"""The model fleet's manifest in the words that are supported, and its recipients."""

from pyrage import x25519

from nixsecrets.age.recipient import Recipient, parse_recipient
from nixsecrets.fleet.manifest import parse_manifest
from nixsecrets.fleet.model import AtHome, Fleet, HostKey, User

MODEL = b"""\
version: 1

layout:                                   # patterns
  host:            systems/{host}         # the host's directory
  wiring:          systems/{host}/secrets.nix
  host-document:   systems/{host}/secrets.yaml
  group-document:  shared/secrets/{group}.yaml
  shared-document: shared/secrets.yaml
  host-key:        keys/hosts/{host}.pub
  person-key:      keys/admins/{person}.pub
  policy:          .sops.yaml

people:                                   # recipients stand in keys/admins/{person}.pub
  miscguy: { role: admin }
  ops:     {}

hosts:                                    # recipients stand in keys/hosts/{host}.pub
  hq:   { attribute: nixhq,   address: nixhq }
  t460: { attribute: nixt460, address: nixt460 }
  t15g: { attribute: nixt15g, host-name: nixt15g, anchor: t15g, address: root@nixt15g }
  vm01:                                   # no flake, no sshd
    configuration: systems/vm01/configuration.nix
    identity: { file: /var/lib/sops-nix/key.txt }
    rebuild: { engine: print }
  mac:  { configuration: systems/mac/configuration.nix, host-name: nixmac }

groups:
  laptops: { hosts: [t460, t15g] }
  servers: { hosts: [hq], people: [ops] }

secrets:
  shared:
    miscguy/hashed-password:
      needed-for-users: true
      consumers: [users.users.miscguy.hashedPasswordFile]
  groups:
    laptops:
      wifi/psk: { restart-units: [wpa_supplicant.service] }
  hosts:
    hq:
      nextcloud/admin-password:
        owner: nextcloud
        group: nextcloud
        mode: "0400"
        restart-units: [phpfpm-nextcloud.service]
        consumers: [services.nextcloud.config.adminpassFile]
    t460:
      github/token: { deliver: false }
    t15g:
      github/token:

wiring:
  deliver: declared                       # declared | all

evaluate: never

rebuild:
  engine: nixos-rebuild
  log: "{directory}/rebuild.log"
  commit:
    message: "{attribute}: generation {generation} - {message}"
    paths: [flake.nix, "{directory}", keys]
    push: true
"""


def a_recipient() -> Recipient:
    return parse_recipient(str(x25519.Identity.generate().to_public()))


def model_fleet(*without_key: str) -> Fleet:
    """Return the model fleet with a recipient for everyone but the hosts that are named."""
    return fleet_of(MODEL, *without_key)


def fleet_of(text: bytes, *without_key: str) -> Fleet:
    """Return a manifest's fleet with a recipient for everyone but the hosts that are named."""
    manifest = parse_manifest(text)
    keys = [a_recipient() for _ in manifest.hosts]
    joined = manifest.joined(
        {
            host.name: HostKey(key, key.text)
            for host, key in zip(manifest.hosts, keys, strict=True)
            if host.name not in without_key
        },
        {person.name: (a_recipient(),) for person in manifest.people},
    )
    scopes = dict.fromkeys(declaration.scope for declaration in manifest.declarations)
    users = tuple(
        User(scope.host, scope.user, (a_recipient(),))
        for scope in scopes
        if isinstance(scope, AtHome)
    )
    return Fleet(joined, users=users)
