import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.nix.edit import binds_option, binds_true, declared_secrets
from nixsecrets.nix.options import bound_string
from tests.nix.real import assert_parses

HOST = b"""{ config, lib, ... }:
let
  services.gitea.enable = true;
in
{
  services.openssh.enable = true;
  services.nextcloud = {
    enable = lib.mkDefault true;
    config = {
      adminpassFile = "/etc/nextcloud-admin-pass";
    };
  };
  users.users."misc guy" = { hashedPasswordFile = "/x"; };
  users.users = {
    ${config.x}.password = "y";
  };
  config = lib.mkIf config.a.enable (lib.mkMerge [
    { boot.kernel.x = 1; }
    (lib.mkIf true { boot.kernel.y = 2; } // { z = 3; })
    (if true then { u = 4; } else { v.w = 5; })
  ]);
  inherit (config) fonts;
  lists.of = [ { sets = true; } ];
  printing.enable = (true);
  sound.enable = lib.mkForce true;
  video.enable = false;
}
"""


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("services.openssh.enable", 6),
        ("services.nextcloud", 7),
        ("services.nextcloud.config.adminpassFile", 10),
        ('users.users."misc guy".hashedPasswordFile', 13),
        ("boot.kernel.x", 18),
        ("boot.kernel.y", 19),
        ("z", 19),
        ("u", 20),
        ("v.w", 20),
        ("fonts", 22),
        ("services.gitea.enable", None),
        ("services.nextcloud.config.dbpassFile", None),
        ("users.users.x.password", None),
        ("lists.of.sets", None),
        ("config.boot.kernel.x", None),
    ],
)
def test_the_line_that_binds_an_option_is_found(option: str, line: int | None) -> None:
    assert binds_option(HOST, option) == line


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ("services.openssh.enable", True),
        ("printing.enable", True),
        ("sound.enable", False),
        ("services.nextcloud.enable", False),
        ("video.enable", False),
        ("services.gitea.enable", False),
        ("boot.kernel.x", False),
    ],
)
def test_only_a_plain_true_is_known_to_be_true(option: str, known: bool) -> None:  # noqa: FBT001 - a column of the table
    assert_parses(HOST)

    assert binds_true(HOST, option) is known


def test_true_under_config_is_known_and_under_a_condition_is_not() -> None:
    assert binds_true(
        b"{ config.services.openssh = { enable = true; }; }", "services.openssh.enable"
    )
    assert not binds_true(b"x: { config = x.mkIf x.y { a = true; }; }", "a")


@pytest.mark.parametrize(
    ("content", "names"),
    [
        pytest.param(b'{ sops.secrets."a/b" = { }; }', {"a/b"}, id="dotted"),
        pytest.param(b'{ sops.secrets."a/b".owner = "x"; }', {"a/b"}, id="dotted to the end"),
        pytest.param(b'{ sops.secrets = { "a/b" = { }; c = { }; }; }', {"a/b", "c"}, id="a set"),
        pytest.param(b"{ sops = { age = { }; secrets = { a.key = 1; }; }; }", {"a"}, id="nested"),
        pytest.param(b"{ sops.secrets = { ${x} = { }; }; }", set(), id="computed name"),
        pytest.param(b"{ sops.secrets = x // { b = { }; }; }", {"b"}, id="merged"),
        pytest.param(b"x: { config = x.mkIf x.y { sops.secrets.a = { }; }; }", {"a"}, id="mkIf"),
        pytest.param(b"x: { sops.secrets = { inherit (x) a b; }; }", {"a", "b"}, id="inherited"),
        pytest.param(b"{ sops.templates.a = { }; x.sops.secrets.b = { }; }", set(), id="others"),
        pytest.param(b"x: x.mkMerge [ { sops.secrets.a = { }; } ]", {"a"}, id="no set at all"),
        pytest.param(b"import ./x.nix", set(), id="another file"),
    ],
)
def test_declared_secrets_are_the_names_that_are_spelled(content: bytes, names: set[str]) -> None:
    assert declared_secrets(content) == names


def test_a_malformed_option_is_refused() -> None:
    with pytest.raises(RepositoryError, match="no option path"):
        binds_option(HOST, "a..b")


def test_depth_is_no_fault() -> None:
    depth = 3000
    content = b"{ a = " * depth + b"1" + b"; }" * depth

    assert binds_option(content, ".".join(["a"] * depth)) == 1


@pytest.mark.parametrize(
    ("value", "bound"),
    [
        ('"/etc/pass"', "/etc/pass"),
        ('lib.mkDefault "/etc/pass"', None),
        ('"/etc/${name}"', None),
        ("config.x", None),
    ],
)
def test_a_string_is_read_where_it_is_spelled_out(value: str, bound: str | None) -> None:
    module = f"{{ a.b = {value}; }}".encode()
    assert bound_string(module, "a.b") == bound
