"""New values in the place of others; what is made from them follows, in order."""

from datetime import datetime, timedelta
from pathlib import Path

import bcrypt
import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.address import Place, parse_argument, place_of
from nixsecrets.fleet.lockfile import parse_lock
from nixsecrets.fleet.model import Address
from nixsecrets.generators.generated import Generated, Inputs
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import generate, renewal
from nixsecrets.plans.draft import Draft
from tests.plans.fleets import NOW, Fleet, changed, make_fleet
from tests.plans.test_generate import declare, one_value

LATER = NOW + timedelta(days=31)
DECLARED = """\
secrets:
  admins:
    ann/password: { generator: passphrase, max-age: 30d }
  shared:
    ann/hash:
      generator: { hashed-password: { of: "admins:ann/password", method: bcrypt } }
      consumers: [users.users.ann.hashedPasswordFile]
    by/hand: { owner: root, max-age: 31d }
  each:
    all:
      backup/password: { generator: restic-password, restart-units: [a.service] }
  hosts:
    hq:
      vpn/private:
        generator: wireguard
        reload-units: [vpn.service]
        rotation: tell the other end its public half
templates:
  hosts:
    hq:
      backup.env:
        content: "P={{ backup/password }}"
        restart-units: [b.service, a.service]
"""
WORD, HASH = "admins:ann/password", "shared:ann/hash"
VPN, BACKUP = "host/hq:vpn/private", "host/hq:backup/password"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    found = make_fleet(tmp_path)
    declare(found, DECLARED)
    draft = found.draft()
    found.apply(generate.generate(draft, (), found.unlock, one_value, NOW))
    return found


def place(draft: Draft, text: str) -> Place:
    address = parse_argument(text)
    assert isinstance(address, Address)
    return place_of(draft.fleet, address)


def renewed(place: Place, inputs: Inputs) -> Generated:
    if place.declaration is None or place.declaration.generator is None:
        return Generated(Plaintext(b"typed"))
    return one_value(place.declaration, inputs)


def rotated(fleet: Fleet, *wanted: str, now: datetime = LATER) -> Draft:
    draft = fleet.draft()
    places = [place(draft, one) for one in wanted]
    return renewal.rotate(draft, places, fleet.unlock, renewed, now)


def due(fleet: Fleet, days: int) -> list[str]:
    return [str(one.address) for one in renewal.due(fleet.draft(), NOW + timedelta(days=days))]


def test_a_hash_follows_its_password(fleet: Fleet) -> None:
    before = fleet.values("keys/admins.yaml", fleet.admin)["ann/password"]
    draft = rotated(fleet, WORD)
    assert changed(draft) == ["keys/admins.yaml", "shared/secrets.yaml", "nixsecrets.lock.json"]
    fleet.apply(draft)
    word = fleet.values("keys/admins.yaml", fleet.admin)["ann/password"]
    hashed = fleet.values("shared/secrets.yaml", fleet.admin)["ann/hash"]
    assert word != before
    assert bcrypt.checkpw(word.encode(), hashed.encode())
    known = parse_lock((fleet.root / "nixsecrets.lock.json").read_bytes())
    later = {address for address, entry in known.items() if entry.changed == LATER.date()}
    assert later == {WORD, HASH}


def test_a_public_half_follows(fleet: Fleet) -> None:
    path = "systems/hq/secrets.public/vpn/private.pub"
    before = fleet.read(path)
    draft = rotated(fleet, VPN)
    assert changed(draft) == ["systems/hq/secrets.yaml", path, "nixsecrets.lock.json"]
    fleet.apply(draft)
    assert fleet.read(path) != before


def test_a_dependant_that_does_not_exist_is_left_to_generate(fleet: Fleet) -> None:
    (fleet.root / "shared/secrets.yaml").unlink()
    assert changed(rotated(fleet, WORD)) == ["keys/admins.yaml", "nixsecrets.lock.json"]


def test_an_undeclared_value_is_another_and_has_no_date(fleet: Fleet) -> None:
    assert changed(rotated(fleet, "shared:miscguy/hashed-password")) == ["shared/secrets.yaml"]


@pytest.mark.parametrize(
    ("wanted", "notes"),
    [
        (
            WORD,
            (
                f"{WORD} is for the admins alone",
                f"{HASH} is for hq and t460, is read by users.users.ann.hashedPasswordFile",
            ),
        ),
        (
            HASH,
            (
                f"{HASH} is for hq and t460, is read by users.users.ann.hashedPasswordFile",
                f"{HASH} is made from {WORD}, which stays as it is",
            ),
        ),
        (
            VPN,
            (
                f"{VPN} is for hq, reloads vpn.service",
                f"{VPN}, afterwards: tell the other end its public half",
            ),
        ),
        (
            BACKUP,
            (f"{BACKUP} is for hq, stands in backup.env, restarts a.service and b.service",),
        ),
        (
            "shared:miscguy/hashed-password",
            ("shared:miscguy/hashed-password is not declared: nothing tells what uses it",),
        ),
    ],
    ids=["input", "dependant", "note", "template", "undeclared"],
)
def test_the_plan_says_who_uses_it(fleet: Fleet, wanted: str, notes: tuple[str, ...]) -> None:
    assert rotated(fleet, wanted).notes == notes


def test_what_is_due_is_older_than_it_may_be_and_of_known_age(fleet: Fleet) -> None:
    fleet.seal("shared/secrets.yaml", "by:\n    hand: x\n", fleet.ann)
    assert due(fleet, 30) == []
    assert due(fleet, 400) == [WORD]
    fleet.apply(rotated(fleet, "shared:by/hand", now=NOW))
    assert due(fleet, 31) == [WORD]
    assert due(fleet, 32) == [WORD, "shared:by/hand"]


def test_what_has_no_value_is_not_due(fleet: Fleet) -> None:
    (fleet.root / "keys/admins.yaml").unlink()
    assert due(fleet, 400) == []


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("shared:by/hand", "nixsecrets set shared:by/hand"),
        ("host/vm01:backup/password", "nixsecrets generate host/vm01:backup/password"),
    ],
    ids=["by hand", "generated"],
)
def test_what_has_no_value_cannot_be_another(fleet: Fleet, wanted: str, hint: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        rotated(fleet, wanted)
    assert (caught.value.problem, caught.value.hint) == (f"{wanted} has no value yet", hint)


def test_a_missing_input_is_named(fleet: Fleet) -> None:
    (fleet.root / "keys/admins.yaml").unlink()
    with pytest.raises(RepositoryError) as caught:
        rotated(fleet, HASH)
    assert caught.value.hint == f"nixsecrets generate {WORD}"
