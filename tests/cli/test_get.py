"""Reading one value opens one document, and loads what that needs."""

import sys
from dataclasses import dataclass
from importlib import metadata

import pytest

from tests.cli.scenes import MARKER, Scene

# Tells on stderr which files of the repository were opened, and which modules were loaded.
WATCHED = """\
import atexit, os, sys
root = os.getcwd() + "/"
opened = set()
def note(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, os.PathLike)):
        path = os.path.abspath(os.fspath(arguments[0]))
        if path.startswith(root):
            opened.add(path.removeprefix(root))
def tell():
    print(*sorted(opened), file=sys.stderr)
    print(*sorted(sys.modules), file=sys.stderr)
sys.addaudithook(note)
atexit.register(tell)
from nixsecrets.cli import main
main()
"""
DECLARED = """\
secrets:
  hosts:
    hq:
      nextcloud/admin-password: { owner: nextcloud }
"""
UNNEEDED = (
    "concurrent.futures",
    "dataclasses",
    "json",
    "logging",
    "nixsecrets.audit",
    "nixsecrets.cli.carry_out",
    "nixsecrets.cli.writing",
    "nixsecrets.fleet.manifest_edit",
    "nixsecrets.fleet.policy_edit",
    "nixsecrets.generators",
    "nixsecrets.nix",
    "nixsecrets.plans.policy",
    "nixsecrets.plans.wiring",
    "nixsecrets.report.html",
    "nixsecrets.report.json",
    "nixsecrets.report.text",
    "nixsecrets.sops.changing",
    "nixsecrets.sops.sealing",
    "nixsecrets.sops.stores.binary",
    "nixsecrets.sops.stores.dotenv",
    "nixsecrets.sops.stores.flat",
    "nixsecrets.sops.stores.ini",
    "nixsecrets.sops.stores.json",
    "nixsecrets.system.disk",
    "nixsecrets.system.journal",
    "nixsecrets.system.ssh",
    "nixsecrets.system.transaction",
    "random",
    "ruamel",
    "shutil",
    "socket",
    "tempfile",
    "tree_sitter",
)
# Whoever adds to these makes every command start later, also those that never use it.
OURS = {
    "age": {
        "armor",
        "bech32",
        "curve25519",
        "hybrid",
        "identity",
        "keywrap",
        "message",
        "panics",
        "passphrase",
        "plugin",
        "recipient",
        "ssh",
        "sshfile",
        "sshidentity",
        "sshkey",
    },
    "change": set(),
    "cli": {"app", "get", "group", "scope"},
    "errors": set(),
    "fleet": {
        "access",
        "address",
        "crosscheck",
        "declared",
        "dependencies",
        "generator",
        "generator_reading",
        "host",
        "hostfile",
        "layout",
        "load",
        "manifest",
        "model",
        "names",
        "outline",
        "placement",
        "policy",
        "policy_nodes",
        "policy_reading",
        "rebuild",
        "scopes",
        "section",
        "template_reading",
        "templates",
    },
    "override": set(),
    "plaintext": set(),
    "plans": {"documents", "draft"},
    "report": {"printable"},
    "system": {"git", "identities", "interrupted", "lock", "process", "refusal", "terminal"},
    "textedit": set(),
}
OF_A_FORMAT = "sops"  # its room, whose stores are loaded together
STARTING = {"_distutils_hack"}  # setuptools puts it into every process of a venv
FOREIGN = {"_cffi_backend", "bcrypt", "click", "cryptography", "pyrage", "re2", "yaml"}


@dataclass(frozen=True)
class Seen:
    value: bytes
    opened: frozenset[str]
    modules: frozenset[str]

    @property
    def documents(self) -> list[str]:
        return sorted(path for path in self.opened if path.endswith("/secrets.yaml"))


def get(scene: Scene, *arguments: str) -> Seen:
    ended = scene.start(sys.executable, "-c", WATCHED, "get", *arguments)
    assert ended.status == 0, ended
    opened, modules = ended.stderr.splitlines()
    return Seen(ended.stdout, frozenset(opened.split()), frozenset(modules.split()))


@pytest.fixture
def declared(fleet: Scene) -> Scene:
    fleet.write("nixsecrets.yaml", fleet.read("nixsecrets.yaml") + DECLARED)
    return fleet


def test_a_declared_name_opens_one_document(declared: Scene) -> None:
    seen = get(declared, "nextcloud/admin-password")
    assert (seen.value, seen.documents) == (MARKER.encode(), ["systems/hq/secrets.yaml"])
    assert not [path for path in seen.opened if path.endswith(".nix")]


@pytest.mark.parametrize(
    "arguments",
    [
        ("host/hq:nextcloud/admin-password",),
        ("nextcloud/admin-password", "--host", "hq"),
        ("nextcloud/admin-password", "--file", "systems/hq/secrets.yaml"),
    ],
    ids=["address", "scope", "file"],
)
def test_whoever_says_the_scope_opens_one_document(
    fleet: Scene, arguments: tuple[str, ...]
) -> None:
    seen = get(fleet, *arguments)
    assert (seen.value, seen.documents) == (MARKER.encode(), ["systems/hq/secrets.yaml"])


def test_an_undeclared_name_is_looked_for_in_every_document(fleet: Scene) -> None:
    seen = get(fleet, "nextcloud/admin-password")
    assert seen.value == MARKER.encode()
    assert seen.documents == [
        "shared/secrets.yaml",
        "systems/hq/secrets.yaml",
        "systems/t460/secrets.yaml",
    ]


def test_nothing_is_loaded_that_reading_a_value_does_not_need(declared: Scene) -> None:
    loaded = get(declared, "nextcloud/admin-password").modules
    assert sorted(loaded & set(UNNEEDED)) == []


def test_what_reading_a_value_loads_is_known_by_name(declared: Scene) -> None:
    loaded = get(declared, "nextcloud/admin-password").modules
    ours: dict[str, set[str]] = {}
    for name in loaded:
        package, _, below = name.partition(".")
        room, _, module = below.partition(".")
        if package == "nixsecrets" and room not in ("", OF_A_FORMAT):
            ours.setdefault(room, set()).update({module} - {""})
    assert ours == OURS
    installed = {
        name.partition(".")[0]
        for name in metadata.packages_distributions()
        if not name.endswith(".so")
    }
    tops = {name.partition(".")[0] for name in loaded}
    assert (tops & installed) - {"nixsecrets"} - STARTING == FOREIGN


def test_names_are_listed_without_an_identity(fleet: Scene) -> None:
    fleet.identity_file.unlink()
    assert "host/hq:nextcloud/admin-password" in fleet.done("ls")
    ended = fleet.run("get", "host/hq:nextcloud/admin-password")
    assert (ended.status, ended.text) == (4, "")
