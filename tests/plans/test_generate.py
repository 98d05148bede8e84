"""Missing values are made in one plan, inputs first; what exists stays."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from nixsecrets.errors import ProgramError, RepositoryError
from nixsecrets.fleet.address import parse_argument, place_of
from nixsecrets.fleet.generator import Asked
from nixsecrets.fleet.lockfile import parse_lock
from nixsecrets.fleet.model import Address, Declaration
from nixsecrets.generators.generated import Generated, Hands, Inputs
from nixsecrets.generators.make import make
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import generate, secrets
from nixsecrets.plans.draft import Draft
from tests.plans.fleets import NOW, Fleet, after, changed, make_fleet, why

DECLARED = """\
secrets:
  admins:
    ann/password: { generator: passphrase }
  shared:
    ann/hash: { generator: { hashed-password: { of: "admins:ann/password", method: bcrypt } } }
    by/hand: { owner: root }
  each:
    all:
      backup/password: { generator: restic-password }
  hosts:
    hq:
      vpn/private: { generator: wireguard }
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    found = make_fleet(tmp_path)
    declare(found, DECLARED)
    return found


def declare(fleet: Fleet, secrets: str) -> None:
    text = re.sub(r"(?ms)^secrets:\n( .*?\n|\n)*(?=^\S|\Z)", "", fleet.read("nixsecrets.yaml"))
    fleet.write({"nixsecrets.yaml": text + secrets})


def address(text: str) -> Address:
    parsed = parse_argument(text)
    assert isinstance(parsed, Address)
    return parsed


def run(arguments: Sequence[str], _stdin: Plaintext) -> Plaintext:
    raise ProgramError(f"{arguments[0]} failed with status 1")


def ask(asked: Asked) -> Plaintext:
    return Plaintext(asked.value.encode())


def one_value(declaration: Declaration, inputs: Inputs) -> Generated:
    assert declaration.generator is not None
    return make(declaration.generator, inputs, Hands(run, ask, NOW))


def generated(fleet: Fleet, *wanted: str) -> Draft:
    addresses = [address(one) for one in wanted]
    return generate.generate(fleet.draft(), addresses, fleet.unlock, one_value, NOW)


def test_all_that_is_missing_is_made_at_once(fleet: Fleet) -> None:
    draft = generated(fleet)
    fleet.apply(draft)
    assert set(fleet.values("keys/admins.yaml", fleet.admin)) == {"ann/password"}
    assert {"miscguy/hashed-password", "ann/hash"} == set(
        fleet.values("shared/secrets.yaml", fleet.admin)
    )
    own = fleet.values("systems/hq/secrets.yaml", fleet.admin)["backup/password"]
    other = fleet.values("systems/t460/secrets.yaml", fleet.admin)["backup/password"]
    assert own != other
    assert any("nixsecrets add-host" in words for words in draft.warnings)


def test_a_second_time_there_is_nothing_to_do(fleet: Fleet) -> None:
    fleet.apply(generated(fleet))
    assert changed(generated(fleet)) == []


def test_a_public_half_stands_beside_its_document_and_the_plan_says_so(fleet: Fleet) -> None:
    draft = generated(fleet, "host/hq:vpn/private")
    path = "systems/hq/secrets.public/vpn/private.pub"
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=\n", after(draft, path))
    assert why(draft, path) == ["the public half of host/hq:vpn/private"]


def test_a_public_half_goes_with_its_value(fleet: Fleet) -> None:
    fleet.apply(generated(fleet, "host/hq:vpn/private"))
    draft = fleet.draft()
    place = place_of(draft.fleet, address("host/hq:vpn/private"))
    draft = secrets.remove(draft, place, fleet.unlock, NOW)
    path = "systems/hq/secrets.public/vpn/private.pub"
    assert path in changed(draft)
    assert why(draft, path) == ["- the public half of host/hq:vpn/private"]


def test_a_value_set_by_hand_leaves_the_public_half_and_says_so(fleet: Fleet) -> None:
    fleet.apply(generated(fleet, "host/hq:vpn/private"))
    draft = fleet.draft()
    place = place_of(draft.fleet, address("host/hq:vpn/private"))
    draft = secrets.set_value(draft, place, Plaintext(b"another"), fleet.unlock, NOW)
    path = "systems/hq/secrets.public/vpn/private.pub"
    assert path not in changed(draft)
    words = f"{path} stays as it is: see that it is host/hq:vpn/private's public half"
    assert words in draft.plan("set").warnings


def test_hosts_are_wired_that_are_to_have_a_new_value(fleet: Fleet) -> None:
    draft = generated(fleet, "host/hq:vpn/private")
    assert changed(draft) == [
        "systems/hq/secrets.yaml",
        "systems/hq/secrets.public/vpn/private.pub",
        "nixsecrets.lock.json",
        "systems/hq/secrets.nix",
    ]
    assert '"vpn/private"' in after(draft, "systems/hq/secrets.nix")


def test_what_a_value_is_made_from_is_made_too(fleet: Fleet) -> None:
    draft = generated(fleet, "shared:ann/hash")
    assert set(parse_lock(after(draft, "nixsecrets.lock.json").encode())) == {
        "admins:ann/password",
        "shared:ann/hash",
    }


def test_what_exists_is_taken_as_it_is(fleet: Fleet) -> None:
    fleet.apply(generated(fleet, "admins:ann/password"))
    word = fleet.values("keys/admins.yaml", fleet.admin)["ann/password"]
    seen: list[Plaintext] = []

    def watched(declaration: Declaration, inputs: Inputs) -> Generated:
        seen.extend(one.value for one in inputs.values())
        return one_value(declaration, inputs)

    wanted = [address("shared:ann/hash")]
    generate.generate(fleet.draft(), wanted, fleet.unlock, watched, NOW)
    assert seen == [Plaintext(word.encode())]


def test_an_older_dependant_is_told_and_left_alone(fleet: Fleet) -> None:
    fleet.apply(generated(fleet, "shared:ann/hash"))
    (fleet.root / "keys/admins.yaml").unlink()
    draft = generated(fleet, "admins:ann/password")
    assert "shared/secrets.yaml" not in changed(draft)
    assert draft.warnings == ("shared:ann/hash is made from a value that is new now: it is stale",)


def test_a_dependant_that_exists_has_no_input_made(fleet: Fleet) -> None:
    fleet.apply(generated(fleet, "shared:ann/hash"))
    (fleet.root / "keys/admins.yaml").unlink()
    assert changed(generated(fleet, "shared:ann/hash")) == []


def test_a_value_set_by_hand_must_be_there_for_what_is_made_from_it(fleet: Fleet) -> None:
    hashed = "{ hashed-password: { of: by/hand } }"
    declare(fleet, f"secrets:\n  shared:\n    by/hand: {{}}\n    h: {{ generator: {hashed} }}\n")
    with pytest.raises(RepositoryError) as caught:
        generated(fleet)
    assert (caught.value.problem, caught.value.hint) == (
        "shared:by/hand has no value, and others are made from it",
        "nixsecrets set shared:by/hand",
    )


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ("shared:nothing", "shared:nothing is not declared"),
        ("shared:by/hand", "shared:by/hand is declared without a generator"),
    ],
)
def test_what_has_no_generator_is_not_made(fleet: Fleet, wanted: str, problem: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        generated(fleet, wanted)
    assert caught.value.problem == problem


def test_a_failure_names_the_secret(fleet: Fleet) -> None:
    declare(fleet, "secrets:\n  shared:\n    a: { generator: { command: [no-such] } }\n")
    with pytest.raises(ProgramError) as caught:
        generated(fleet)
    assert str(caught.value) == "shared:a: no-such failed with status 1"


def test_no_value_stands_in_the_plan_or_the_lock_file(fleet: Fleet) -> None:
    draft = generated(fleet)
    fleet.apply(draft)
    word = fleet.values("keys/admins.yaml", fleet.admin)["ann/password"]
    assert word not in repr(draft)
    assert word not in fleet.read("nixsecrets.lock.json")


def test_what_only_an_existing_value_was_made_from_is_not_made(fleet: Fleet) -> None:
    hashed = "{ generator: { hashed-password: { of: %s, method: bcrypt } } }"
    first, second = hashed % "'admins:word'", hashed % "first"
    declare(
        fleet,
        "secrets:\n  admins:\n    word: { generator: passphrase }\n"
        f"  shared:\n    first: {first}\n    second: {second}\n",
    )
    fleet.apply(generated(fleet, "shared:first"))
    (fleet.root / "keys/admins.yaml").unlink()
    draft = generated(fleet, "shared:second")
    assert changed(draft) == ["shared/secrets.yaml", "nixsecrets.lock.json"]
