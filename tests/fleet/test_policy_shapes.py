"""Edits of policies whose lists are sorted, nested, shared or several."""

import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.policy_anchor import add_anchor
from nixsecrets.fleet.policy_edit import PolicyEditError
from nixsecrets.fleet.policy_joining import Joiner, Joining, add_to_rule, join_rules
from nixsecrets.fleet.policy_leaving import remove_recipients
from nixsecrets.fleet.policy_renaming import rename_anchor, replace_recipient

KEYS = "keys:\n  - &ann age1ann\n  - &hq age1hq\n"


def test_sorted_lists_stay_sorted() -> None:
    names = ["a", "c", "d", "e", "f"]
    keys = "".join(f"  - &{name} age1{name}\n" for name in names)
    aliases = "".join(f"      - *{name}\n" for name in names)
    content = f"keys:\n{keys}creation_rules:\n  - age:\n{aliases}".encode()
    after = add_to_rule(add_anchor(content, "b", "age1b", "d"), 0, "b").decode()
    assert "  - &a age1a\n  - &b age1b\n  - &c age1c\n" in after
    assert "      - *a\n      - *b\n      - *c\n" in after
    first = add_anchor(content, "_", "age1_", None).decode()
    assert first.startswith("keys:\n  - &_ age1_\n  - &a age1a\n")


def test_a_few_in_order_by_chance_are_in_none() -> None:
    content = b"keys:\n  - &a age1a\n  - &c age1c\n  - &d age1d\n"
    assert add_anchor(content, "b", "age1b").endswith(b"  - &d age1d\n  - &b age1b\n")


@pytest.mark.parametrize(
    ("content", "after", "expected"),
    [
        pytest.param(
            "keys:\n  hosts:\n    hq: &hq age1hq\n  people: []\n",
            "hq",
            "keys:\n  hosts:\n    hq: &hq age1hq\n    new: &new age1new\n  people: []\n",
            id="names and anchors",
        ),
        pytest.param(
            "keys:\n  - &new null\n  - &hq age1hq\ncreation_rules:\n  - age: [*new, *hq]\n",
            None,
            "keys:\n  - &new age1new\n  - &hq age1hq\ncreation_rules:\n  - age: [*new, *hq]\n",
            id="a place that was kept",
        ),
    ],
)
def test_an_anchor_gets_the_place_that_is_its_own(
    content: str, after: str | None, expected: str
) -> None:
    assert add_anchor(content.encode(), "new", "age1new", after).decode() == expected


def test_a_group_that_rules_share_is_edited_once() -> None:
    content = (
        f"{KEYS}  - all: &all\n      age:\n        - *ann\ncreation_rules:\n"
        "  - key_groups:\n      - merge: [*all]\n  - key_groups:\n      - merge: [*all]\n"
    ).encode()
    new = Joining((Joiner("age1hq", "hq"),), "age1ann")
    after = join_rules(content, {0: new, 1: new}).decode()
    assert "        - *ann\n        - *hq\n" in after
    assert remove_recipients(after.encode(), ["age1hq"]).content.count(b"hq") == 0
    with pytest.raises(PolicyEditError):
        join_rules(content, {0: new})


def test_of_several_key_groups_the_one_of_the_other_is_joined() -> None:
    content = (
        f"{KEYS}creation_rules:\n  - shamir_threshold: 2\n    key_groups:\n"
        "      - age:\n          - *ann\n      - age:\n          - *hq\n"
    ).encode()
    after = join_rules(content, {0: Joining((Joiner("age1x"),), "age1ann")}).decode()
    assert "          - *ann\n          - age1x\n      - age:\n" in after
    with pytest.raises(PolicyEditError, match="the last recipients of a key group"):
        remove_recipients(content, ["age1hq"])


def test_an_emptied_rule_leaves_with_its_comments_and_its_blank_line() -> None:
    kept = f"{KEYS}creation_rules:\n  # first\n  - path_regex: a\n    age: *ann\n"
    rest = "\n  - path_regex: c\n    age: *ann\n"
    gone = "\n  # of hq\n  # alone\n  - path_regex: b # b\n    age: *hq\n    # nobody else\n"
    content = f"{kept}{gone}{rest}".encode()
    without = remove_recipients(content, ["age1hq"])
    assert without.content.decode() == f"{kept}{rest}".replace("  - &hq age1hq\n", "")
    assert [rule.pattern_text for rule in without.gone] == ["b"]


def test_a_literal_is_replaced_and_its_comment_stays() -> None:
    content = b"creation_rules:\n  - age:\n      - 'age1a' # doc1\n  - age: age1b, age1a\n"
    assert replace_recipient(content, "age1a", "age1new") == content.replace(b"age1a", b"age1new")


def test_a_renamed_anchor_keeps_the_column_of_its_value() -> None:
    content = b"keys:\n  - &a      age1a\n  - &bcdefg age1b\ncreation_rules:\n  - age: *a\n"
    after = rename_anchor(content, "a", "abc")
    assert after == content.replace(b"&a      ", b"&abc    ").replace(b"*a", b"*abc")


@pytest.mark.parametrize(
    ("old", "new"), [("hq", "ann"), ("hq", "a.b"), ("nobody", "new")], ids=["taken", "dot", "none"]
)
def test_an_anchor_is_not_renamed_to_what_cannot_be(old: str, new: str) -> None:
    with pytest.raises(RepositoryError):
        rename_anchor(KEYS.encode(), old, new)
