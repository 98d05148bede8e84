from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.errors import ExitStatus, RepositoryError
from nixsecrets.fleet.access import managed_documents
from nixsecrets.plans import policy
from tests.plans.fleets import (
    Fleet,
    Tree,
    after,
    changed,
    difference,
    machine,
    make_fleet,
    person,
    why,
)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return make_fleet(tmp_path)


def gained(fleet: Fleet) -> list[str]:
    return difference(fleet.read(".sops.yaml"), after(policy.bring(fleet.draft()), ".sops.yaml"))


def test_a_policy_in_step_is_not_touched(fleet: Fleet) -> None:
    draft = policy.bring(fleet.draft())
    assert draft.plan("again").empty
    assert draft.warnings == ()


def test_it_is_in_step_after_it_was_brought(fleet: Fleet) -> None:
    fleet.edit("nixsecrets.yaml", "      - t460\n", "      - t460\n      - hq\n")
    fleet.edit("nixsecrets.yaml", "hosts: [hq]", "hosts: [hq, t460]")
    draft = policy.bring(fleet.draft())
    assert not draft.plan("first").empty
    fleet.apply(draft)
    assert policy.bring(fleet.draft()).plan("again").empty


def test_a_host_taken_out_of_a_group_leaves_the_groups_rule(fleet: Fleet) -> None:
    fleet.edit("nixsecrets.yaml", "hosts: [hq]", "hosts: [hq, t460]")
    fleet.apply(policy.bring(fleet.draft()))
    fleet.edit("nixsecrets.yaml", "hosts: [hq, t460]", "hosts: [hq]")
    draft = policy.bring(fleet.draft())
    assert why(draft, ".sops.yaml") == ["shared/secrets/servers.yaml: - t460"]
    assert gained(fleet) == ["-           - *t460"]


def test_a_host_that_the_manifest_no_longer_has_leaves_the_shared_rule(fleet: Fleet) -> None:
    fleet.edit("nixsecrets.yaml", "  t460: { attribute: nixt460 }   # the old one\n", "")
    fleet.edit("nixsecrets.yaml", "    hosts:\n      - t460\n", "    hosts: []\n")
    draft = policy.bring(fleet.draft())
    assert why(draft, ".sops.yaml") == [
        "shared/secrets/laptops.yaml: - t460",
        "shared/secrets.yaml: - t460",
    ]


def test_a_stranger_in_a_managed_rule_is_taken_out(fleet: Fleet) -> None:
    stranger = person()[1].text
    line = f"          - *ann\n          - {stranger}\n          - *hq\n"
    fleet.edit(".sops.yaml", "          - *ann\n          - *hq\n", line)
    assert gained(fleet) == [f"-           - {stranger}"]


def test_a_name_defined_twice_gives_no_stranger_in(fleet: Fleet) -> None:
    evil = person()[1].text
    fleet.edit(
        ".sops.yaml",
        "creation_rules:\n",
        f"aside:\n  - &t460 {evil}\ncreation_rules:\n",
    )
    with pytest.raises(RepositoryError):
        policy.bring(fleet.draft())


def test_an_anchor_with_another_recipient_is_refused_with_its_line(fleet: Fleet) -> None:
    fleet.edit(".sops.yaml", fleet.t460.key.recipient.text, person()[1].text)
    with pytest.raises(RepositoryError, match="&t460 holds another recipient") as caught:
        policy.bring(fleet.draft())
    assert (caught.value.place, caught.value.line) == (".sops.yaml", 7)
    assert fleet.t460.key.recipient.text in str(caught.value.hint)


def test_a_second_anchor_with_the_right_recipient_excuses_no_wrong_one(fleet: Fleet) -> None:
    own, evil = fleet.t460.key.recipient.text, person()[1].text
    fleet.edit(".sops.yaml", f"&t460 {own}", f"&t460 {evil}\n  - &spare {own}")
    with pytest.raises(RepositoryError, match="&t460 holds another recipient"):
        policy.bring(fleet.draft())


def test_a_recipient_keeps_the_anchor_that_it_has(fleet: Fleet) -> None:
    text = fleet.read(".sops.yaml").replace("&t460", "&old-laptop").replace("*t460", "*old-laptop")
    fleet.write({".sops.yaml": text})
    assert policy.bring(fleet.draft()).plan("nothing").empty


def test_a_literal_recipient_counts_as_named(fleet: Fleet) -> None:
    text = fleet.read(".sops.yaml")
    fleet.write({".sops.yaml": text.replace("- *hq", f"- {fleet.hq.key.recipient.text}")})
    assert policy.bring(fleet.draft()).plan("nothing").empty


def test_a_persons_recipients_get_numbers_that_are_nobodys(fleet: Fleet) -> None:
    second, third = person()[1], person()[1]
    fleet.edit("nixsecrets.yaml", "\nhosts:", "  ann-2: {}\n\nhosts:")
    fleet.write(
        {
            "keys/admins/ann.pub": f"{fleet.ann.text}\n{second.text}\n",
            "keys/admins/ann-2.pub": f"{third.text}\n",
        }
    )
    draft = policy.bring(fleet.draft())
    assert draft.fleet.policy is not None
    named = {anchor.name: anchor.text for anchor in draft.fleet.policy.anchors}
    assert (named["ann-2"], named["ann-3"]) == (third.text, second.text)


def test_new_anchors_stand_behind_those_of_their_sort(fleet: Fleet) -> None:
    fleet.edit("nixsecrets.yaml", "  ann: {", "  bob: {}\n  ann: {")
    fleet.write(
        {
            "keys/admins/bob.pub": f"{person()[1].text}\n",
            "keys/hosts/vm01.pub": f"{machine().key.public_key}\n",
        }
    )
    names = [
        line.split()[1]
        for line in after(policy.bring(fleet.draft()), ".sops.yaml").split("\n")
        if "- &" in line
    ]
    assert names == ["&ann", "&bob", "&hq", "&t460", "&vm01"]


def test_a_catch_all_stays_last_and_a_new_document_gets_a_rule_before_it(fleet: Fleet) -> None:
    fleet.edit("nixsecrets.yaml", "  servers:\n", "  all-of-it: { hosts: [hq] }\n  servers:\n")
    draft = policy.bring(fleet.draft())
    assert draft.fleet.policy is not None
    patterns = [rule.pattern_text for rule in draft.fleet.policy.rules]
    assert patterns[-2:] == [r"^shared/secrets/all-of-it\.yaml$", r"\.yaml$"]


def test_a_rule_of_the_peoples_is_told_and_not_edited(fleet: Fleet) -> None:
    fleet.edit(".sops.yaml", r"^systems/hq/secrets\.yaml$", "systems/hq/")
    fleet.edit(".sops.yaml", "          - *ann\n          - *hq\n", "          - *ann\n")
    draft = policy.bring(fleet.draft())
    assert draft.plan("nothing").empty
    (warning,) = draft.warnings
    assert "'systems/hq/' (line 11) governs systems/hq/secrets.yaml" in warning
    assert warning.endswith("does not name hq")


def test_a_rule_of_the_peoples_over_a_document_to_come_is_nothing_to_tell(fleet: Fleet) -> None:
    fleet.edit(".sops.yaml", r"^systems/t460/secrets\.yaml$", "systems/t460/")
    fleet.edit(".sops.yaml", "          - *ann\n          - *t460\n", "          - *ann\n")
    draft = policy.bring(fleet.draft())
    assert draft.plan("nothing").empty
    assert draft.warnings == ()


def test_a_rule_of_the_peoples_that_names_the_readers_is_nothing_to_tell(fleet: Fleet) -> None:
    fleet.edit(".sops.yaml", r"^systems/t460/secrets\.yaml$", "systems/t460/")
    draft = policy.bring(fleet.draft())
    assert draft.plan("nothing").empty
    assert draft.warnings == ()


def test_pgp_beside_age_stays_in_a_managed_rule(fleet: Fleet) -> None:
    fleet.edit(
        ".sops.yaml",
        "          - *ann\n          - *hq\n",
        "          - *ann\n        pgp:\n          - FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4\n",
    )
    draft = policy.bring(fleet.draft())
    assert "FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4" in after(draft, ".sops.yaml")
    assert why(draft, ".sops.yaml") == ["systems/hq/secrets.yaml: + hq"]


def test_several_key_groups_take_no_line_and_say_which(fleet: Fleet) -> None:
    fleet.edit(
        ".sops.yaml",
        "          - *ann\n          - *hq\n",
        "          - *ann\n      - age:\n          - *t460\n",
    )
    with pytest.raises(RepositoryError, match="are not one list") as caught:
        policy.bring(fleet.draft())
    assert str(caught.value).startswith(".sops.yaml:11: ")
    assert "*hq" in str(caught.value.hint)


def test_a_document_that_nobody_is_to_read_keeps_its_rule(fleet: Fleet) -> None:
    for name in ("admins/ann", "hosts/hq", "hosts/t460"):
        (fleet.root / f"keys/{name}.pub").unlink()
    assert policy.bring(fleet.draft()).plan("nothing").empty


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty file"),
        pytest.param("# only a comment\n", id="comment"),
        pytest.param("creation_rules:\n  - path_regex: \\.env$\n    pgp: ABC\n", id="no keys"),
    ],
)
def test_a_policy_without_what_is_needed_gets_it(fleet: Fleet, text: str) -> None:
    fleet.write({".sops.yaml": text})
    draft = policy.bring(fleet.draft())
    fleet.apply(draft)
    assert not [line for line in text.splitlines() if line not in fleet.read(".sops.yaml")]
    assert all(policy.managed_rule(draft.fleet, one.path) for one in managed_documents(draft.fleet))
    assert policy.bring(fleet.draft()).plan("again").empty


def test_a_list_of_rules_in_brackets_takes_no_line(fleet: Fleet) -> None:
    fleet.write({".sops.yaml": "creation_rules: []\n"})
    with pytest.raises(RepositoryError, match="not a list that a line can be added to") as caught:
        policy.bring(fleet.draft())
    assert r"path_regex: ^systems/hq/secrets\.yaml$" in str(caught.value.hint)


def test_a_missing_policy_is_made_whole(fleet: Fleet) -> None:
    (fleet.root / ".sops.yaml").unlink()
    draft = policy.bring(fleet.draft())
    assert changed(draft) == [".sops.yaml"]
    documents = managed_documents(draft.fleet)
    assert len(documents) == 5
    for one in documents:
        rule = policy.managed_rule(draft.fleet, one.path)
        assert rule is not None
        assert [entry.text for entry in rule.recipients] == [r.text for r in one.recipients]


def test_a_policy_in_a_folder_speaks_of_what_lies_there(fleet: Fleet) -> None:
    fleet.edit(
        "nixsecrets.yaml",
        "people:",
        "layout:\n  policy: secrets/.sops.yaml\n  host-document: secrets/hosts/{host}.yaml\n"
        "  group-document: secrets/{group}.yaml\n  shared-document: secrets/all.yaml\n\npeople:",
    )
    (fleet.root / ".sops.yaml").unlink()
    fleet.apply(policy.bring(fleet.draft()))
    assert r"path_regex: ^hosts/hq\.yaml$" in fleet.read("secrets/.sops.yaml")
    fleet.edit("nixsecrets.yaml", "hosts: [hq]", "hosts: [hq, t460]")
    draft = policy.bring(fleet.draft())
    assert why(draft, "secrets/.sops.yaml") == ["secrets/servers.yaml: + t460"]
    assert policy.managed_rule(draft.fleet, PurePosixPath("secrets/hosts/hq.yaml")) is not None
    assert policy.managed_rule(draft.fleet, PurePosixPath("hosts/hq.yaml")) is None


@pytest.mark.parametrize("is_there", [True, False])
def test_a_document_out_of_the_policys_folder_is_refused(fleet: Fleet, is_there: bool) -> None:  # noqa: FBT001  # a case
    fleet.edit("nixsecrets.yaml", "people:", "layout:\n  policy: secrets/.sops.yaml\n\npeople:")
    if is_there:
        fleet.write({"secrets/.sops.yaml": fleet.read(".sops.yaml")})
    with pytest.raises(RepositoryError, match="lies outside of secrets") as caught:
        policy.bring(fleet.draft())
    assert caught.value.place == "nixsecrets.yaml"
    assert caught.value.status is ExitStatus.REPOSITORY


def test_without_a_manifest_nothing_is_brought(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    assert policy.bring(tree.draft()).plan("nothing").empty
    tree.write({".sops.yaml": "creation_rules:\n  - age: age1x\n"})
    assert policy.bring(tree.draft()).plan("nothing").empty


def test_one_documents_rule_is_brought_alone(fleet: Fleet) -> None:
    fleet.edit("nixsecrets.yaml", "hosts: [hq]", "hosts: [hq, t460]")
    fleet.edit(".sops.yaml", "          - *hq\n          - *t460\n", "          - *hq\n")
    draft = policy.bring_rule_of(fleet.draft(), PurePosixPath("shared/secrets.yaml"))
    assert why(draft, ".sops.yaml") == ["shared/secrets.yaml: + t460"]


def test_many_hosts_are_brought_at_once(fleet: Fleet) -> None:
    names = [f"m{number}" for number in range(12)]
    entries = "".join(f"  {name}: {{ attribute: {name} }}\n" for name in names)
    fleet.edit("nixsecrets.yaml", "  t460: {", f"{entries}  t460: {{")
    fleet.write({f"keys/hosts/{name}.pub": f"{machine().key.public_key}\n" for name in names})
    lines = gained(fleet)
    assert [line for line in lines if line.startswith("-")] == []
    rules = [line for line in lines if "path_regex" in line]
    assert rules == [rf"+   - path_regex: ^systems/{name}/secrets\.yaml$" for name in names]
    fleet.apply(policy.bring(fleet.draft()))
    assert policy.bring(fleet.draft()).plan("again").empty
