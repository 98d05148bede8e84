from collections.abc import Callable

import pytest

from tests.audit.clean_fleet import LOCK, SHARED, Place

WIRING = "systems/hq/secrets.nix"
CONFIGURATION = "systems/hq/configuration.nix"


def _missing(place: Place) -> None:
    place.remove(WIRING)


def _stale(place: Place) -> None:
    place.edit("nixsecrets.yaml", "        owner: nextcloud\n", "        owner: other\n")


def _hand_edited(place: Place) -> None:
    place.edit(WIRING, 'lib.mkDefault "nextcloud"', 'lib.mkDefault "root"')


def _formatted(place: Place) -> None:
    text = place.read(WIRING)
    place.write(WIRING, text.replace("    ", "\t").replace(" = {\n", " =\n  {\n"))


def _not_imported(place: Place) -> None:
    place.edit(CONFIGURATION, "    ./secrets.nix\n", "")


def _older_line(place: Place) -> None:
    line = '  services.nextcloud.config.adminpassFile = "/etc/nextcloud-admin-pass";\n'
    place.write("shared/base.nix", f"{{\n{line}}}\n")


def _damaged(place: Place) -> None:
    place.write("nixsecrets.yaml", place.read("nixsecrets.yaml") + "wiring: { deliver: all }\n")
    place.plan()
    place.write("systems/hq/secrets.yaml", "sops: lastmodified\n")


def _no_module(place: Place) -> None:
    text = place.read("flake.nix")
    place.write("flake.nix", text.replace(" sops-nix.nixosModules.sops", ""))


def _no_input(place: Place) -> None:
    _no_module(place)
    text = place.read("flake.nix")
    place.write(
        "flake.nix",
        text.replace("sops-nix, ", "").replace('    sops-nix.url = "github:Mic92/sops-nix";\n', ""),
    )


def _no_channel(place: Place) -> None:
    place.edit("systems/vm01/configuration.nix", "    <sops-nix/modules/sops>\n", "")


def _no_lock(place: Place) -> None:
    place.remove("flake.lock")


def _lock_without_input(place: Place) -> None:
    place.write("flake.lock", LOCK.replace('"sops-nix"', '"other"', 1))


def _broken_lock(place: Place) -> None:
    place.write("flake.lock", "[" * 100_000)


@pytest.mark.parametrize(
    ("break_it", "findings", "remedy"),
    [
        pytest.param(
            _missing,
            [f"error wiring/missing {WIRING}: hq has no wiring"],
            "nixsecrets wire hq",
            id="missing",
        ),
        pytest.param(
            _stale,
            [f"error wiring/stale {WIRING}: is not what is declared for hq"],
            "nixsecrets wire hq",
            id="stale",
        ),
        pytest.param(
            _hand_edited,
            [f"error wiring/hand-edited {WIRING}: is not as nixsecrets wrote it"],
            "nixsecrets wire hq --force",
            id="hand-edited",
        ),
        pytest.param(_formatted, [], None, id="formatted by another formatter"),
        pytest.param(
            _not_imported,
            [f"error wiring/not-imported {WIRING}: no module of hq imports it"],
            "nixsecrets wire hq",
            id="not imported",
        ),
        pytest.param(
            _older_line,
            [
                (
                    "error wiring/older-definition shared/base.nix:2: sets "
                    "services.nextcloud.config.adminpassFile, which the wiring of hq sets too"
                )
            ],
            "take the line out",
            id="an older line of the owner's",
        ),
        pytest.param(
            _damaged,
            [],
            None,
            id="a damaged document is told of as what it is",
        ),
        pytest.param(
            _no_module,
            [
                (
                    "error wiring/no-sops-nix flake.nix: lacks sops-nix for nixhq and sops-nix for "
                    "nixt15g, which the wiring needs"
                )
            ],
            "nixsecrets wire",
            id="systems without sops-nix",
        ),
        pytest.param(
            _no_input,
            [
                (
                    "error wiring/no-sops-nix flake.nix: lacks input sops-nix, sops-nix for nixhq "
                    "and sops-nix for nixt15g, which the wiring needs"
                )
            ],
            "nixsecrets wire",
            id="a flake without sops-nix",
        ),
        pytest.param(
            _no_lock,
            [
                (
                    "warning wiring/unlocked flake.lock: there is none, so that every build may "
                    "take other inputs"
                )
            ],
            "nix flake lock",
            id="no lock",
        ),
        pytest.param(
            _lock_without_input,
            ["warning wiring/unlocked flake.lock: has no entry for sops-nix"],
            "nix flake lock",
            id="an input without lock entry",
        ),
        pytest.param(
            _broken_lock,
            ["warning wiring/unlocked flake.lock: has no entry for nixpkgs and sops-nix"],
            "nix flake lock",
            id="a lock that is none",
        ),
    ],
)
def test_wiring(
    place: Place, break_it: Callable[[Place], None], findings: list[str], remedy: str | None
) -> None:
    break_it(place)
    assert [one for one in place.found() if " wiring/" in one] == findings
    known = {one.remedy for one in place.check() if one.rule.startswith("wiring/")}
    assert known == ({remedy} if findings else set())


def test_a_system_outside_of_the_flake_without_sops_nix_is_told_what_to_paste(
    place: Place,
) -> None:
    _no_channel(place)
    (found,) = place.check()
    assert (found.rule, found.severity.value) == ("wiring/no-sops-nix", "warning")
    assert found.place == "systems/vm01/configuration.nix"
    assert "<sops-nix/modules/sops>" in (found.remedy or "")


def test_one_name_in_two_scopes_of_a_host_cannot_be_wired(place: Place) -> None:
    place.edit("nixsecrets.yaml", "      spare: { deliver: false }\n", "")
    place.write("nixsecrets.yaml", place.read("nixsecrets.yaml") + "wiring: { deliver: all }\n")
    shared = f"{SHARED}spare: also here\n"
    place.seal("shared/secrets.yaml", shared, "ann", "hq", "t15g", "vm01")
    assert [one for one in place.found("hq") if "clash" in one] == [
        f"error declaration/clash {WIRING}: shared:spare and host/hq:spare both reach hq"
    ]


def test_a_module_that_cannot_be_read_is_passed_over(place: Place) -> None:
    before = place.check("hq")
    (place.root / "systems/hq/loop.nix").symlink_to("loop.nix")
    assert place.check("hq") == before
