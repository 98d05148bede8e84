"""The `sops` part of a document."""

from collections.abc import Mapping

import pytest

from nixsecrets.age.keywrap import Stanza
from nixsecrets.errors import IntegrityError, NixsecretsError, RepositoryError
from nixsecrets.sops.metadata import Metadata, Value, metadata_fields, parse_metadata
from nixsecrets.sops.rules import DEFAULT_SELECTION, SelectionKind

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


def test_a_split_data_key_is_not_supported_yet() -> None:
    groups = ({"age": (ENTRY,)}, {"age": (ENTRY,)})
    with pytest.raises(RepositoryError, match="several key groups"):
        parse_metadata({**WHOLE, "age": (), "key_groups": groups, "shamir_threshold": 2})


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


def test_fields_are_written_in_the_order_of_the_file() -> None:
    fields = {"version": "3.11.0", "zeta": 1, "mac": "m", "age": (ENTRY,), "lastmodified": "l"}
    assert list(metadata_fields(parse_metadata(fields)).items()) == list(fields.items())


def test_new_metadata_is_sorted_and_states_its_rule() -> None:
    stanzas = (Stanza("age1x", "armor\n"),)
    metadata = Metadata(
        stanzas, DEFAULT_SELECTION, mac_only_encrypted=True, lastmodified="l", mac="m"
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
