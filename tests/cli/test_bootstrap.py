"""A machine that gets its key before it exists."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.openers import of_machine
from tests.cli.scenes import MARKER, Scene
from tests.tools import require_sops, require_tool

PRIVATE = "etc/ssh/ssh_host_ed25519_key"
ESCROW = "keys/hosts/t15g.private.yaml"
SHARED = "shared/secrets.yaml"


def modes(tree: Path) -> dict[str, str]:
    paths = (tree, *sorted(tree.rglob("*")))
    return {str(path.relative_to(tree)): f"{path.stat().st_mode & 0o777:o}" for path in paths}


def public_of(private: Path) -> list[str]:
    keygen = [require_tool("ssh-keygen"), "-y", "-f", str(private)]
    return subprocess.run(keygen, capture_output=True, check=True, text=True).stdout.split()[:2]


def with_host_key(scene: Scene, private: Path) -> Scene:
    """Return the scene as a machine sees it that has this key and nothing else."""
    home = scene.folder / "nobody"
    home.mkdir(exist_ok=True)
    return scene.with_variables(HOME=str(home), SOPS_AGE_SSH_PRIVATE_KEY_FILE=str(private))


def test_the_tree_has_a_host_key_as_sshd_wants_it(fleet: Scene) -> None:
    tree = fleet.folder / "tree"
    fleet.done("bootstrap", "t15g", str(tree), "--yes")
    assert modes(tree) == {
        ".": "700",
        "etc": "755",
        "etc/ssh": "755",
        PRIVATE: "600",
        f"{PRIVATE}.pub": "644",
    }
    line = fleet.read("keys/hosts/t15g.pub")
    assert public_of(tree / PRIVATE) == line.split()[:2]
    assert (tree / f"{PRIVATE}.pub").read_text() == line


def test_folders_of_the_tree_are_passable_whatever_the_umask(fleet: Scene) -> None:
    tree = fleet.folder / "tree"
    words = ("-m", "nixsecrets", "bootstrap", "t15g", str(tree), "--yes")
    script = 'umask 0077; exec "$0" "$@"'
    ended = fleet.start("sh", "-c", script, sys.executable, *words)
    assert ended.status == 0, ended
    assert modes(tree)["etc/ssh"] == "755"


def test_the_new_key_alone_opens_what_the_host_is_to_read(fleet: Scene) -> None:
    tree = fleet.folder / "tree"
    fleet.done("bootstrap", "t15g", str(tree), "--group", "laptops", "--yes")
    fleet.done("set", "host/t15g:restic/password", "--yes", stdin=MARKER.encode())
    machine = with_host_key(fleet, tree / PRIVATE)
    fleet.key("new").parent.mkdir()
    fleet.key("new").write_bytes((tree / PRIVATE).read_bytes())
    converted = fleet.with_variables(SOPS_AGE_KEY_FILE=str(of_machine(fleet, "new")))
    for document in (SHARED, "systems/t15g/secrets.yaml"):
        opened = converted.start(require_sops(), "decrypt", document)
        assert opened.status == 0, opened
    assert machine.run("get", "restic/password", "--host", "t15g").text == MARKER
    refused = machine.run("get", "host/hq:nextcloud/admin-password")
    assert (refused.status, refused.text) == (4, "")


def test_the_private_half_is_in_the_tree_and_nowhere_else(fleet: Scene) -> None:
    tree = fleet.folder / "tree"
    ended = fleet.run("bootstrap", "t15g", str(tree), "--yes")
    inner = (tree / PRIVATE).read_text().splitlines()[2].encode()
    everything = b"".join(path.read_bytes() for path in fleet.root.rglob("*") if path.is_file())
    assert ended.status == 0, ended
    assert inner not in everything + ended.stdout + ended.stderr.encode()
    assert not (fleet.root / ESCROW).exists()


def test_impermanence_gets_the_key_where_it_persists(fleet: Scene) -> None:
    tree, path = fleet.folder / "tree", "/persist/etc/ssh/ssh_host_ed25519_key"
    said = fleet.done("bootstrap", "t15g", str(tree), "--identity-path", path, "--yes")
    assert modes(tree)["persist/etc/ssh/ssh_host_ed25519_key"] == "600"
    assert modes(tree)["persist/etc/ssh"] == "755"
    assert f"identity: {{ ssh: [{path}] }}" in fleet.read("nixsecrets.yaml")
    wiring = fleet.read("systems/t15g/secrets.nix")
    assert f'age.sshKeyPaths = [ "{path}" ];' in wiring
    assert "generateKey" not in wiring
    assert f'services.openssh.hostKeys = [ {{ path = "{path}"; type = "ed25519"; }} ]' in said


def test_a_machine_without_sshd_gets_an_age_identity(fleet: Scene) -> None:
    tree, path = fleet.folder / "tree", "/var/lib/sops-nix/key.txt"
    fleet.done("bootstrap", "t15g", str(tree), "--identity-file", path, "--yes")
    assert modes(tree) == {
        ".": "700",
        "var": "755",
        "var/lib": "755",
        "var/lib/sops-nix": "700",
        "var/lib/sops-nix/key.txt": "600",
    }
    wiring = fleet.read("systems/t15g/secrets.nix")
    assert f'keyFile = "{path}";' in wiring
    assert "generateKey" not in wiring
    variables = {"HOME": str(tree), "SOPS_AGE_KEY_FILE": f"{tree}{path}"}
    opened = fleet.with_variables(**variables).start(require_sops(), "decrypt", SHARED)
    assert opened.status == 0, opened


def test_an_escrow_is_the_admins_and_nobody_elses(fleet: Scene) -> None:
    tree = fleet.folder / "tree"
    fleet.write(".sops.yaml", fleet.read(".sops.yaml") + catch_all(fleet))
    fleet.commit()
    ended = fleet.run("bootstrap", "t15g", str(tree), "--escrow", "--yes")
    assert ended.status == 0, ended
    private = (tree / PRIVATE).read_bytes()
    extract = ("decrypt", "--extract", '["ssh_host_ed25519_key"]', ESCROW)
    admin = fleet.with_variables(SOPS_AGE_KEY_FILE=str(fleet.identity_file))
    assert admin.start(require_sops(), *extract).stdout == private
    for key in (tree / PRIVATE, fleet.key("hq"), fleet.key("t460")):
        assert with_host_key(fleet, key).run("decrypt", ESCROW).status == 4
    policy = fleet.read(".sops.yaml")
    assert policy.index(r"^keys/hosts/t15g\.private\.yaml$") < policy.index("path_regex: .*")
    assert "private" not in fleet.read("systems/t15g/secrets.nix")
    assert private.splitlines()[2] not in ended.stdout + ended.stderr.encode()
    words = [one["words"] for one in json.loads(fleet.run("check", "--json").stdout)["findings"]]
    assert not [one for one in words if "t15g" in one]


def catch_all(scene: Scene) -> str:
    """Return a rule that would give every document to a host too."""
    hq = scene.read(".sops.yaml").split("&hq ")[1].split()[0]
    return f"  - path_regex: .*\n    age: {hq}\n"


def test_a_machine_is_laid_out_again_from_its_escrow(fleet: Scene) -> None:
    first, second = fleet.folder / "first", fleet.folder / "second"
    fleet.done("bootstrap", "t15g", str(first), "--escrow", "--yes")
    before = fleet.tree()
    fleet.done("bootstrap", "t15g", str(second), "--from-escrow", "--yes")
    after = {path: file for path, file in fleet.tree().items() if not path.startswith("second")}
    assert after == before
    assert modes(first) == modes(second)
    assert (second / PRIVATE).read_bytes() == (first / PRIVATE).read_bytes()
    halves = [(tree / f"{PRIVATE}.pub").read_text().split()[:2] for tree in (first, second)]
    assert halves[0] == halves[1]


def test_an_age_identity_is_laid_out_again_from_its_escrow(fleet: Scene) -> None:
    first, second = fleet.folder / "first", fleet.folder / "second"
    options = ("--identity-file", "/var/lib/sops-nix/key.txt")
    fleet.done("bootstrap", "t15g", str(first), *options, "--escrow", "--yes")
    fleet.done("bootstrap", "t15g", str(second), "--from-escrow", "--yes")
    files = [(tree / "var/lib/sops-nix/key.txt").read_bytes() for tree in (first, second)]
    assert files[0] == files[1]


def test_an_escrow_goes_with_its_rule(fleet: Scene) -> None:
    fleet.done("bootstrap", "t15g", str(fleet.folder / "tree"), "--yes")
    without = fleet.read(".sops.yaml")
    fleet.git("checkout", "--quiet", "HEAD", "--", ".")
    fleet.git("reset", "--quiet", "--hard")
    fleet.done("bootstrap", "t15g", str(fleet.folder / "other"), "--escrow", "--yes")
    fleet.done("bootstrap", "t15g", "--drop-escrow", "--yes")
    assert not (fleet.root / ESCROW).exists()
    assert fleet.read(".sops.yaml").count("\n") == without.count("\n")
    assert "private" not in fleet.read(".sops.yaml")


def test_an_escrow_of_another_key_is_not_laid_out(fleet: Scene) -> None:
    fleet.done("bootstrap", "t15g", str(fleet.folder / "tree"), "--escrow", "--yes")
    fleet.write("keys/hosts/t15g.pub", Path(fleet.public("mac")).read_text())
    again = str(fleet.folder / "again")
    ended = fleet.run("bootstrap", "t15g", again, "--from-escrow", "--yes")
    assert ended.status == 3
    assert f"{ESCROW}: holds another key than t15g has now" in ended.stderr
    assert not Path(again).exists()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("t15g", "{tree}", "--from-escrow"), 3, "no key of t15g is kept in escrow"),
        (("t15g", "--drop-escrow"), 3, "no key of t15g is kept in escrow"),
        (("t15g",), 2, "nothing says where the tree is to lie"),
        (("t15g", "inside"), 2, "inside lies in a repository"),
        (("t15g", "{home}"), 2, "is not empty"),
        (("hq", "{tree}"), 3, "hq has a key already"),
        (("t15g", "{tree}", "--escrow", "--from-escrow"), 2, "stand alone"),
        (("t15g", "{tree}", "--identity-path", "etc/key"), 2, "no absolute path"),
        (("t15g", "{tree}", "--identity-path", "/a/../../key"), 2, "no absolute path"),
        (("../t15g", "{tree}"), 3, "t15g"),
    ],
)
def test_what_cannot_be_laid_out_changes_nothing(
    fleet: Scene, arguments: tuple[str, ...], status: int, words: str
) -> None:
    before = fleet.tree()
    places = {"tree": fleet.folder / "tree", "home": fleet.home}
    ended = fleet.run("bootstrap", *(word.format(**places) for word in arguments), "--yes")
    assert (ended.status, fleet.tree()) == (status, before), ended
    assert words in ended.stderr
    assert not (fleet.folder / "tree").exists()


def test_a_generated_age_identity_belongs_to_its_machine(fleet: Scene) -> None:
    stick = fleet.folder / "stick"
    options = ("--generate", str(stick), "--identity-file", "/var/lib/sops-nix/key.txt")
    said = fleet.done("add-host", "t15g", *options, "--yes")
    assert modes(stick) == {".": "700", "key.txt": "600"}
    assert "bring it to /var/lib/sops-nix/key.txt of nixt15g" in said
    variables = {"HOME": str(stick), "SOPS_AGE_KEY_FILE": str(stick / "key.txt")}
    opened = fleet.with_variables(**variables).run("get", "shared:wifi/psk")
    assert opened.text == "of the whole house"
