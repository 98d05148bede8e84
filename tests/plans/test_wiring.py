import re
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.plans import wiring
from nixsecrets.plans.wiring import WiringState
from tests.nix.real import assert_parses
from tests.plans.wiring_fleets import (
    CONFIGURATION,
    bring,
    contents,
    model,
    one_host,
    repository,
    sealed,
)

HQ = "systems/hq/secrets.nix"
NO_SSHD = b"{ imports = [ <sops-nix/modules/sops> ]; }\n"
PGP = b"""    pgp:
        - created_at: "2026-03-01T00:00:00Z"
          enc: x
          fp: 85D77543B3D624B63CEA9E6DBC17301B491B3F21
"""


def wired(root: Path, files: dict[str, bytes], host: str = "hq") -> str:
    """Return the wiring that the plan for one host writes."""
    known = repository(root, files)
    content = contents(bring(known, host))[f"systems/{host}/secrets.nix"]
    assert content.encode() == wiring.render(known, known.fleet.host(host))
    assert_parses(content.encode())
    return content


def names(text: str) -> list[str]:
    return re.findall(r'^ {6}"(.*)" = \{$', text, re.MULTILINE)


def test_a_host_is_given_what_its_scopes_declare(tmp_path: Path) -> None:
    text = wired(tmp_path, model())
    assert text.partition("\n")[2] == (
        """{ config, lib, ... }:
{
  sops = {
    defaultSopsFile = lib.mkDefault ./secrets.yaml;
    gnupg.sshKeyPaths = [ ];
    secrets = {
      "miscguy/hashed-password" = {
        sopsFile = ../../shared/secrets.yaml;
        neededForUsers = true;
      };
      "nextcloud/admin-password" = {
        sopsFile = ./secrets.yaml;
        owner = lib.mkDefault "nextcloud";
        group = lib.mkDefault "nextcloud";
        mode = lib.mkDefault "0400";
        restartUnits = [ "phpfpm-nextcloud.service" ];
      };
    };
  };
  services.nextcloud.config.adminpassFile = config.sops.secrets."nextcloud/admin-password".path;
  users.users.miscguy.hashedPasswordFile = config.sops.secrets."miscguy/hashed-password".path;
}
"""
    )


@pytest.mark.parametrize(
    ("host", "given"),
    [
        pytest.param("t460", ["miscguy/hashed-password", "wifi/psk"], id="deliver: false"),
        pytest.param("t15g", ["github/token", "miscguy/hashed-password", "wifi/psk"], id="group"),
        pytest.param("mac", ["miscguy/hashed-password"], id="shared only"),
    ],
)
def test_each_host_has_its_own_secrets(tmp_path: Path, host: str, given: list[str]) -> None:
    assert names(wired(tmp_path, model(), host)) == given


@pytest.mark.parametrize(
    ("host", "configuration", "setting"),
    [
        pytest.param("{}", CONFIGURATION, None, id="sshd is on"),
        pytest.param(
            "{}",
            NO_SSHD,
            'age.sshKeyPaths = [ "/etc/ssh/ssh_host_ed25519_key" ];',
            id="sshd is not known to be on",
        ),
        pytest.param(
            "{}",
            b"{ not nix",
            'age.sshKeyPaths = [ "/etc/ssh/ssh_host_ed25519_key" ];',
            id="a configuration that is not understood",
        ),
        pytest.param(
            "{ identity: { ssh: [/persist/key] } }",
            CONFIGURATION,
            'age.sshKeyPaths = [ "/persist/key" ];',
            id="ssh",
        ),
        pytest.param(
            "{ identity: { file: /var/lib/sops-nix/key.txt } }",
            CONFIGURATION,
            'age.keyFile = "/var/lib/sops-nix/key.txt";\n    age.sshKeyPaths = [ ];',
            id="file",
        ),
    ],
)
def test_the_identity_is_written_out_unless_sops_nix_finds_it(
    tmp_path: Path, host: str, configuration: bytes, setting: str | None
) -> None:
    files = {**one_host(host=host), "systems/hq/configuration.nix": configuration}
    age = f"    {setting}\n" if setting else ""
    expected = f"{{ ... }}:\n{{\n  sops = {{\n{age}    gnupg.sshKeyPaths = [ ];\n  }};\n}}\n"
    assert wired(tmp_path, files).partition("\n")[2] == expected


def test_pgp_keys_are_left_in_place_where_a_document_has_pgp_entries(tmp_path: Path) -> None:
    document = sealed("a: x\n").replace(b"    lastmodified:", PGP + b"    lastmodified:")
    files = {**one_host(), "shared/secrets.yaml": document}
    assert "gnupg" not in wired(tmp_path, files)


def test_deliver_all_adds_every_leaf_that_a_host_can_be_given(tmp_path: Path) -> None:
    everything = """wiring: { deliver: all }
groups:
  servers: { hosts: [hq] }
  laptops: { hosts: [] }
secrets:
  shared:
    kept/back: { deliver: false }
    declared: { mode: "0440" }
"""
    document = """plain: x
declared: x
kept:
    back: x
a:
    b: x
number: 7
truth: true
empty: ""
nothing: null
list:
    - x
with/slash: x
no name: x
clear_unencrypted: x
looks_unencrypted: ENC[AES256_GCM,data:AA==,iv:AAAA,tag:AAAA,type:str]
"""
    text = wired(
        tmp_path,
        {
            **one_host(everything),
            "shared/secrets.yaml": sealed(document),
            "shared/secrets/servers.yaml": sealed("server: x\n"),
            "shared/secrets/laptops.yaml": sealed("laptop: x\n"),
            "systems/hq/secrets.yaml": sealed("own: x\n"),
        },
    )
    assert names(text) == ["a/b", "declared", "own", "plain", "server"]
    assert text.count("lib.mkDefault") == 2
    assert '"own" = {\n        sopsFile = ./secrets.yaml;\n      };' in text


@pytest.mark.parametrize(
    ("shared", "own", "problem"),
    [
        pytest.param("a: x\n", "a: x\n", "shared:a and host/hq:a both reach hq", id="same name"),
        pytest.param(
            "a: x\n",
            "a:\n    b: x\n",
            "shared:a and host/hq:a/b both reach hq, and a value cannot have others below it",
            id="below",
        ),
    ],
)
def test_names_that_meet_on_a_host_are_refused(
    tmp_path: Path, shared: str, own: str, problem: str
) -> None:
    files = {
        **one_host("wiring: { deliver: all }\n"),
        "shared/secrets.yaml": sealed(shared),
        "systems/hq/secrets.yaml": sealed(own),
    }
    with pytest.raises(RepositoryError) as refused:
        bring(repository(tmp_path, files))
    assert refused.value.problem == problem


def test_a_document_that_has_to_be_read_and_is_none_is_named(tmp_path: Path) -> None:
    files = {**one_host("wiring: { deliver: all }\n"), "shared/secrets.yaml": b"a: clear\n"}
    with pytest.raises(RepositoryError, match=r"^shared/secrets\.yaml: is not encrypted"):
        bring(repository(tmp_path, files))


TOKEN = """secrets:
  hosts:
    hq:
      app/token: { consumers: [services.app.tokenFile] }
"""


def test_what_a_module_of_the_host_declares_is_left_to_it(tmp_path: Path) -> None:
    files = {
        **one_host(TOKEN),
        "systems/hq/app.nix": b'{ sops.secrets."app/token".owner = "app"; }',
    }
    plan = bring(repository(tmp_path, files))
    text = contents(plan)[HQ]
    assert "secrets = {" not in text
    assert '  services.app.tokenFile = config.sops.secrets."app/token".path;' in text
    assert (
        "host/hq:app/token is left out of the wiring of hq: systems/hq/app.nix has it already"
        in plan.notes
    )


def test_a_host_below_another_keeps_its_modules_to_itself(tmp_path: Path) -> None:
    dev = "  dev: { directory: systems/hq/dev }\n"
    files = {
        **one_host(dev + TOKEN),
        "systems/hq/dev/app.nix": b'{ sops.secrets."app/token" = { }; }',
    }
    assert names(wired(tmp_path, files)) == ["app/token"]


@pytest.mark.parametrize("path", ["systems/hq/app.nix", "shared/app.nix"])
def test_an_older_definition_of_a_consumer_is_told_with_its_place(
    tmp_path: Path, path: str
) -> None:
    older = b'{\n  services.app.tokenFile = "/etc/token";\n}\n'
    known = repository(tmp_path, {**one_host(TOKEN), path: older})
    (warning,) = bring(known).warnings
    assert warning == (
        f"{path}:2: services.app.tokenFile is set by the wiring of hq;"
        " an older definition stands there: remove it"
    )
    (found,) = wiring.older_definitions(known, known.fleet.host("hq"))
    assert (found.option, found.path, found.line) == (
        "services.app.tokenFile",
        PurePosixPath(path),
        2,
    )


def test_the_wiring_of_another_host_is_no_older_definition(tmp_path: Path) -> None:
    manifest = """  t460: {}
layout: { wiring: "shared/wiring/{host}.nix" }
secrets:
  shared:
    token: { consumers: [services.app.tokenFile] }
"""
    files = one_host(manifest)
    files["keys/hosts/t460.pub"] = files["keys/hosts/hq.pub"]
    first = contents(bring(repository(tmp_path, files)))
    plan = bring(repository(tmp_path, {path: text.encode() for path, text in first.items()}))
    assert "shared/wiring/t460.nix" in first
    assert plan.changes == ()
    assert plan.warnings == ()


def test_a_host_without_a_key_file_gets_no_wiring(tmp_path: Path) -> None:
    files = one_host()
    del files["keys/hosts/hq.pub"]
    plan = bring(repository(tmp_path, files))
    assert plan.empty
    assert plan.warnings == ("hq: no key yet: nixsecrets add-host hq",)
    assert plan.notes == ()


def test_what_is_in_step_is_left_alone_formatted_or_not(tmp_path: Path) -> None:
    files = one_host(TOKEN)
    plan = bring(repository(tmp_path, files))
    first = {path: text.encode() for path, text in contents(plan).items()}
    assert bring(repository(tmp_path, first)).changes == ()

    formatted = first[HQ].replace(b"\n  ", b"\n    ")
    known = repository(tmp_path, {HQ: formatted})
    assert bring(known).changes == ()
    assert wiring.stale(known, known.fleet.host("hq")) is WiringState.IN_STEP


def test_a_changed_declaration_is_told_by_name(tmp_path: Path) -> None:
    files = one_host(TOKEN)
    first = contents(bring(repository(tmp_path, files)))
    later = {
        **{path: text.encode() for path, text in first.items()},
        "nixsecrets.yaml": files["nixsecrets.yaml"].replace(b"app/token:", b"app/other:"),
    }
    (change,) = bring(repository(tmp_path, later)).changes
    assert change.path == PurePosixPath(HQ)
    assert change.why == ("wiring of hq: + app/other, - app/token",)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        pytest.param((b"# Generated", b"# Made"), "was not written by nixsecrets", id="no header"),
        pytest.param((b'token".path', b'token".p'), "was edited by hand", id="edited"),
        pytest.param((b"sops = {", b"sops = "), "was edited by hand", id="no Nix any more"),
    ],
)
def test_a_hand_edited_wiring_is_refused_with_the_difference_unless_forced(
    tmp_path: Path, edit: tuple[bytes, bytes], problem: str
) -> None:
    files = one_host(TOKEN)
    first = contents(bring(repository(tmp_path, files)))[HQ].encode()
    files["nixsecrets.yaml"] = files["nixsecrets.yaml"].replace(b"app/token", b"app/other")
    known = repository(tmp_path, {**files, HQ: first.replace(*edit)})

    with pytest.raises(RepositoryError) as refused:
        bring(known)

    assert str(refused.value) == f"{HQ}: {problem}"
    assert refused.value.hint is not None
    assert refused.value.hint.startswith("`nixsecrets wire --force` overwrites it:\n--- ")
    assert '+      "app/other" = {' in refused.value.hint
    assert wiring.stale(known, known.fleet.host("hq")) is WiringState.HAND_EDITED
    assert '"app/other"' in contents(bring(known, force=True))[HQ]


def test_what_a_hand_written_wiring_declares_is_not_left_out_of_the_new_one(
    tmp_path: Path,
) -> None:
    known = repository(tmp_path, {**one_host(TOKEN), HQ: b'{ sops.secrets."app/token" = { }; }'})
    assert names(contents(bring(known, force=True))[HQ]) == ["app/token"]


def test_the_state_of_a_wiring(tmp_path: Path) -> None:
    files = one_host(TOKEN)
    plan = contents(bring(repository(tmp_path, files)))

    def state(**changed: bytes) -> WiringState:
        known = repository(tmp_path, {**files, **changed})
        return wiring.stale(known, known.fleet.host("hq"))

    assert state() is WiringState.MISSING
    files[HQ] = plan[HQ].encode()
    assert state() is WiringState.NOT_IMPORTED
    files["systems/hq/configuration.nix"] = plan["systems/hq/configuration.nix"].encode()
    assert state() is WiringState.IN_STEP
    files["nixsecrets.yaml"] = files["nixsecrets.yaml"].replace(b"app/token", b"app/other")
    assert state() is WiringState.STALE
