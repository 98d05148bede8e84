"""Whose identity opens which document, for every scope and every role, as the real sops sees it."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from nixsecrets.age.identity import generate_identity
from tests.cli.scenes import Scene, copied
from tests.tools import require_sops

READERS = ("ann", "bob", "ops", "paper", "hq", "t460", "t15g", "me@t460", "me@t15g")
GROUPS = """\
groups:
  laptops: { hosts: [t460, t15g], people: [ops] }
  servers: { hosts: [hq] }

secrets:
  admins:
    me/password: { description: behind the hash }
  each:
    laptops:
      restic/password: { mode: "0400" }
  home:
    me:
      github/token: { hosts: [t460, t15g] }

"""
ADMINS = {"ann", "bob", "paper"}
OPENED = {
    "keys/admins.yaml": ADMINS,
    "shared/secrets.yaml": {*ADMINS, "hq", "t460", "t15g"},
    "shared/secrets/laptops.yaml": {*ADMINS, "ops", "t460", "t15g"},
    "shared/secrets/servers.yaml": {*ADMINS, "hq"},
    "systems/hq/secrets.yaml": {*ADMINS, "hq"},
    "systems/t460/secrets.yaml": {*ADMINS, "ops", "t460"},
    "systems/t15g/secrets.yaml": {*ADMINS, "ops", "t15g"},
    "systems/t460/home/me.yaml": {*ADMINS, "me@t460"},
    "systems/t15g/home/me.yaml": {*ADMINS, "me@t15g"},
}


def make(scene: Scene, reader: str) -> str:
    """Make an identity, and return its recipient."""
    identity, recipient = generate_identity()
    file = scene.folder / "identities" / reader
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(identity.reveal())
    return recipient.text


def opens(scene: Scene, reader: str, path: str) -> bool:
    folder = scene.folder / "identities"
    alone = scene.with_variables(HOME=str(folder), SOPS_AGE_KEY_FILE=str(folder / reader))
    return alone.start(require_sops(), "decrypt", path).status == 0


def readers_of(scene: Scene, path: str, readers: Iterable[str] = READERS) -> set[str]:
    return {reader for reader in readers if opens(scene, reader, path)}


def errors(scene: Scene) -> list[str]:
    return [line for line in scene.run("check").text.splitlines() if line.startswith("error")]


@pytest.fixture(scope="module")
def template(bare_template: Scene, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    scene = copied(bare_template, tmp_path_factory.mktemp("scopes"))
    make(scene, "ann")
    scene.identity_file.parent.mkdir(parents=True)
    scene.identity_file.write_bytes((scene.folder / "identities/ann").read_bytes())
    scene.done("init", "--admin", "ann", "--yes")
    for host in ("hq", "t460", "t15g"):
        options = ("--age", make(scene, host), "--identity-file", "/var/lib/key.txt")
        scene.done("add-host", host, *options, "--yes")
    scene.done("add-admin", "bob", make(scene, "bob"), "--yes")
    scene.done("add-admin", "ops", make(scene, "ops"), "--role", "member", "--yes")
    scene.done("add-admin", "paper", make(scene, "paper"), "--role", "escrow", "--yes")
    scene.edit("nixsecrets.yaml", "wiring:", f"{GROUPS}wiring:")
    for host in ("t460", "t15g"):
        scene.done("add-user-key", host, "me", make(scene, f"me@{host}"), "--yes")
    for arguments in (
        ("me/password", "--admins"),
        ("wifi/psk", "--shared"),
        ("vpn/key", "--group", "laptops"),
        ("smtp/password", "--group", "servers"),
        ("nextcloud/password", "--host", "hq"),
        ("github/token", "--host", "t460", "--home", "me"),
        ("home/t15g/me:github/token",),
    ):
        scene.done("set", *arguments, "--yes", stdin=b"a value")
    scene.done("set", "restic/password", "--every", "--generate", "--yes")
    scene.commit()
    return scene


@pytest.fixture
def scene(template: Scene, tmp_path: Path) -> Scene:
    return copied(template, tmp_path)


@pytest.mark.parametrize("path", OPENED)
def test_a_document_is_opened_by_its_readers_and_by_nobody_else(template: Scene, path: str) -> None:
    assert readers_of(template, path) == OPENED[path]


def test_every_document_is_one_of_these(template: Scene) -> None:
    files = template.git("ls-files", "*.yaml").split()
    assert {path for path in files if "sops:" in template.read(path)} == set(OPENED)


def test_such_a_fleet_is_in_step(template: Scene) -> None:
    assert [line for line in errors(template) if "wiring" not in line] == []
    assert "nothing" in template.done("rekey", "--yes")


def test_each_host_has_a_value_of_its_own(template: Scene) -> None:
    values = {template.done("get", "restic/password", "--host", host) for host in ("t460", "t15g")}
    assert len(values) == 2
    assert template.run("get", "restic/password", "--host", "hq").status == 3


def test_every_gives_values_only_to_hosts_without(scene: Scene) -> None:
    before = scene.done("get", "restic/password", "--host", "t460")
    scene.done("rm", "restic/password", "--host", "t15g", "--yes")
    shown = scene.done("set", "restic/password", "--every", "--generate", "--yes")
    assert ("host/t15g:restic/password" in shown, "host/t460" in shown) == (True, False)
    assert scene.done("get", "restic/password", "--host", "t460") == before
    scene.done("get", "restic/password", "--host", "t15g")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("get", "restic/password"), "restic/password has a value per host"),
        (("set", "restic/password"), "restic/password has a value per host"),
        (("set", "github/token", "--home", "me"), "--home me is a home on some host"),
        (("set", "x", "--admins", "--shared"), "--shared and --admins were given"),
        (("set", "x", "--home", "me", "--host", "t460", "--group", "g"), "--group and --home were"),
        (("set", "restic/password", "--every"), "--every gives each host a value of its own"),
        (("get", "github/token"), "github/token is 2 secrets"),
    ],
    ids=lambda case: " ".join(case) if isinstance(case, tuple) else "",
)
def test_what_is_not_said_is_not_guessed(
    scene: Scene, arguments: tuple[str, ...], words: str
) -> None:
    ended = scene.run(*arguments, stdin=b"x")
    assert (ended.status, words in ended.stderr) == (2, True), ended


def test_what_is_not_declared_for_every_host_is_not_set_on_every_host(scene: Scene) -> None:
    ended = scene.run("set", "wifi/psk", "--every", "--generate", "--yes")
    assert (ended.status, "under `secrets.each`" in ended.stderr) == (3, True), ended


def test_addresses_of_admins_and_homes_are_listed_and_read(template: Scene) -> None:
    listed = template.done("ls")
    assert "admins:me/password" in listed
    assert "home/t460/me:github/token" in listed
    assert "me@t460" in listed
    assert template.done("get", "admins:me/password") == "a value"
    assert template.done("get", "github/token", "--host", "t460", "--home", "me") == "a value"


def test_the_wiring_of_hosts_never_names_the_admins_document(template: Scene) -> None:
    for host in ("hq", "t460", "t15g"):
        assert "admins.yaml" not in template.read(f"systems/{host}/secrets.nix")


def test_rules_of_admins_and_homes_come_before_a_catch_all(scene: Scene) -> None:
    text = scene.read(".sops.yaml")
    head, _, _ = text.partition("  - path_regex: ^keys/admins")
    bob = scene.read("keys/admins/bob.pub").strip()
    scene.write(".sops.yaml", f"{head}  - path_regex: \\.yaml$\n    age: {bob}\n")
    (scene.root / "keys/admins.yaml").unlink()
    scene.done("set", "me/password", "--admins", "--yes", stdin=b"x")
    after = scene.read(".sops.yaml")
    assert after.index("^keys/admins\\.yaml$") < after.index("\\.yaml$\n    age")
    assert readers_of(scene, "keys/admins.yaml") == ADMINS


def test_the_admins_document_is_not_governed_by_a_rule_that_lets_a_host_in(
    scene: Scene,
) -> None:
    text = scene.read(".sops.yaml")
    hq = scene.read("keys/hosts/hq.pub").strip()
    rule = f"creation_rules:\n  - path_regex: ^keys/.*\n    age: {hq}\n"
    scene.write(".sops.yaml", text.replace("creation_rules:\n", rule))
    assert any("keys/admins.yaml" in line for line in errors(scene))
    (scene.root / "keys/admins.yaml").unlink()
    scene.done("set", "me/password", "--admins", "--yes", stdin=b"x")
    assert readers_of(scene, "keys/admins.yaml") == ADMINS


def test_who_is_in_escrow_is_demanded_in_every_document(scene: Scene) -> None:
    recipients = [scene.read(f"keys/admins/{name}.pub").strip() for name in ("ann", "bob")]
    rule = f"creation_rules:\n  - path_regex: ^notes/\n    age: {','.join(recipients)}\n"
    scene.write(".sops.yaml", scene.read(".sops.yaml").replace("creation_rules:\n", rule))
    scene.done("set", "file/notes/a.yaml:x", "--yes", stdin=b"x")
    (error,) = [line for line in errors(scene) if "notes/a.yaml" in line]
    assert "recipients/no-escrow" in error
    assert "paper" in error


def test_a_member_reads_nothing_before_a_group_names_it(scene: Scene) -> None:
    shown = scene.done("add-admin", "eve", make(scene, "eve"), "--role", "member", "--yes")
    assert "reads nothing yet" in shown
    assert not any(opens(scene, "eve", path) for path in OPENED)
    scene.edit("nixsecrets.yaml", "servers: { hosts: [hq]", "servers: { hosts: [hq], people: [eve]")
    scene.done("rekey", "--yes")
    opened = {path for path in OPENED if opens(scene, "eve", path)}
    assert opened == {"shared/secrets/servers.yaml", "systems/hq/secrets.yaml"}


def test_a_role_is_not_changed_in_passing(scene: Scene) -> None:
    ended = scene.run("add-admin", "ops", make(scene, "ops2"), "--role", "escrow", "--yes")
    assert (ended.status, "ops is in the fleet already, as member" in ended.stderr) == (3, True)


def test_people_are_listed_with_their_roles(template: Scene) -> None:
    lines = template.done("admins").splitlines()
    assert [line.split()[:2] for line in lines if line.endswith(".pub")] == [
        ["ann", "admin"],
        ["bob", "admin"],
        ["ops", "member"],
        ["paper", "escrow"],
    ]


def test_a_further_key_of_a_user_opens_the_home_too(scene: Scene) -> None:
    scene.done("add-user-key", "t460", "me", make(scene, "yubi"), "--yes")
    wanted = {*ADMINS, "me@t460", "yubi"}
    assert readers_of(scene, "systems/t460/home/me.yaml", (*READERS, "yubi")) == wanted
    again = scene.read("keys/users/t460/me.pub").split()[-1]
    assert "nothing" in scene.done("add-user-key", "t460", "me", again, "--yes")


def test_a_hosts_own_key_is_no_users(scene: Scene) -> None:
    ended = scene.run("add-user-key", "t460", "me", scene.read("keys/hosts/t460.pub").strip())
    assert (ended.status, "is the one of the host t460" in ended.stderr) == (3, True)


def test_a_user_that_nobody_declared_has_a_home_with_its_key(scene: Scene) -> None:
    ended = scene.run("set", "x/y", "--host", "hq", "--home", "you", "--yes", stdin=b"x")
    assert (ended.status, "add-user-key hq you" in ended.stderr) == (3, True), ended
    scene.done("add-user-key", "hq", "you", make(scene, "you@hq"), "--yes")
    scene.done("set", "x/y", "--host", "hq", "--home", "you", "--yes", stdin=b"x")
    path = "systems/hq/home/you.yaml"
    assert readers_of(scene, path, (*READERS, "you@hq")) == {*ADMINS, "you@hq"}
    assert [line for line in errors(scene) if path in line] == []
    assert f"+ rule for {path}" not in scene.done("rekey", "--dry-run")


def test_a_rule_that_was_lost_comes_back_for_what_exists(scene: Scene) -> None:
    text = scene.read("nixsecrets.yaml")
    scene.write(
        "nixsecrets.yaml",
        text.replace("  admins:\n    me/password: { description: behind the hash }\n", ""),
    )
    policy = scene.read(".sops.yaml").split("  - path_regex: ")
    kept = [part for part in policy if not part.startswith("^keys/admins")]
    scene.write(".sops.yaml", "  - path_regex: ".join(kept))
    scene.done("rekey", "--yes")
    assert "^keys/admins\\.yaml$" in scene.read(".sops.yaml")


def test_a_host_that_leaves_takes_the_modules_of_its_homes_along(scene: Scene) -> None:
    assert "./home/me.nix" in scene.read("systems/t15g/home.nix")
    scene.done("remove-host", "t15g", "--yes")
    assert not list((scene.root / "systems/t15g/home").glob("*"))
    assert "home/me.nix" not in scene.read("systems/t15g/home.nix")
    assert scene.done("status")
