"""Leaves and comments by key path."""

import pytest

from nixsecrets.sops.stores import dotenv, yaml
from nixsecrets.sops.tree import active_comments, keys_of


def test_list_positions_are_no_keys() -> None:
    assert keys_of(("a", 0, "b", 1)) == ("a", "b")


@pytest.mark.parametrize(
    ("text", "active"),
    [
        ("#x\na: 1\nb: 2\n", [(), ("x",), ()]),
        ("#x\n#y\na: 1\n", [(), ("x",), ("x", "y")]),
        ("#x\na:\n  #y\n  b: 1\n  c: 2\n", [(), ("x",), ("x", "y"), ("x",)]),
        ("#x\na:\n  - 1\n  - 2\nb: 3\n", [(), ("x",), ("x",), ()]),
        ("a: 1 #x\nb: 2\n", [("x",), (), ()]),
        ("#x\na: 1 #y\nb: 2\n", [(), ("x", "y"), ("x",), ()]),
        ("a: #x\n  b: 1\n  c: 2\nd: 3\n", [(), ("x",), ("x",), ()]),
        ("a:\n  - 1 #x\n  - 2\n", [("x",), (), ()]),
        ("#x\na: 1\n---\na: 1\n", [(), ("x",), ()]),
    ],
    ids=repr,
)
def test_comments_speak_for_the_next_item_and_what_is_below(
    text: str, active: list[tuple[str, ...]]
) -> None:
    found = active_comments(yaml.parse(text.encode()).tree)
    assert [found[position] for position in range(len(found))] == active


def test_of_two_leaves_of_one_name_each_has_its_own_comments() -> None:
    found = active_comments(dotenv.parse(b"A=1\n#x\nA=1\nA=1\n").tree)
    assert [found[position] for position in range(4)] == [(), (), ("x",), ()]
