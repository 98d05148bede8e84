"""Inputs before dependants, whatever the depth; circles and unknown inputs are shown."""

import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet import dependencies
from nixsecrets.fleet.address import parse_argument
from nixsecrets.fleet.generator import (
    X509,
    Generator,
    HashedPassword,
    Htpasswd,
    Password,
    Reference,
)
from nixsecrets.fleet.model import Address


def address(text: str) -> Address:
    parsed = parse_argument(text)
    assert isinstance(parsed, Address)
    return parsed


def hashed(of: str) -> HashedPassword:
    return HashedPassword(Reference(of))


def resolved(declared: dict[str, Generator | None]) -> dependencies.Inputs:
    return dependencies.inputs_of_all({address(text): one for text, one in declared.items()})


def spelled(addresses: tuple[Address, ...]) -> list[str]:
    return [str(one) for one in addresses]


CHAIN: dict[str, Generator | None] = {
    "shared:users": Htpasswd((("a", Reference("shared:c")), ("b", Reference("admins:b")))),
    "shared:c": hashed("admins:b"),
    "admins:b": hashed("admins:a"),
    "admins:a": Password(),
    "host/hq:other": Password(),
    "host/hq:by-hand": None,
}


def test_inputs_come_before_what_is_made_from_them() -> None:
    found = dependencies.in_order(resolved(CHAIN), [address("shared:users")])
    assert spelled(found) == ["admins:a", "admins:b", "shared:c", "shared:users"]


def test_what_nothing_else_needs_comes_alone() -> None:
    chain = resolved(CHAIN)
    for text in ("admins:a", "host/hq:by-hand"):
        assert dependencies.in_order(chain, [address(text)]) == (address(text),)


def test_all_are_ordered() -> None:
    chain = resolved(CHAIN)
    found = dependencies.in_order(chain, tuple(chain))
    assert sorted(found) == sorted(chain)
    for one, own in chain.items():
        assert all(found.index(before) < found.index(one) for before in own.values())


def test_dependants_follow_in_any_depth() -> None:
    chain = resolved(CHAIN)
    found = dependencies.dependants(chain, [address("admins:a")])
    assert spelled(found) == ["admins:b", "shared:c", "shared:users"]
    assert dependencies.dependants(chain, [address("shared:users")]) == ()
    both = [address("shared:c"), address("admins:a")]
    assert spelled(dependencies.dependants(chain, both)) == ["admins:b", "shared:users"]


def test_thousands_may_stand_on_each_other() -> None:
    chain: dict[str, Generator | None] = {"admins:n0": Password()}
    chain |= {f"admins:n{n}": hashed(f"n{n - 1}") for n in range(1, 5000)}
    last = [address("admins:n4999")]
    found = dependencies.in_order(resolved(chain), last)
    assert spelled(found) == [f"admins:n{n}" for n in range(5000)]


@pytest.mark.parametrize(
    ("declared", "reference"),
    [
        (["admins:a"], "a"),
        (["admins:a", "shared:a"], "admins:a"),
        (["host/hq:a", "host/t460:a", "admins:a"], "a"),
        (["host/t460:a", "host/hq:a"], "host/hq:a"),
    ],
)
def test_an_input_is_an_address_or_a_name_beside_it_or_a_name_of_its_own(
    declared: list[str], reference: str
) -> None:
    own = address("host/hq:made")
    generators: dict[str, Generator | None] = dict.fromkeys(declared)
    chain = resolved({**generators, str(own): X509("x", 1, by=Reference(reference))})
    (meant,) = chain[own].values()
    expected = "host/hq:a" if "host/hq:a" in declared else "admins:a"
    assert str(meant) == expected


@pytest.mark.parametrize(
    ("reference", "problem", "hint"),
    [
        (
            "admins:pasword",
            "host/hq:made is made from 'admins:pasword', which is not declared",
            "did you mean admins:password?",
        ),
        (
            "pasword",
            "host/hq:made is made from 'pasword', which is not declared",
            "did you mean admins:password?",
        ),
        (
            "wireguard/zzz",
            "host/hq:made is made from 'wireguard/zzz', which is not declared",
            "declare it under `secrets:`",
        ),
        (
            "twice",
            "host/hq:made is made from 'twice', which is 2 secrets",
            "say which one: shared:twice, host/t460:twice",
        ),
    ],
)
def test_an_input_that_is_none_is_an_error(reference: str, problem: str, hint: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        resolved(
            {
                "admins:password": None,
                "shared:twice": None,
                "host/t460:twice": None,
                "host/hq:made": hashed(reference),
            }
        )
    assert (caught.value.problem, caught.value.hint) == (problem, hint)


@pytest.mark.parametrize(
    ("declared", "circle"),
    [
        ({"admins:a": hashed("a")}, "admins:a → admins:a"),
        ({"admins:a": hashed("b"), "shared:b": hashed("a")}, "admins:a → shared:b → admins:a"),
        (
            {
                "admins:x": hashed("c"),
                "admins:c": hashed("a"),
                "admins:a": hashed("b"),
                "admins:b": hashed("c"),
            },
            "admins:c → admins:a → admins:b → admins:c",
        ),
    ],
    ids=["itself", "two", "beside another"],
)
def test_a_circle_is_shown(declared: dict[str, Generator | None], circle: str) -> None:
    chain = resolved(declared)
    with pytest.raises(RepositoryError) as caught:
        dependencies.in_order(chain, tuple(chain))
    assert caught.value.problem == f"values are made from each other in a circle: {circle}"
    assert " → ".join(spelled(dependencies.find_circle(chain))) == circle


def test_a_fleet_without_one_has_no_circle() -> None:
    assert dependencies.find_circle(resolved(CHAIN)) == ()
