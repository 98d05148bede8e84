"""Key paths as sops spells them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixsecrets.errors import UsageError
from nixsecrets.sops.keypath import parse_key_path, spell_key_path
from nixsecrets.sops.tree import KeyPath


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('["a"]', ("a",)),
        ("""["a"]['b']""", ("a", "b")),
        ('["a"][0]["b"][12]', ("a", 0, "b", 12)),
        ('[""]', ("",)),
        ('["a]b"]', ("a]b",)),
        ('["a[0]b"]["c"]', ("a[0]b", "c")),
        (r'["a\n\"]', (r"a\n" + "\\",)),
        ('["it\'s"]', ("it's",)),
        ("""['say "x"']""", ('say "x"',)),
        ('["two\nlines"]', ("two\nlines",)),
        ('["a"]["sops"]', ("a", "sops")),
    ],
)
def test_a_key_path_is_read_as_sops_reads_it(text: str, path: KeyPath) -> None:
    assert parse_key_path(text) == path


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'' is no key path from character 1 on"),
        ("a/b", "'a/b' is no key path from character 1 on"),
        ('["a"', """'["a"' is no key path from character 1 on"""),
        ('["a"]b', """'["a"]b' is no key path from character 1 on"""),
        ('["a"] [0]', """'["a"] [0]' is no key path from character 1 on"""),
        ('["a"][-1]', """'["a"][-1]' has a negative position"""),
        ('["a"][1e9]', """'["a"][1e9]' is no key path from character 6 on"""),
        ('["a"][٣]', """'["a"][٣]' is no key path from character 6 on"""),
        ("[]", "'[]' is no key path from character 1 on"),
        ("[a]", "'[a]' is no key path from character 1 on"),
        ("[0]", "'[0]' begins with a position, and no document is a list"),
        ('["sops"]', "the top-level `sops` is reserved for the metadata"),
        ("['sops'][\"mac\"]", "the top-level `sops` is reserved for the metadata"),
    ],
)
def test_what_is_no_key_path_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_key_path(text)
    assert caught.value.problem == problem


NAMES = st.text(st.sampled_from("ab[]\\\n0é")) | st.text(st.sampled_from("a\"'[]"), max_size=3)


@given(st.lists(NAMES | st.integers(0, 99), max_size=4))
def test_a_spelled_key_path_reads_back(steps: list[str | int]) -> None:
    path = ("top", *steps)
    assert parse_key_path(spell_key_path(path)) == path
