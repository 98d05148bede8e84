from collections.abc import Callable

import pytest

from tests.audit.clean_fleet import OF_HQ, SHARED, Place

HQ = "systems/hq/secrets.yaml"
MANIFEST = "nixsecrets.yaml"


def _declare(place: Place, scope: str, *lines: str) -> None:
    """Put declarations before the first of `hosts.hq`, or behind that of `shared`."""
    first = {"hq": "      nextcloud/admin-password:\n", "shared": "    wifi/psk:\n"}[scope]
    indent = " " * (len(first) - len(first.lstrip()))
    added = "".join(f"{indent}{line}\n" for line in lines)
    place.edit(MANIFEST, first, added + first)
    place.plan()


def _without_host_key(place: Place) -> None:
    place.remove("keys/hosts/t15g.pub")
    place.remove("systems/t15g/secrets.nix")
    place.plan()
    place.seal("shared/secrets.yaml", SHARED, "ann", "hq", "vm01")
    place.edit("systems/t15g/configuration.nix", "    ./secrets.nix\n", "")


def _without_person_key(place: Place) -> None:
    place.edit(MANIFEST, "  ann: {}\n", "  ann: {}\n  bob: {}\n")


def _without_value(place: Place) -> None:
    place.seal(HQ, "other: x\n", "ann", "hq")


def _without_document(place: Place) -> None:
    place.remove("shared/secrets.yaml")


def _null(place: Place) -> None:
    place.seal(HQ, "nextcloud:\n  admin-password:\nspare: three\n", "ann", "hq")


def _mapping(place: Place) -> None:
    place.seal(HQ, "nextcloud:\n  admin-password:\n    x: y\nspare: three\n", "ann", "hq")


def _slash(place: Place) -> None:
    place.seal(HQ, "nextcloud/admin-password: x\nspare: three\n", "ann", "hq")


def _slash_undeclared(place: Place) -> None:
    place.seal(HQ, f"{OF_HQ}a/b: x\n", "ann", "hq")


def _slash_by_hand(place: Place) -> None:
    _slash_undeclared(place)
    _by_hand(place, "a/b")


def _by_hand(place: Place, name: str) -> None:
    place.write("systems/hq/app.nix", f'{{ sops.secrets."{name}" = {{ }}; }}\n')
    place.edit(
        "systems/hq/configuration.nix", "    ./secrets.nix\n", "    ./secrets.nix\n    ./app.nix\n"
    )


def _numbers(place: Place) -> None:
    place.seal(HQ, "nextcloud:\n  admin-password: 7\nspare: true\nlist: [1.5]\n", "ann", "hq")


def _number_by_hand(place: Place) -> None:
    place.seal(HQ, f"{OF_HQ}n: 1.5\n", "ann", "hq")
    _by_hand(place, "n")


def _number_in_clear(place: Place) -> None:
    place.seal(HQ, f"{OF_HQ}n_unencrypted: 1\n", "ann", "hq")


def _number_where_all_is_delivered(place: Place) -> None:
    place.write(MANIFEST, place.read(MANIFEST) + "wiring: { deliver: all }\n")
    place.seal(HQ, f"{OF_HQ}n: 1\nm: all\n", "ann", "hq")
    place.plan()


def _undeclared(place: Place) -> None:
    place.seal(HQ, f"{OF_HQ}a: x\nb: x\nc: x\nd: x\ne: x\nlist: [x]\n", "ann", "hq")


def _one_undeclared(place: Place) -> None:
    place.seal(HQ, f"{OF_HQ}a: x\n", "ann", "hq")


def _declared_by_hand(place: Place) -> None:
    _one_undeclared(place)
    _by_hand(place, "a")


def _odd_name(place: Place) -> None:
    place.write(MANIFEST, place.read(MANIFEST) + "wiring: { deliver: all }\n")
    place.seal(HQ, f"{OF_HQ}two words: x\n", "ann", "hq")
    place.plan()


def _clash(place: Place) -> None:
    place.seal("shared/secrets.yaml", f"{SHARED}spare:\n  part: x\n", "ann", "hq", "t15g", "vm01")


def _clash_delivered(place: Place) -> None:
    _clash(place)
    place.write(MANIFEST, place.read(MANIFEST) + "wiring: { deliver: all }\n")
    place.edit(MANIFEST, "      spare: { deliver: false }\n", "      spare:\n")


@pytest.mark.parametrize(
    ("break_it", "findings"),
    [
        pytest.param(
            _without_host_key,
            ["warning host/no-key nixsecrets.yaml: t15g has no key yet and reads nothing"],
            id="a host without key",
        ),
        pytest.param(
            _without_person_key,
            ["warning person/no-key nixsecrets.yaml: bob has no recipient yet and reads nothing"],
            id="a person without recipient",
        ),
        pytest.param(
            _without_value,
            [
                (
                    "error declaration/no-value nixsecrets.yaml:15: nextcloud/admin-password of hq "
                    "is declared and has no value yet"
                ),
                (
                    "warning declaration/no-value nixsecrets.yaml:18: spare of hq is declared and "
                    "has no value yet"
                ),
                (
                    f"warning declaration/undeclared {HQ}:1: other is not declared, so that no "
                    "host is given it"
                ),
            ],
            id="no value: an error where it is delivered",
        ),
        pytest.param(
            _without_document,
            [
                (
                    "error declaration/no-value nixsecrets.yaml:12: wifi/psk of hq, t15g and vm01 "
                    "is declared and has no value yet"
                )
            ],
            id="no document: told once for all hosts",
        ),
        pytest.param(
            _null,
            [
                (
                    "error declaration/no-value nixsecrets.yaml:15: nextcloud/admin-password of hq "
                    "has no value: nothing stands there"
                )
            ],
            id="null",
        ),
        pytest.param(
            _mapping,
            [
                (
                    "error declaration/no-value nixsecrets.yaml:15: nextcloud/admin-password of hq "
                    "has no value of its own: nextcloud/admin-password/x stands below it"
                ),
                (
                    "warning declaration/clash nixsecrets.yaml: nextcloud/admin-password and "
                    "nextcloud/admin-password/x both reach hq, which could not have both"
                ),
                (
                    f"warning declaration/undeclared {HQ}:3: nextcloud/admin-password/x is not "
                    "declared, so that no host is given it"
                ),
            ],
            id="a mapping where the value should be",
        ),
        pytest.param(
            _slash,
            [
                (
                    "error declaration/no-value nixsecrets.yaml:15: nextcloud/admin-password of hq "
                    "stands there as one mapping key with `/` in it, which sops-nix cannot reach"
                )
            ],
            id="a slash in the key of what is declared",
        ),
        pytest.param(
            _slash_undeclared,
            [
                (
                    f'warning declaration/slash-in-key {HQ}:4: ["a/b"] has `/` in a mapping key, '
                    "which sops-nix cannot reach"
                )
            ],
            id="a slash in the key of what is not delivered",
        ),
        pytest.param(
            _slash_by_hand,
            [
                (
                    f'error declaration/slash-in-key {HQ}:4: ["a/b"] has `/` in a mapping key, '
                    "which sops-nix cannot reach"
                )
            ],
            id="a slash in the key of what the people's Nix declares",
        ),
        pytest.param(
            _numbers,
            [
                (
                    f"error declaration/not-a-string {HQ}:2: nextcloud/admin-password is of type "
                    "int, and sops-nix delivers strings only"
                ),
                (
                    f"warning declaration/not-a-string {HQ}:3: spare is of type bool, and sops-nix "
                    "delivers strings only"
                ),
            ],
            id="types: an error where it is delivered; items of lists never are",
        ),
        pytest.param(
            _number_by_hand,
            [
                (
                    f"error declaration/not-a-string {HQ}:4: n is of type float, and sops-nix "
                    "delivers strings only"
                )
            ],
            id="a number that the people's Nix declares",
        ),
        pytest.param(
            _number_in_clear,
            [
                (
                    f"warning declaration/not-a-string {HQ}:4: n_unencrypted is of type int, and "
                    "sops-nix delivers strings only"
                ),
            ],
            id="a number in clear",
        ),
        pytest.param(
            _number_where_all_is_delivered,
            [
                (
                    f"warning declaration/not-a-string {HQ}:4: n is of type int, and sops-nix "
                    "delivers strings only"
                )
            ],
            id="a number that wiring leaves out",
        ),
        pytest.param(
            _undeclared,
            [
                (
                    f"warning declaration/undeclared {HQ}:4: a, b, c and 2 more are not declared, "
                    "so that no host is given them"
                )
            ],
            id="undeclared values",
        ),
        pytest.param(_declared_by_hand, [], id="a value that the people's Nix declares"),
        pytest.param(
            _odd_name,
            [
                (
                    f"warning declaration/not-a-name {HQ}:4: two words is no name of a secret, so "
                    "that no host is given it"
                )
            ],
            id="no name",
        ),
        pytest.param(
            _clash,
            [
                (
                    "warning declaration/clash nixsecrets.yaml: spare and spare/part both reach "
                    "hq, which could not have both"
                ),
                (
                    "warning declaration/undeclared shared/secrets.yaml:4: spare/part is not "
                    "declared, so that no host is given it"
                ),
            ],
            id="a beside a/b, not both delivered",
        ),
        pytest.param(
            _clash_delivered,
            [
                (
                    "error declaration/clash systems/hq/secrets.nix: host/hq:spare and "
                    "shared:spare/part both reach hq, and a value cannot have others below it"
                )
            ],
            id="a beside a/b, both delivered",
        ),
    ],
)
def test_declarations(place: Place, break_it: Callable[[Place], None], findings: list[str]) -> None:
    break_it(place)
    kept = (" declaration/", "/no-key")
    assert [one for one in place.found() if any(rule in one for rule in kept)] == findings


@pytest.mark.parametrize(
    ("break_it", "remedies"),
    [
        (_without_host_key, {"nixsecrets add-host t15g"}),
        (_without_person_key, {"nixsecrets add-admin bob RECIPIENT"}),
        (_without_document, {"nixsecrets set shared:wifi/psk"}),
        (_number_by_hand, {"nixsecrets set host/hq:n"}),
    ],
)
def test_remedies(
    place: Place, break_it: Callable[[Place], None], remedies: set[str | None]
) -> None:
    break_it(place)
    kept = ("declaration/", "host/", "person/")
    assert {one.remedy for one in place.check() if one.rule.startswith(kept)} == remedies


def test_the_clean_fleet_has_what_the_tests_declare(place: Place) -> None:
    _declare(place, "shared", "new/one:")
    assert place.found() == [
        (
            "error declaration/no-value nixsecrets.yaml:12: new/one of hq, t15g and vm01 is "
            "declared and has no value yet"
        )
    ]


_ELSEWHERE = """\
  admins:
    a/b:
  home:
    me:
      c/d: { hosts: [hq, t15g] }
  shared:
"""


def test_what_admins_and_homes_wait_for_is_told(place: Place) -> None:
    place.edit(MANIFEST, "  shared:\n", _ELSEWHERE)
    place.write("keys/users/hq/me.pub", f"{place.recipients['t15g'].text}\n")
    found = [one for one in place.found() if MANIFEST in one]
    assert found == [
        (
            "error declaration/no-value nixsecrets.yaml:15: c/d of me@hq is declared and "
            "has no value yet"
        ),
        "warning user/no-key nixsecrets.yaml: me@t15g has no key yet and reads nothing",
        (
            "warning declaration/no-value nixsecrets.yaml:12: a/b of the admins is declared and "
            "has no value yet"
        ),
    ]


def test_values_of_the_admins_need_no_declaration(place: Place) -> None:
    place.edit(MANIFEST, "  shared:\n", _ELSEWHERE)
    place.seal("keys/admins.yaml", "a:\n  b: x\nother: 1\n", "ann")
    assert [one for one in place.found() if "declaration/" in one] == []
