"""Where the real sops fails or surprises, and what is done here instead, by number."""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from nixsecrets.age.identity import parse_identities
from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import changing, document, sealing
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.rules import parse_selection
from nixsecrets.sops.sealing import Terms
from nixsecrets.sops.stores.formats import Format
from nixsecrets.sops.stores.text import Scalar
from nixsecrets.sops.tree import Comment, LeafType
from tests.sops.real import RealSops
from tests.sops.test_rows import missing_tests

NOT_EXPRESSIONS = ("(?=a)a", r"a\Z", r"(a)\1", "a++", "[")


@pytest.mark.parametrize("pattern", NOT_EXPRESSIONS)
def test_better_01_an_expression_that_is_none_is_refused(pattern: str, real_sops: RealSops) -> None:
    shown = real_sops.encrypt(b"a: secret\n", "--encrypted-regex", pattern)
    assert b"a: secret\n" in shown
    with pytest.raises(RepositoryError):
        parse_selection({"encrypted_regex": pattern})


def test_better_02_lines_that_begin_with_a_tab_are_not_lost(
    real_sops: RealSops, now: datetime
) -> None:
    text = b'a: "\\ttab\\nline"\n'
    theirs = real_sops.encrypt(text)
    assert real_sops.decrypt(theirs) == b"a: null\n"
    assert document.plain_text(_open(theirs, real_sops)).reveal() == b'a: "\\ttab\\nline"\n'
    in_clear = text.replace(b"a:", b"a_unencrypted:")
    assert _status(real_sops, real_sops.encrypt(in_clear)) == 51
    ours = _sealed(in_clear, real_sops, now)
    assert _open(ours, real_sops).items[0].value == Plaintext(b"\ttab\nline")
    assert _status(real_sops, ours) == 0


def test_better_02_a_negative_zero_in_clear_keeps_the_mac(
    real_sops: RealSops, now: datetime
) -> None:
    text = b"a_unencrypted: -0.0\n"
    assert _status(real_sops, real_sops.encrypt(text)) == 51
    ours = _sealed(text, real_sops, now)
    assert _status(real_sops, ours) == 0
    changed = changing.set_value(_open(ours, real_sops), ("b",), Plaintext(b"x"), now)
    assert _open(changed, real_sops).items[0].kind is LeafType.FLOAT
    assert _status(real_sops, changed) == 0


@pytest.mark.parametrize(
    ("spelled", "value"), [('`"q"`', '"q"'), ('"x\\"', "x\\")], ids=["quoted", "backslash"]
)
def test_better_02_ini_values_in_clear_survive(
    spelled: str, value: str, real_sops: RealSops, now: datetime
) -> None:
    text = f"a_unencrypted = {spelled}\nb = x\n".encode()
    types = ("--input-type", "ini", "--output-type", "ini")
    theirs = real_sops.encrypt(text, *types)
    assert real_sops.run("decrypt", *types, "document.yaml", content=theirs).returncode != 0
    ours = sealing.seal(Plaintext(text), [real_sops.recipient], now, Terms(Format.INI))
    opened = _open(ours, real_sops, Format.INI)
    assert opened.items[0].value == Plaintext(value.encode())
    real_sops.decrypt(ours, *types)


def test_better_03_a_leaf_of_bytes_is_read_and_never_written(
    real_sops: RealSops, now: datetime
) -> None:
    ours = _sealed(b"a: !!binary aGVsbG8=\n", real_sops, now)
    assert b"type:bytes" not in ours
    other = ours.replace(b"type:str]\nsops", b"type:bytes]\nsops")
    assert other != ours
    done = real_sops.run("decrypt", "document.yaml", content=other)
    assert b"panic" in done.stderr
    assert _open(other, real_sops).items[0].value == Plaintext(b"hello")


@pytest.mark.parametrize("number", [2**63, 2**64 - 1])
def test_better_03_integers_that_fit_nowhere_are_refused(
    number: int, real_sops: RealSops, now: datetime
) -> None:
    text = f"a: {number}\n".encode()
    done = real_sops.run(
        "encrypt", "--age", real_sops.recipient.text, "document.yaml", content=text
    )
    assert done.returncode == 23
    with pytest.raises(RepositoryError) as caught:
        _sealed(text, real_sops, now)
    assert caught.value.line == 1


def test_better_04_comments_of_lists_are_lines(real_sops: RealSops, now: datetime) -> None:
    text = b"a:\n    # note\n    - x\n"
    item = re.compile(rb"^    - ENC\[.*type:comment\]$", re.MULTILINE)
    line = re.compile(rb"^    #ENC\[.*type:comment\]$", re.MULTILINE)
    theirs, ours = real_sops.encrypt(text), _sealed(text, real_sops, now)
    assert (bool(item.search(theirs)), bool(line.search(theirs))) == (True, False)
    assert (bool(item.search(ours)), bool(line.search(ours))) == (False, True)
    assert real_sops.decrypt(ours) == text
    for sealed in (theirs, ours):
        assert document.plain_text(_open(sealed, real_sops)).reveal() == text


def test_better_04_a_comment_opens_by_the_container_that_another_reader_took(
    real_sops: RealSops, now: datetime
) -> None:
    text = b"a:\n    b:\n        c: 1\n    # at the column of b\nd: 2\n"
    for sealed in (real_sops.encrypt(text), _sealed(text, real_sops, now)):
        opened = _open(sealed, real_sops)
        found = [one.value for one in opened.items if isinstance(one.item, Comment)]
        assert found == [Plaintext(b" at the column of b")]


REFUSED = {
    "a mapping key twice in a later document": b"a: 1\n---\nb: 1\nb: 2\n",
    "metadata in a later document": b"a: 1\n---\nsops: x\n",
    "a quoted merge key": b'a: {"<<": {b: 1}}\n',
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_better_05_what_would_not_open_again_is_refused(
    text: bytes, real_sops: RealSops, now: datetime
) -> None:
    real_sops.encrypt(text)
    with pytest.raises(RepositoryError):
        _sealed(text, real_sops, now)


def test_better_05_a_stream_is_not_converted_by_halves(real_sops: RealSops) -> None:
    text = b"a: 1\n---\nb: 2\n"
    sealed = real_sops.encrypt(text, "--output-type", "json")
    types = ("--input-type", "json", "--output-type", "json")
    assert real_sops.run("decrypt", *types, "document.yaml", content=sealed).returncode == 51


@pytest.mark.parametrize("spelled", [b"1", b"[1]", b"{x: 1}"])
def test_better_06_a_value_that_is_no_leaf_is_refused_with_its_place(
    spelled: bytes, real_sops: RealSops
) -> None:
    sealed = re.sub(rb"^a: .*", b"a: " + spelled, real_sops.encrypt(b"a: 1\n"))
    done = real_sops.run("decrypt", "document.yaml", content=sealed)
    assert done.returncode != 0
    assert b"panic" in done.stderr
    with pytest.raises(IntegrityError) as caught:
        _open(sealed, real_sops)
    assert caught.value.line == 1


@pytest.mark.parametrize("path", [("l", "x"), ("l", 9, "x"), ("l", -1)], ids=repr)
def test_better_06_an_odd_path_is_refused(
    path: tuple[str | int, ...], real_sops: RealSops, now: datetime
) -> None:
    sealed = real_sops.encrypt(b"a: 1\nl: [1, 2]\n")
    index = "".join(f"[{step}]" if isinstance(step, int) else f'["{step}"]' for step in path)
    done = real_sops.run("set", "document.yaml", index, '"v"', content=sealed)
    assert done.returncode == 2 or real_sops.file.read_bytes() != sealed
    with pytest.raises(RepositoryError):
        changing.set_value(_open(sealed, real_sops), path, Plaintext(b"v"), now)


def test_better_06_a_value_is_not_replaced_by_a_mapping_unasked(
    real_sops: RealSops, now: datetime
) -> None:
    sealed = real_sops.encrypt(b"a: 1\n")
    theirs = real_sops.edit(sealed, "set", "document.yaml", '["a"]["x"]', '"v"')
    assert real_sops.decrypt(theirs) == b"a:\n    x: v\n"
    with pytest.raises(RepositoryError):
        changing.set_value(_open(sealed, real_sops), ("a", "x"), Plaintext(b"v"), now)


def test_better_07_unknown_metadata_stay(real_sops: RealSops, now: datetime) -> None:
    sealed = real_sops.encrypt(b"a: 1\n") + b"    future: x\n"
    theirs = real_sops.edit(sealed, "set", "document.yaml", '["a"]', '"v"')
    assert b"future" not in theirs
    ours = changing.set_value(_open(sealed, real_sops), ("a",), Plaintext(b"v"), now)
    assert ours.endswith(b"    future: x\n")
    assert real_sops.decrypt(ours) == b"a: v\n"


def test_better_09_a_float_in_clear_stays_one(real_sops: RealSops, now: datetime) -> None:
    text = b"a_unencrypted: 1.0\nb: x\n"
    theirs = real_sops.edit(_sealed(text, real_sops, now), "set", "document.yaml", '["b"]', '"y"')
    assert _open(theirs, real_sops).items[0].kind is LeafType.INT
    opened = _open(_sealed(text, real_sops, now), real_sops)
    ours = changing.set_value(opened, ("b",), Plaintext(b"y"), now)
    assert _open(ours, real_sops).items[0].kind is LeafType.FLOAT
    assert ours.startswith(b"a_unencrypted: 1.0\n")


def test_better_09_a_float_that_is_opened_is_printed_as_one(
    real_sops: RealSops, now: datetime
) -> None:
    theirs = real_sops.encrypt(b"a: 1.0\n")
    assert real_sops.decrypt(theirs) == b"a: 1\n"
    opened = _open(theirs, real_sops)
    assert document.plain_text(opened).reveal() == b"a: 1.0\n"
    ours = changing.set_scalar(opened, ("a",), Scalar(LeafType.FLOAT, b"2"), now)
    assert b"type:float" in ours


def test_better_11_one_bad_line_costs_no_other_identity(real_sops: RealSops) -> None:
    sealed = real_sops.encrypt(b"a: 1\n")
    secret = Plaintext(b" " + real_sops.secret.reveal().strip() + b" \nnothing\n")
    done = real_sops.run("decrypt", "document.yaml", content=sealed, secret=secret)
    assert done.returncode == 128
    found = parse_identities(secret, "the test")
    assert len(found.refused) == 1
    parsed = document.parse(sealed)
    assert document.open_data_key(parsed, found.identities)


ELSEWHERE: Mapping[int, tuple[str, ...]] = {
    1: (
        (
            "cli/test_whole_documents.py:"
            "test_options_choose_what_is_encrypted_and_nothing_at_all_is_warned_of"
        ),
    ),
    5: ("sops/test_conversion.py:test_what_has_no_place_is_refused_by_its_name",),
    7: (
        (
            "cli/test_whole_documents.py:"
            "test_decrypting_in_place_leaves_a_private_file_and_nothing_else"
        ),
        "cli/test_killed.py:*",
        "system/test_transaction.py:*",
    ),
    8: (
        "plans/test_recipients.py:test_groups_are_compared_with_the_rules",
        "plans/test_shamir.py:test_the_threshold_of_the_policy_counts",
    ),
    11: (
        "age/test_identity.py:test_only_a_bad_line_is_refused_by_number_and_reason",
        "age/test_identity.py:test_blanks_line_ends_comments_and_several_on_a_line_are_taken",
    ),
}
TOLD_IN = {10: "docs/format.md"}


def test_every_point_has_its_tests() -> None:
    own = {
        int(number)
        for number in re.findall(
            r"^def test_better_(\d\d)_", Path(__file__).read_text(), re.MULTILINE
        )
    }
    assert own | ELSEWHERE.keys() | TOLD_IN.keys() == set(range(1, 12))
    assert missing_tests(one for named in ELSEWHERE.values() for one in named) == []


def _sealed(text: bytes, sops: RealSops, now: datetime) -> bytes:
    return sealing.seal(Plaintext(text), [sops.recipient], now)


def _open(content: bytes, sops: RealSops, form: Format = Format.YAML) -> OpenDocument:
    parsed = document.parse(content, form)
    return document.open_document(parsed, document.open_data_key(parsed, [sops.identity]))


def _status(sops: RealSops, content: bytes) -> int:
    return sops.run("decrypt", sops.file.name, content=content).returncode
