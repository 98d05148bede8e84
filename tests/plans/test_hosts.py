from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.age.ssh import convert_public_key, generate_ed25519
from nixsecrets.audit.finding import Severity
from nixsecrets.errors import NoIdentityError, RepositoryError
from nixsecrets.fleet.load import parse_host_key
from nixsecrets.fleet.model import HostSettings
from nixsecrets.plans import hosts, policy, rotate
from nixsecrets.sops import document
from tests.plans.fleets import (
    CONFIGURATION,
    FLAKE,
    NOW,
    Fleet,
    Machine,
    after,
    changed,
    difference,
    machine,
    make_fleet,
    person,
    unlock_with,
    why,
)

HAND_WRITTEN = ("nixsecrets.yaml", ".sops.yaml", "flake.nix", "systems/t15g/configuration.nix")


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return make_fleet(tmp_path)


@pytest.fixture
def t15g() -> Machine:
    return machine("t15g")


def test_a_new_host_is_one_plan_from_key_file_to_wiring(fleet: Fleet, t15g: Machine) -> None:
    draft = fleet.add("t15g", t15g, "laptops")
    assert sorted(changed(draft)) == [
        ".sops.yaml",
        "flake.nix",
        "keys/hosts/t15g.pub",
        "nixsecrets.yaml",
        "shared/secrets.yaml",
        "shared/secrets/laptops.yaml",
        "systems/t15g/configuration.nix",
        "systems/t15g/secrets.nix",
    ]
    assert after(draft, "keys/hosts/t15g.pub") == f"{t15g.key.public_key}\n"
    assert '"wifi/psk"' in after(draft, "systems/t15g/secrets.nix")


def test_the_files_that_people_write_only_gain_lines(fleet: Fleet, t15g: Machine) -> None:
    text = t15g.key.recipient.text
    draft = fleet.add("t15g", t15g, "laptops")
    gained = {path: difference(fleet.read(path), after(draft, path)) for path in HAND_WRITTEN}
    assert gained == {
        "nixsecrets.yaml": ["+   t15g:", "+     attribute: nixt15g", "+       - t15g"],
        ".sops.yaml": [
            f"+   - &t15g {text}",
            r"+   - path_regex: ^systems/t15g/secrets\.yaml$",
            "+     key_groups:",
            "+       - age:",
            "+           - *ann",
            "+           - *t15g",
            "+           - *t15g",
            "+           - *t15g",
        ],
        "flake.nix": ["+             inputs.sops-nix.nixosModules.sops"],
        "systems/t15g/configuration.nix": ["+     ./secrets.nix"],
    }


def test_the_new_rule_stands_behind_its_sibling_and_before_the_catch_all(
    fleet: Fleet, t15g: Machine
) -> None:
    draft = fleet.add("t15g", t15g)
    assert draft.fleet.policy is not None
    patterns = [rule.pattern_text for rule in draft.fleet.policy.rules]
    place = patterns.index(r"^systems/t15g/secrets\.yaml$")
    assert patterns[place - 1] == r"^systems/t460/secrets\.yaml$"
    assert patterns[-1] == r"\.yaml$"


def test_the_host_opens_what_it_is_meant_to_and_nothing_else(fleet: Fleet, t15g: Machine) -> None:
    fleet.apply(fleet.add("t15g", t15g, "laptops"))
    assert fleet.values("shared/secrets.yaml", *t15g.identities) == {"miscguy/hashed-password": "x"}
    assert fleet.values("shared/secrets/laptops.yaml", *t15g.identities) == {"wifi/psk": "y"}
    with pytest.raises(NoIdentityError):
        fleet.values("systems/hq/secrets.yaml", *t15g.identities)


def test_without_its_group_the_groups_document_stays_closed(fleet: Fleet, t15g: Machine) -> None:
    draft = fleet.add("t15g", t15g)
    assert "shared/secrets/laptops.yaml" not in changed(draft)


def test_afterwards_the_audit_finds_no_error(fleet: Fleet, t15g: Machine) -> None:
    fleet.apply(fleet.add("t15g", t15g, "laptops"))
    assert fleet.findings(Severity.ERROR) == []


def test_the_stanzas_of_others_stay_byte_for_byte(fleet: Fleet, t15g: Machine) -> None:
    before = document.parse(fleet.read("shared/secrets.yaml").encode()).metadata.stanzas
    draft = fleet.add("t15g", t15g)
    after_ = document.parse(after(draft, "shared/secrets.yaml").encode()).metadata.stanzas
    assert after_[:3] == before
    assert len(after_) == 4


def test_a_known_host_without_a_key_file_gets_only_what_it_lacks(
    fleet: Fleet, t15g: Machine
) -> None:
    draft = fleet.add("vm01", t15g)
    assert "nixsecrets.yaml" not in changed(draft)
    assert "keys/hosts/vm01.pub" in changed(draft)
    assert "/var/lib/sops-nix/key.txt" in after(draft, "systems/vm01/secrets.nix")


def test_a_known_host_that_gets_its_key_gets_its_attribute_too(fleet: Fleet, t15g: Machine) -> None:
    fleet.edit("nixsecrets.yaml", "  vm01:  ", "  t15g:\n  vm01:  ")
    draft = fleet.add("t15g", t15g)
    assert draft.fleet.host("t15g").attribute == "nixt15g"
    assert why(draft, "nixsecrets.yaml") == ["host t15g: + attribute nixt15g"]


@pytest.mark.parametrize("comment", ["", "another comment"])
def test_the_same_key_again_is_nothing_to_do(fleet: Fleet, comment: str) -> None:
    algorithm, blob, *_ = fleet.hq.key.public_key.split()
    again = Machine(fleet.hq.private, parse_host_key(f"{algorithm} {blob} {comment}"))
    assert fleet.add("hq", again, "servers").plan("again").empty


def test_the_same_key_as_its_converted_recipient_is_nothing_to_do(fleet: Fleet) -> None:
    again = Machine(fleet.hq.private, parse_host_key(fleet.hq.key.recipient.text))
    assert fleet.add("hq", again).plan("again").empty


def test_a_known_host_joins_a_group(fleet: Fleet) -> None:
    draft = fleet.add("hq", fleet.hq, "laptops")
    assert why(draft, "nixsecrets.yaml") == ["hq joins the group laptops"]
    assert why(draft, "shared/secrets/laptops.yaml") == ["re-wrapped: + hq"]
    assert '"wifi/psk"' in after(draft, "systems/hq/secrets.nix")


def test_another_key_of_a_known_host_is_refused(fleet: Fleet, t15g: Machine) -> None:
    with pytest.raises(RepositoryError, match="hq has another key already") as caught:
        fleet.add("hq", t15g)
    assert "`nixsecrets rotate host hq`" in str(caught.value.hint)


def test_another_key_put_into_the_files_by_hand_is_followed(fleet: Fleet, t15g: Machine) -> None:
    fleet.write({"keys/hosts/hq.pub": f"{t15g.key.public_key}\n"})
    fleet.edit(".sops.yaml", fleet.hq.key.recipient.text, t15g.key.recipient.text)
    draft = policy.bring(fleet.draft())
    paths = [PurePosixPath("shared/secrets.yaml"), PurePosixPath("systems/hq/secrets.yaml")]
    fleet.apply(rotate.data_keys(draft, paths, fleet.unlock, NOW))
    assert fleet.findings(Severity.ERROR) == []
    with pytest.raises(NoIdentityError):
        fleet.values("systems/hq/secrets.yaml", *fleet.hq.identities)


def test_another_hosts_key_is_refused(fleet: Fleet) -> None:
    with pytest.raises(RepositoryError, match="already the key of hq"):
        fleet.add("t15g", fleet.hq)


def test_a_persons_key_is_refused_in_either_spelling(fleet: Fleet) -> None:
    private, public = generate_ed25519("ann@desk")
    fleet.write({"keys/admins/ann.pub": f"{fleet.ann.text}\n{public.line}\n"})
    for spelled in (public.line, convert_public_key(public).text):
        with pytest.raises(RepositoryError, match="already a key of ann"):
            fleet.add("t15g", Machine(private, parse_host_key(spelled)))


def test_an_unknown_group_is_refused_with_the_nearest(fleet: Fleet, t15g: Machine) -> None:
    with pytest.raises(RepositoryError, match="unknown group 'laptop'") as caught:
        fleet.add("t15g", t15g, "laptop")
    assert "did you mean laptops?" in str(caught.value.hint)


def test_a_dot_in_the_name_is_a_dash_in_the_anchor(fleet: Fleet) -> None:
    fleet.apply(fleet.add("t15.g", machine()))
    assert "  - &t15-g age1" in fleet.read(".sops.yaml")
    assert r"path_regex: ^systems/t15\.g/secrets\.yaml$" in fleet.read(".sops.yaml")
    draft = fleet.add("next.one", machine())
    anchors = [anchor.name for anchor in draft.fleet.policy.anchors] if draft.fleet.policy else []
    assert anchors == ["ann", "hq", "t460", "t15-g", "next-one"]


def test_two_names_with_one_anchor_are_refused(fleet: Fleet) -> None:
    fleet.apply(fleet.add("t15.g", machine()))
    with pytest.raises(RepositoryError, match="both have the anchor &t15-g") as caught:
        fleet.add("t15-g", machine())
    assert "anchor:" in str(caught.value.hint)


def test_an_anchor_of_that_name_with_another_recipient_is_refused(
    fleet: Fleet, t15g: Machine
) -> None:
    evil = person()[1].text
    fleet.edit(".sops.yaml", "  - &t460", f"  - &t15g {evil}\n  - &t460")
    with pytest.raises(RepositoryError, match="&t15g holds another recipient") as caught:
        fleet.add("t15g", t15g)
    assert str(caught.value).startswith(".sops.yaml:7: ")


def test_a_host_in_no_flake_is_built_from_its_configuration(fleet: Fleet, t15g: Machine) -> None:
    fleet.write({"systems/mac/configuration.nix": CONFIGURATION})
    draft = fleet.add("mac", t15g)
    assert draft.fleet.host("mac").without_flake
    assert str(draft.fleet.host("mac").configuration) == "systems/mac/configuration.nix"
    assert why(draft, "nixsecrets.yaml") == ["+ host mac, in no flake"]


def test_what_is_asked_for_goes_before_the_flake(fleet: Fleet, t15g: Machine) -> None:
    settings = HostSettings(attribute="other", address="root@t15g")
    draft = fleet.add("t15g", t15g, settings=settings)
    assert draft.fleet.host("t15g").attribute == "other"
    assert draft.fleet.host("t15g").address == "root@t15g"


@pytest.mark.parametrize(
    ("flake", "expected"),
    [
        pytest.param(FLAKE, HostSettings(attribute="nixt15g"), id="one"),
        pytest.param(
            FLAKE.replace("./systems/hq/configuration.nix", "./systems/t15g/fonts.nix"),
            HostSettings(attribute="nixt15g"),
            id="another borrows a module",
        ),
        pytest.param(
            FLAKE.replace("./systems/hq/configuration.nix", "./systems/t15g"),
            HostSettings(),
            id="two with the same main module",
        ),
        pytest.param(
            FLAKE.replace("./systems/t15g/configuration.nix", "./elsewhere.nix"),
            HostSettings(configuration=PurePosixPath("systems/t15g/configuration.nix")),
            id="none",
        ),
        pytest.param(
            "{ outputs = inputs: { nixosConfigurations = builtins.mapAttrs make hosts; }; }",
            HostSettings(),
            id="computed",
        ),
        pytest.param("{ outputs = ", HostSettings(), id="does not parse"),
    ],
)
def test_the_attribute_is_read_from_the_flake_where_it_is_sure(
    tmp_path: Path, flake: str, expected: HostSettings
) -> None:
    fleet = make_fleet(tmp_path)
    fleet.write({"flake.nix": flake})
    home = PurePosixPath("systems/t15g")
    assert hosts.place_of(fleet.repository(), HostSettings(), home) == expected


def test_no_identity_for_a_document_of_the_host_is_the_end_of_it(
    fleet: Fleet, t15g: Machine
) -> None:
    stranger, _ = person()
    with pytest.raises(NoIdentityError) as caught:
        fleet.add("t15g", t15g, unlock=unlock_with(stranger))
    assert str(caught.value).startswith("shared/secrets.yaml: ")


def test_documents_that_the_host_does_not_read_need_no_identity(
    fleet: Fleet, t15g: Machine
) -> None:
    other, recipient = person()
    fleet.seal("shared/secrets/laptops.yaml", "wifi:\n    psk: y\n", recipient)
    draft = fleet.add("t15g", t15g)
    assert "shared/secrets/laptops.yaml" not in changed(draft)
    with pytest.raises(NoIdentityError):
        fleet.add("t15g", t15g, "laptops")
    assert fleet.add("t15g", t15g, "laptops", unlock=unlock_with(fleet.admin, other))


def test_a_host_joins_before_the_shared_document_exists(fleet: Fleet, t15g: Machine) -> None:
    (fleet.root / "shared/secrets.yaml").unlink()
    draft = fleet.add("t15g", t15g)
    assert "shared/secrets.yaml: + t15g" in why(draft, ".sops.yaml")
    assert "shared/secrets.yaml" not in changed(draft)


def test_a_document_that_waits_for_the_host_already_is_wrapped_for_it(
    fleet: Fleet, t15g: Machine
) -> None:
    fleet.seal("systems/t15g/secrets.yaml", "a: b\n", fleet.ann)
    fleet.apply(fleet.add("t15g", t15g))
    assert fleet.values("systems/t15g/secrets.yaml", *t15g.identities) == {"a": "b"}


def test_a_rule_of_the_peoples_over_a_document_to_come_is_left(fleet: Fleet, t15g: Machine) -> None:
    fleet.edit(
        ".sops.yaml",
        "  # one a machine\n",
        "  - path_regex: t15g/\n    age: *ann\n  # one a machine\n",
    )
    draft = fleet.add("t15g", t15g)
    assert [words for words in draft.warnings if "t15g/" in words] == []
    assert r"^systems/t15g/" not in after(draft, ".sops.yaml")


def test_what_only_a_catch_all_governs_stays_as_it_is_for_the_others(
    fleet: Fleet, t15g: Machine
) -> None:
    fleet.apply(fleet.add("t15g", t15g))
    text = fleet.read(".sops.yaml")
    start, end = text.index("  # one a machine"), text.index("  # everything else")
    fleet.write({".sops.yaml": text[:start] + text[end:]})
    draft = fleet.add("t15g", t15g)
    assert r"^systems/hq/" not in after(draft, ".sops.yaml")
    assert r"^systems/t15g/secrets\.yaml$" in after(draft, ".sops.yaml")
