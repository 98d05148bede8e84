"""The `sops` block of a YAML document."""

from collections.abc import Mapping

import pytest

from nixsecrets.sops.metadata import Value
from nixsecrets.sops.stores import yaml
from nixsecrets.sops.stores.yaml_edit import apply
from nixsecrets.sops.stores.yaml_metadata import cut_metadata, stamp_metadata, write_metadata

SEALED = "ENC[AES256_GCM,data:QQ==,iv:QQ==,tag:QQ==,type:str]"
FIELDS: Mapping[str, Value] = {
    "age": ({"recipient": "age1x", "enc": "-----BEGIN\nabc\n-----END\n"},),
    "lastmodified": "2024-05-06T07:08:09Z",
    "mac": SEALED,
    "unencrypted_suffix": "_unencrypted",
    "version": "3.13.3",
}
BLOCK = """sops:
    age:
        - recipient: age1x
          enc: |
            -----BEGIN
            abc
            -----END
    lastmodified: "2024-05-06T07:08:09Z"
    mac: ENC[AES256_GCM,data:QQ==,iv:QQ==,tag:QQ==,type:str]
    unencrypted_suffix: _unencrypted
    version: 3.13.3
"""
FLOW = (
    'sops: {age: [{recipient: age1x, enc: "-----BEGIN\\nabc\\n-----END\\n"}], '
    'lastmodified: "2024-05-06T07:08:09Z", '
    'mac: "ENC[AES256_GCM,data:QQ==,iv:QQ==,tag:QQ==,type:str]", '
    'unencrypted_suffix: _unencrypted, version: "3.13.3"}'
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("a: 1\n", "a: 1\n" + BLOCK, id="block"),
        pytest.param("a: 1", "a: 1\n" + BLOCK, id="without line end"),
        pytest.param("a: 1\n# c\n", "a: 1\n# c\n" + BLOCK, id="behind comments"),
        pytest.param("a: 1\n...\n", "a: 1\n" + BLOCK + "...\n", id="before the end mark"),
        pytest.param("a: 1\r\n", "a: 1\r\n" + BLOCK.replace("\n", "\r\n"), id="CRLF"),
        pytest.param("", BLOCK, id="empty file"),
        pytest.param("---\n", "---\n" + BLOCK, id="empty document"),
        pytest.param("{}\n", BLOCK, id="empty braces"),
        pytest.param("~\n", BLOCK, id="null"),
        pytest.param("--- {}\n", "--- \n" + BLOCK, id="empty braces behind a mark"),
        pytest.param("{a: 1}\n", "{a: 1, " + FLOW + "}\n", id="braces"),
        pytest.param("{a}\n", "{a, " + FLOW + "}\n", id="key alone in braces"),
    ],
)
def test_a_document_gets_its_metadata_last(before: str, after: str) -> None:
    parsed = yaml.parse(before.encode())
    written = apply(parsed, write_metadata(parsed, FIELDS))
    assert written.decode() == after
    assert yaml.parse(written).metadata == FIELDS


def test_an_indented_document_keeps_its_column() -> None:
    parsed = yaml.parse(b"  a:\n    b: 1\n")
    written = apply(parsed, write_metadata(parsed, FIELDS)).decode()
    assert written.splitlines()[2:5] == ["  sops:", "      age:", "          - recipient: age1x"]
    assert yaml.parse(written.encode()).metadata == FIELDS


@pytest.mark.parametrize(
    "text", ["a: 1\n" + BLOCK, "{a: 1, " + FLOW + "}\n"], ids=["block", "flow"]
)
def test_metadata_that_does_not_change_keeps_every_byte(text: str) -> None:
    assert write_metadata(yaml.parse(text.encode()), FIELDS) == []


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n" + BLOCK,
        BLOCK + "a: 1\n",
        "a: 1\n" + BLOCK.replace("\n    ", "\n  "),
        "{a: 1, " + FLOW + "}\n",
        "a: 1\n" + FLOW + "\n",
        ("a: 1\n" + BLOCK).replace("\n", "\r\n"),
        "a: 1\n" + BLOCK.replace("mac: ENC", "mac: >-\n        ENC"),
        "a: 1\n" + BLOCK + "---\nb: 1\n" + BLOCK,
        "a: 1\n" + BLOCK.rstrip("\n"),
    ],
    ids=[
        "last",
        "first",
        "two columns",
        "flow",
        "flow block",
        "CRLF",
        "folded",
        "stream",
        "no end",
    ],
)
def test_fields_change_come_and_go(text: str) -> None:
    fields = {
        **FIELDS,
        "age": ({"recipient": "ssh-rsa AAAA me@x", "enc": "a\nb\n"},),
        "mac": "ENC[m]",
        "note": {"list": (1, 2.5, True, None, "two\nlines", ()), "map": {}},
    }
    del fields["unencrypted_suffix"]
    parsed = yaml.parse(text.encode())

    written = yaml.parse(apply(parsed, write_metadata(parsed, fields)))

    assert written.metadata == fields
    assert [leaf.path for leaf in written.tree] == [leaf.path for leaf in parsed.tree]
    assert written.newline == parsed.newline


def test_a_changed_field_leaves_the_lines_of_the_others() -> None:
    text = "a: 1\n" + BLOCK.replace("version: 3.13.3", "version: '3.13.3' # c")
    parsed = yaml.parse(text.encode())
    written = apply(parsed, write_metadata(parsed, {**FIELDS, "mac": "ENC[m]"})).decode()
    old = text.splitlines()
    changed = [new for new in written.splitlines() if new not in old]
    assert changed == ["    mac: ENC[m]"]


@pytest.mark.parametrize(
    "text", ["a: 1\n" + BLOCK, "{a: 1, " + FLOW + "}\n", "a: 1\n" + BLOCK + "---\n" + BLOCK]
)
def test_a_stamp_changes_two_values_only(text: str) -> None:
    parsed = yaml.parse(text.encode())
    fields = {"mac": SEALED.replace("QQ", "Ug"), "lastmodified": "2025-01-01T00:00:00Z"}
    stamped = apply(parsed, stamp_metadata(parsed, fields)).decode()
    expected = text.replace(SEALED, fields["mac"])
    assert stamped == expected.replace("2024-05-06T07:08:09Z", fields["lastmodified"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 1\n" + BLOCK, "a: 1\n"),
        (BLOCK + "a: 1\n", "a: 1\n"),
        ("a: 1\n" + BLOCK + "# c\n", "a: 1\n# c\n"),
        ("{a: 1, " + FLOW + "}\n", "{a: 1}\n"),
        ("{" + FLOW + ", a: 1}\n", "{a: 1}\n"),
        ("{" + FLOW + "}\n", "{}\n"),
        ("a: 1\n" + BLOCK + "---\nb: 1\n" + BLOCK, "a: 1\n---\nb: 1\n"),
    ],
    ids=["last", "first", "comment behind", "flow", "flow first", "flow alone", "stream"],
)
def test_metadata_is_cut_out(before: str, after: str) -> None:
    parsed = yaml.parse(before.encode())
    assert apply(parsed, cut_metadata(parsed)).decode() == after
