"""Reading one value opens one document, and loads what that needs."""

import sys
from dataclasses import dataclass

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
    "nixsecrets.audit",
    "nixsecrets.cli.carry_out",
    "nixsecrets.fleet.manifest_edit",
    "nixsecrets.fleet.policy_edit",
    "nixsecrets.generators",
    "nixsecrets.nix",
    "nixsecrets.plans.policy",
    "nixsecrets.plans.wiring",
    "nixsecrets.report.html",
    "nixsecrets.report.json",
    "nixsecrets.report.text",
    "nixsecrets.sops.sealing",
    "nixsecrets.system.ssh",
    "socket",
    "tree_sitter",
)


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


def test_names_are_listed_without_an_identity(fleet: Scene) -> None:
    fleet.identity_file.unlink()
    assert "host/hq:nextcloud/admin-password" in fleet.done("ls")
    ended = fleet.run("get", "host/hq:nextcloud/admin-password")
    assert (ended.status, ended.text) == (4, "")
