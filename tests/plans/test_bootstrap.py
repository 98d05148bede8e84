from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.age.identity import parse_identities
from nixsecrets.age.ssh import parse_private_key
from nixsecrets.change import PRIVATE_MODE, PUBLIC_MODE
from nixsecrets.errors import NoIdentityError, RepositoryError
from nixsecrets.fleet.model import HostSettings, Identity, IdentityFile, IdentitySsh
from nixsecrets.fleet.names import HostName
from nixsecrets.plans import bootstrap
from nixsecrets.plans.bootstrap import USUAL, Seed
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.hosts import NewHost
from tests.plans.fleets import NOW, Fleet, changed, make_fleet, unlock_with

T15G = HostName("t15g")
TREE = Path("/tmp/tree")  # noqa: S108  # nothing is written there: plans touch no disk
ESCROW = "keys/hosts/t15g.private.yaml"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return make_fleet(tmp_path)


def escrowed(fleet: Fleet, seed: Seed) -> Draft:
    settings = HostSettings(identity=seed.identity)
    draft = bootstrap.add(fleet.draft(), NewHost(T15G, seed.key, settings), fleet.unlock)
    return bootstrap.keep(draft, T15G, seed, fleet.unlock, NOW)


@pytest.mark.parametrize(
    ("identity", "place"),
    [
        (USUAL, "/etc/ssh/ssh_host_ed25519_key"),
        (IdentitySsh(("/persist/key", "/etc/ssh/other")), "/persist/key"),
        (IdentityFile("/var/lib/key.txt"), "/var/lib/key.txt"),
    ],
    ids=["usual", "several", "age"],
)
def test_a_seed_is_both_halves_of_one_identity(identity: Identity, place: str) -> None:
    seed = bootstrap.generate(identity, "nixt15g")
    assert seed.place == PurePosixPath(place)
    match identity:
        case IdentityFile():
            found = parse_identities(seed.private, "it").identities
        case IdentitySsh():
            found = parse_private_key(seed.private, "it")
    assert seed.key.recipient in [one.recipient for one in found]


@pytest.mark.parametrize(
    ("identity", "files", "passable"),
    [
        (
            IdentitySsh(("/persist/etc/ssh/key",)),
            {"persist/etc/ssh/key": PRIVATE_MODE, "persist/etc/ssh/key.pub": PUBLIC_MODE},
            {"persist", "persist/etc", "persist/etc/ssh"},
        ),
        (
            IdentityFile("/var/lib/a/key.txt"),
            {"var/lib/a/key.txt": PRIVATE_MODE},
            {"var", "var/lib"},
        ),
        (IdentityFile("/key.txt"), {"key.txt": PRIVATE_MODE}, set()),
    ],
    ids=["ssh", "age", "age at the root"],
)
def test_a_tree_says_who_may_pass_through_its_folders(
    fleet: Fleet, identity: Identity, files: dict[str, int], passable: set[str]
) -> None:
    seed = bootstrap.generate(identity, "nixt15g")
    draft = bootstrap.add(fleet.draft(), NewHost(T15G, seed.key, HostSettings()), fleet.unlock)
    exports = bootstrap.lay_out(draft, T15G, seed, TREE).exports
    assert {str(one.file.relative_to(TREE)): one.mode for one in exports} == files
    for one in exports:
        assert {str(folder.relative_to(TREE)) for folder in one.passable} == passable


@pytest.mark.parametrize("identity", [USUAL, IdentityFile("/var/lib/key.txt")], ids=["ssh", "age"])
def test_admins_alone_get_the_seed_back(fleet: Fleet, identity: Identity) -> None:
    seed = bootstrap.generate(identity, "nixt15g")
    fleet.apply(escrowed(fleet, seed))
    back = bootstrap.from_escrow(fleet.repository(), T15G, fleet.unlock)
    assert (back.private, back.key.recipient) == (seed.private, seed.key.recipient)
    assert back.identity == identity
    for machine in (fleet.hq, fleet.t460):
        with pytest.raises(NoIdentityError):
            bootstrap.from_escrow(fleet.repository(), T15G, unlock_with(*machine.identities))


def test_an_escrow_stays_out_of_the_wiring(fleet: Fleet) -> None:
    seed = bootstrap.generate(USUAL, "nixt15g")
    fleet.apply(escrowed(fleet, seed))
    assert "private" not in fleet.read("systems/t15g/secrets.nix")
    rules = fleet.read(".sops.yaml")
    assert rules.index(r"t15g\.private") < rules.index(r"path_regex: \.yaml$")


def test_an_escrow_has_a_rule_before_one_that_lets_a_host_in(fleet: Fleet) -> None:
    open_rule = r"^keys/hosts/.*\.private\.yaml$"
    rule = f"creation_rules:\n  - path_regex: {open_rule}\n    age: {fleet.hq.key.recipient.text}\n"
    fleet.edit(".sops.yaml", "creation_rules:\n", rule)
    fleet.apply(escrowed(fleet, bootstrap.generate(USUAL, "nixt15g")))
    policy = fleet.read(".sops.yaml")
    assert policy.index(r"^keys/hosts/t15g\.private\.yaml$") < policy.index(open_rule)
    with pytest.raises(NoIdentityError):
        bootstrap.from_escrow(fleet.repository(), T15G, unlock_with(*fleet.hq.identities))


def test_a_dropped_escrow_takes_its_rule_along_and_nothing_else(fleet: Fleet) -> None:
    seed = bootstrap.generate(USUAL, "nixt15g")
    draft = bootstrap.add(
        fleet.draft(), NewHost(T15G, seed.key, HostSettings(identity=USUAL)), fleet.unlock
    )
    without = draft.repository.sources.read(PurePosixPath(".sops.yaml")).content.decode()
    fleet.apply(bootstrap.keep(draft, T15G, seed, fleet.unlock, NOW))
    draft = bootstrap.drop_escrow(fleet.draft(), T15G)
    assert changed(draft) == [ESCROW, ".sops.yaml"]
    fleet.apply(draft)
    assert fleet.read(".sops.yaml") == without
    with pytest.raises(RepositoryError, match="no key of t15g is kept in escrow"):
        bootstrap.drop_escrow(fleet.draft(), T15G)
