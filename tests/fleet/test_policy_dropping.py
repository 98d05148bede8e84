import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.policy_dropping import remove_rule

TEXT = """\
keys:
  - &a age1a
creation_rules:
  # one a machine
  - path_regex: ^hq$
    age: *a

  # the old one
  - path_regex: ^t460$  # x
    key_groups:
      - age:
          - *a
  # the rest
  - path_regex: .*
    age: *a
"""


def test_a_rule_goes_with_its_comments_and_nothing_else() -> None:
    start, end = TEXT.index("\n  # the old"), TEXT.index("  # the rest")
    assert remove_rule(TEXT.encode(), 1).decode() == TEXT[:start] + TEXT[end:]


def test_the_last_rule_goes() -> None:
    assert remove_rule(TEXT.encode(), 2).decode() == TEXT[: TEXT.index("  # the rest")]


def test_a_rule_in_brackets_is_left_to_people() -> None:
    text = b"creation_rules: [{path_regex: a, age: age1a}, {path_regex: b, age: age1a}]\n"
    with pytest.raises(RepositoryError) as caught:
        remove_rule(text, 1)
    assert caught.value.hint is not None
