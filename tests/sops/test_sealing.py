"""Documents written: sealed, changed in one place, wrapped to others, given a new data key."""

import difflib
import re
from datetime import UTC, datetime, timedelta

import pytest

from nixsecrets.age.identity import Identity
from nixsecrets.errors import NoIdentityError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import changing, document, sealing
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.rules import (
    COMMENT_RULES,
    Selection,
    SelectionKind,
    items_with_rule,
    parse_selection,
)
from nixsecrets.sops.stores import yaml
from nixsecrets.sops.tree import Comment, KeyPath, Leaf, keys_of
from tests.sops.real import make_identity

ALICE, _ = make_identity()
BOB, _ = make_identity()
LATER = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
ODD = """\
---
# head, odd indentation and quotes
'name' :   "value"   # inline

wide:
       inner:  'it''s'
       # above
       list:
       - one
       -   two
       - {three: 3, "four": [4, 5]}
block: |+
   kept

   lines

"on": yes
? explicit
: here
clear_unencrypted:   in clear
# end
"""


def open_with(identity: Identity, content: bytes) -> OpenDocument:
    parsed = document.parse(content)
    return document.open_document(parsed, document.open_data_key(parsed, [identity]))


def changed_lines(before: bytes, after: bytes) -> list[str]:
    """Return the lines that differ, `-` and `+` before them, line ends included."""
    old, new = (content.decode().split("\n") for content in (before, after))
    return [line for line in difflib.ndiff(old, new) if line[0] in "-+"]


def shown(lines: list[str]) -> list[str]:
    hidden = [re.sub(r"ENC\[AES256_GCM,data:[^]]*,type:", "ENC[", line) for line in lines]
    return [re.sub(r'(lastmodified: )"[^"]*"', r"\1…", line) for line in hidden]


STAMP = [
    "-     lastmodified: …",
    "-     mac: ENC[str]",
    "+     lastmodified: …",
    "+     mac: ENC[str]",
]


@pytest.fixture(params=["\n", "\r\n"], ids=["LF", "CRLF"])
def odd(request: pytest.FixtureRequest, now: datetime) -> bytes:
    text = ODD.replace("\n", request.param)
    return sealing.seal(Plaintext(text.encode()), [ALICE.recipient], now)


def test_sealing_keeps_the_layout(now: datetime) -> None:
    content = sealing.seal(Plaintext(ODD.encode()), [ALICE.recipient], now).decode()
    head, _mark, _block = content.partition("sops:\n")
    assert re.sub(r"ENC\[AES256_GCM,data:[^]]*,type:(\w+)\]", r"ENC[\1]", head) == (
        ODD.replace("# head, odd indentation and quotes", "#ENC[comment]")
        .replace('"value"', "ENC[str]")
        .replace("# inline", "#ENC[comment]")
        .replace("'it''s'", "ENC[str]")
        .replace("# above", "#ENC[comment]")
        .replace("- one", "- ENC[str]")
        .replace("two", "ENC[str]")
        .replace(": 3", ': "ENC[int]"')
        .replace("[4, 5]", '["ENC[int]", "ENC[int]"]')
        .replace("|+\n   kept\n\n   lines\n\n", "ENC[str]\n")
        .replace("yes", "ENC[str]")
        .replace("here", "ENC[str]")
        .replace("# end", "#ENC[comment]")
    )


def test_keys_that_hosts_would_not_read_as_strings_are_quoted(now: datetime) -> None:
    content = sealing.seal(Plaintext(b"on: x\na: {no: x}\n"), [ALICE.recipient], now)
    assert content.startswith(b'"on": ENC[')
    assert b'a: {"no": "ENC[' in content


def test_nothing_of_a_value_or_a_comment_is_left_in_clear(odd: bytes) -> None:
    words = ("value", "it''s", "kept", "lines", "here", "inline", "above", "head", "end")
    body = odd.partition(b"sops:")[0].decode()
    assert [word for word in words if re.search(rf"\b{word}\b", body)] == []


@pytest.mark.parametrize(
    ("path", "value", "lines"),
    [
        (
            ("name",),
            "new",
            ["- 'name' :   ENC[str]   #ENC[comment]", "+ 'name' :   ENC[str]   #ENC[comment]"],
        ),
        (("wide", "inner"), "a\nb\n", ["-        inner:  ENC[str]", "+        inner:  ENC[str]"]),
        (("wide", "list", 1), "x", ["-        -   ENC[str]", "+        -   ENC[str]"]),
        (("block",), "x", ["- block: ENC[str]", "+ block: ENC[str]"]),
        (("explicit",), "x", ["- : ENC[str]", "+ : ENC[str]"]),
        (
            ("clear_unencrypted",),
            "x y",
            ["- clear_unencrypted:   in clear", "+ clear_unencrypted:   x y"],
        ),
        (("on",), "", ['- "on": ENC[str]', '+ "on": ""']),
        (("brand", "new"), "x", ["+ brand:", "+        new: ENC[str]"]),
        (("wide", "off"), "x", ['+        "off": ENC[str]']),
    ],
    ids=lambda part: "/".join(map(str, part)) if isinstance(part, tuple) else "",
)
def test_setting_one_value_changes_its_lines_only(
    odd: bytes, path: KeyPath, value: str, lines: list[str]
) -> None:
    opened = open_with(ALICE, odd)
    content = changing.set_value(opened, path, Plaintext(value.encode()), LATER)

    found = open_with(ALICE, content).find(path)
    assert found is not None
    assert found.value == Plaintext(value.encode())
    end = "\r" if b"\r" in odd else ""
    expected = sorted(line + end for line in [*lines, *STAMP])
    assert sorted(shown(changed_lines(odd, content))) == expected


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        (("name",), ["- 'name' :   ENC[str]   #ENC[comment]"]),
        (("wide", "list", 0), ["-        - ENC[str]"]),
        (("block",), ["- block: ENC[str]"]),
        (("explicit",), ["- ? explicit", "- : ENC[str]"]),
        (("clear_unencrypted",), ["- clear_unencrypted:   in clear"]),
    ],
    ids=lambda part: "/".join(map(str, part)) if isinstance(part, tuple) else "",
)
def test_removing_one_value_takes_its_lines_only(
    odd: bytes, path: KeyPath, lines: list[str]
) -> None:
    content = changing.remove_value(open_with(ALICE, odd), path, LATER)
    end = "\r" if b"\r" in odd else ""
    expected = sorted(line + end for line in [*lines, *STAMP])
    assert sorted(shown(changed_lines(odd, content))) == expected
    open_with(ALICE, content)


def test_the_last_value_can_go_and_come_back(now: datetime) -> None:
    content = sealing.seal(Plaintext(b"# c\na:\n  b: x\n"), [ALICE.recipient], now)
    emptied = changing.remove_value(open_with(ALICE, content), ("a", "b"), LATER)
    opened = open_with(ALICE, emptied)
    assert [one.item for one in opened.items if isinstance(one.item, Leaf)] == []
    assert document.plain_text(opened).reveal() == b"# c\n{}\n"
    filled = changing.set_value(opened, ("new",), Plaintext(b"x"), LATER)
    assert document.plain_text(open_with(ALICE, filled)).reveal() == b"# c\nnew: x\n"


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        (("wide",), "wide is a mapping or a list, not a value"),
        (("wide", "list"), "wide/list is a mapping or a list, not a value"),
        (("name", "x"), "name is a value: nothing can stand below it"),
        (("wide", "list", "x"), "wide/list is a list: wide/list/x cannot stand below it"),
        (("wide", "list", 7), "wide/list/7 is not the next item of a list: 3 is"),
        (("sops",), "the top-level `sops` is reserved for the metadata"),
        (("sops", "mac"), "the top-level `sops` is reserved for the metadata"),
        ((), "the top-level `sops` is reserved for the metadata"),
    ],
)
def test_a_place_that_takes_no_value_is_refused(odd: bytes, path: KeyPath, problem: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        changing.set_value(open_with(ALICE, odd), path, Plaintext(b"x"), LATER)
    assert caught.value.problem == problem


@pytest.mark.parametrize("path", [("none",), ("sops",), ("sops", "mac"), ("name", "x")])
def test_what_is_not_there_is_not_removed(odd: bytes, path: KeyPath) -> None:
    with pytest.raises(RepositoryError):
        changing.remove_value(open_with(ALICE, odd), path, LATER)


def test_sops_below_the_top_is_a_name_like_any_other(now: datetime) -> None:
    content = sealing.seal(Plaintext(b"a:\n  sops: x\n"), [ALICE.recipient], now)
    content = changing.set_value(open_with(ALICE, content), ("a", "sops"), Plaintext(b"y"), LATER)
    assert document.plain_text(open_with(ALICE, content)).reveal() == b'a:\n  sops: "y"\n'


@pytest.mark.parametrize(
    "value",
    [
        b"x\n",
        b"\n",
        b" ",
        b"\xff\x00",
        b"ENC[AES256_GCM,data:QQ==,iv:QQ==,tag:QQ==,type:str]",
        b"x" * 100_000,
    ],
    ids=["final newline", "newline", "blank", "bytes", "look-alike", "long"],
)
@pytest.mark.parametrize("path", [("name",), ("clear_unencrypted",), ("n_unencrypted",), ("n",)])
def test_every_value_is_kept_to_the_byte(value: bytes, path: KeyPath, now: datetime) -> None:
    sealed = sealing.seal(Plaintext(ODD.encode()), [ALICE.recipient], now)
    content = changing.set_value(open_with(ALICE, sealed), path, Plaintext(value), LATER)
    found = open_with(ALICE, content).find(path)
    assert found is not None
    assert found.value == Plaintext(value)
    assert found.encrypted is not path[0].endswith("_unencrypted")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("sops: x\n", "has a top-level `sops` already, which is reserved for the metadata"),
        ("sops:\n  mac: x\n", "has a top-level `sops` already, which is reserved for the metadata"),
    ],
)
def test_a_text_that_cannot_be_sealed_is_refused(text: str, problem: str, now: datetime) -> None:
    with pytest.raises(RepositoryError) as caught:
        sealing.seal(Plaintext(text.encode()), [ALICE.recipient], now)
    assert caught.value.problem == problem


def test_nothing_is_sealed_for_nobody(odd: bytes, now: datetime) -> None:
    opened = open_with(ALICE, odd)
    with pytest.raises(RepositoryError, match="no recipient to seal it for"):
        sealing.seal(Plaintext(b"a: 1\n"), [], now)
    with pytest.raises(RepositoryError, match="no recipient to seal it for"):
        sealing.rewrap(opened.document, opened.data_key, [])
    with pytest.raises(RepositoryError, match="no recipient to seal it for"):
        sealing.new_data_key(opened, [], now)


def test_a_comment_rule_that_a_layout_makes_ambiguous_is_refused(now: datetime) -> None:
    rule = parse_selection({"unencrypted_comment_regex": "clear"})
    text = b"a:\n  b: 1\n  # clear\nc: 2\n"
    with pytest.raises(RepositoryError, match="needs each comment above") as caught:
        sealing.seal(Plaintext(text), [ALICE.recipient], now, sealing.Terms(selection=rule))
    assert caught.value.line == 3


@pytest.mark.parametrize(
    ("kind", "clear"), [("unencrypted_comment_regex", True), ("encrypted_comment_regex", False)]
)
def test_a_value_below_a_comment_rule_is_written_as_the_rule_says(
    kind: str, *, clear: bool, now: datetime
) -> None:
    text = b"a: 1\n# says\nb: 2\nc: 3\nd: # says\n  e: 4\n"
    content = sealing.seal(
        Plaintext(text),
        [ALICE.recipient],
        now,
        sealing.Terms(selection=parse_selection({kind: "says"})),
    )
    for path in (("a",), ("b",), ("d", "new"), ("new",)):
        changed = changing.set_value(open_with(ALICE, content), path, Plaintext(b"x"), LATER)
        found = open_with(ALICE, changed).find(path)
        assert found is not None
        assert found.value == Plaintext(b"x")
        assert found.encrypted is (clear if path in (("a",), ("new",)) else not clear)


@pytest.mark.parametrize("rule", ["encrypted_comment_regex", "unencrypted_comment_regex"])
@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b"a: 1\n# says\nb: 2\nc: 3\n", ("b",)),
        (b"l:\n    - a\n    # says\n    - b\n    - c\n", ("l", 1)),
    ],
    ids=["mapping", "list"],
)
def test_a_removal_that_lets_a_comment_speak_for_another_leaf_is_refused(
    text: bytes, path: KeyPath, rule: str, now: datetime
) -> None:
    terms = sealing.Terms(selection=parse_selection({rule: "says"}))
    content = sealing.seal(Plaintext(text), [ALICE.recipient], now, terms)
    with pytest.raises(RepositoryError, match="would then choose otherwise"):
        changing.remove_value(open_with(ALICE, content), path, LATER)
    last = ("l", 2) if path == ("l", 1) else ("c",)
    changed = changing.remove_value(open_with(ALICE, content), last, LATER)
    assert len(open_with(ALICE, changed).items) == len(open_with(ALICE, content).items) - 1


@pytest.mark.parametrize("text", ["{} # note\n", "{  # note\n}\n", "--- {} # note", "{}#\n"])
def test_a_comment_in_clear_beside_empty_braces_stays(text: str, now: datetime) -> None:
    terms = sealing.Terms(selection=parse_selection({"encrypted_suffix": "_x"}))
    content = sealing.seal(Plaintext(text.encode()), [ALICE.recipient], now, terms)
    assert "#" not in text or b"#" in content
    clear = document.plain_text(open_with(ALICE, content)).reveal()
    assert [item.text for item in yaml.parse(clear).tree if isinstance(item, Comment)] == [
        item.text for item in yaml.parse(text.encode()).tree if isinstance(item, Comment)
    ]


def test_a_text_of_another_indentation_keeps_its_metadata(now: datetime) -> None:
    content = sealing.seal(Plaintext(b" a: 1\n"), [ALICE.recipient], now)
    changed = changing.replace_text(
        open_with(ALICE, content), Plaintext(b"b: 1\nc: # note\n"), LATER
    )
    assert [one.item.path for one in open_with(ALICE, changed).items if one.kind] == [("b",)]


def test_an_added_recipient_leaves_the_stanzas_of_the_others(odd: bytes) -> None:
    opened = open_with(ALICE, odd)
    content = sealing.rewrap(opened.document, opened.data_key, [ALICE.recipient, BOB.recipient])
    assert document.parse(content).metadata.stanzas[0] == opened.document.metadata.stanzas[0]
    assert [line for line in changed_lines(odd, content) if line.startswith("-")] == []
    assert open_with(BOB, content).data_key == opened.data_key
    assert open_with(ALICE, content).data_key == opened.data_key


def test_a_removed_recipient_has_everything_wrapped_anew(odd: bytes) -> None:
    opened = open_with(ALICE, odd)
    both = sealing.rewrap(opened.document, opened.data_key, [ALICE.recipient, BOB.recipient])
    one = sealing.rewrap(document.parse(both), opened.data_key, [ALICE.recipient])
    assert document.parse(one).metadata.stanzas[0].enc not in both.decode().replace("\r", "")
    assert _without_age(one) == _without_age(odd)
    with pytest.raises(NoIdentityError):
        open_with(BOB, one)


def test_the_same_recipients_leave_the_document_as_it_is(odd: bytes) -> None:
    opened = open_with(ALICE, odd)
    twice = [ALICE.recipient, ALICE.recipient]
    assert sealing.rewrap(opened.document, opened.data_key, twice) == odd


def test_another_order_moves_the_stanzas(odd: bytes) -> None:
    opened = open_with(ALICE, odd)
    both = sealing.rewrap(opened.document, opened.data_key, [ALICE.recipient, BOB.recipient])
    turned = sealing.rewrap(document.parse(both), opened.data_key, [BOB.recipient, ALICE.recipient])
    before, after = (document.parse(content).metadata.stanzas for content in (both, turned))
    assert after == tuple(reversed(before))


def test_a_new_data_key_seals_everything_anew(odd: bytes) -> None:
    opened = open_with(ALICE, odd)
    content = sealing.new_data_key(opened, [BOB.recipient], LATER)

    renewed = open_with(BOB, content)
    assert renewed.data_key != opened.data_key
    assert [one.value for one in renewed.items] == [one.value for one in opened.items]
    with pytest.raises(NoIdentityError):
        open_with(ALICE, content)
    ciphertexts = [set(re.findall(rb"data:[^,]+,iv:[^,]+", text)) for text in (odd, content)]
    assert len(ciphertexts[0]) == len(ciphertexts[1])
    assert not ciphertexts[0] & ciphertexts[1]
    assert _hidden(content) == _hidden(odd)


def test_a_document_that_another_service_opens_gets_no_new_data_key(
    odd: bytes, now: datetime
) -> None:
    text = odd.rstrip(b"\r\n") + b"\n    pgp:\n        - fp: A\n          enc: x\n"
    opened = open_with(ALICE, text)
    with pytest.raises(RepositoryError, match="pgp could not be given a new data key"):
        sealing.new_data_key(opened, [ALICE.recipient], now)
    rewrapped = sealing.rewrap(opened.document, opened.data_key, [ALICE.recipient, BOB.recipient])
    assert b"        - fp: A" in rewrapped


def test_unknown_metadata_survives_every_operation(now: datetime) -> None:
    content = (
        sealing.seal(Plaintext(b"a: 1\n"), [ALICE.recipient], now)
        + b"    future: # note\n        x: [1, 2]\n"
    )
    opened = open_with(ALICE, content)
    kept = b"    future: # note\n        x: [1, 2]\n"
    assert kept in changing.set_value(opened, ("a",), Plaintext(b"2"), LATER)
    assert kept in changing.remove_value(opened, ("a",), LATER)
    assert kept in sealing.rewrap(opened.document, opened.data_key, [BOB.recipient])
    assert kept in sealing.new_data_key(opened, [BOB.recipient], LATER)


def test_a_stream_is_changed_in_its_first_document(now: datetime) -> None:
    one = sealing.seal(Plaintext(b"a: 1\n"), [ALICE.recipient], now)
    opened = open_with(ALICE, one)
    block = one[one.index(b"sops:") :]
    stream = one + b'---\nb: ""\n' + block
    opened = open_with(ALICE, stream)
    changed = changing.set_value(opened, ("b",), Plaintext(b"x"), LATER)
    assert changed.count(b"2025-01-02T03:04:05Z") == 2
    again = open_with(ALICE, changed)
    assert [one.item.document for one in again.items] == [0, 0, 1]
    renewed = sealing.new_data_key(again, [BOB.recipient], LATER + timedelta(days=1))
    assert renewed.count(b"2025-01-03T03:04:05Z") == 2
    assert renewed.count(BOB.recipient.text.encode()) == 2
    assert document.plain_text(open_with(BOB, renewed)).reveal() == b'a: 1\nb: x\n---\nb: ""\n'


def test_a_document_of_thousands_of_leaves_is_handled_whole(now: datetime) -> None:
    text = "".join(
        f"group{n}:\n  # note {n}\n  name: value {n}\n  list: [a, {n}]\n" for n in range(1000)
    )
    content = sealing.seal(Plaintext(text.encode()), [ALICE.recipient], now)
    opened = open_with(ALICE, content)
    assert document.plain_text(opened).reveal() == text.encode()
    assert len([one for one in opened.items if isinstance(one.item, Comment)]) == 1000
    changed = changing.set_value(opened, ("group500", "name"), Plaintext(b"x"), LATER)
    assert len(changed_lines(content, changed)) == 6


def test_deep_nesting_is_handled(now: datetime) -> None:
    depth = 200
    text = (
        "".join(" " * level + f"k{level}:\n" for level in range(depth)) + " " * depth + "end: x\n"
    )
    content = sealing.seal(Plaintext(text.encode()), [ALICE.recipient], now)
    path = (*(f"k{level}" for level in range(depth)), "end")
    changed = changing.set_value(open_with(ALICE, content), path, Plaintext(b"new"), LATER)
    emptied = changing.remove_value(open_with(ALICE, changed), path, LATER)
    assert document.plain_text(open_with(ALICE, emptied)).reveal() == b"{}\n"


def _without_age(content: bytes) -> bytes:
    return re.sub(rb"    age:\r?\n(        .*\r?\n)+", b"", content)


def _hidden(content: bytes) -> bytes:
    sealed = re.sub(rb"data:[^,]+,iv:[^,]+,tag:[^,]+", b"", _without_age(content))
    return re.sub(rb'lastmodified: "[^"]+"', b"", sealed)


def test_two_ciphertexts_that_changed_places_are_not_what_was_meant(now: datetime) -> None:
    content = sealing.seal(Plaintext(b"a: x\nb: y\n"), [ALICE.recipient], now)
    sealed = document.parse(content)
    opened = document.open_document(sealed, document.open_data_key(sealed, [ALICE]))
    items = [sealing.kept(one) for one in opened.items]
    sealing.check(content, sealed.form, items)
    first, second = (one.spelled for one in items)
    swapped = content.replace(first, b"@").replace(second, first).replace(b"@", second)
    for wrong in (swapped, content.replace(b"a:", b"c:")):
        with pytest.raises(AssertionError):
            sealing.check(wrong, sealed.form, items)


@pytest.mark.parametrize("kind", [kind for kind in SelectionKind if kind not in COMMENT_RULES])
def test_neighbours_are_chosen_as_each_leaf_alone(kind: SelectionKind) -> None:
    text = b"x: 1\na:\n  x: 1\n  b: [1, {x: 1, y: 1}, [2]]\nx2: {a: 1, x: {b: 1}}\n"
    selection = Selection(kind, "x")
    found = [*items_with_rule(yaml.parse(text).tree, selection)]
    assert [chosen for _item, chosen in found] == [
        selection.encrypts(keys_of(item.path), ()) for item, _chosen in found
    ]
    assert len({chosen for _item, chosen in found}) == 2
