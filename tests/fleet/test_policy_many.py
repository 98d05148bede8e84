"""Edits of many rules at once: as one after the other, and as exact about what is at fault."""

from pathlib import PurePosixPath

import pytest

from nixsecrets.fleet.policy import exact_pattern
from nixsecrets.fleet.policy_anchor import add_anchor, add_anchors
from nixsecrets.fleet.policy_edit import (
    PolicyEditError,
)
from nixsecrets.fleet.policy_joining import add_to_rule, add_to_rules
from nixsecrets.fleet.policy_leaving import remove_from_rule, remove_from_rules
from nixsecrets.fleet.policy_reading import parse_policy
from nixsecrets.fleet.policy_rules import add_rule, add_rules

FLEET = b"""\
keys:
  - &ann age1ann
  - &hq age1hq
  - &old age1old
creation_rules:
  - path_regex: ^a\\.yaml$
    age:
      - *ann
      - *old
  - path_regex: ^b\\.yaml$
    key_groups:
      - age:
          - *ann
          - *old # soon gone
  - path_regex: ^c\\.yaml$
    age: *old
  - path_regex: .*
    age:
      - *ann
"""


def test_joining_many_rules_is_joining_each() -> None:
    one_by_one = add_to_rule(add_to_rule(FLEET, 0, "hq"), 1, "hq")
    assert add_to_rules(FLEET, {0: ("hq",), 1: ("hq",)}) == one_by_one


def test_several_join_one_rule_in_their_order() -> None:
    content = add_anchor(FLEET, "new", "age1new")
    assert add_to_rules(content, {0: ("new", "hq", "ann")}) == add_to_rule(
        add_to_rule(content, 0, "new"), 0, "hq"
    )


def test_leaving_many_rules_is_leaving_each() -> None:
    one_by_one = remove_from_rule(remove_from_rule(FLEET, 0, "old"), 1, "age1old")
    assert remove_from_rules(FLEET, {0: ("old",), 1: ("age1old",), 3: ("old",)}) == one_by_one


def test_not_all_of_a_list_can_leave_at_once() -> None:
    with pytest.raises(PolicyEditError, match=r"ann, old cannot be taken out of rule \^a"):
        remove_from_rules(FLEET, {0: ("ann", "old")})


def test_nothing_to_do_leaves_every_byte() -> None:
    assert add_to_rules(FLEET, {}) == FLEET
    assert add_to_rules(FLEET, {0: ("ann",)}) == FLEET
    assert remove_from_rules(FLEET, {0: ("hq",)}) == FLEET
    assert add_anchors(FLEET, {"ann": "age1ann"}) == FLEET


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_the_rule_that_takes_no_line_is_named(order: tuple[int, ...]) -> None:
    content = FLEET.replace(b"    age: *old", b"    age: []")
    with pytest.raises(PolicyEditError, match=r"rule \^c") as caught:
        add_to_rules(content, dict.fromkeys(order, ("hq",)))
    assert caught.value.line == 15


def test_a_list_that_two_rules_share_is_named_as_what_it_is() -> None:
    shared = FLEET.replace(
        b"    age:\n      - *ann\n      - *old\n", b"    age: &both\n      - *ann\n"
    )
    shared = shared.replace(b"    age: *old", b"    age: *both")
    with pytest.raises(PolicyEditError, match=r"rule \^a"):
        add_to_rules(shared, {1: ("hq",), 0: ("hq",)})


def test_many_anchors_come_in_their_order_behind_the_one_they_follow() -> None:
    new = {"n1": "age1n1", "hq": "age1hq", "n2": "age1n2"}
    after = add_anchors(FLEET, new, "hq")
    assert [anchor.name for anchor in parse_policy(after).anchors] == [
        "ann", "hq", "n1", "n2", "old",
    ]  # fmt: skip


def test_many_anchors_make_their_section() -> None:
    after = add_anchors(b"creation_rules: []\n", {"a": "age1a", "b": "age1b"})
    assert after == b"keys:\n  - &a age1a\n  - &b age1b\ncreation_rules: []\n"


def test_many_rules_come_in_their_order_before_the_catch_all() -> None:
    paths = [PurePosixPath(f"{name}.yaml") for name in "xyz"]
    after = add_rules(FLEET, dict.fromkeys(paths, ("ann",)), 1)
    patterns = [rule.pattern_text for rule in parse_policy(after).rules]
    assert patterns[2:5] == [exact_pattern(path) for path in paths]
    assert add_rules(FLEET, {paths[0]: ("ann",)}, 1) == add_rule(FLEET, paths[0], ("ann",), 1)


def test_many_rules_take_the_place_that_is_each_ones() -> None:
    content = FLEET.replace(b"^b\\.yaml$", b"^b/")
    readers = {PurePosixPath("b/x.yaml"): ("ann",), PurePosixPath("z.yaml"): ("hq",)}
    patterns = [rule.pattern_text for rule in parse_policy(add_rules(content, readers, 2)).rules]
    assert patterns == [r"^a\.yaml$", r"^b/x\.yaml$", "^b/", r"^c\.yaml$", r"^z\.yaml$", ".*"]


def test_many_rules_make_their_section() -> None:
    content = b"keys:\n  - &ann age1ann\n"
    readers = {PurePosixPath("a.yaml"): ("ann",), PurePosixPath("b.yaml"): ("ann",)}
    rules = parse_policy(add_rules(content, readers, None)).rules
    assert [rule.pattern_text for rule in rules] == [r"^a\.yaml$", r"^b\.yaml$"]


EXPRESSIONS = (
    r"^a\.yaml$",
    r"^a.yaml$",
    r"^a\.yaml",
    r"a\.yaml$",
    r"(?i)^A\.YAML$",
    r"^x\+\(y\)\.yaml$",
    r"^ä\.yaml$",
    r"^\Qa.yaml\E$",
    r"^a\-b\.yaml$",
    r"^a\.yaml$|^b\.yaml$",
    ".*",
    "",
    "^b/",
    "^$",
)
PATHS = ("a.yaml", "A.YAML", "axyaml", "ba.yaml", "x+(y).yaml", "ä.yaml", "a-b.yaml", "b/a.yaml")


@pytest.mark.parametrize("first", EXPRESSIONS)
@pytest.mark.parametrize("path", [*PATHS, "\udcff"], ids=repr)
def test_the_governing_rule_is_the_first_that_matches(path: str, first: str) -> None:
    for second in EXPRESSIONS:
        rules = "".join(f"  - path_regex: '{each}'\n    age: x\n" for each in (first, second))
        policy = parse_policy(f"creation_rules:\n{rules}".encode())
        asked = PurePosixPath(path)
        expected = next((rule for rule in policy.rules if rule.matches(asked)), None)
        assert policy.rule_for(asked) == expected
