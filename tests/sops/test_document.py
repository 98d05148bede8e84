"""A document: parsed, opened, put in clear; and every damage told."""

import base64
import re
from datetime import datetime

import pytest

from nixsecrets.errors import (
    IntegrityError,
    NixsecretsError,
    NoIdentityError,
    RepositoryError,
)
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import document, sealing
from nixsecrets.sops.rules import DEFAULT_SELECTION, Selection, parse_selection
from nixsecrets.sops.tree import Comment, Empty, KeyPath, Leaf, LeafType
from tests.sops.real import make_identity

IDENTITY, _SECRET = make_identity()
TEXT = b"""\
# head
name: value   # inline
number: 1
nested: {list: [true, 2.5, x], empty: {}}
deep:
    - day: 2024-05-06
      lines: |
          one
          two
clear_unencrypted: in clear
nothing: ""
"""


@pytest.fixture(scope="module")
def sealed(now: datetime) -> bytes:
    return sealing.seal(Plaintext(TEXT), [IDENTITY.recipient], now)


def open_whole(content: bytes) -> document.OpenDocument:
    parsed = document.parse(content)
    return document.open_document(parsed, document.open_data_key(parsed, [IDENTITY]))


def test_every_value_opens_with_its_type(sealed: bytes) -> None:
    found = [
        (one.item.path, one.kind, (one.value or Plaintext(b"")).reveal(), one.encrypted)
        for one in open_whole(sealed).items
        if isinstance(one.item, Leaf)
    ]
    assert found == [
        (("name",), LeafType.STR, b"value", True),
        (("number",), LeafType.INT, b"1", True),
        (("nested", "list", 0), LeafType.BOOL, b"True", True),
        (("nested", "list", 1), LeafType.FLOAT, b"2.5", True),
        (("nested", "list", 2), LeafType.STR, b"x", True),
        (("nested", "empty"), None, b"", False),
        (("deep", 0, "day"), LeafType.TIME, b"2024-05-06T00:00:00Z", True),
        (("deep", 0, "lines"), LeafType.STR, b"one\ntwo\n", True),
        (("clear_unencrypted",), LeafType.STR, b"in clear", False),
        (("nothing",), LeafType.STR, b"", False),
    ]


def test_comments_open_too(sealed: bytes) -> None:
    comments = [one for one in open_whole(sealed).items if isinstance(one.item, Comment)]
    assert [one.value and one.value.reveal() for one in comments] == [b" head", b" inline"]
    assert all(one.encrypted and one.container == () for one in comments)


def test_in_clear_the_layout_is_the_old_one(sealed: bytes) -> None:
    clear = document.plain_text(open_whole(sealed)).reveal()
    assert clear == TEXT.replace(b"2024-05-06", b"2024-05-06T00:00:00Z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}\n",
        "# c\n",
        "a: {}\n",
        "a: []\n",
        "{a: 1}\n",
        "{a: [x, {y: z}]}",
        "a: 1\n...\n",
        "---\n",
        "~\n",
        "a: |+\n  x\n\nb: 1\n",
        "a: 'q'\r\nb:\r\n- x\r\n",
        "\ufeffa: x\n",
        "  a: x\n  b: {c: y} # d\n",
    ],
    ids=repr,
)
def test_what_was_sealed_reads_as_before_in_clear(text: str, now: datetime) -> None:
    content = sealing.seal(Plaintext(text.encode()), [IDENTITY.recipient], now)
    opened = open_whole(content)
    again = sealing.seal(document.plain_text(opened), [IDENTITY.recipient], now)
    assert _values(open_whole(again)) == _values(opened)
    assert again.decode().startswith(text[:1].strip("a{~- #"))


def test_a_leaf_is_found_by_its_path(sealed: bytes) -> None:
    opened = open_whole(sealed)
    found = opened.find(("nested", "list", 2))
    assert found is not None
    assert found.value == Plaintext(b"x")
    assert opened.find(("nested",)) is None
    assert opened.document.has_leaf(("deep", 0, "day"))
    assert not opened.document.has_leaf(("deep",))


def test_the_state_of_every_leaf_is_told_without_an_identity(sealed: bytes) -> None:
    states = {state.path: state for state in document.parse(sealed).leaf_states()}
    shown = {
        path: (one.encrypted_by_rule, one.sealed_as, one.empty, one.line)
        for path, one in states.items()
    }
    assert shown == {
        ("name",): (True, "str", False, 2),
        ("number",): (True, "int", False, 3),
        ("nested", "list", 0): (True, "bool", False, 4),
        ("nested", "list", 1): (True, "float", False, 4),
        ("nested", "list", 2): (True, "str", False, 4),
        ("nested", "empty"): (True, None, True, 4),
        ("deep", 0, "day"): (True, "time", False, 6),
        ("deep", 0, "lines"): (True, "str", False, 7),
        ("clear_unencrypted",): (False, None, False, 8),
        ("nothing",): (True, None, True, 9),
    }
    assert states["nested", "empty"].kind is Empty.MAPPING
    assert document.parse(sealed).recipients == (IDENTITY.recipient.text,)


def test_values_do_not_print(sealed: bytes) -> None:
    opened = open_whole(sealed)
    assert "value" not in repr([one.value for one in opened.items])
    assert repr(opened.data_key) == "Plaintext(…)"


@pytest.mark.parametrize(
    ("content", "answer"),
    [(b"a: 1\n", False), (b"sops:\n  mac: x\n", True), (b"sops: x\n", False)],
)
def test_a_sealed_text_is_told_from_one_in_clear(content: bytes, *, answer: bool) -> None:
    assert document.is_sealed(content) is answer


def test_a_text_in_clear_is_no_document() -> None:
    with pytest.raises(RepositoryError, match="is not encrypted: it has no sops metadata"):
        document.parse(b"a: 1\n")


def test_a_stranger_opens_nothing(sealed: bytes) -> None:
    stranger, _secret = make_identity()
    with pytest.raises(NoIdentityError):
        document.open_data_key(document.parse(sealed), [stranger])


def test_a_document_without_age_recipients_names_who_can_open_it(sealed: bytes) -> None:
    text = re.sub(rb"    age:\n(        .*\n)+", b"    pgp:\n        - fp: A\n", sealed)
    with pytest.raises(NoIdentityError, match="no age recipient can open it, only pgp"):
        document.open_data_key(document.parse(text), [IDENTITY])


def _line(name: bytes, content: bytes) -> bytes:
    return next(line for line in content.splitlines() if line.strip().startswith(name + b":"))


def _flip(content: bytes, name: bytes, field: bytes) -> bytes:
    line = _line(name, content)
    old = re.search(field + rb":([^,]+)", line)
    assert old
    flipped = bytearray(base64.b64decode(old[1]))
    flipped[0] ^= 1
    return content.replace(line, line.replace(old[1], base64.b64encode(flipped)))


def _swap(content: bytes, one: bytes, other: bytes) -> bytes:
    first, second = (_line(name, content).partition(b": ")[2] for name in (one, other))
    return content.replace(first, b"\0").replace(second, first).replace(b"\0", second)


def _drop(content: bytes, name: bytes) -> bytes:
    return content.replace(_line(name, content) + b"\n", b"")


DAMAGES = {
    "bit of a value": lambda it: _flip(it, b"name", b"data"),
    "bit of an iv": lambda it: _flip(it, b"name", b"iv"),
    "bit of a tag": lambda it: _flip(it, b"number", b"tag"),
    "bit of the mac": lambda it: _flip(it, b"mac", b"data"),
    "two values swapped": lambda it: _swap(it, b"name", b"number"),
    "value renamed": lambda it: it.replace(b"name:", b"nome:"),
    "value dropped": lambda it: _drop(it, b"number"),
    "values in another order": lambda it: _drop(it, b"number").replace(
        b"clear_un", _line(b"number", it) + b"\nclear_un"
    ),
    "type that it does not have": lambda it: it.replace(b"type:bool", b"type:int"),
    "type unknown": lambda it: it.replace(b"type:int", b"type:rune"),
    "value written over in clear": lambda it: it.replace(_line(b"number", it), b"number: 1"),
    "value in clear changed": lambda it: it.replace(b"in clear", b"on clear"),
    "lastmodified changed": lambda it: it.replace(b"2024-05-06T07:08:09Z", b"2024-05-06T07:08:10Z"),
    "lastmodified no instant": lambda it: it.replace(b"2024-05-06T07:08:09Z", b"today"),
    "lastmodified dropped": lambda it: _drop(it, b"lastmodified"),
    "mac dropped": lambda it: _drop(it, b"mac"),
    "mac empty": lambda it: it.replace(_line(b"mac", it), b'    mac: ""'),
    "mac_only_encrypted added": lambda it: it + b"    mac_only_encrypted: true\n",
    "rule changed": lambda it: it.replace(b"suffix: _unencrypted", b"suffix: _none"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_told(damage: object, sealed: bytes) -> None:
    assert callable(damage)
    damaged = damage(sealed)
    assert damaged != sealed
    with pytest.raises(IntegrityError):
        open_whole(damaged)


def test_damage_of_a_value_is_told_with_its_place(sealed: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        open_whole(_flip(sealed, b"lines", b"data"))
    assert caught.value.problem == "deep/0/lines: the ciphertext does not hold"
    assert caught.value.line == 7


def test_a_cut_off_document_is_damaged_or_no_document(sealed: bytes) -> None:
    for length in range(0, len(sealed) - 1, 7):
        with pytest.raises((IntegrityError, RepositoryError, NoIdentityError)) as caught:
            open_whole(sealed[:length])
        assert isinstance(caught.value, NixsecretsError)


def test_a_document_of_another_data_key_does_not_open(sealed: bytes) -> None:
    with pytest.raises(IntegrityError):
        document.open_document(document.parse(sealed), Plaintext(bytes(32)))


def test_a_stanza_that_holds_no_data_key_is_damage(now: datetime, sealed: bytes) -> None:
    parsed = document.parse(sealed)
    short = sealing.rewrap(
        parsed, Plaintext(b"short"), [make_identity()[0].recipient, IDENTITY.recipient]
    )
    wrapped = sealing.rewrap(document.parse(short), Plaintext(b"short"), [IDENTITY.recipient])
    with pytest.raises(IntegrityError, match="no data key of 32 bytes"):
        document.open_data_key(document.parse(wrapped), [IDENTITY])
    assert now


@pytest.mark.parametrize(
    ("rule", "sealed_paths"),
    [
        ({}, {("a",), ("b_x", "c"), ("d", "e_x"), ("l", 0), ("l", 1, "e_x")}),
        ({"unencrypted_suffix": "_x"}, {("a",), ("l", 0), ("a_unencrypted",)}),
        ({"encrypted_suffix": "_x"}, {("b_x", "c"), ("d", "e_x"), ("l", 1, "e_x")}),
        ({"unencrypted_regex": "^(l|a$)"}, {("b_x", "c"), ("d", "e_x"), ("a_unencrypted",)}),
        ({"encrypted_regex": "_x$"}, {("b_x", "c"), ("d", "e_x"), ("l", 1, "e_x")}),
        (
            {"unencrypted_comment_regex": "clear"},
            {("a",), ("l", 0), ("l", 1, "e_x"), ("a_unencrypted",)},
        ),
        ({"encrypted_comment_regex": "clear"}, {("b_x", "c"), ("d", "e_x")}),
    ],
    ids=lambda part: next(iter(part), "default") if isinstance(part, dict) else "",
)
def test_the_rule_says_which_leaves_are_sealed(
    rule: dict[str, str], sealed_paths: set[KeyPath], now: datetime
) -> None:
    text = (
        b"a: 1\n# clear\nb_x:\n  c: 2\nd:\n  # clear\n  e_x: 3\n"
        b"l: [4, {e_x: 5}]\na_unencrypted: 6\n"
    )
    selection: Selection = parse_selection(rule) if rule else DEFAULT_SELECTION
    content = sealing.seal(
        Plaintext(text), [IDENTITY.recipient], now, sealing.Terms(selection=selection)
    )

    states = list(document.parse(content).leaf_states())
    assert {one.path for one in states if one.sealed_as} == sealed_paths
    assert {one.path for one in states if one.encrypted_by_rule} == sealed_paths
    clear = document.plain_text(open_whole(content)).reveal()
    assert clear == text


def test_without_a_stored_rule_the_default_holds(sealed: bytes) -> None:
    text = sealed.replace(b"    unencrypted_suffix: _unencrypted\n", b"")
    assert text != sealed
    assert _values(open_whole(text)) == _values(open_whole(sealed))


def test_comments_that_sops_wrote_as_items_of_a_list_are_comments(now: datetime) -> None:
    content = sealing.seal(
        Plaintext(b"a:\n    # one\n    - x\n    # two\n    - z\n"), [IDENTITY.recipient], now
    )
    listed = re.sub(rb"( +)#ENC", rb"\1- ENC", content)
    opened = open_whole(listed)
    assert [one.value and one.value.reveal() for one in opened.items] == [
        b" one",
        b"x",
        b" two",
        b"z",
    ]
    assert document.plain_text(opened).reveal() == b"a:\n    # one\n    - x\n    # two\n    - z\n"
    assert [state.path for state in opened.document.leaf_states()] == [("a", 1), ("a", 3)]


def test_a_list_of_such_comments_only_stays_a_list(now: datetime) -> None:
    content = sealing.seal(Plaintext(b"a:\n    # one\n    - x\nb: 1\n"), [IDENTITY.recipient], now)
    listed = re.sub(rb"    #ENC(.*)\n.*\n", rb"    - ENC\1\n", content)
    with pytest.raises(IntegrityError):
        open_whole(listed)
    emptied = sealing.seal(Plaintext(b"a:\n    # one\n    - ''\nb: 1\n"), [IDENTITY.recipient], now)
    listed = re.sub(rb"    #ENC(.*)\n.*\n", rb"    - ENC\1\n", emptied)
    assert document.plain_text(open_whole(listed)).reveal() == b"a:\n    # one\n      []\nb: 1\n"


def test_a_comment_that_nothing_opens_is_kept_as_it_is(now: datetime) -> None:
    content = sealing.seal(Plaintext(b"# c\na: 1\n"), [IDENTITY.recipient], now)
    broken = _flip(content.replace(b"#ENC", b"x: ENC"), b"x", b"data").replace(b"x: ENC", b"#ENC")
    opened = open_whole(broken)
    assert opened.items[0].value is None
    assert document.plain_text(opened).reveal() == broken.splitlines()[0] + b"\na: 1\n"
    with pytest.raises(IntegrityError, match="an encrypted comment does not open"):
        sealing.new_data_key(opened, [IDENTITY.recipient], now)


def test_text_that_looks_sealed_is_a_value_like_any_other(now: datetime) -> None:
    lookalike = "ENC[AES256_GCM,data:QQ==,iv:QQ==,tag:QQ==,type:comment]"
    text = "a: X\nb: ['X']\nc:\n    - X\nd_unencrypted:\n    - X\n".replace("X", lookalike)
    content = sealing.seal(Plaintext(text.encode()), [IDENTITY.recipient], now)
    opened = open_whole(content)
    values = [one.value and one.value.reveal().decode() for one in opened.items]
    assert values == [lookalike] * 4
    clear = document.plain_text(opened)
    assert _values(open_whole(sealing.seal(clear, [IDENTITY.recipient], now))) == _values(opened)


def _values(
    opened: document.OpenDocument,
) -> list[tuple[KeyPath, LeafType | None, Plaintext | None]]:
    return [
        (one.item.path, one.kind, one.value) for one in opened.items if isinstance(one.item, Leaf)
    ]
