"""The lock file follows every change of a declared value, and nothing else."""

from datetime import date, timedelta
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.address import Leaves, Place, Purpose, locate
from nixsecrets.fleet.lockfile import parse_lock
from nixsecrets.fleet.names import HostName
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import edit, leaving, moving, renaming, secrets
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.renaming import NewName
from tests.plans.fleets import NOW, Fleet, changed, make_fleet

LOCK = "nixsecrets.lock.json"
OF_HQ = "host/hq:nextcloud/admin-password"
LATER = NOW + timedelta(days=9)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return make_fleet(tmp_path)


def place(draft: Draft, address: str) -> Place:
    nothing = Leaves((), lambda _path, _keys: False, lambda _path: ())
    return locate(draft.fleet, address, None, Purpose.WRITE, lambda: nothing)


def put(fleet: Fleet, address: str, value: str = "another") -> Draft:
    draft = fleet.draft()
    where, content = place(draft, address), Plaintext(value.encode())
    return secrets.set_value(draft, where, content, fleet.unlock, NOW)


def dates(fleet: Fleet) -> dict[str, date]:
    file = fleet.root / LOCK
    entries = parse_lock(file.read_bytes()) if file.exists() else {}
    return {address: entry.changed for address, entry in entries.items()}


def test_a_declared_value_has_the_day_on_which_it_was_set(fleet: Fleet) -> None:
    fleet.apply(put(fleet, OF_HQ))
    assert dates(fleet) == {OF_HQ: NOW.date()}


def test_an_undeclared_value_has_no_date(fleet: Fleet) -> None:
    assert changed(put(fleet, "host/hq:other")) == ["systems/hq/secrets.yaml"]


def test_the_same_value_again_is_no_newer(fleet: Fleet) -> None:
    fleet.apply(put(fleet, OF_HQ))
    draft = fleet.draft()
    again = Plaintext(b"another")
    draft = secrets.set_value(draft, place(draft, OF_HQ), again, fleet.unlock, LATER)
    assert changed(draft) == []


def test_a_value_under_another_key_path_is_known_by_its_declaration(fleet: Fleet) -> None:
    fleet.edit("nixsecrets.yaml", "{ owner: nextcloud }", "{ key: cloud/password }")
    fleet.apply(put(fleet, OF_HQ))
    assert dates(fleet) == {OF_HQ: NOW.date()}
    assert "cloud/password" in fleet.values("systems/hq/secrets.yaml", fleet.admin)


def test_a_removed_value_is_forgotten_and_the_last_one_takes_the_file_along(fleet: Fleet) -> None:
    fleet.apply(put(fleet, OF_HQ))
    fleet.apply(put(fleet, "group/laptops:wifi/psk"))
    for address, left in ((OF_HQ, {"group/laptops:wifi/psk": NOW.date()}), ("wifi/psk", {})):
        draft = fleet.draft()
        fleet.apply(secrets.remove(draft, place(draft, address), fleet.unlock, LATER))
        assert dates(fleet) == left
    assert not (fleet.root / LOCK).exists()


def moved(fleet: Fleet, source: str, target: str) -> Draft:
    draft = fleet.draft()
    between = (place(draft, source), place(draft, target))
    return moving.move(draft, between, fleet.unlock, LATER, force=False)


@pytest.mark.parametrize(
    ("source", "target"),
    [(OF_HQ, "host/hq:moved/admin-password"), ("host/hq:nextcloud", "host/hq:moved")],
    ids=["one value", "all below"],
)
def test_a_value_that_moves_is_as_old_as_it_was(fleet: Fleet, source: str, target: str) -> None:
    fleet.edit("nixsecrets.yaml", "    hq:\n", "    hq:\n      moved/admin-password:\n")
    fleet.apply(put(fleet, OF_HQ))
    fleet.apply(moved(fleet, source, target))
    assert dates(fleet) == {"host/hq:moved/admin-password": NOW.date()}


def test_a_copy_is_as_old_as_what_it_is_of(fleet: Fleet) -> None:
    fleet.edit("nixsecrets.yaml", "    hq:\n", "    hq:\n      copied:\n")
    fleet.apply(put(fleet, OF_HQ))
    draft = fleet.draft()
    between = (place(draft, OF_HQ), place(draft, "host/hq:copied"))
    fleet.apply(moving.copy(draft, between, fleet.unlock, LATER, force=False))
    assert dates(fleet) == {OF_HQ: NOW.date(), "host/hq:copied": NOW.date()}


def test_what_moves_to_where_nothing_is_declared_is_forgotten(fleet: Fleet) -> None:
    fleet.apply(put(fleet, OF_HQ))
    fleet.apply(moved(fleet, OF_HQ, "host/hq:undeclared"))
    assert dates(fleet) == {}


def test_an_edited_text_gives_its_changed_values_a_date(fleet: Fleet) -> None:
    fleet.edit("nixsecrets.yaml", "    hq:\n", "    hq:\n      came:\n      stays:\n")
    fleet.apply(put(fleet, OF_HQ))
    fleet.apply(put(fleet, "host/hq:stays"))
    path = PurePosixPath("systems/hq/secrets.yaml")
    text = Plaintext(b"stays: another\ncame: new\n")
    fleet.apply(edit.put(fleet.draft(), path, text, fleet.unlock, LATER))
    assert dates(fleet) == {"host/hq:stays": NOW.date(), "host/hq:came": LATER.date()}


def test_a_renamed_host_keeps_the_dates_of_its_values(fleet: Fleet) -> None:
    fleet.apply(put(fleet, OF_HQ))
    fleet.apply(put(fleet, "shared:miscguy/hashed-password"))
    new = NewName(HostName("big"))
    fleet.apply(renaming.rename_host(fleet.draft(), HostName("hq"), new))
    assert dates(fleet) == {
        "host/big:nextcloud/admin-password": NOW.date(),
        "shared:miscguy/hashed-password": NOW.date(),
    }


def test_a_host_that_leaves_is_forgotten(fleet: Fleet) -> None:
    fleet.apply(put(fleet, OF_HQ))
    fleet.apply(put(fleet, "shared:miscguy/hashed-password"))
    fleet.apply(leaving.remove_host(fleet.draft(), HostName("hq"), fleet.unlock, LATER))
    assert dates(fleet) == {"shared:miscguy/hashed-password": NOW.date()}


def test_a_damaged_file_stops_the_change(fleet: Fleet) -> None:
    fleet.write({LOCK: "<<<<<<< ours\n"})
    with pytest.raises(RepositoryError) as caught:
        put(fleet, OF_HQ)
    assert caught.value.hint == f"bring an older one back: git checkout REVISION -- {LOCK}"
