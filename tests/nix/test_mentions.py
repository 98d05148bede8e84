from pathlib import PurePosixPath

from nixsecrets.nix.mentions import MentionKind, find_mentions, rename_mentions
from tests.nix.real import assert_parses

FLAKE = b"""{
  outputs = { nixpkgs, ... }: {
    nixosConfigurations.hq = nixpkgs.lib.nixosSystem {
      modules = [ ./systems/hq/configuration.nix ./systems/hqx/a.nix ];
    };
    nixosConfigurations.other = { hq = 1; };
    colmena = { "hq" = { imports = [ ./systems/hq ]; }; };
  };
}
"""

MODULE = """{ config, ... }:
{
  networking.hostName = "hq";
  networking = { hostName = "hq"; };
  environment.etc.x.text = "é"; users.x = "hq";
  sops.defaultSopsFile = ../. + "/${config.networking.hostName}/secrets.yaml";
  a = "hq is busy";
}
""".encode()


def kinds(content: bytes, directory: str) -> list[tuple[int, int, str, MentionKind]]:
    found = find_mentions(content, "hq", PurePosixPath(directory))
    return [(each.line, each.column, each.text, each.kind) for each in found]


def test_a_flake_bears_a_host_as_attribute_and_path() -> None:
    assert kinds(FLAKE, "systems/hq") == [
        (3, 25, "hq", MentionKind.ATTRIBUTE),
        (4, 19, "./systems/hq/configuration.nix", MentionKind.PATH),
        (7, 17, '"hq"', MentionKind.ATTRIBUTE),
        (7, 38, "./systems/hq", MentionKind.PATH),
    ]


def test_a_module_bears_a_host_as_host_name_and_in_built_paths() -> None:
    assert kinds(MODULE, ".") == [
        (3, 25, '"hq"', MentionKind.HOST_NAME),
        (4, 29, '"hq"', MentionKind.HOST_NAME),
        (5, 43, '"hq"', MentionKind.TEXT),
        (
            6,
            26,
            '../. + "/${config.networking.hostName}/secrets.yaml"',
            MentionKind.BUILT_PATH,
        ),
    ]


def test_an_attribute_is_renamed_and_nothing_else() -> None:
    flake = rename_mentions(FLAKE, MentionKind.ATTRIBUTE, "hq", "new host")
    assert_parses(flake)
    assert flake == FLAKE.replace(b"s.hq", b's."new host"').replace(b'"hq"', b'"new host"')


def test_a_host_name_is_renamed_and_nothing_else() -> None:
    module = rename_mentions(MODULE, MentionKind.HOST_NAME, "hq", "nq")
    assert module == MODULE.replace(b'ostName = "hq"', b'ostName = "nq"')
