"""Nested metadata fields as flat names with texts, and back."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.metadata import Value
from nixsecrets.sops.stores.flat import escape, flatten, shown, unescape, unflatten
from nixsecrets.sops.stores.text import Scalar
from nixsecrets.sops.tree import Empty, LeafType

FIELDS: Mapping[str, Value] = {
    "version": "3.13.3",
    "shamir_threshold": 2,
    "mac_only_encrypted": True,
    "kms": (),
    "pgp": None,
    "key_groups": (
        {"age": ({"recipient": "r0", "enc": "e\n0"},), "hc_vault": ()},
        {"age": tuple({"recipient": f"r{i}", "enc": "e"} for i in range(11))},
    ),
}
_NAMES = st.text(st.sampled_from("ab_1é"), min_size=1, max_size=4).filter(lambda n: "__" not in n)
_VALUES: st.SearchStrategy[Value] = st.recursive(
    st.text(max_size=5),
    lambda below: (
        st.lists(below, min_size=1, max_size=3).map(tuple)
        | st.dictionaries(_NAMES, below, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


def test_names_are_sorted_at_every_level_and_empty_lists_vanish() -> None:
    flat = flatten(FIELDS)
    second = "key_groups__list_1__map_age__list_"
    assert list(flat) == [
        "key_groups__list_0__map_age__list_0__map_enc",
        "key_groups__list_0__map_age__list_0__map_recipient",
        *(f"{second}{i}__map_{name}" for i in range(11) for name in ("enc", "recipient")),
        "mac_only_encrypted",
        "shamir_threshold",
        "version",
    ]
    assert flat["mac_only_encrypted"] == "true"
    assert flat["shamir_threshold"] == "2"
    assert flat["key_groups__list_0__map_age__list_0__map_enc"] == "e\n0"


@given(fields=st.dictionaries(_NAMES, _VALUES, max_size=4))
def test_what_is_flattened_comes_back(fields: Mapping[str, Value]) -> None:
    assert unflatten(flatten(fields)) == fields


@pytest.mark.parametrize(
    ("texts", "fields"),
    [
        ({"shamir_threshold": "2.000000"}, {"shamir_threshold": 2}),
        ({"shamir_threshold": "3"}, {"shamir_threshold": 3}),
        ({"mac_only_encrypted": "false"}, {"mac_only_encrypted": False}),
        ({"mac_only_encrypted": "true"}, {"mac_only_encrypted": True}),
        ({"a__list_1": "y", "a__list_0": "x"}, {"a": ("x", "y")}),
        ({"a__map_b__map_c": ""}, {"a": {"b": {"c": ""}}}),
        ({"a__map_": "x"}, {"a": {"": "x"}}),
    ],
    ids=repr,
)
def test_flat_texts_are_read(texts: Mapping[str, str], fields: Mapping[str, Value]) -> None:
    assert unflatten(texts) == fields


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ({"a__list_1": "x"}, "an item of `a` is missing in the sops metadata"),
        ({"a__list_0": "x", "a__list_2": "x"}, "an item of `a` is missing in the sops metadata"),
        ({"a__list_0": "x", "a__map_b": "x"}, "`a` stands in the sops metadata in two shapes"),
        ({"a": "x", "a__map_b": "x"}, "`a` stands in the sops metadata in two shapes"),
        ({"a__list_x": "x"}, "`a__list_x` of the sops metadata has no position in its list"),
        ({"a__list_0.0": "x"}, "`a__list_0.0` of the sops metadata has no position in its list"),
        ({"shamir_threshold": "2.5"}, "`shamir_threshold` of the sops metadata is no whole number"),
        ({"shamir_threshold": ""}, "`shamir_threshold` of the sops metadata is no whole number"),
    ],
    ids=repr,
)
def test_what_sops_does_not_write_is_refused(texts: Mapping[str, str], problem: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        unflatten(texts)
    assert caught.value.problem == problem


@given(text=st.text(st.sampled_from("\\n\na")))
def test_a_text_on_one_line_reads_back_or_is_refused(text: str) -> None:
    try:
        line = escape(text)
    except RepositoryError:
        assert "\\n" in text
    else:
        assert "\n" not in line
        assert unescape(line) == text


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        (LeafType.STR, b"a\xff", "a\udcff"),
        (LeafType.INT, b"-1", "-1"),
        (LeafType.BOOL, b"True", "true"),
        (LeafType.TIME, b"2024-05-06T07:08:09.25+01:00", "2024-05-06T07:08:09+01:00"),
        (LeafType.FLOAT, b"1", "1.0"),
        (LeafType.FLOAT, b"0", "0.0"),
        (LeafType.FLOAT, b"-0", "-0.0"),
        (LeafType.FLOAT, b"123456.5", "123456.5"),
        (LeafType.FLOAT, b"999999", "999999.0"),
        (LeafType.FLOAT, b"1234567", "1.234567E+06"),
        (LeafType.FLOAT, b"1000000000000000000000", "1E+21"),
        (LeafType.FLOAT, b"0.0001", "0.0001"),
        (LeafType.FLOAT, b"-0.0000125", "-1.25E-05"),
        (LeafType.FLOAT, b"NaN", "NaN"),
        (LeafType.FLOAT, b"+Inf", "+Inf"),
        (Empty.NULL, b"", "<nil>"),
    ],
    ids=repr,
)
def test_a_value_of_any_type_is_shown_as_sops_shows_it(
    kind: LeafType | Empty, content: bytes, text: str
) -> None:
    assert shown(Scalar(kind, content)) == text


@pytest.mark.parametrize("kind", [Empty.LIST, Empty.MAPPING])
def test_a_collection_has_no_text(kind: Empty) -> None:
    with pytest.raises(RepositoryError, match="a mapping or a list cannot stand"):
        shown(Scalar(kind, b""))
