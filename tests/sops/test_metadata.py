"""The `sops` part of a document."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixsecrets.age.keywrap import Stanza
from nixsecrets.errors import IntegrityError, NixsecretsError, RepositoryError
from nixsecrets.sops.metadata import KeyGroup, Metadata, Value, metadata_fields, parse_metadata
from nixsecrets.sops.rules import DEFAULT_SELECTION, SelectionKind
from nixsecrets.sops.stores.flat import flatten, unflatten

ENTRY: Value = {"recipient": "age1x", "enc": "armor\n"}
PGP: Value = ({"fp": "ABC", "enc": "x"},)
WHOLE: Mapping[str, Value] = {
    "age": (ENTRY,),
    "lastmodified": "2024-05-06T07:08:09Z",
    "mac": "ENC[x]",
    "version": "3.11.0",
}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(WHOLE, id="as sops 3.13 sorts it"),
        pytest.param({name: WHOLE[name] for name in reversed(WHOLE)}, id="another order"),
        pytest.param({"kms": (), "gcp_kms": (), "pgp": None} | WHOLE, id="empty lists of old sops"),
        pytest.param(WHOLE | {"key_groups": ()}, id="no groups"),
        pytest.param(
            WHOLE | {"age": None, "key_groups": ({"hc_vault": (), "age": (ENTRY,)},)},
            id="one group",
        ),
        pytest.param(WHOLE | {"key_groups": ({}, {})}, id="flat lists win over groups"),
        pytest.param(WHOLE | {"shamir_threshold": 1}, id="a threshold without groups"),
        pytest.param(WHOLE | {"unencrypted_suffix": ""}, id="an empty rule is none"),
        pytest.param(WHOLE | {"future": {"a": (1, "b")}}, id="unknown field"),
    ],
)
def test_every_form_that_sops_writes_is_read(fields: Mapping[str, Value]) -> None:
    metadata = parse_metadata(fields)
    assert metadata.stanzas == (Stanza("age1x", "armor\n"),)
    assert metadata.selection == DEFAULT_SELECTION
    assert metadata.foreign_services == ()
    assert (metadata.lastmodified, metadata.mac) == (WHOLE["lastmodified"], "ENC[x]")


@pytest.mark.parametrize(
    ("fields", "kind", "problem"),
    [
        (
            {"mac": "x"},
            IntegrityError,
            "`lastmodified` is missing in the sops metadata: it was cut off",
        ),
        (
            WHOLE | {"version": "3.11"},
            RepositoryError,
            "`version` of the sops metadata is '3.11', not a.b.c",
        ),
        (WHOLE | {"version": 3}, RepositoryError, "`version` of the sops metadata is no text"),
        (WHOLE | {"mac": 3}, RepositoryError, "`mac` of the sops metadata is no text"),
        (WHOLE | {"age": "age1x"}, RepositoryError, "`age` of the sops metadata is no list"),
        (
            WHOLE | {"age": ("age1x",)},
            RepositoryError,
            "an entry of `age` in the sops metadata lacks",
        ),
        (
            WHOLE | {"age": ({"enc": "x"},)},
            RepositoryError,
            "an entry of `age` in the sops metadata lacks",
        ),
        (
            WHOLE | {"age": (), "key_groups": "x"},
            RepositoryError,
            "`key_groups` of the sops metadata is no list",
        ),
        (
            WHOLE | {"age": (), "key_groups": ("x",)},
            RepositoryError,
            "a key group of the sops metadata is no mapping",
        ),
        (
            WHOLE | {"encrypted_regex": "a", "encrypted_suffix": "b"},
            RepositoryError,
            "encrypted_suffix and encrypted_regex",
        ),
        (
            WHOLE | {"encrypted_regex": "(?=a)"},
            RepositoryError,
            "regular expression '(?=a)' is not valid",
        ),
    ],
)
def test_a_form_that_sops_does_not_write_is_refused(
    fields: Mapping[str, Value], kind: type[NixsecretsError], problem: str
) -> None:
    with pytest.raises(kind) as caught:
        parse_metadata(fields)
    assert caught.value.problem.startswith(problem)


SECOND: Value = {"recipient": "age1y", "enc": "other\n", "added": {"by": ("x",)}}
SPLIT: Mapping[str, Value] = {
    "key_groups": (
        {"age": (ENTRY,), "hc_vault": (), "pgp": PGP, "future": {"a": 1}},
        {"age": (SECOND, ENTRY), "hc_vault": ()},
        {"age": (), "hc_vault": (), "kms": PGP},
    ),
    "lastmodified": "l",
    "mac": "m",
    "shamir_threshold": 2,
    "version": "3.11.0",
}


def test_several_groups_are_read_and_written_as_they_stand() -> None:
    metadata = parse_metadata(SPLIT)
    assert [[one.recipient for one in group.stanzas] for group in metadata.groups] == [
        ["age1x"],
        ["age1y", "age1x"],
        [],
    ]
    assert [group.foreign_services for group in metadata.groups] == [("pgp",), (), ("kms",)]
    assert [stanza.recipient for stanza in metadata.stanzas] == ["age1x", "age1y", "age1x"]
    assert metadata.foreign_services == ("pgp", "kms")
    assert metadata.threshold == 2
    assert metadata_fields(metadata) == SPLIT


def test_several_groups_survive_flat_formats() -> None:
    texts = flatten(SPLIT)
    assert texts["shamir_threshold"] == "2"
    metadata = parse_metadata(unflatten({**texts, "shamir_threshold": "2.000000"}))
    assert metadata.threshold == 2
    assert flatten(metadata_fields(metadata)) == texts | {
        "key_groups__list_0__map_future__map_a": "1"
    }


def test_groups_without_the_lists_that_sops_always_writes_get_them() -> None:
    groups = ({"age": (ENTRY,)}, {"pgp": PGP})
    written = metadata_fields(parse_metadata({**SPLIT, "key_groups": groups}))
    assert written["key_groups"] == (
        {"age": (ENTRY,), "hc_vault": ()},
        {"age": (), "hc_vault": (), "pgp": PGP},
    )


def test_one_group_becomes_several_and_flat_again() -> None:
    flat = parse_metadata({**WHOLE, "pgp": PGP, "kms": ()})
    added = KeyGroup((Stanza("age1y", "other\n"),))
    split = flat._replace(groups=(*flat.groups, added), threshold=2)
    fields = metadata_fields(split)
    assert list(fields) == ["lastmodified", "mac", "version", "key_groups", "shamir_threshold"]
    assert fields["key_groups"] == (
        {"age": (ENTRY,), "hc_vault": (), "kms": (), "pgp": PGP},
        {"age": ({"recipient": "age1y", "enc": "other\n"},), "hc_vault": ()},
    )
    again = parse_metadata(fields)
    alone = metadata_fields(again._replace(groups=again.groups[:1], threshold=0))
    assert alone == {**WHOLE, "pgp": PGP}


def test_groups_beside_flat_lists_are_not_kept() -> None:
    # sops passes them over, and they would hold a data key that was wrapped before.
    fields = {**SPLIT, "age": (ENTRY,)}
    metadata = parse_metadata(fields)
    assert [stanza.recipient for stanza in metadata.stanzas] == ["age1x"]
    assert "key_groups" not in metadata_fields(metadata)


@pytest.mark.parametrize("value", [True, "2", 2.5, -1, float("nan"), float("inf"), ()])
def test_a_threshold_that_is_no_whole_number_is_refused(value: Value) -> None:
    with pytest.raises(RepositoryError, match=r"`shamir_threshold` .* is no whole number"):
        parse_metadata({**WHOLE, "shamir_threshold": value})


@pytest.mark.parametrize(("value", "expected"), [(None, 0), (0, 0), (2, 2), (3.0, 3)])
def test_a_threshold_is_read_as_it_stands(value: Value, expected: int) -> None:
    assert parse_metadata({**WHOLE, "shamir_threshold": value}).threshold == expected


def test_unknown_fields_of_an_entry_stay_as_long_as_its_stanza_does() -> None:
    metadata = parse_metadata({**WHOLE, "age": (SECOND, ENTRY)})
    assert metadata_fields(metadata)["age"] == (SECOND, ENTRY)
    group = metadata.groups[0]
    turned = metadata._replace(groups=(group._replace(stanzas=group.stanzas[:1]),))
    assert metadata_fields(turned)["age"] == (SECOND,)


def test_entries_of_other_services_are_named_and_kept() -> None:
    metadata = parse_metadata({**WHOLE, "pgp": PGP, "kms": ()})
    assert metadata.foreign_services == ("pgp",)
    assert metadata_fields(metadata)["pgp"] == PGP


def test_entries_of_other_services_in_a_single_group_are_kept_flat() -> None:
    fields = {**WHOLE, "key_groups": ({"pgp": PGP, "hc_vault": (), "age": (ENTRY,)},)}
    del fields["age"]
    metadata = parse_metadata(fields)
    assert metadata.foreign_services == ("pgp",)
    written = metadata_fields(metadata)
    assert (written["pgp"], written["age"]) == (PGP, (ENTRY,))
    assert "key_groups" not in written


def test_a_single_group_says_nothing_but_who_holds_the_data_key() -> None:
    group = {"age": (), "pgp": ({"fp": "A"},), "encrypted_regex": "^x$"}
    fields = {"lastmodified": "x", "mac": "", "version": "3.11.0", "key_groups": (group,)}
    written = metadata_fields(parse_metadata(fields))
    assert written["pgp"] == ({"fp": "A"},)
    assert "encrypted_regex" not in written


def test_fields_are_written_in_the_order_of_the_file() -> None:
    fields = {"version": "3.11.0", "zeta": 1, "mac": "m", "age": (ENTRY,), "lastmodified": "l"}
    assert list(metadata_fields(parse_metadata(fields)).items()) == list(fields.items())


def test_new_metadata_is_sorted_and_states_its_rule() -> None:
    groups = (KeyGroup((Stanza("age1x", "armor\n"),)),)
    metadata = Metadata(
        groups, DEFAULT_SELECTION, mac_only_encrypted=True, lastmodified="l", mac="m"
    )
    assert list(metadata_fields(metadata)) == [
        "age",
        "lastmodified",
        "mac",
        "mac_only_encrypted",
        "unencrypted_suffix",
        "version",
    ]


@pytest.mark.parametrize("kind", SelectionKind, ids=lambda kind: kind.value)
def test_each_rule_is_read_and_written(kind: SelectionKind) -> None:
    fields = {**WHOLE, kind.value: "x"}
    metadata = parse_metadata(fields)
    assert (metadata.selection.kind, metadata.selection.text) == (kind, "x")
    assert metadata_fields(metadata) == fields


@pytest.mark.parametrize(
    ("value", "expected"), [(True, True), ("true", True), (False, False), (None, False)]
)
def test_the_mac_may_be_over_encrypted_values_only(value: Value, *, expected: bool) -> None:
    assert parse_metadata({**WHOLE, "mac_only_encrypted": value}).mac_only_encrypted is expected


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "age1x", "2"]),
    lambda below: (
        st.lists(below, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from(["age", "enc", "recipient", "pgp"]), below, max_size=3)
    ),
    max_leaves=8,
)
NAMES = ["age", "pgp", "key_groups", "shamir_threshold", "mac", "mac_only_encrypted", "future"]


@given(st.dictionaries(st.sampled_from(NAMES), ANY))
def test_any_other_shape_is_read_and_written_or_refused(fields: Mapping[str, Value]) -> None:
    try:
        metadata = parse_metadata({**WHOLE, **fields})
    except NixsecretsError:
        return
    written = metadata_fields(metadata)
    again = parse_metadata(written)
    assert again.groups == metadata.groups
    assert repr(metadata_fields(again)) == repr(written)
