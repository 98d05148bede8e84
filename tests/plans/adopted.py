"""Repositories that have sops-nix already, each in another layout, and what init makes of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nixsecrets.age.identity import Identity
from tests.plans.fleets import CONFIGURATION, Machine, Tree, machine, person

Home = tuple[str, str | None, str]
"""A host's directory, attribute and anchor."""


@dataclass(frozen=True)
class Old:
    """A repository as people made it.

    Args:
        policies: by path; `<NAME>` stands for NAME's recipient.
        documents: the readers of each, by name.
        files: everything else; `<NAME.pub>` stands for the SSH line of a host's key.
        hosts: what each host is taken for.
        people: each person's role.
        patterns: what of the layout is to be said.
    """

    policies: Mapping[str, str]
    documents: Mapping[str, str]
    hosts: Mapping[str, Home]
    people: Mapping[str, str] = field(default_factory=lambda: {"ann": "admin"})
    files: Mapping[str, str] = field(default_factory=dict)
    patterns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """An old repository on disk, and everybody's keys."""

    tree: Tree
    people: Mapping[str, Identity]
    machines: Mapping[str, Machine]

    def text(self, name: str) -> str:
        if name in self.machines:
            return self.machines[name].key.recipient.text
        recipient = self.people[name].recipient
        assert recipient is not None
        return recipient.text


def make(old: Old, root: Path) -> Made:
    names = {name for text in old.policies.values() for name in re.findall(r"<(\w+)>", text)}
    people = {name: person()[0] for name in sorted(names & {"ann", "bob"})}
    made = Made(Tree(root), people, {name: machine(name) for name in sorted(names - set(people))})
    for files in (old.policies, old.files):
        made.tree.write({path: _filled(text, made) for path, text in files.items()})
    for path, readers in old.documents.items():
        of_machines = (
            made.machines[one].key.recipient for one in readers.split() if one in made.machines
        )
        of_people = (people[one].recipient for one in readers.split() if one in people)
        recipients = [one for one in (*of_people, *of_machines) if one is not None]
        made.tree.seal(path, "token: x\n", *recipients)
    return made


def _filled(text: str, made: Made) -> str:
    for name, one in made.machines.items():
        text = text.replace(f"<{name}.pub>", one.key.public_key)
    return re.sub(r"<(\w+)>", lambda found: made.text(found[1]), text)


def keys(**anchors: str) -> str:
    """Return a section of anchors: `keys(ann="ann", host_hq="hq")`."""
    lines = (f"  - &{anchor.replace('__', '-')} <{name}>\n" for anchor, name in anchors.items())
    return "keys:\n" + "".join(lines) + "creation_rules:\n"


def rule(pattern: str, *anchors: str) -> str:
    lines = "".join(f"      - *{anchor}\n" for anchor in anchors)
    return f"  - path_regex: {pattern}\n    key_groups:\n    - age:\n{lines}"


def flake(**systems: str) -> str:
    """Return a flake with a module for each attribute, none where it is empty."""
    lines = "".join(
        f"    nixosConfigurations.{name} = nixpkgs.lib.nixosSystem {{ modules = [ {module} ]; }};\n"
        for name, module in systems.items()
    )
    return f"{{\n  outputs = {{ nixpkgs, ... }}: {{\n{lines}  }};\n}}\n"


def machines(*directories: str, module: str = "configuration.nix") -> dict[str, str]:
    return {f"{directory}/{module}": CONFIGURATION for directory in directories}


def usual(folder: str) -> Old:
    """Return two hosts in a folder, each with its own document."""
    homes = [str(Path(folder, name)) for name in ("hq", "t460")]
    policy = keys(ann="ann", hq="hq", t460="t460")
    policy += rule(rf"{homes[0]}/secrets\.yaml$", "ann", "hq")
    policy += rule(rf"{homes[1]}/secrets\.yaml$", "ann", "t460")
    hosts: dict[str, Home] = {"hq": (homes[0], None, "hq"), "t460": (homes[1], None, "t460")}
    documents = {f"{homes[0]}/secrets.yaml": "ann hq", f"{homes[1]}/secrets.yaml": "ann t460"}
    return Old({".sops.yaml": policy}, documents, hosts, files=machines(*homes))


OLD = {
    **{folder: usual(folder) for folder in ("systems", "hosts", "machines", "nixos")},
    "top level": usual(""),
    "by architecture": usual("systems/x86_64-linux"),
    "modules called default.nix": Old(
        {".sops.yaml": keys(ann="ann", hq="hq") + rule("hosts/hq/.*", "ann", "hq")},
        {"hosts/hq/secrets.yaml": "ann hq"},
        {"hq": ("hosts/hq", None, "hq")},
        files=machines("hosts/hq", "hosts/unused", module="default.nix"),
    ),
    "two levels": Old(
        {
            ".sops.yaml": keys(ann="ann", testagent__dev="dev")
            + rule(r"hosts/testagent/dev/secrets\.yaml$", "ann", "testagent-dev")
        },
        {"hosts/testagent/dev/secrets.yaml": "ann dev"},
        {"testagent-dev": ("hosts/testagent/dev", "testagent-dev", "testagent-dev")},
        files={
            **machines("hosts/testagent/dev"),
            "flake.nix": flake(**{"testagent-dev": "./hosts/testagent/dev/configuration.nix"}),
        },
    ),
    "one directory for many hosts": Old(
        {
            ".sops.yaml": keys(ann="ann", web1="one", web2="two")
            + rule(r"secrets/web1\.yaml$", "ann", "web1")
            + rule(r"secrets/web2\.yaml$", "ann", "web2")
        },
        {"secrets/web1.yaml": "ann one", "secrets/web2.yaml": "ann two"},
        {"web1": ("hosts/web", "web1", "web1"), "web2": ("hosts/web", "web2", "web2")},
        files={
            **machines("hosts/web"),
            "flake.nix": flake(web1="./hosts/web", web2="./hosts/web"),
        },
        patterns={"host-document": "secrets/{host}.yaml"},
    ),
    "modules beside each other": Old(
        {
            ".sops.yaml": keys(ann="ann", hq="hq", t460="t460")
            + rule(r"secrets/hq\.yaml$", "ann", "hq")
            + rule(r"secrets/t460\.yaml$", "ann", "t460")
        },
        {"secrets/hq.yaml": "ann hq", "secrets/t460.yaml": "ann t460"},
        {"hq": ("hosts", "nixhq", "hq"), "t460": ("hosts", "nixt460", "t460")},
        files={
            "hosts/hq.nix": CONFIGURATION,
            "hosts/t460.nix": CONFIGURATION,
            "flake.nix": flake(nixhq="./hosts/hq.nix", nixt460="./hosts/t460.nix"),
        },
        patterns={"host-document": "secrets/{host}.yaml"},
    ),
    "only an attribute": Old(
        {".sops.yaml": keys(ann="ann", host_hq="hq") + rule("secrets/.*", "ann", "host_hq")},
        {"secrets/hq.yaml": "ann hq"},
        {"hq": ("systems/hq", "hq", "host_hq")},
        files={"flake.nix": flake(hq="")},
        patterns={"host-document": "secrets/{host}.yaml"},
    ),
    "names that never agree": Old(
        {
            ".sops.yaml": keys(
                admin_ann="ann",
                host_live_alb="alb",
                host_neithdeck="deck",
                build01__ofborg__org="build",
                t15g="t15g",
            )
            + rule("hosts/live-alb/.*", "admin_ann", "host_live_alb")
            + rule("hosts/neith-deck/.*", "admin_ann", "host_neithdeck")
            + rule(r"hosts/build01\.ofborg\.org/.*", "admin_ann", "build01-ofborg-org")
            + rule("hosts/laptop/.*", "admin_ann", "t15g")
        },
        {"hosts/live-alb/secrets.yaml": "ann alb"},
        {
            "live-alb": ("hosts/live-alb", None, "host_live_alb"),
            "neith-deck": ("hosts/neith-deck", None, "host_neithdeck"),
            "build01.ofborg.org": ("hosts/build01.ofborg.org", None, "build01-ofborg-org"),
            "laptop": ("hosts/laptop", "nixt15g", "t15g"),
        },
        files={
            **machines("hosts/live-alb", "hosts/neith-deck", "hosts/build01.ofborg.org"),
            **machines("hosts/laptop"),
            "flake.nix": flake(nixt15g="./hosts/laptop/configuration.nix"),
        },
    ),
    "a host key says whose anchor it is": Old(
        {
            ".sops.yaml": keys(ann="ann", desktop="hq", portable="t460")
            + rule("hosts/hq/.*", "ann", "desktop")
            + rule("hosts/t460/.*", "ann", "portable")
        },
        {"hosts/hq/secrets.yaml": "ann hq"},
        {"hq": ("hosts/hq", None, "desktop"), "t460": ("hosts/t460", None, "portable")},
        files={
            **machines("hosts/hq", "hosts/t460"),
            "hosts/hq/ssh_host_ed25519_key.pub": "<hq.pub>\n",
            "known.nix": '{ programs.ssh.knownHosts.t460.publicKey = "<t460.pub>"; }\n',
        },
    ),
    "lists that say who is what": Old(
        {
            ".sops.yaml": (
                "keys:\n  - &users:\n    - &ann <ann>\n    - &bob <bob>\n"
                "  - &hosts:\n    - &hq <hq>\n    - &gone <gone>\ncreation_rules:\n"
            )
            + rule("hosts/hq/.*", "ann", "hq")
            + rule("shared/.*", "ann", "bob", "hq", "gone")
        },
        {"hosts/hq/secrets.yaml": "ann hq", "shared/common.yaml": "ann bob hq gone"},
        {"hq": ("hosts/hq", None, "hq"), "gone": ("hosts/gone", None, "gone")},
        {"ann": "admin", "bob": "member"},
        files=machines("hosts/hq"),
        patterns={"shared-document": "shared/common.yaml"},
    ),
    "a policy below the root": Old(
        {
            "machines/.sops.yaml": keys(ann="ann", hq="hq") + rule("hq/.*", "ann", "hq"),
            "infra/.sops.yaml": keys(ann="ann") + rule(".*", "ann"),
            ".sops.yml": "creation_rules: []\n",
        },
        {
            "machines/hq/secrets.yaml": "ann hq",
            "machines/hq/extra.yaml": "ann hq",
            "infra/dns.yaml": "ann",
        },
        {"hq": ("machines/hq", None, "hq")},
        files=machines("machines/hq"),
        patterns={
            "policy": "machines/.sops.yaml",
            "shared-document": "machines/shared.yaml",
            "host-document": "machines/{host}/secrets.yaml",
        },
    ),
    "wiring of the people's own": Old(
        {".sops.yaml": keys(ann="ann", hq="hq") + rule("hosts/hq/.*", "ann", "hq")},
        {"hosts/hq/secrets.yaml": "ann hq"},
        {"hq": ("hosts/hq", None, "hq")},
        files={**machines("hosts/hq"), "hosts/hq/secrets.nix": "{ }\n"},
        patterns={"wiring": "hosts/{host}/nixsecrets.nix"},
    ),
    "names behind literal recipients": Old(
        {
            ".sops.yaml": (
                "creation_rules:\n- path_regex: hosts/hq/.*\n  key_groups:\n  - age:\n"
                "    - <ann> # ann\n    - <hq> # hq\n"
            )
        },
        {"hosts/hq/secrets.yaml": "ann hq"},
        {"hq": ("hosts/hq", None, "hq")},
        {
            "ann": "admin",
        },
        files=machines("hosts/hq"),
    ),
}
