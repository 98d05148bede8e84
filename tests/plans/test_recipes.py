"""A recipe is declared, made, encrypted and wired in one plan; a second time nothing changes."""

import re
from pathlib import Path

import pytest

from nixsecrets.errors import NoIdentityError, RepositoryError
from nixsecrets.fleet import cookbook
from nixsecrets.fleet.model import Declaration, InGroup, OnHost, Shared
from nixsecrets.fleet.names import GroupName, HostName
from nixsecrets.fleet.recipe import values_of
from nixsecrets.generators.generated import Generated, Inputs
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import recipes
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.recipes import Order, Receivers
from tests.plans.fleets import NOW, Fleet, after, changed, difference, make_fleet, values, why

HQ = OnHost(HostName("hq"))
MANIFEST = "nixsecrets.yaml"
NEXTCLOUD = """\
# In clear, for years.
{
  services.nextcloud.config = {
    adminpassFile = "/etc/nextcloud-admin-pass";
  };
  environment.etc."nextcloud-admin-pass".text = "hunter-two";
}
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    found = make_fleet(tmp_path)
    text = re.sub(r"(?ms)^secrets:\n( .*?\n|\n)*(?=^\S|\Z)", "", found.read(MANIFEST))
    found.write({MANIFEST: text})
    found.seal("systems/hq/secrets.yaml", "other: x\n", found.ann, found.hq.key.recipient)
    return found


def one_value(declaration: Declaration, inputs: Inputs) -> Generated:
    made_from = "+".join(one.value.reveal().decode() for one in inputs.values())
    return Generated(Plaintext(f"{declaration.name}({made_from})".encode()))


def added(fleet: Fleet, name: str, scope: Receivers = HQ, **given: str) -> Draft:
    draft = fleet.draft()
    recipe = cookbook.find(draft.repository.sources, name)
    order = Order(recipe, scope, values_of(recipe, given))
    return recipes.add(draft, order, fleet.unlock, one_value, NOW)


def decrypted(fleet: Fleet, draft: Draft, path: str) -> dict[str, str]:
    return values(after(draft, path).encode(), fleet.admin)


def test_a_recipe_is_declared_made_and_wired(fleet: Fleet) -> None:
    draft = added(fleet, "nextcloud", database="password")

    assert why(draft, MANIFEST) == [
        "+ host/hq:nextcloud/admin-password",
        "+ host/hq:nextcloud/db-password",
    ]
    assert decrypted(fleet, draft, "systems/hq/secrets.yaml") == {
        "other": "x",
        "nextcloud/admin-password": "nextcloud/admin-password()",
        "nextcloud/db-password": "nextcloud/db-password()",
    }
    wiring = after(draft, "systems/hq/secrets.nix")
    for option, name in (("adminpassFile", "admin-password"), ("dbpassFile", "db-password")):
        path = f'config.sops.secrets."nextcloud/{name}".path'
        assert f"services.nextcloud.config.{option} = {path};" in wiring
    assert any("user:resetpassword" in note for note in draft.notes)


def test_the_manifest_gains_lines_and_loses_none(fleet: Fleet) -> None:
    before = fleet.read(MANIFEST)
    lines = difference(before, after(added(fleet, "nextcloud"), MANIFEST))
    assert all(line.startswith("+ ") for line in lines)
    assert "+       nextcloud/admin-password:" in lines


def test_what_no_host_needs_is_encrypted_to_admins_and_made_first(fleet: Fleet) -> None:
    draft = added(fleet, "user-password", Shared(), user="ann")

    assert decrypted(fleet, draft, "keys/admins.yaml") == {"ann/password": "ann/password()"}
    shared = decrypted(fleet, draft, "shared/secrets.yaml")
    assert shared["ann/hashed-password"] == "ann/hashed-password(ann/password())"
    with pytest.raises(NoIdentityError):
        values(after(draft, "keys/admins.yaml").encode(), *fleet.hq.identities)


def test_a_second_time_nothing_changes(fleet: Fleet) -> None:
    fleet.apply(added(fleet, "user-password", Shared(), user="ann"))
    draft = added(fleet, "user-password", Shared(), user="ann")
    assert changed(draft) == []
    assert all("is declared already" in note for note in draft.notes)


def test_what_is_declared_already_stays_and_brings_no_input(fleet: Fleet) -> None:
    fleet.write(
        {
            MANIFEST: fleet.read(MANIFEST)
            + "\nsecrets: { shared: { ann/hashed-password: { needed-for-users: true } } }\n"
        }
    )
    draft = added(fleet, "user-password", Shared(), user="ann")
    assert changed(draft) == []
    assert [note.partition(",")[0] for note in draft.notes] == [
        "shared:ann/hashed-password is declared already"
    ]


def test_what_is_declared_and_has_no_value_yet_is_made(fleet: Fleet) -> None:
    before = added(fleet, "nextcloud")
    fleet.write({MANIFEST: after(before, MANIFEST)})
    draft = added(fleet, "nextcloud")
    assert "systems/hq/secrets.yaml" in changed(draft)
    assert MANIFEST not in changed(draft)


def test_a_template_is_declared_and_wired_for_the_group(fleet: Fleet) -> None:
    draft = added(fleet, "wifi", InGroup(GroupName("laptops")), network="home")

    assert why(draft, MANIFEST) == ["+ group/laptops:wifi/home-psk", "+ template wifi-home.env"]
    wiring = after(draft, "systems/t460/secrets.nix")
    assert 'content = "psk_home=${config.sops.placeholder."wifi/home-psk"}\\n";' in wiring
    assert "systems/hq/secrets.nix" not in changed(draft)
    fleet.apply(draft)
    assert changed(added(fleet, "wifi", InGroup(GroupName("laptops")), network="home")) == []


def test_nix_that_a_person_writes_is_told_with_its_place(fleet: Fleet) -> None:
    note = added(fleet, "nextcloud-backup").notes[0]
    assert note.startswith("the rest is yours to write, in systems/hq/configuration.nix:\n")
    assert '\n    repository = "/var/backup/restic-nextcloud";\n' in note


def test_nix_that_stands_there_already_is_named(fleet: Fleet) -> None:
    text = '{\n  services.restic.backups.nextcloud.repository = "/mnt";\n}\n'
    fleet.write({"systems/hq/backup.nix": text})
    note = added(fleet, "nextcloud-backup").notes[0]
    place = "systems/hq/backup.nix:2 sets services.restic.backups.nextcloud.repository already"
    assert place in note


def test_a_value_in_clear_and_what_names_it_are_told_with_file_and_line(fleet: Fleet) -> None:
    fleet.write({"shared/nextcloud-server.nix": NEXTCLOUD})
    draft = added(fleet, "nextcloud")
    told = {warning.partition(" ")[0]: warning for warning in draft.warnings}
    assert "an older definition stands there" in told["shared/nextcloud-server.nix:4:"]
    assert "puts a value in clear" in told["shared/nextcloud-server.nix:6:"]
    assert "hunter-two" not in " ".join(draft.warnings)


def test_a_repositorys_own_recipe_takes_the_place_of_ours(fleet: Fleet) -> None:
    own = "summary: ours\nsecrets: { delivered: { cloud/own: { generator: hex } } }\n"
    fleet.write({"recipes/nextcloud.yaml": own})
    assert why(added(fleet, "nextcloud"), MANIFEST) == ["+ host/hq:cloud/own"]


def test_a_name_that_another_scope_has_is_refused(fleet: Fleet) -> None:
    fleet.apply(added(fleet, "nextcloud"))
    with pytest.raises(RepositoryError, match="reach one host"):
        added(fleet, "nextcloud", Shared())


def test_an_unknown_host_is_refused_before_anything_is_made(fleet: Fleet) -> None:
    with pytest.raises(RepositoryError, match="unknown host 'hp'"):
        added(fleet, "nextcloud", OnHost(HostName("hp")))
