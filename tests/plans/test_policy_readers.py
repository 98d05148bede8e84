from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.errors import ExitStatus, RepositoryError
from nixsecrets.fleet.names import HostName, PersonName
from nixsecrets.plans import policy
from nixsecrets.plans.draft import Draft
from tests.plans.fleets import Fleet, after, changed, difference, make_fleet, person, why

OTHERS = """\
  - path_regex: ^vault/
    age: *t460
  - path_regex: ^hosts/t460/
    key_groups:
      - age:
          - *ann
          - *t460
  - path_regex: ^wifi/
    age: [*ann, *t460]
  # everything else
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    fleet = make_fleet(tmp_path)
    fleet.edit(".sops.yaml", "  # everything else\n", OTHERS)
    return fleet


def lines(fleet: Fleet, draft: Draft) -> list[str]:
    return difference(fleet.read(".sops.yaml"), after(draft, ".sops.yaml"))


def test_who_is_removed_is_named_nowhere_and_takes_the_emptied_rule_along(fleet: Fleet) -> None:
    text = fleet.t460.key.recipient.text
    draft = policy.remove(fleet.draft(), [text])
    assert text not in after(draft, ".sops.yaml")
    assert "*t460" not in after(draft, ".sops.yaml")
    assert "- rule ^vault/, which named nobody else" in why(draft, ".sops.yaml")
    assert "rule ^wifi/: - t460" in why(draft, ".sops.yaml")


def test_a_strangers_removal_changes_nothing(fleet: Fleet) -> None:
    assert policy.remove(fleet.draft(), [person()[1].text]).plan("nothing").empty


def test_a_replaced_recipient_stands_under_the_same_anchor(fleet: Fleet) -> None:
    old, new = fleet.t460.key.recipient.text, person()[1].text
    draft = policy.replace(fleet.draft(), old, new)
    assert lines(fleet, draft) == [f"-   - &t460 {old}", f"+   - &t460 {new}"]


def test_who_joins_stands_beside_the_old_one_and_leaves_without_a_trace(fleet: Fleet) -> None:
    old, new = fleet.t460.key.recipient.text, person()[1].text
    draft = policy.join(fleet.draft(), old, new, "t460-new")
    named = draft.fleet.policy
    assert named is not None
    for rule in named.rules:
        texts = [entry.text for entry in rule.recipients]
        assert (old in texts) == (new in texts)
    assert [line for line in lines(fleet, draft) if "&" in line] == [f"+   - &t460-new {new}"]
    back = policy.remove(draft, [new])
    assert "age: *t460" not in lines(fleet, back)
    assert [rule.groups for rule in back.fleet.policy.rules] == [  # type: ignore[union-attr]  # is one
        rule.groups
        for rule in fleet.draft().fleet.policy.rules  # type: ignore[union-attr]  # is one
    ]


def test_a_literal_recipient_is_joined_by_a_literal_one(fleet: Fleet) -> None:
    old, new = person()[1].text, person()[1].text
    fleet.edit(".sops.yaml", "    age: *t460\n", f"    age:\n      - {old} # lab\n")
    draft = policy.join(fleet.draft(), old, new, "lab")
    assert lines(fleet, draft) == [f"+       - {new}"]


def test_an_anchor_is_renamed_with_its_aliases(fleet: Fleet) -> None:
    draft = policy.rename(fleet.draft(), "t460", "t15g")
    assert after(draft, ".sops.yaml") == fleet.read(".sops.yaml").replace("&t460", "&t15g").replace(
        "*t460", "*t15g"
    )


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        pytest.param(r"^hosts/t460/a\.yaml$", r"^hosts/t15g/a\.yaml$", id="that path alone"),
        pytest.param("hosts/t460/[^/]+$", "hosts/t15g/[^/]+$", id="its folder"),
        pytest.param("hosts/(hq|t460)/.*", "hosts/(hq|t15g)/.*", id="among others"),
        pytest.param("^hosts/.*", "^hosts/.*", id="both"),
    ],
)
def test_a_rules_expression_follows_its_document(fleet: Fleet, stated: str, expected: str) -> None:
    fleet.edit(".sops.yaml", "^hosts/t460/", stated)
    paths = PurePosixPath("hosts/t460/a.yaml"), PurePosixPath("hosts/t15g/a.yaml")
    draft = policy.respell(fleet.draft(), *paths)
    assert draft.fleet.policy is not None
    rule = draft.fleet.policy.rule_for(paths[1])
    assert rule is not None
    assert rule.pattern_text == expected


def test_an_expression_that_does_not_spell_the_change_is_left_to_people(fleet: Fleet) -> None:
    fleet.edit(".sops.yaml", "^hosts/t460/", "^hosts/t[0-9]+/")
    with pytest.raises(RepositoryError, match="does not spell") as caught:
        policy.respell(
            fleet.draft(), PurePosixPath("hosts/t460/a.yaml"), PurePosixPath("hosts/new/a.yaml")
        )
    assert r"path_regex: ^hosts/new/a\.yaml$" in str(caught.value.hint)


def test_like_another_joins_what_is_shared_and_not_the_others_own(fleet: Fleet) -> None:
    fleet.edit(".sops.yaml", "^vault/\n    age: *t460", "^vault/\n    age: *hq")
    known = fleet.draft().fleet
    new, like = known.host(HostName("hq")), known.host(HostName("t460"))
    draft = policy.add_like(fleet.draft(), new, like)
    assert lines(fleet, draft) == [
        "-     age: [*ann, *t460]",
        "+     age: [*ann, *t460, *hq]",
    ]


def test_people_join_like_people(fleet: Fleet) -> None:
    fleet.edit("nixsecrets.yaml", "  ann: {", "  bob: {}\n  ann: {")
    fleet.write({"keys/admins/bob.pub": f"{person()[1].text}\n"})
    known = fleet.draft().fleet
    draft = policy.add_like(
        fleet.draft(), known.person(PersonName("bob")), known.person(PersonName("ann"))
    )
    assert why(draft, ".sops.yaml")[1:] == [
        "rule ^hosts/t460/: + bob",
        "rule ^wifi/: + bob",
        r"rule \.yaml$: + bob",
    ]


EDITS: dict[str, Callable[[Draft, str], Draft]] = {
    "remove": lambda draft, text: policy.remove(draft, [text]),
    "replace": lambda draft, text: policy.replace(draft, text, person()[1].text),
    "join": lambda draft, text: policy.join(draft, text, person()[1].text, "new"),
    "rename": lambda draft, _: policy.rename(draft, "t460", "new"),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize(
    ("head", "files", "source"),
    [
        pytest.param("# Generated by sops.nix\n", {}, "where it is made", id="header"),
        pytest.param("", {"sops.nix": "{ creation_rules = [ ]; }"}, "in sops.nix", id="source"),
        pytest.param(
            "", {"flake.nix": '{ x = nixago.make { output = ".sops.yaml"; }; }'}, "in flake.nix",
            id="nixago",
        ),
    ],
)  # fmt: skip
def test_a_generated_policy_is_left_alone_and_the_change_told(
    fleet: Fleet, edit: str, head: str, files: dict[str, str], source: str
) -> None:
    fleet.write({".sops.yaml": head + fleet.read(".sops.yaml"), **files})
    with pytest.raises(RepositoryError, match="is generated") as caught:
        EDITS[edit](fleet.draft(), fleet.t460.key.recipient.text)
    assert caught.value.status is ExitStatus.REPOSITORY
    assert caught.value.place == ".sops.yaml"
    assert source in str(caught.value.hint)


def test_a_hosts_module_of_the_same_name_is_no_source(fleet: Fleet) -> None:
    fleet.write({"sops.nix": "{ sops.defaultSopsFile = ./secrets.yaml; }"})
    assert changed(policy.rename(fleet.draft(), "t460", "new")) == [".sops.yaml"]
