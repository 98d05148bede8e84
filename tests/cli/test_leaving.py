"""Keys that go and change, each step followed by who opens what: every document, every identity."""

from pathlib import Path

import pytest

from tests.cli.openers import of_machine, of_person, openers, recipient_of
from tests.cli.scenes import Scene

SHARED = "shared/secrets.yaml"
HQ = "systems/hq/secrets.yaml"
T460 = "systems/t460/secrets.yaml"
LAPTOPS = "shared/secrets/laptops.yaml"
SERVERS = "shared/secrets/servers.yaml"


@pytest.fixture
def identities(fleet: Scene) -> dict[str, Path]:
    files = {name: of_machine(fleet, name) for name in ("hq", "t460", "t15g")}
    people = {name: of_person(fleet, name) for name in ("ops", "new")}
    return {"miscguy": fleet.identity_file, **files, **people}


@pytest.fixture
def laptops(fleet: Scene) -> Scene:
    fleet.done("set", "group/laptops:wlan/key", "--yes", stdin=b"of laptops")
    return fleet


def test_a_host_that_is_removed_opens_nothing_more(
    laptops: Scene, identities: dict[str, Path]
) -> None:
    before = laptops.read(SHARED)
    told = laptops.done("remove-host", "t460", "--yes")
    assert openers(laptops, identities) == {
        SHARED: {"miscguy", "hq"},
        HQ: {"miscguy", "hq"},
        LAPTOPS: {"miscguy"},
    }
    sealed = before.partition("data:")[2].partition(",")[0]
    assert sealed not in laptops.read(SHARED)
    known = ["host/t460:restic/password", "group/laptops:wlan/key", "shared:wifi/psk"]
    assert [line.strip() for line in told.splitlines() if ":" in line][-3:] == known
    assert "t460" not in laptops.read("nixsecrets.yaml") + laptops.read(".sops.yaml")
    assert "./secrets.nix" not in laptops.read("systems/t460/configuration.nix")
    assert laptops.run("check").status == 0


def test_its_document_may_stay_for_the_admins(fleet: Scene, identities: dict[str, Path]) -> None:
    fleet.done("remove-host", "t460", "--keep-document", "--yes")
    assert openers(fleet, identities)[T460] == {"miscguy"}


def test_taking_out_the_wiring_leaves_nix_files_as_they_were(bare: Scene) -> None:
    bare.done("init", "--admin", "miscguy", "--yes")
    bare.done("add-host", "hq", "--key", bare.public("hq"), "--yes")
    bare.commit()
    bare.done("add-host", "t460", "--key", bare.public("t460"), "--yes")
    bare.done("remove-host", "t460", "--yes")
    changed = bare.git("diff", "--name-only", "HEAD", "--", "*.nix").splitlines()
    assert changed == []


def test_members_of_groups_come_and_go(fleet: Scene, identities: dict[str, Path]) -> None:
    fleet.done("add-admin", "ops", recipient_of(identities["ops"]), "--role", "member", "--yes")
    fleet.done("group", "create", "servers", "hq", "ops", "--yes")
    fleet.done("set", "group/servers:a/b", "--yes", stdin=b"x")
    fleet.done("group", "join", "servers", "t460", "--yes")
    joined = openers(fleet, identities)
    assert joined[SERVERS] == {"miscguy", "hq", "t460", "ops"}
    assert joined[HQ] == {"miscguy", "hq", "ops"}
    assert joined[T460] == {"miscguy", "t460", "ops"}
    assert '"a/b"' in fleet.read("systems/t460/secrets.nix")

    told = fleet.done("group", "leave", "servers", "t460", "ops", "--yes")
    assert "t460 knows this value" in told
    assert "ops knows these 4 values" in told
    left = openers(fleet, identities)
    assert left[SERVERS] == left[HQ] == {"miscguy", "hq"}
    assert left[T460] == {"miscguy", "t460"}
    assert '"a/b"' not in fleet.read("systems/t460/secrets.nix")

    fleet.done("group", "delete", "servers", "--yes")
    assert set(openers(fleet, identities)) == {SHARED, HQ, T460}
    assert "servers" not in fleet.read(".sops.yaml") + fleet.read("nixsecrets.yaml")
    assert fleet.run("check").status == 0


def test_a_new_host_may_be_like_another(laptops: Scene, identities: dict[str, Path]) -> None:
    laptops.edit(
        ".sops.yaml",
        "creation_rules:",
        "creation_rules:\n  - path_regex: ^wifi\\.yaml$\n    key_groups:\n      - age:\n"
        "          - *miscguy\n          - *t460",
    )
    laptops.write("wifi.yaml", "a: b\n")
    laptops.done("encrypt", "--in-place", "wifi.yaml", "--yes")
    laptops.commit()
    laptops.done("add-host", "t15g", "--key", laptops.public("t15g"), "--like", "t460", "--yes")
    found = openers(laptops, identities)
    assert found[LAPTOPS] == found["wifi.yaml"] == {"miscguy", "t460", "t15g"}


def test_a_hosts_key_gives_way_in_two_steps(laptops: Scene, identities: dict[str, Path]) -> None:
    both, new = {"miscguy", "t460", "t15g"}, {"miscguy", "t15g"}
    laptops.done("rotate", "host", "t460", "--key", laptops.public("t15g"), "--yes")
    found = openers(laptops, identities)
    assert (found[T460], found[LAPTOPS], found[SHARED]) == (both, both, both | {"hq"})
    assert laptops.run("check").status == 0

    refused = laptops.run("rotate", "host", "t460", "--finish", "--yes")
    assert (refused.status, openers(laptops, identities)) == (1, found)

    told = laptops.done("rotate", "host", "t460", "--finish", "--force", "--yes")
    assert "the old key of t460 knows these 3 values" in told
    found = openers(laptops, identities)
    assert (found[T460], found[LAPTOPS], found[SHARED]) == (new, new, new | {"hq"})
    assert "t460-2" not in laptops.read(".sops.yaml")
    assert laptops.read("keys/hosts/t460.pub").count("\n") == 1


def test_a_persons_recipient_gives_way_in_two_steps(
    fleet: Scene, identities: dict[str, Path]
) -> None:
    old = recipient_of(identities["miscguy"])
    fleet.done("rotate", "admin", "miscguy", recipient_of(identities["new"]), "--yes")
    assert all({"miscguy", "new"} <= names for names in openers(fleet, identities).values())

    refused = fleet.run("rotate", "admin", "miscguy", "--finish", old, "--yes")
    assert refused.status == 1
    locked = fleet.run("rotate", "admin", "miscguy", "--finish", old, "--force", "--yes")
    assert (locked.status, "would open it any more" in locked.stderr) == (3, True)

    with identities["new"].open() as file:
        later = fleet.with_variables(SOPS_AGE_KEY=file.read().strip())
    later.done("rotate", "admin", "miscguy", "--finish", old, "--yes")
    assert openers(fleet, identities) == {
        SHARED: {"new", "hq", "t460"},
        HQ: {"new", "hq"},
        T460: {"new", "t460"},
    }
    assert "&miscguy " in fleet.read(".sops.yaml")
    assert "miscguy-2" not in fleet.read(".sops.yaml")


def test_an_admin_who_leaves_opens_nothing_more(fleet: Scene, identities: dict[str, Path]) -> None:
    fleet.done("add-admin", "new", recipient_of(identities["new"]), "--yes")
    told = fleet.done("remove-admin", "new", "--yes")
    assert "new knows these 4 values" in told
    assert all("new" not in names for names in openers(fleet, identities).values())
    assert not (fleet.root / "keys/admins/new.pub").exists()


def test_the_last_admin_stays(fleet: Scene) -> None:
    before = fleet.tree()
    ended = fleet.run("remove-admin", "miscguy", "--yes")
    assert (ended.status, "the last admin" in ended.stderr) == (3, True)
    assert fleet.tree() == before


def test_nobody_locks_himself_out(fleet: Scene, identities: dict[str, Path]) -> None:
    fleet.done("add-admin", "new", recipient_of(identities["new"]), "--yes")
    before = fleet.tree()
    ended = fleet.run("remove-admin", "miscguy", "--yes")
    assert (ended.status, "available here would open it" in ended.stderr) == (3, True)
    assert fleet.tree() == before


def test_an_escrow_stays_in_every_document(fleet: Scene, identities: dict[str, Path]) -> None:
    paper = recipient_of(identities["new"])
    fleet.done("add-admin", "paper", paper, "--role", "escrow", "--yes")
    head, pattern, rule = fleet.read(".sops.yaml").partition("^shared/secrets\\.yaml$")
    without = rule.replace("          - *paper\n", "", 1)  # and the rule becomes the people's own
    fleet.write(".sops.yaml", head + pattern.replace("yaml", "ya?ml") + without)
    ended = fleet.run("rekey", "--yes")
    assert (ended.status, "as its escrow" in ended.stderr) == (3, True)


def test_a_host_is_renamed_with_all_that_bears_its_name(
    fleet: Scene, identities: dict[str, Path]
) -> None:
    before = openers(fleet, identities)
    document = fleet.read(HQ)
    (fleet.root / "systems/hq/run.sh").write_text("true\n")
    (fleet.root / "systems/hq/run.sh").chmod(0o755)
    fleet.commit()
    fleet.done("rename-host", "hq", "box", "--yes")
    assert fleet.read("systems/box/secrets.yaml") == document
    assert (fleet.root / "systems/box/run.sh").stat().st_mode & 0o777 == 0o755
    assert not any((fleet.root / "systems/hq").glob("*"))
    assert "./systems/box/configuration.nix" in fleet.read("flake.nix")
    assert "systems/hq" not in fleet.read("flake.nix") + fleet.read(".sops.yaml")
    after = openers(fleet, identities)
    assert after.pop("systems/box/secrets.yaml") == before.pop(HQ)
    assert after == before
    assert fleet.run("check").status == 0
    assert "box" in fleet.done("hosts")


def test_whose_attribute_bears_the_name_is_asked(fleet: Scene) -> None:
    fleet.edit("nixsecrets.yaml", "hq: { attribute: nixhq }", "hq: { attribute: hq }")
    ended = fleet.run("rename-host", "hq", "box", "--yes")
    assert (ended.status, "--attribute hq" in ended.stderr) == (2, True)
    fleet.done("rename-host", "hq", "box", "--attribute", "hq", "--host-name", "hq", "--yes")
    assert "box: { attribute: hq }" in fleet.read("nixsecrets.yaml")


def test_an_attribute_and_a_host_name_are_spelled_anew_where_they_are_given(fleet: Scene) -> None:
    fleet.done(
        "rename-host", "hq", "box", "--attribute", "nixbox", "--host-name", "nixbox", "--yes"
    )
    assert "nixbox = nixpkgs.lib.nixosSystem {" in fleet.read("flake.nix")
    assert "nixhq" not in fleet.read("flake.nix")
    assert 'hostName = "nixbox"' in fleet.read("systems/box/configuration.nix")
    assert "box: { attribute: nixbox }" in fleet.read("nixsecrets.yaml")


def test_outside_of_a_fleet_recipients_that_are_accepted_get_a_new_data_key(
    fleet: Scene, identities: dict[str, Path]
) -> None:
    folder = fleet.folder / "alone"
    folder.mkdir()
    (folder / "x.yaml").write_bytes((fleet.root / HQ).read_bytes())
    refused = fleet.run("rotate", "data-keys", "x.yaml", "--yes", folder="alone")
    assert (refused.status, "--accept-recipient" in refused.stderr) == (3, True)
    accepted = [
        word
        for name in ("miscguy", "hq")
        for word in ("--accept-recipient", recipient_of(identities[name]))
    ]
    done = fleet.run("rotate", "data-keys", "x.yaml", *accepted, "--yes", folder="alone")
    assert done.status == 0, done.stderr
    assert (folder / "x.yaml").read_bytes() != (fleet.root / HQ).read_bytes()
