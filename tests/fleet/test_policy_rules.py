from pathlib import PurePosixPath

import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.policy_edit import PolicyEditError
from nixsecrets.fleet.policy_reading import parse_policy
from nixsecrets.fleet.policy_rules import add_rule

KEYS = "keys:\n  - &ann age1ann\n  - &hq age1hq\n  - &pgp 0xABC\n"
PATH = PurePosixPath("hosts/t15g/secrets.yaml")


def added(
    rules: str, after_rule: int | None = None, anchors: tuple[str, ...] = ("ann", "hq")
) -> str:
    """Return the rules after a rule for `PATH` was added, without the key section."""
    content = (KEYS + rules).encode()
    return add_rule(content, PATH, anchors, after_rule).decode().removeprefix(KEYS)


@pytest.mark.parametrize(
    ("sibling", "expected"),
    [
        pytest.param(
            "- path_regex: ^a$\n  key_groups:\n  - age:\n    - *ann\n",
            "- path_regex: ^hosts/t15g/secrets\\.yaml$\n"
            "  key_groups:\n  - age:\n    - *ann\n    - *hq\n",
            id="no indentation",
        ),
        pytest.param(
            "  - path_regex: '^a$'\n    key_groups:\n    - age:\n      - *ann\n",
            "  - path_regex: '^hosts/t15g/secrets\\.yaml$'\n"
            "    key_groups:\n    - age:\n      - *ann\n      - *hq\n",
            id="mixed indentation, single quotes",
        ),
        pytest.param(
            '  -   path_regex: "^a$"\n      key_groups:\n        -  age:\n             -   *ann\n',
            '  -   path_regex: "^hosts/t15g/secrets\\\\.yaml$"\n      key_groups:\n'
            "        -  age:\n             -   *ann\n             -   *hq\n",
            id="wide dashes, double quotes",
        ),
        pytest.param(
            "  - key_groups:\n      - age:\n          - *ann\n    path_regex: ^a$\n",
            "  - key_groups:\n      - age:\n          - *ann\n          - *hq\n"
            "    path_regex: ^hosts/t15g/secrets\\.yaml$\n",
            id="pattern last",
        ),
        pytest.param(
            "  - path_regex: ^a$\n    age:\n      - *ann\n",
            "  - path_regex: ^hosts/t15g/secrets\\.yaml$\n    age:\n      - *ann\n      - *hq\n",
            id="flat list",
        ),
        pytest.param(
            "  - path_regex: ^a$\n    age: *ann\n",
            "  - path_regex: ^hosts/t15g/secrets\\.yaml$\n    key_groups:\n      - age:\n"
            "          - *ann\n          - *hq\n",
            id="two cannot be one alias",
        ),
        pytest.param(
            "  - path_regex: ^a$\n    age: 'age1x,age1y'\n",
            "  - path_regex: ^hosts/t15g/secrets\\.yaml$\n    key_groups:\n      - age:\n"
            "          - *ann\n          - *hq\n",
            id="comma text",
        ),
    ],
)
def test_a_rule_is_written_like_its_sibling(sibling: str, expected: str) -> None:
    head = "creation_rules:\n"

    assert added(head + sibling) == head + sibling + expected


def test_recipients_stand_under_the_kind_that_the_rules_name_them_by() -> None:
    sibling = "creation_rules:\n- path_regex: ^a$\n  pgp: *pgp\n  age: *ann\n"

    assert added(sibling, 0, ("hq", "pgp")) == (
        sibling + "- path_regex: ^hosts/t15g/secrets\\.yaml$\n  pgp: *pgp\n  age: *hq\n"
    )


LIST = """\
creation_rules:
  # the first
  - path_regex: ^a$
    age: *ann
    # - *retired

  # the second
  - path_regex: ^b$
    age: *ann

  - path_regex: {third}
    age: *ann
"""
NEW = "  - path_regex: ^hosts/t15g/secrets\\.yaml$\n    age: *hq\n"


@pytest.mark.parametrize(
    ("third", "after_rule", "above", "below"),
    [
        pytest.param("^c$", None, "    age: *ann\n\n{}", "", id="last"),
        pytest.param("^c$", 0, "    # - *retired\n\n{}", "\n  # the second\n", id="after sibling"),
        pytest.param(
            "hosts/.*", 2, "^b$\n    age: *ann\n\n{}", "\n  - path_regex: hosts", id="catch"
        ),
        pytest.param(
            "''", None, "^b$\n    age: *ann\n\n{}", "\n  - path_regex: ''", id="no pattern"
        ),
        pytest.param(
            "''", 1, "^b$\n    age: *ann\n\n{}", "\n  - path_regex: ''", id="before catch-all"
        ),
    ],
)
def test_a_rule_has_its_place(third: str, after_rule: int | None, above: str, below: str) -> None:
    before = LIST.replace("{third}", third)

    after = added(before, after_rule, ("hq",))

    assert above.format(NEW) + below in after
    governing = parse_policy((KEYS + after).encode()).rule_for(PATH)
    assert governing is not None
    assert [entry.anchor for entry in governing.recipients] == ["hq"]


def test_a_rule_before_the_first_comes_above_its_comment() -> None:
    before = "creation_rules:\n  # everything\n  - age: *ann\n"

    assert added(before, 0, ("hq",)) == (f"creation_rules:\n{NEW}  # everything\n  - age: *ann\n")


@pytest.mark.parametrize(
    "rules",
    ["", "creation_rules:\n", "stores: {yaml: {indent: 2}}\n"],
    ids=["none", "null", "other"],
)
def test_the_first_rule_of_a_policy(rules: str) -> None:
    rule = NEW.replace("age: *hq", "key_groups:\n      - age:\n          - *hq")

    assert added(rules, None, ("hq",)) == rules.removesuffix("creation_rules:\n") + (
        "creation_rules:\n" + rule
    )


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param("creation_rules: []\n", id="empty flow list"),
        pytest.param('creation_rules: [{age: "age1x"}]\n', id="flow list"),
        pytest.param("creation_rules:\n  - {age: age1x}\n", id="flow rule"),
        pytest.param("creation_rules:\n  -\n    age: age1x\n", id="dash on another line"),
    ],
)
def test_rules_that_take_no_line_are_left_to_people(rules: str) -> None:
    with pytest.raises(PolicyEditError) as caught:
        added(rules, None, ("hq",))

    assert caught.value.text == NEW.rstrip().replace(
        "age: *hq", "key_groups:\n      - age:\n          - *hq"
    )


def test_a_path_that_has_its_rule_is_an_error() -> None:
    with pytest.raises(
        RepositoryError, match=r"^hosts/t15g/secrets\.yaml has a rule already$"
    ) as caught:
        added("creation_rules:\n" + NEW)

    assert caught.value.line == 6
