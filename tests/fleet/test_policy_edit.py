from collections.abc import Callable
from difflib import ndiff
from pathlib import PurePosixPath

import pytest

from nixsecrets.errors import ExitStatus, RepositoryError
from nixsecrets.fleet.policy_anchor import add_anchor
from nixsecrets.fleet.policy_edit import (
    PolicyEditError,
    spell_anchor,
)
from nixsecrets.fleet.policy_joining import add_to_rule
from nixsecrets.fleet.policy_leaving import remove_from_rule, remove_recipients
from nixsecrets.fleet.policy_reading import parse_policy
from nixsecrets.fleet.policy_renaming import rename_anchor, replace_recipient
from nixsecrets.fleet.policy_rules import add_rule, render_new

FLEET = b"""\
# Fleet
keys:
  - &ann age1ann
  - &hq age1hq   # the server
  # retired: - &old age1old
creation_rules:
  # shared by all
  - path_regex: ^shared/
    key_groups:
    - age:
      - *ann
      - *hq
      # next one here
  - path_regex: 'hosts/hq/'
    key_groups:
      - age:
          - *ann
          - age1lit # literal
        pgp:
          - 0xABC
  - age: *ann
"""

WITH_NEW = FLEET.replace(
    b"&hq age1hq   # the server\n", b"&hq age1hq   # the server\n  - &new age1new\n"
)


def difference(before: bytes, after: bytes) -> list[str]:
    """Return the lines put in (`+ …`) and taken out (`- …`)."""
    lines = ndiff(before.decode().splitlines(), after.decode().splitlines())
    return [line for line in lines if line[0] in "+-"]


@pytest.mark.parametrize(
    ("content", "after", "expected"),
    [
        pytest.param(
            "keys:\n  - &a age1a\n", None, "keys:\n  - &a age1a\n  - &new age1new\n", id="last"
        ),
        pytest.param(
            "keys:\n- &a age1a\n- &b age1b\n",
            "a",
            "keys:\n- &a age1a\n- &new age1new\n- &b age1b\n",
            id="after a named one",
        ),
        pytest.param(
            "keys:\n  -   &a 'age1a' # x\n",
            None,
            "keys:\n  -   &a 'age1a' # x\n  -   &new 'age1new'\n",
            id="gap and quotes",
        ),
        pytest.param(
            "keys:\n  - &a     age1a\n  - &bcdef age1b\n",
            None,
            "keys:\n  - &a     age1a\n  - &bcdef age1b\n  - &new   age1new\n",
            id="aligned",
        ),
        pytest.param(
            "keys:\n  - &a  age1a\n  - &b age1b\n",
            None,
            "keys:\n  - &a  age1a\n  - &b age1b\n  - &new age1new\n",
            id="not aligned",
        ),
        pytest.param(
            "keys:\n  - &u:\n    - &x age1x\n  - &h:\n    - &a age1a\n    - &b age1b\n  - &p P\n",
            None,
            "keys:\n  - &u:\n    - &x age1x\n  - &h:\n    - &a age1a\n    - &b age1b\n"
            "    - &new age1new\n  - &p P\n",
            id="the list with most age recipients",
        ),
        pytest.param(
            "keys:\n  users:\n  - &ann age1ann\n  hosts:\n  - &a age1a\n",
            "ann",
            "keys:\n  users:\n  - &ann age1ann\n  - &new age1new\n  hosts:\n  - &a age1a\n",
            id="another list by name",
        ),
        pytest.param(
            "keys:\n  - &a age1a\n  - &longer age1b\n",
            None,
            "keys:\n  - &a age1a\n  - &longer age1b\n  - &new age1new\n",
            id="one blank each",
        ),
        pytest.param(
            "creation_rules:\n- age:\n  - &a age1a\n  - age1b\nkeys:\n- &c age1c\n",
            None,
            "creation_rules:\n- age:\n  - &a age1a\n  - age1b\nkeys:\n- &c age1c\n- &new age1new\n",
            id="rules hold anchors too",
        ),
        pytest.param(
            "keys:\n  - &me ABC\n", None, "keys:\n  - &me ABC\n  - &new age1new\n", id="only pgp"
        ),
        pytest.param(
            "# head\n\ncreation_rules:\n- age: age1a\n",
            None,
            "# head\n\nkeys:\n- &new age1new\ncreation_rules:\n- age: age1a\n",
            id="no section",
        ),
        pytest.param("keys:\nx: 1\n", None, "keys:\n  - &new age1new\nx: 1\n", id="empty section"),
        pytest.param("", None, "keys:\n  - &new age1new\n", id="empty file"),
        pytest.param("# c", None, "# c\nkeys:\n  - &new age1new", id="comment alone"),
        pytest.param(
            "keys:\n  - &a age1a\n  - &list\n    - age1b\n",
            None,
            "keys:\n  - &a age1a\n  - &list\n    - age1b\n  - &new age1new\n",
            id="behind a list",
        ),
    ],
)
def test_an_anchor_is_put_in(content: str, after: str | None, expected: str) -> None:
    assert add_anchor(content.encode(), "new", "age1new", after).decode() == expected


def test_an_anchor_that_is_there_stays() -> None:
    assert add_anchor(FLEET, "hq", "age1hq") == FLEET


def test_a_recipient_that_yaml_would_misread_is_quoted() -> None:
    after = add_anchor(FLEET, "new", "ssh-ed25519 AAAA me # home")

    assert difference(FLEET, after) == ["+   - &new 'ssh-ed25519 AAAA me # home'"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        pytest.param("hq", "anchor hq stands for something else already", id="other value"),
        pytest.param("build01.org", "'build01.org' cannot be an anchor", id="dot"),
    ],
)
def test_an_anchor_that_cannot_be_is_an_error(name: str, problem: str) -> None:
    with pytest.raises(RepositoryError, match=problem) as caught:
        add_anchor(FLEET, name, "age1new")

    assert not isinstance(caught.value, PolicyEditError)


def test_a_name_with_dots_is_spelled_as_anchor() -> None:
    assert spell_anchor("build01.ofborg.org") == "build01-ofborg-org"


@pytest.mark.parametrize(
    ("content", "after"),
    [
        pytest.param(b'{"keys": [&a "age1a"]}\n', None, id="JSON"),
        pytest.param(b"keys: [&a age1a]\n", None, id="flow list"),
        pytest.param(b"keys:\n  - &a age1a\n", "b", id="unknown neighbour"),
        pytest.param(b"keys:\n -\n  &a age1a\n", None, id="dash on another line"),
        pytest.param(b"keys:\n - x:\n   - &a P\n - y:\n   - &b P\n", None, id="no list of age"),
        pytest.param(
            b"keys:\n - &g\n   age:\n    - &a age1a\ncreation_rules:\n - key_groups:\n   - *g\n",
            None,
            id="list that rules read",
        ),
    ],
)
def test_an_anchor_without_a_sure_place_is_refused(content: bytes, after: str | None) -> None:
    with pytest.raises(PolicyEditError) as caught:
        add_anchor(content, "new", "age1new", after)

    assert caught.value.text == "- &new age1new"
    assert caught.value.hint == "put in by hand: - &new age1new"
    assert caught.value.status is ExitStatus.REPOSITORY


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        pytest.param(0, "+       - *new", id="before the comment below"),
        pytest.param(1, "+           - *new", id="before pgp, in its own style"),
    ],
)
def test_an_alias_comes_last_in_a_rule(rule: int, line: str) -> None:
    after = add_to_rule(WITH_NEW, rule, "new")

    assert difference(WITH_NEW, after) == [line]
    assert [entry.anchor for entry in parse_policy(after).rules[rule].recipients][-1] == "new"


def test_a_flat_list_and_a_merged_group_gain_an_alias() -> None:
    content = b"""\
keys:
  - &a age1a
  - &group
    age: [age1g]
creation_rules:
  - path_regex: x
    age:
    - age1x
  - key_groups:
      - merge: [*group]
        age:
          - age1y
"""
    after = add_to_rule(add_to_rule(content, 0, "a"), 1, "a")

    assert difference(content, after) == ["+     - *a", "+           - *a"]


def test_a_recipient_that_reads_already_is_not_added_again() -> None:
    content = add_anchor(FLEET, "lit", "age1lit")

    assert add_to_rule(content, 1, "lit") == content


def test_an_unknown_anchor_is_an_error() -> None:
    with pytest.raises(RepositoryError, match="no anchor is named nobody"):
        add_to_rule(FLEET, 0, "nobody")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param("age: *b", "age:\n      - *b\n      - *a", id="alias"),
        pytest.param("age: *b # b", "age:\n      - *b # b\n      - *a", id="alias with comment"),
        pytest.param("age: 'age1x,age1y'", "age: 'age1x,age1y,age1a'", id="comma text"),
        pytest.param("age: age1x, age1y # z", "age: age1x, age1y, age1a # z", id="plain text"),
        pytest.param(
            "age: >-\n      age1x,\n      age1y",
            "age: >-\n      age1x,\n      age1y,\n      age1a",
            id="folded text",
        ),
        pytest.param("age: [age1x]", "age: [age1x, *a]", id="brackets"),
        pytest.param(
            "age: [\n      'age1x',\n      'age1y'\n    ]",
            "age: [\n      'age1x',\n      'age1y',\n      *a\n    ]",
            id="brackets on several lines",
        ),
        pytest.param("age:", "age:\n      - *a", id="null"),
        pytest.param("{age: *b}", "{age: [*b, *a]}", id="alias in braces"),
        pytest.param("pgp: X", "pgp: X\n    age:\n      - *a", id="flat, no age"),
        pytest.param(
            "key_groups:\n    - pgp:\n      - X",
            "key_groups:\n    - pgp:\n      - X\n      age:\n      - *a",
            id="no list of age",
        ),
    ],
)
def test_a_recipient_joins_a_rule_of_any_shape(rule: str, expected: str) -> None:
    head = "keys:\n  - &a age1a\n  - &b age1b\ncreation_rules:\n  - "

    after = add_to_rule(f"{head}{rule}\n".encode(), 0, "a")

    assert after.decode() == f"{head}{expected}\n"


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        pytest.param("age: *list", "&list [age1l, *a]", id="list by alias"),
        pytest.param("key_groups:\n    - *group", "&group {age: [age1g, *a]}", id="group by alias"),
    ],
)
def test_a_list_that_stands_elsewhere_is_added_to_there(rule: str, line: str) -> None:
    content = (
        "keys:\n  - &a age1a\n  - &list [age1l]\n  - &group {age: [age1g]}\n"
        f"creation_rules:\n  - {rule}\n"
    ).encode()

    assert f"  - {line}\n" in add_to_rule(content, 0, "a").decode()


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("age: []", id="empty list"),
        pytest.param(
            "key_groups:\n    - age:\n      - age1x\n    - age:\n      - age1y", id="two groups"
        ),
        pytest.param("age:\n    -\n      age1x", id="dash on another line"),
        pytest.param("age: &own\n    - age1x\n  - age: *own", id="list that another rule reads"),
        pytest.param("age: *list\n  - age: *list", id="list that two rules read"),
        pytest.param("age: &x age1x\n  - age: *x", id="text that another rule reads"),
    ],
)
def test_a_rule_without_a_list_of_its_own_is_left_to_people(rule: str) -> None:
    content = (
        "keys:\n  - &a age1a\n  - &b age1b\n  - &list [age1l]\n  - &group {age: [age1g]}\n"
        f"creation_rules:\n  - {rule}\n"
    ).encode()

    with pytest.raises(PolicyEditError) as caught:
        add_to_rule(content, 0, "a")

    assert (caught.value.text, caught.value.line) == ("- *a", 7)


def test_an_anchor_defined_below_the_rule_cannot_be_named_in_it() -> None:
    with pytest.raises(PolicyEditError):
        add_to_rule(b"creation_rules:\n- age:\n  - age1x\nkeys:\n- &a age1a\n", 0, "a")


@pytest.mark.parametrize(
    ("rule", "who", "line"),
    [
        pytest.param(0, "hq", "-       - *hq", id="alias"),
        pytest.param(0, "age1hq", "-       - *hq", id="by its text"),
        pytest.param(
            1, "age1lit", "-           - age1lit # literal", id="literal, comment and all"
        ),
    ],
)
def test_a_recipient_is_taken_out(rule: int, who: str, line: str) -> None:
    after = remove_from_rule(FLEET, rule, who)

    assert difference(FLEET, after) == [line]


def test_all_spellings_of_a_recipient_go_from_all_groups() -> None:
    content = b"""\
keys: [&a age1a]
creation_rules:
- key_groups:
  - age:
    - *a
    - age1x
    - age1a
  - age:
    - age1y
    - *a"""

    after = remove_from_rule(content, 0, "a")

    assert difference(content, after) == ["-     - *a", "-     - age1a", "-     - *a"]
    assert after.endswith(b"- age1y")


def test_taking_out_what_is_not_there_changes_nothing() -> None:
    assert remove_from_rule(FLEET, 2, "hq") == FLEET


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param("age: 'age1a,age1b'", "age: 'age1b'", id="comma text"),
        pytest.param("age: age1b, age1a # c", "age: age1b # c", id="last of a comma text"),
        pytest.param(
            "age: >-\n      age1b,\n      age1a,\n      age1c",
            "age: >-\n      age1b,\n      age1c",
            id="folded text",
        ),
        pytest.param("age: [*a, age1b]", "age: [age1b]", id="brackets"),
        pytest.param("age: [age1b, *a , 'age1c']", "age: [age1b , 'age1c']", id="between brackets"),
        pytest.param(
            "age:\n    - age1b\n    - 'age1b,age1a'",
            "age:\n    - age1b\n    - 'age1b'",
            id="comma text in a list",
        ),
        pytest.param(
            "key_groups:\n    - merge: [{age: [*a]}]\n      age:\n      - age1b",
            "key_groups:\n    - age:\n      - age1b",
            id="merged in",
        ),
        pytest.param(
            "key_groups:\n    - pgp:\n      - X\n      age:\n      - *a",
            "key_groups:\n    - pgp:\n      - X",
            id="the last of its kind",
        ),
        pytest.param(
            "key_groups:\n    - age:\n      - *a\n      pgp:\n      - X",
            "key_groups:\n    - pgp:\n      - X",
            id="the last of its kind, behind the dash",
        ),
    ],
)
def test_a_recipient_leaves_a_rule_of_any_shape(rule: str, expected: str) -> None:
    head = "keys:\n  - &a age1a\ncreation_rules:\n  - "

    after = remove_from_rule(f"{head}{rule}\n".encode(), 0, "a")

    assert after.decode() == f"{head}{expected}\n"


@pytest.mark.parametrize(
    ("rule", "who"),
    [
        pytest.param("age:\n    - *a", "a", id="the last one"),
        pytest.param("age: *a", "a", id="alias"),
        pytest.param(
            "age:\n    - &x age1x\n    - *a\n  - age: *x", "x", id="anchor named elsewhere"
        ),
    ],
)
def test_what_whole_lines_cannot_take_out_is_refused(rule: str, who: str) -> None:
    content = f"keys:\n  - &a age1a\ncreation_rules:\n  - {rule}\n".encode()

    with pytest.raises(PolicyEditError) as caught:
        remove_from_rule(content, 0, who)

    assert caught.value.hint == f"take out by hand: *{who}"


EDITS: dict[str, Callable[[bytes], bytes]] = {
    "add_anchor": lambda content: add_anchor(content, "new", "age1new"),
    "add_to_rule": lambda content: add_to_rule(content, 0, "hq2"),
    "add_to_rule at the end": lambda content: add_to_rule(content, 1, "hq2"),
    "remove_from_rule": lambda content: remove_from_rule(content, 0, "hq"),
    "remove_from_rule at the end": lambda content: remove_from_rule(content, 1, "hq"),
    "replace_recipient": lambda content: replace_recipient(content, "age1hq", "age1new"),
    "rename_anchor": lambda content: rename_anchor(content, "hq", "new"),
    "remove_recipients": lambda content: remove_recipients(content, ["age1hq"]).content,
    "add_rule": lambda content: add_rule(content, PurePosixPath("q"), ("hq",), 0),
    "add_rule at the end": lambda content: add_rule(content, PurePosixPath("q"), ("hq",), None),
}
PLAIN = b"""\
keys:
- &ann age1ann
- &hq age1hq
- &hq2 age1hq2
creation_rules:
- path_regex: a
  age:
  - *hq
  - *ann

- path_regex: b
  age:
  - *ann
  - *hq
"""
SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda content: content.replace(b"\n", b"\r\n"),
    "no final newline": lambda content: content.removesuffix(b"\n"),
    "CRLF, no final newline": lambda content: content.replace(b"\n", b"\r\n").removesuffix(b"\r\n"),
    "byte order mark": lambda content: b"\xef\xbb\xbf" + content,
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_edits_keep_line_ends(edit: str, spelling: str) -> None:
    respelled = SPELLINGS[spelling]

    assert EDITS[edit](respelled(PLAIN)) == respelled(EDITS[edit](PLAIN))
    assert EDITS[edit](PLAIN) != PLAIN


def test_characters_outside_ascii_move_no_line() -> None:
    content = "# Schlüssel 🔑 für alle\nkeys:\n  - &a age1a # Ümläut\n".encode()

    assert difference(content, add_anchor(content, "b", "age1b")) == ["+   - &b age1b"]


def test_a_new_policy_means_what_was_asked() -> None:
    content = render_new(
        (("ann", "ssh-ed25519 AAAA ann: home"), ("hq", "age1hq")),
        ((PurePosixPath("systems/hq/secrets.yaml"), ("ann", "hq")),),
    )

    assert content.decode().splitlines()[2:] == [
        "keys:",
        "  - &ann 'ssh-ed25519 AAAA ann: home'",
        "  - &hq age1hq",
        "creation_rules:",
        r"  - path_regex: ^systems/hq/secrets\.yaml$",
        "    key_groups:",
        "      - age:",
        "          - *ann",
        "          - *hq",
    ]
    (rule,) = parse_policy(content).rules
    assert [entry.text for entry in rule.recipients] == ["ssh-ed25519 AAAA ann: home", "age1hq"]


def test_a_new_policy_may_be_empty() -> None:
    content = render_new((), ())

    assert parse_policy(content).rules == ()
    assert add_anchor(content, "a", "age1a").endswith(b"keys:\n  - &a age1a\n")
