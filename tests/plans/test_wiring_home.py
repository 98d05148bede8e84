from pathlib import Path

import pytest

from nixsecrets.errors import RepositoryError
from tests.fleet.fleets import a_recipient
from tests.nix.real import assert_parses
from tests.plans.wiring_fleets import bring, contents, one_host, repository, sealed

MODULE = "systems/hq/home/ann.nix"
SECRETS = """secrets:
  home:
    ann:
      github/token:
        hosts: [hq]
        mode: "0600"
        consumers: [programs.gh.tokenFile]
"""


def home(**files: bytes) -> dict[str, bytes]:
    """Return a fleet of hq alone with a token at the home of ann, who has an identity there."""
    return {
        **one_host(SECRETS),
        "keys/users/hq/ann.pub": f"{a_recipient().text}\n".encode(),
        "systems/hq/home/ann.yaml": sealed("github:\n    token: x\n"),
        "systems/hq/home.nix": b"{ pkgs, ... }: {\n  imports = [ ./git.nix ];\n}\n",
        **files,
    }


def test_a_home_gets_a_module_with_what_home_manager_has(tmp_path: Path) -> None:
    plan = bring(repository(tmp_path, home()))
    module = contents(plan)[MODULE]
    assert_parses(module.encode())
    assert module.partition("\n")[2] == (
        """{ config, lib, ... }:
{
  sops = {
    defaultSopsFile = lib.mkDefault ./ann.yaml;
    age.keyFile = lib.mkDefault "${config.home.homeDirectory}/.config/sops/age/keys.txt";
    secrets = {
      "github/token" = {
        sopsFile = ./ann.yaml;
        mode = lib.mkDefault "0600";
      };
    };
  };
  programs.gh.tokenFile = config.sops.secrets."github/token".path;
}
"""
    )
    assert contents(plan)["systems/hq/home.nix"] == (
        "{ pkgs, ... }: {\n  imports = [ ./git.nix ./home/ann.nix ];\n}\n"
    )
    assert any(note.endswith("inputs.sops-nix.homeManagerModules.sops") for note in plan.notes)
    assert "ann" not in contents(plan)["systems/hq/secrets.nix"]


def test_sops_nix_comes_into_the_home_of_the_flake(tmp_path: Path) -> None:
    flake = b"""{
  inputs.sops-nix.url = "github:Mic92/sops-nix";
  outputs = { home-manager, ... }@inputs: {
    homeConfigurations."ann@hq" = home-manager.lib.homeManagerConfiguration {
      modules = [ ./systems/hq/home.nix ];
    };
  };
}
"""
    plan = bring(repository(tmp_path, home(**{"flake.nix": flake})))
    assert contents(plan)["flake.nix"].encode() == flake.replace(
        b"home.nix ]", b"home.nix inputs.sops-nix.homeManagerModules.sops ]"
    )
    again = {path: text.encode() for path, text in contents(plan).items()}
    assert bring(repository(tmp_path, again)).changes == ()


def test_a_user_without_a_key_is_passed_over(tmp_path: Path) -> None:
    files = home()
    del files["keys/users/hq/ann.pub"]
    plan = bring(repository(tmp_path, files))
    assert MODULE not in contents(plan)
    assert "ann@hq: no key yet: nixsecrets add-user-key hq ann" in plan.warnings


def test_a_module_that_was_edited_by_hand_stays(tmp_path: Path) -> None:
    known = repository(tmp_path, home(**{MODULE: b"{ }\n"}))
    with pytest.raises(RepositoryError, match="was not written by nixsecrets"):
        bring(known)
