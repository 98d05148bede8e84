"""What the lock file tells of values, by a clock that is passed in."""

import json
from datetime import timedelta

import pytest

from nixsecrets.fleet.generator import HashedPassword, Password, Reference
from nixsecrets.generators.specification import spec_of
from tests.audit.clean_fleet import NOW, Place

LOCK = "nixsecrets.lock.json"
PSK = "    wifi/psk:\n"
TODAY = NOW.date()
BY_HAND = spec_of(None)


def ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


def know(place: Place, **entries: tuple[str, str]) -> None:
    known = {address: {"changed": day, "spec": spec} for address, (day, spec) in entries.items()}
    place.write(LOCK, json.dumps(known))


def test_a_value_in_its_age_is_no_finding(place: Place) -> None:
    place.edit("nixsecrets.yaml", PSK, "    wifi/psk: { max-age: 30d }\n")
    know(place, **{"shared:wifi/psk": (ago(30), BY_HAND)})
    assert place.found() == []


def test_a_value_that_is_too_old_names_its_repair(place: Place) -> None:
    place.edit("nixsecrets.yaml", PSK, "    wifi/psk: { max-age: 30d }\n")
    know(place, **{"shared:wifi/psk": (ago(31), BY_HAND)})
    (found,) = place.check()
    line = place.line("nixsecrets.yaml", "wifi/psk")
    assert (found.rule, found.place, found.words, found.remedy) == (
        "value/too-old",
        f"nixsecrets.yaml:{line}",
        "shared:wifi/psk is 31 days old, and is to be another after 30",
        "nixsecrets rotate value shared:wifi/psk",
    )


@pytest.mark.parametrize("lock", [None, "{}"], ids=["no lock file", "no entry"])
def test_a_value_with_a_longest_age_and_no_date_is_told_of(place: Place, lock: str | None) -> None:
    place.edit("nixsecrets.yaml", PSK, "    wifi/psk: { max-age: 30d }\n")
    if lock:
        place.write(LOCK, lock)
    (found,) = place.check()
    assert found.words.startswith(f"shared:wifi/psk has no date in {LOCK}, ")
    assert (found.rule, found.remedy) == (
        "value/undated",
        "nixsecrets rotate value shared:wifi/psk",
    )


def test_a_value_of_another_host_is_not_asked_about(place: Place) -> None:
    place.edit("nixsecrets.yaml", "spare: {", "spare: { max-age: 1d,")
    know(place, **{"host/hq:spare": (ago(9), BY_HAND), "shared:gone": (ago(9), BY_HAND)})
    assert place.found("t15g") == []
    assert [one.rule for one in place.check("hq")] == ["value/too-old"]


def test_a_value_that_is_asked_for_otherwise_since_is_stale(place: Place) -> None:
    know(place, **{"shared:wifi/psk": (ago(0), spec_of(Password(20)))})
    (found,) = place.found()
    assert found == (
        f"warning value/stale nixsecrets.yaml:{place.line('nixsecrets.yaml', 'wifi/psk')}: "
        "shared:wifi/psk was made before its declaration asked for what it asks for now"
    )


@pytest.mark.parametrize(("days", "stale"), [(1, True), (2, False), (3, False)])
def test_a_value_is_stale_whose_input_is_another_since(
    place: Place, days: int, *, stale: bool
) -> None:
    hashed = "{ hashed-password: { of: wifi/psk } }"
    place.edit("nixsecrets.yaml", PSK, f"{PSK}    hash: {{ generator: {hashed} }}\n")
    place.seal("shared/secrets.yaml", "wifi:\n  psk: a\nhash: b\n", "ann", "hq", "t15g", "vm01")
    place.plan()
    spec = spec_of(HashedPassword(Reference("wifi/psk")))
    know(place, **{"shared:wifi/psk": (ago(days), BY_HAND), "shared:hash": (ago(2), spec)})
    words = [one.words for one in place.check()]
    assert words == (["shared:hash was made from an older shared:wifi/psk"] if stale else [])


def test_a_generator_of_weak_values_is_told(place: Place) -> None:
    weak = "    wifi/psk: { generator: { password: { length: 8 } } }\n"
    place.edit("nixsecrets.yaml", PSK, weak)
    (found,) = place.found()
    assert found == (
        f"warning generator/weak nixsecrets.yaml:{place.line('nixsecrets.yaml', 'wifi/psk')}: "
        "wifi/psk asks for a password of 8 signs, which are fewer than 12"
    )


def test_a_line_without_declaration_is_told(place: Place) -> None:
    know(place, **{"shared:gone": (ago(1), BY_HAND)})
    (found,) = place.found()
    assert found == (
        f"warning lock/undeclared {LOCK}: "
        "shared:gone stands here and is not declared: take its line out"
    )


def test_a_damaged_lock_file_is_an_error_with_its_repair(place: Place) -> None:
    place.write(LOCK, "<<<<<<< ours\n")
    (found,) = place.check()
    assert (found.severity.value, found.rule, found.place) == ("error", "lock/damaged", LOCK)
    assert found.remedy is not None
