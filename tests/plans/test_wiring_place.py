from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.change import FollowUp
from tests.nix.real import assert_parses, unmarked
from tests.plans.wiring_fleets import (
    CONFIGURATION,
    FLAKE,
    bring,
    contents,
    model,
    one_host,
    repository,
)

HQ = "systems/hq/configuration.nix"
BARE = b"{ services.openssh.enable = true; }\n"
CHANNEL = (
    f"{HQ}: nothing brings in sops-nix; add to its `imports`, with a channel of that name:"
    " `nix-channel --add https://github.com/Mic92/sops-nix/archive/master.tar.gz sops-nix &&"
    " nix-channel --update` as root:\n  <sops-nix/modules/sops>"
)


def test_the_wiring_is_imported_and_nothing_else_changes(tmp_path: Path) -> None:
    plan = bring(repository(tmp_path, one_host()))
    after = contents(plan)[HQ]
    assert after == CONFIGURATION.decode().replace(
        "./hardware-configuration.nix ]", "./hardware-configuration.nix ./secrets.nix ]"
    )
    (change,) = (change for change in plan.changes if change.path == PurePosixPath(HQ))
    assert change.why == ("imports ./secrets.nix",)


@pytest.mark.parametrize(
    ("path", "module"),
    [
        pytest.param(
            "systems/hq/more/default.nix", b"{ imports = [ ../secrets.nix ]; }", id="another module"
        ),
        pytest.param(
            "flake.nix",
            FLAKE.replace(b"./systems/hq/configuration.nix", b"./systems/hq/secrets.nix"),
            id="the flake",
        ),
    ],
)
def test_a_wiring_that_is_imported_elsewhere_is_not_imported_again(
    tmp_path: Path, path: str, module: bytes
) -> None:
    assert HQ not in contents(bring(repository(tmp_path, {**one_host(), path: module})))


def test_a_wiring_in_the_system_of_another_host_is_not_imported_yet(tmp_path: Path) -> None:
    flake = FLAKE.replace(b"./systems/t460/configuration.nix", b"./systems/hq/secrets.nix")
    assert HQ in contents(bring(repository(tmp_path, {**one_host(), "flake.nix": flake})))


@pytest.mark.parametrize(
    ("configuration", "note"),
    [
        pytest.param(
            b"x: import ./all.nix x\n",
            f"{HQ}:1: the module is not written as an attribute set; add to the module:\n"
            "  imports = [ ./secrets.nix ];",
            id="another shape",
        ),
        pytest.param(
            b"{ imports = [ ;\n",
            f"{HQ}:1:1: not understood as Nix;"
            " add to the `imports` of the configuration of hq:\n  ./secrets.nix",
            id="no Nix",
        ),
        pytest.param(
            None,
            f"{HQ}: no such file;"
            " add to the `imports` of the configuration of hq:\n  ./secrets.nix",
            id="no configuration",
        ),
    ],
)
def test_imports_that_cannot_be_edited_are_a_note(
    tmp_path: Path, configuration: bytes | None, note: str
) -> None:
    files = one_host()
    if configuration is None:
        del files[HQ]
    else:
        files[HQ] = configuration
    plan = bring(repository(tmp_path, files))
    assert set(contents(plan)) == {"systems/hq/secrets.nix"}
    assert plan.notes == (note, CHANNEL)


def test_the_import_is_relative_to_the_configuration(tmp_path: Path) -> None:
    host = "{ configuration: machines/hq.nix }"
    files = {**one_host(host=host), "machines/hq.nix": BARE}
    after = contents(bring(repository(tmp_path, files)))["machines/hq.nix"]
    assert after == "{ imports = [ ../systems/hq/secrets.nix ]; services.openssh.enable = true; }\n"


def test_sops_nix_comes_into_the_flake_once_and_into_each_of_its_systems(tmp_path: Path) -> None:
    marked = """{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";«
  inputs.sops-nix = {
    url = "github:Mic92/sops-nix";
    inputs.nixpkgs.follows = "nixpkgs";
  };»

  outputs = { nixpkgs, ... }@inputs: {
    nixosConfigurations.nixhq = nixpkgs.lib.nixosSystem {
      modules = [ ./systems/hq/configuration.nix« inputs.sops-nix.nixosModules.sops» ];
    };
    nixosConfigurations.nixt460 = nixpkgs.lib.nixosSystem {
      modules = [ ./systems/t460/configuration.nix« inputs.sops-nix.nixosModules.sops» ];
    };
  };
}
"""
    before, after = unmarked(marked)
    assert before == FLAKE

    plan = bring(repository(tmp_path, model()), "hq", "t460")

    assert contents(plan)["flake.nix"].encode() == after
    assert_parses(after)
    lock = ("nix", "--extra-experimental-features", "nix-command flakes", "flake", "lock")
    assert plan.follow_ups == (FollowUp(lock, "locks the new input sops-nix"),)
    assert plan.notes == ()

    without_module = after.replace(b" inputs.sops-nix.nixosModules.sops", b"", 1)
    assert bring(repository(tmp_path, {"flake.nix": without_module}), "hq").follow_ups == ()

    again = bring(repository(tmp_path, {"flake.nix": after}), "hq", "t460")
    assert "flake.nix" not in contents(again)
    assert again.follow_ups == ()


def test_a_host_that_no_literal_system_names_gets_a_note(tmp_path: Path) -> None:
    (note,) = bring(repository(tmp_path, model()), "t15g").notes
    assert note == (
        "flake.nix: nixt15g is not one literal nixosSystem of the flake;"
        " add to the `modules` of nixosConfigurations.nixt15g:\n"
        "  inputs.sops-nix.nixosModules.sops"
    )


def test_a_flake_that_cannot_be_edited_is_told_what_to_add(tmp_path: Path) -> None:
    flake = b"{ inputs = import ./inputs.nix; outputs = inputs: { }; }\n"
    plan = bring(repository(tmp_path, {**one_host(), "flake.nix": flake}))
    assert "flake.nix" not in contents(plan)
    assert plan.follow_ups == ()
    declared, module = plan.notes
    assert declared.startswith("flake.nix:1: inputs are not written as an attribute set; add to ")
    assert 'sops-nix.url = "github:Mic92/sops-nix";' in declared
    assert module == (
        "flake.nix: is not edited; add to the `modules` of nixosConfigurations.nixhq:\n"
        "  inputs.sops-nix.nixosModules.sops"
    )


@pytest.mark.parametrize(
    ("path", "content"),
    [
        pytest.param(
            "systems/hq/more.nix",
            b"{ inputs, ... }: { imports = [ inputs.sops-nix.nixosModules.sops ]; }",
            id="a module of the host",
        ),
        pytest.param(
            "shared/base.nix",
            b"{ inputs, ... }: { imports = [ inputs.sops.nixosModules.sops ]; }",
            id="a module of all hosts",
        ),
        pytest.param(
            "flake.nix",
            b"""{ outputs = inputs: let all = [ inputs.sops-nix.nixosModules.default ]; in {
              nixosConfigurations.nixhq = inputs.nixpkgs.lib.nixosSystem {
                modules = all ++ [ ./systems/hq/configuration.nix ];
              };
            }; }""",
            id="what the flake's systems have in common",
        ),
    ],
)
def test_sops_nix_that_comes_in_another_way_is_left_alone(
    tmp_path: Path, path: str, content: bytes
) -> None:
    plan = bring(repository(tmp_path, {**one_host(), "flake.nix": FLAKE, path: content}))
    assert "flake.nix" not in contents(plan)
    assert plan.follow_ups == ()
    assert plan.notes == ()


@pytest.mark.parametrize(
    ("configuration", "notes"),
    [
        pytest.param(BARE, (CHANNEL,), id="nowhere"),
        pytest.param(b"{ # <sops-nix/modules/sops>\n}\n", (CHANNEL,), id="in a comment"),
        pytest.param(b"{ imports = [ <sops-nix/modules/sops> ]; }\n", (), id="by a channel"),
        pytest.param(
            b'{ imports = [ "${builtins.fetchTarball "https://example.org/x"}/modules/sops" ]; }\n',
            (),
            id="fetched",
        ),
        pytest.param(
            b'{ imports = [ "${(import ./npins).sops-nix}/modules/sops" ]; }\n', (), id="pinned"
        ),
    ],
)
@pytest.mark.parametrize("host", [f"{{ attribute: nixhq, configuration: {HQ} }}", "{}"])
def test_a_host_without_flake_gets_the_line_to_paste(
    tmp_path: Path, host: str, configuration: bytes, notes: tuple[str, ...]
) -> None:
    files = {**one_host(host=host), "flake.nix": FLAKE, HQ: configuration}
    plan = bring(repository(tmp_path, files))
    assert plan.notes == notes
    assert "flake.nix" not in contents(plan)


@pytest.mark.parametrize(
    ("files", "module"),
    [
        pytest.param(
            {"npins/sources.json": b'{ "pins": { "sops-nix": { } }, "version": 5 }'},
            '((import ../../npins).sops-nix + "/modules/sops")',
            id="npins",
        ),
        pytest.param(
            {"nix/sources.json": b'{ "sops-nix": { } }', "nix/sources.nix": b"{ }"},
            '((import ../../nix/sources.nix).sops-nix + "/modules/sops")',
            id="niv",
        ),
        pytest.param(
            {
                "nixsecrets.yaml": b"version: 1\nhosts:\n  hq: {}\n  vm: {}\n",
                "systems/vm/configuration.nix": b"{ imports = [ <sops-nix/modules/sops> ]; }",
            },
            "<sops-nix/modules/sops>",
            id="the channel of another host",
        ),
        pytest.param(
            {
                "nixsecrets.yaml": b"version: 1\nhosts:\n  hq: {}\n  vm: {}\n",
                "systems/vm/configuration.nix": b'{ imports = [ "${fetchTarball { url = "u";'
                b' sha256 = "h"; }}/modules/sops" ]; }',
            },
            '"${fetchTarball { url = "u"; sha256 = "h"; }}/modules/sops"',
            id="the tree that another host fetches",
        ),
    ],
)
def test_a_host_without_flake_gets_the_sops_nix_that_is_pinned(
    tmp_path: Path, files: dict[str, bytes], module: str
) -> None:
    plan = bring(repository(tmp_path, {**one_host(host="{}"), **files}), "hq")
    after = contents(plan)[HQ]
    assert_parses(after.encode())
    assert after == CONFIGURATION.decode().replace(
        "./hardware-configuration.nix ]",
        f"./hardware-configuration.nix ./secrets.nix {module} ]",
    )
    assert plan.notes == ()


def test_a_darwin_host_gets_what_its_module_has(tmp_path: Path) -> None:
    secrets = "secrets: { shared: { a: { restart-units: [x.service], mode: '0440' } } }\n"
    flake = b"""{
      inputs.sops-nix.url = "github:Mic92/sops-nix";
      outputs = { self, ... }@inputs: {
        darwinConfigurations.nixhq = inputs.darwin.lib.darwinSystem { modules = [ ./x.nix ]; };
      };
    }"""
    plan = bring(repository(tmp_path, {**one_host(secrets), "flake.nix": flake}))
    assert "restartUnits" not in contents(plan)["systems/hq/secrets.nix"]
    assert "./x.nix inputs.sops-nix.darwinModules.sops ]" in contents(plan)["flake.nix"]
    assert plan.notes == ("shared:a: sops-nix's module of hq has no restart-units",)
