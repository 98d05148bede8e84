from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.errors import IntegrityError, NoIdentityError, RepositoryError
from nixsecrets.fleet.address import Leaves, Purpose, locate
from nixsecrets.plans import documents
from tests.plans.fleets import MARKER, Fleet, make_fleet, person, unlock_with

HQ = PurePosixPath("systems/hq/secrets.yaml")
USUAL = ["systems/hq/secrets.yaml", "shared/secrets/laptops.yaml", "shared/secrets.yaml"]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return make_fleet(tmp_path)


def sealed(fleet: Fleet) -> list[str]:
    return [str(path) for path, _ in documents.sealed(fleet.repository())]


def with_rule(fleet: Fleet, expression: str) -> None:
    rule = f"  - path_regex: {expression}\n    age: *ann\n"
    fleet.edit(".sops.yaml", "  # one a machine\n", f"{rule}  # one a machine\n")


def test_the_manifests_documents_come_first_then_those_of_other_rules(fleet: Fleet) -> None:
    with_rule(fleet, "^notes/")
    fleet.seal("notes/a.yaml", "a: b\n", fleet.ann)
    assert sealed(fleet) == [*USUAL, "notes/a.yaml"]


def test_a_catch_all_makes_no_document_of_what_is_in_clear(fleet: Fleet) -> None:
    fleet.write({"docs/about-sops.yaml": "text: sops writes lastmodified and ENC[AES256_GCM,\n"})
    fleet.seal("elsewhere.yaml", "a: b\n", fleet.ann)
    assert sealed(fleet) == [*USUAL, "elsewhere.yaml"]


def test_the_manifest_is_no_document_whatever_a_rule_says(fleet: Fleet) -> None:
    with_rule(fleet, "secrets\\.yaml$")
    fleet.edit("nixsecrets.yaml", "people:", "# sops writes lastmodified\npeople:")
    assert sealed(fleet) == USUAL


def test_a_rule_for_every_path_finds_documents_too(fleet: Fleet) -> None:
    (fleet.root / "nixsecrets.yaml").unlink()
    fleet.write({".sops.yaml": f"creation_rules:\n  - age: {fleet.ann.text}\n"})
    assert sorted(sealed(fleet)) == sorted(USUAL)


def test_nothing_is_read_that_nobody_means_by_a_rule(fleet: Fleet) -> None:
    with_rule(fleet, "^")
    fleet.write({"README.md": "x", "default.nix": "{ }"})
    known = fleet.repository()
    list(documents.sealed(known))
    read = {path.suffix for path in known.sources.paths_read}
    assert read == {".yaml", ".pub"}


def test_a_folder_with_a_policy_of_its_own_is_left_alone(fleet: Fleet) -> None:
    with_rule(fleet, "/secrets\\.yaml$")
    for path in ("vendor/secrets.yaml", "vendor/deep/secrets.yaml", "own/secrets.yaml"):
        fleet.seal(path, "a: b\n", fleet.ann)
    fleet.write({"vendor/.sops.yaml": "creation_rules: []\n"})
    assert "own/secrets.yaml" in sealed(fleet)
    assert not [path for path in sealed(fleet) if path.startswith("vendor/")]


def test_the_policys_own_folder_is_no_other_policys(fleet: Fleet) -> None:
    (fleet.root / "nixsecrets.yaml").write_text(
        "version: 1\nlayout: { policy: secrets/.sops.yaml }\n"
    )
    fleet.write(
        {"secrets/.sops.yaml": f"creation_rules:\n  - path_regex: ^a/\n    age: {fleet.ann.text}\n"}
    )
    for path in ("secrets/a/x.yaml", "secrets/b/x.yaml", "a/x.yaml", "secrets/a/own/x.yaml"):
        fleet.seal(path, "a: b\n", fleet.ann)
    fleet.write({"secrets/a/own/.sops.yaml": "creation_rules: []\n"})
    assert sealed(fleet) == ["shared/secrets.yaml", "secrets/a/x.yaml"]


def test_a_cut_off_document_is_an_error_and_no_clear_file(fleet: Fleet) -> None:
    text = fleet.read(str(HQ))
    fleet.write({str(HQ): text[: text.index("\nsops:") + 1]})
    with pytest.raises(IntegrityError) as caught:
        sealed(fleet)
    assert caught.value.place == str(HQ)


def test_errors_name_the_document_and_never_a_value(fleet: Fleet) -> None:
    known = fleet.repository()
    with pytest.raises(RepositoryError, match="no such file") as missing:
        documents.read(known, PurePosixPath("nowhere.yaml"))
    assert missing.value.place == "nowhere.yaml"
    with pytest.raises(NoIdentityError) as closed:
        documents.open_at(known, HQ, unlock_with(person()[0]))
    assert closed.value.place == str(HQ)
    assert MARKER not in str(closed.value)


def test_an_open_document_has_its_values(fleet: Fleet) -> None:
    opened = documents.open_at(fleet.repository(), HQ, fleet.unlock)
    found = opened.find(("nextcloud", "admin-password"))
    assert found is not None
    assert found.value is not None
    assert found.value.reveal().decode() == MARKER


def test_a_declared_name_needs_one_document(fleet: Fleet) -> None:
    known = fleet.repository()
    index = known.sources.paths_read
    place = locate(known.fleet, "nextcloud/admin-password", None, Purpose.READ, _nobody_asks)
    documents.open_at(known, place.path, fleet.unlock)
    assert known.sources.paths_read - index == {HQ}


def _nobody_asks() -> Leaves:
    raise AssertionError("a declared name is found without looking into documents")


def test_names_and_the_nearest_of_them(fleet: Fleet) -> None:
    document = documents.read(fleet.repository(), HQ)
    assert documents.names(document) == ["nextcloud/admin-password"]
    assert documents.near(document, "nextcloud/admin-pasword") == (
        "did you mean nextcloud/admin-password?"
    )
    assert documents.near(document, "zzz") == "`nixsecrets ls` lists all"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (("a",), "a"),
        (("a", "b"), "a/b"),
        (("a", 0), '["a"][0]'),
        (("a/b", "c"), '["a/b"]["c"]'),
        (("ä", 1, 'q"'), '["ä"][1]["q""]'),
    ],
)
def test_a_leaf_whose_path_is_no_name_is_spelled_as_sops_does(
    path: tuple[str | int, ...], name: str
) -> None:
    assert documents.leaf_name(path) == name
