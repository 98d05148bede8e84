"""Comments moved to where every reader binds them to the same container."""

import pytest

from nixsecrets.sops.stores import yaml
from nixsecrets.sops.stores.yaml_edit import apply
from nixsecrets.sops.stores.yaml_seating import seat_comments
from nixsecrets.sops.tree import Comment


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "a: 1\n   # c\nb: 2\n", "a: 1\n# c\nb: 2\n", id="to the column of what follows"
        ),
        pytest.param("a:\n  b: 1\n  # c\nd: 2\n", "a:\n  b: 1\n# c\nd: 2\n", id="end of a mapping"),
        pytest.param("a:\n  b: 1\n  # c\n", "a:\n  b: 1\n# c\n", id="end of the document"),
        pytest.param("a: # c\n  b: 1\n", "# c\na:\n  b: 1\n", id="behind the key of a mapping"),
        pytest.param("a: # c\n  - 1\n", "# c\na:\n  - 1\n", id="behind the key of a list"),
        pytest.param("a: # c\nb: 1\n", "# c\na:\nb: 1\n", id="behind a key without value"),
        pytest.param("a: {} # c\n", "# c\na: {}\n", id="behind an empty mapping"),
        pytest.param("a: [1] # c\n", "# c\na: [1]\n", id="behind a list in brackets"),
        pytest.param("a: [1, # c\n  2]\n", "# c\na: [1,\n  2]\n", id="in brackets"),
        pytest.param("a: [1,\n  # c\n  2]\n", "# c\na: [1,\n  2]\n", id="a line in brackets"),
        pytest.param("a: | # c\n  x\n", "# c\na: |\n  x\n", id="behind a block's header"),
        pytest.param("a:\n  # c\n  x\n", "# c\na:\n  x\n", id="between key and value"),
        pytest.param("a:\n  - # c\n    b: 1\n", "a:\n  # c\n  -\n    b: 1\n", id="behind a dash"),
        pytest.param(
            "a:\n  - b: [1] # c\n", "a:\n  # c\n  - b: [1]\n", id="of a key behind a dash"
        ),
        pytest.param(
            "a:\n  - # c\n  - 1\n", "a:\n  # c\n  - null\n  - 1\n", id="of an item without text"
        ),
        pytest.param("a:\n  # c\n  -\n", "a:\n  # c\n  - null\n", id="above an item without text"),
        pytest.param(
            "a:\n  - 1\n  #\n  - 2 #\n", "a:\n  - 1\n  # \n  - 2 # \n", id="empty in a list"
        ),
        pytest.param("a:\n  - !!str # c\n", 'a:\n  - "" # c\n', id="of a tag alone"),
        pytest.param("a: !!null # c\n", "# c\na: null\n", id="of a null by tag"),
        pytest.param("a:\n  - 1\n  #\n", "a:\n  - 1\n#\n", id="empty behind a list"),
        pytest.param(
            "a:\n- 1\n# c\n\nb: 2\n", "a:\n- 1\n\n# c\n\nb: 2\n", id="below a list at its key"
        ),
        pytest.param("a:\n- 1\n# c\n", "a:\n- 1\n\n# c\n", id="last below a list at its key"),
        pytest.param(
            "a:\n- 1\nb: # c\n  d: 1\n", "a:\n- 1\n\n# c\nb:\n  d: 1\n", id="moved below a list"
        ),
        pytest.param("a:\n- 1\n... # c\n", "a:\n- 1\n\n# c\n...\n", id="moved to below a list"),
        pytest.param("{a: 1} # c\n", "# c\n{a: 1}\n", id="behind a document in braces"),
        pytest.param("--- {a: 1} # c\n", "--- \n# c\n{a: 1}\n", id="behind a marked one in braces"),
        pytest.param("--- # c\na: 1\n", "---\n# c\na: 1\n", id="behind the mark"),
        pytest.param("a: 1\n... # c\n", "a: 1\n# c\n...\n", id="behind the end mark"),
        pytest.param("a: [1] # c\r\n", "# c\r\na: [1]\r\n", id="CRLF"),
    ],
)
def test_a_comment_without_a_seat_gets_one(before: str, after: str) -> None:
    assert _seated(before) == after
    assert _seated(after) == after


@pytest.mark.parametrize(
    "text",
    [
        "# c\na: 1 # d\n# e\n",
        "a:\n  # c\n  b: 1 # d\n  # e\n  f: 2\n",
        "a:\n  - 1 # c\n  # d\n  - 2\n",
        "  # c\n  a: 1\n",
        "---\n# c\na:\n- 1\n",
        "a:\n# c\n- 1\n",
        'a: "x\n  y" # c\n',
        "#\na: 1\n",
    ],
    ids=repr,
)
def test_a_comment_in_its_seat_stays(text: str) -> None:
    assert _seated(text) == text


def test_comments_that_move_to_one_place_keep_their_order() -> None:
    assert _seated("a: [1, # b\n  2] # c\nd: 1\n") == "# b\n# c\na: [1,\n  2]\nd: 1\n"


def _seated(text: str) -> str:
    parsed = yaml.parse(text.encode())
    comments = [item for item in parsed.tree if isinstance(item, Comment)]
    return apply(parsed, seat_comments(parsed, comments)).decode()
