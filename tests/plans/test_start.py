import subprocess
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.audit.finding import Severity
from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.load import open_repository
from nixsecrets.fleet.model import Deliver, HostSettings
from nixsecrets.fleet.names import HostName, PersonName
from nixsecrets.plans import hosts, start
from nixsecrets.plans.draft import Draft
from tests.plans.fleets import (
    CONFIGURATION,
    Fleet,
    Tree,
    after,
    changed,
    machine,
    make_fleet,
    person,
    unlock_with,
    why,
)
from tests.tools import require_sops

ANN = PersonName("ann")
_, RECIPIENT = person()
ONLY_HQ = """\
{
  outputs = { nixpkgs, ... }: {
    nixosConfigurations.nixhq = nixpkgs.lib.nixosSystem {
      modules = [ ./systems/hq/configuration.nix ];
    };
  };
}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def machines(tree: Tree, *folders: str) -> None:
    tree.write({f"{folder}/configuration.nix": CONFIGURATION for folder in folders})


def found(tree: Tree) -> list[str]:
    return [str(host.directory) for host in start.find_hosts(tree.repository()).hosts]


def init(tree: Tree) -> Draft:
    draft = tree.draft()
    return start.init(draft, ANN, (RECIPIENT,), start.find_hosts(draft.repository))


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        pytest.param(["systems/hq", "systems/t460"], ["systems/hq", "systems/t460"], id="systems"),
        pytest.param(["hosts/hq"], ["hosts/hq"], id="hosts"),
        pytest.param(["machines/hq"], ["machines/hq"], id="machines"),
        pytest.param(["nixos/hq"], ["nixos/hq"], id="nixos"),
        pytest.param(["hq", "t460"], ["hq", "t460"], id="top level"),
        pytest.param(
            ["systems/x86_64-linux/hq", "systems/aarch64-linux/pi"],
            ["systems/aarch64-linux/pi", "systems/x86_64-linux/hq"],
            id="by architecture",
        ),
        pytest.param(["systems/hq", "hosts/old", "older"], ["systems/hq"], id="first folder only"),
        pytest.param(["hq", "hq/bak", "bak/hq", "bak"], ["hq"], id="no copies"),
        pytest.param(
            ["systems/hq", "systems/common", "systems/shared"], ["systems/hq"], id="common"
        ),
        pytest.param(["hosts/agent/dev"], ["hosts/agent/dev"], id="two levels"),
        pytest.param(["systems/hq", "systems/hq/desktop"], ["systems/hq"], id="a part of a host"),
        pytest.param(["systems/a/b/c"], [], id="too deep"),
        pytest.param(["."], [], id="the root itself"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_hosts_are_found_where_people_put_them(
    tree: Tree, folders: list[str], expected: list[str]
) -> None:
    machines(tree, *folders)
    assert found(tree) == expected


def test_hosts_that_git_ignores_are_not_found(tree: Tree) -> None:
    machines(tree, "systems/hq", "systems/t460")
    tree.git("init", "--quiet")
    tree.write({".gitignore": "t460\n"})
    listed = tree.git("ls-files", "--others", "--exclude-standard").split()
    known = open_repository(tree.root, lambda: frozenset(map(PurePosixPath, listed)))
    assert [host.name for host in start.find_hosts(known).hosts] == ["hq"]


def test_what_builds_a_host_is_found_too(tree: Tree) -> None:
    machines(tree, "systems/hq", "systems/mac")
    tree.write({"flake.nix": ONLY_HQ})
    assert [host.settings for host in start.find_hosts(tree.repository()).hosts] == [
        HostSettings(attribute="nixhq"),
        HostSettings(configuration=PurePosixPath("systems/mac/configuration.nix")),
    ]


def test_an_attribute_of_two_directories_is_given_to_none(tree: Tree) -> None:
    machines(tree, "systems/hq", "systems/hq2")
    tree.write(
        {
            "flake.nix": ONLY_HQ.replace(
                "[ ./systems/hq/configuration.nix ]",
                "[ ./systems/hq/configuration.nix ./systems/hq2/configuration.nix ]",
            )
        }
    )
    hosts_found = start.find_hosts(tree.repository()).hosts
    assert [host.settings for host in hosts_found] == [HostSettings()] * 2
    assert init(tree).fleet.hosts


def test_names_that_no_host_can_have_are_left_out_and_told(tree: Tree) -> None:
    machines(tree, "systems/hq", "systems/my host", "systems/all", "systems/-x")
    draft = init(tree)
    assert [host.name for host in draft.fleet.hosts] == ["hq"]
    assert [note.split(" is not")[0] for note in draft.notes] == [
        "systems/-x",
        "systems/all",
        "systems/my host",
    ]


def test_a_name_under_two_architectures_is_taken_once(tree: Tree) -> None:
    machines(tree, "systems/aarch64-linux/hq", "systems/x86_64-linux/hq")
    draft = init(tree)
    assert [str(host.directory) for host in draft.fleet.hosts] == ["systems/aarch64-linux/hq"]
    assert draft.notes[0].startswith("systems/x86_64-linux/hq is not taken for a host")


def test_the_first_plan_is_manifest_admin_and_policy(tree: Tree) -> None:
    machines(tree, "systems/hq", "systems/mac")
    tree.write({"flake.nix": ONLY_HQ})
    draft = init(tree)
    assert changed(draft) == ["nixsecrets.yaml", "keys/admins/ann.pub", ".sops.yaml"]
    assert why(draft, "nixsecrets.yaml") == [
        "host hq: flake attribute nixhq",
        "host mac: in no flake",
    ]
    assert after(draft, "keys/admins/ann.pub") == f"{RECIPIENT.text}\n"
    assert draft.fleet.manifest.deliver is Deliver.ALL


@pytest.mark.parametrize("folder", ["systems", "hosts", ""])
def test_the_layout_is_where_the_hosts_are(tree: Tree, folder: str) -> None:
    home = str(PurePosixPath(folder, "hq"))
    machines(tree, home)
    fleet = init(tree).fleet
    assert fleet.host("hq").directory == PurePosixPath(home)
    assert fleet.layout.host_document(HostName("hq"), PurePosixPath(home)) == PurePosixPath(
        home, "secrets.yaml"
    )


def test_a_first_host_can_be_added_at_once(tree: Tree) -> None:
    machines(tree, "systems/x86_64-linux/hq", "systems/aarch64-linux/pi")
    tree.apply(init(tree))
    admin, _ = person()
    for name in ("hq", "pi"):
        new = hosts.NewHost(HostName(name), machine().key, HostSettings())
        tree.apply(hosts.add(tree.draft(), new, unlock_with(admin)))
    assert "./secrets.nix" in tree.read("systems/x86_64-linux/hq/configuration.nix")
    assert tree.findings(Severity.ERROR) == []


def test_an_empty_repository_becomes_a_fleet(tree: Tree) -> None:
    draft = init(tree)
    assert draft.fleet.hosts == ()
    tree.apply(draft)
    assert tree.findings(Severity.ERROR) == []


def test_real_sops_takes_the_policy_of_a_fleet_without_host_keys(tree: Tree) -> None:
    machines(tree, "systems/hq")
    tree.apply(init(tree))
    tree.write({"shared/secrets.yaml": "a: b\n"})
    subprocess.run(
        (require_sops(), "encrypt", "--in-place", "shared/secrets.yaml"),
        cwd=tree.root,
        env={},
        check=True,
        capture_output=True,
    )
    assert RECIPIENT.text in tree.read("shared/secrets.yaml")


def test_a_second_start_is_refused(tree: Tree) -> None:
    tree.apply(init(tree))
    with pytest.raises(RepositoryError, match="has one already") as caught:
        init(tree)
    assert caught.value.place == "nixsecrets.yaml"


def test_a_key_file_that_lies_there_is_not_overwritten(tree: Tree) -> None:
    tree.write({"keys/admins/ann.pub": f"{person()[1].text}\n"})
    with pytest.raises(RepositoryError, match="ann has a key file already") as caught:
        init(tree)
    assert caught.value.place == "keys/admins/ann.pub"


def test_a_hosts_key_file_that_lies_there_is_told(tree: Tree) -> None:
    machines(tree, "systems/hq")
    tree.write({"keys/hosts/hq.pub": f"{machine().key.public_key}\n"})
    draft = init(tree)
    assert draft.warnings == ("keys/hosts/hq.pub is there already: hq reads what it is given",)


def test_a_fleet_is_not_started_over(tmp_path: Path) -> None:
    fleet: Fleet = make_fleet(tmp_path)
    with pytest.raises(RepositoryError):
        init(fleet)
