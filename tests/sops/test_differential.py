"""Generated documents of every format, sealed, changed and opened by the real sops and by us.

In the long run (`HYPOTHESIS_PROFILE=long`) they are others each time, and two thousand each.
"""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import changing, document, sealing
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.stores import formats
from nixsecrets.sops.stores.text import Text
from nixsecrets.sops.tree import Comment, KeyPath, Leaf, keys_of, leaves
from tests.sops.differential import (
    COLLECTIONS,
    SIDES,
    Change,
    Clear,
    Rule,
    Side,
    Value,
    without_collections,
    without_number_types,
)
from tests.sops.real import RealSops

generated = settings(
    max_examples=max(200, settings().max_examples),
    phases=(Phase.generate,),  # to shrink what fails takes minutes with a real program
    suppress_health_check=list(HealthCheck),
)
each_format = pytest.mark.parametrize("side", SIDES, ids=[side.form.value for side in SIDES])
ADDRESSABLE = re.compile(r"[^\[\]\\\\\"'\n\r\0]+")


@each_format
@given(data=st.data())
@generated
def test_what_sops_seals_is_opened_and_changed_here(
    side: Side, data: st.DataObject, real_sops: RealSops, now: datetime
) -> None:
    rule = data.draw(side.rules())
    clear = data.draw(side.documents(rule))
    ours = _sealed(side, clear, rule, real_sops, now)
    in_clear = _in_clear(ours, side)
    assume(_is_printed(side, clear.values, in_clear))
    assume(not _breaks_its_own_mac(rule, ours, side))
    theirs = _encrypted(side, clear, rule, real_sops)

    opened = _opened(theirs, rule, side, real_sops)
    assert _found(opened) == _expected(clear.values)
    if not rule.speaks_of_comments:  # which leaf one is above, YAML libraries disagree about
        assert _sides(theirs, side) == _sides(ours, side)
    assert None not in [one.value for one in opened.items if isinstance(one.item, Comment)]
    assert clear.may_hold(_comments(opened))
    again = document.plain_text(opened).reveal()
    assert _expected(_leaves(formats.parse_plain(again, side.form))) == _expected(clear.values)

    changed, values = _changed(side, opened, data, now)
    rows = side.decrypted(real_sops, changed, values)
    assert rows is None or without_collections(rows) == without_collections(side.rows(values))


@each_format
@given(data=st.data())
@generated
def test_what_is_sealed_here_is_opened_and_changed_by_sops(
    side: Side, data: st.DataObject, real_sops: RealSops, now: datetime
) -> None:
    rule = data.draw(side.rules())
    clear = data.draw(side.documents(rule))
    ours = _sealed(side, clear, rule, real_sops, now)
    opened = _open(ours, side, real_sops)
    assert _values(opened) == list(clear.values)
    assert clear.comments in (None, _comments(opened))
    assert all(
        one.container == keys_of(one.item.container)
        for one in opened.items
        if isinstance(one.item, Comment) and one.encrypted
    )
    states = document.parse(ours, side.form).leaf_states()
    assert {one.sealed_as or one.kind.value for one in states} == {one.kind for one in clear.values}
    in_clear = _in_clear(ours, side)
    assume(_is_printed(side, clear.values, in_clear))
    in_clear |= {side.added} if rule.field else set()

    rows = side.decrypted(real_sops, ours, clear.values)
    assert rows is None or rows == side.rows(clear.values)

    change = data.draw(_addressable(side, clear, in_clear))
    # What is left of a comment speaks for the next value, whatever sops sealed that one as.
    assume(change.value is not None or not rule.speaks_of_comments)
    command = ("set", json.dumps(change.value)) if change.value is not None else ("unset",)
    name, index = real_sops.file.name, "".join(f'["{key}"]' for key in change.path)
    done = real_sops.run(command[0], *side.types, name, index, *command[1:], content=ours)
    assume(not (side.crashes_on_empty_comments and b"panic: " in done.stderr))
    assert done.returncode == 0, done.stderr
    again = _opened(real_sops.file.read_bytes(), rule, side, real_sops)
    assert _found(again) == _expected(change.of(clear.values))
    assert clear.may_hold(_comments(again))


def _sealed(side: Side, clear: Clear, rule: Rule, sops: RealSops, now: datetime) -> bytes:
    """Seal a text; one whose comments would have to move away from what they speak for is none."""
    plaintext = Plaintext(clear.content)
    try:
        return sealing.seal(plaintext, [sops.recipient], now, side.terms(rule))
    except RepositoryError as error:
        assume(not (rule.speaks_of_comments and "needs each comment above" in error.problem))
        raise


def _encrypted(side: Side, clear: Clear, rule: Rule, sops: RealSops) -> bytes:
    """Return what sops seals, by its old command, which alone takes rules about comments."""
    options = ("--age", sops.recipient.text, *side.types, *rule.options)
    done = sops.run(*options, "-e", sops.file.name, content=clear.content)
    assume(not (side.crashes_on_empty_comments and b"panic: " in done.stderr))
    assert done.returncode == 0, done.stderr
    return done.stdout


def _open(content: bytes, side: Side, sops: RealSops) -> OpenDocument:
    parsed = document.parse(content, side.form)
    return document.open_document(parsed, document.open_data_key(parsed, [sops.identity]))


def _opened(theirs: bytes, rule: Rule, side: Side, sops: RealSops) -> OpenDocument:
    """Open what sops wrote, unless it lost comments that its rule is about, and cannot either."""
    try:
        return _open(theirs, side, sops)
    except IntegrityError:
        done = sops.run("decrypt", *side.types, sops.file.name, content=theirs)
        assume(not rule.speaks_of_comments or done.returncode == 0)
        raise


def _changed(
    side: Side, opened: OpenDocument, data: st.DataObject, now: datetime
) -> tuple[bytes, list[Value]]:
    """Make a change that is drawn; return the document and what it is to hold."""
    if data.draw(st.integers(0, 3)) == 0:
        rule = Rule("", "", only_encrypted=False)
        other = data.draw(side.documents(rule))
        try:
            content = changing.replace_text(opened, Plaintext(other.content), now)
        except RepositoryError as error:
            assume("needs each comment above" not in error.problem)
            raise
        assume(_is_printed(side, other.values, _in_clear(content, side)))
        return content, list(other.values)
    own = _values(opened)
    in_clear = {
        one.item.path for one in opened.items if isinstance(one.item, Leaf) and not one.encrypted
    }
    if not opened.document.encrypts(side.added):
        in_clear.add(side.added)
    change = data.draw(side.changes(own, in_clear))
    if change.value is None:
        try:
            return changing.remove_value(opened, change.path, now), change.of(own)
        except RepositoryError as error:
            assume("would then choose otherwise" not in error.problem)
            raise
    value = Plaintext(change.value.encode())
    return changing.set_value(opened, change.path, value, now), change.of(own)


def _addressable(side: Side, clear: Clear, in_clear: set[KeyPath]) -> st.SearchStrategy[Change]:
    """Return changes by `sops set` and `unset`, which have no escapes and count comments."""
    return side.changes(
        [
            one
            for one in clear.values
            if all(isinstance(key, str) and ADDRESSABLE.fullmatch(key) for key in one.path)
        ],
        in_clear,
    )


def _comments(opened: OpenDocument) -> set[str]:
    found = [one.value for one in opened.items if isinstance(one.item, Comment)]
    return {
        value.reveal().decode("utf-8", "surrogateescape") for value in found if value is not None
    }


def _leaves(text: Text) -> list[Value]:
    return [Value(one.path, one.kind.value, one.content) for one in leaves(text.tree)]


def _values(opened: OpenDocument) -> list[Value]:
    return [
        Value(
            one.item.path,
            (one.kind or one.item.kind).value,
            (one.value or Plaintext(b"")).reveal(),
        )
        for one in opened.items
        if isinstance(one.item, Leaf)
    ]


def _found(opened: OpenDocument) -> list[tuple[tuple[str, ...], str, bytes]]:
    return _expected(_values(opened))


def _expected(values: Iterable[Value]) -> list[tuple[tuple[str, ...], str, bytes]]:
    """Return values without list positions: sops counts its comments among the items."""
    return [
        (one.keys, one.kind, one.content)
        for one in without_number_types(values)
        if one.kind not in COLLECTIONS
    ]


def _sides(content: bytes, side: Side) -> list[tuple[tuple[str, ...], bool]]:
    """Return which leaves are sealed, by their keys."""
    return [
        (
            tuple(step for step in state.path if isinstance(step, str)),
            state.sealed_as is not None,
        )
        for state in document.parse(content, side.form).leaf_states()
        if not state.empty
    ]


def _in_clear(content: bytes, side: Side) -> set[KeyPath]:
    states = document.parse(content, side.form).leaf_states()
    return {state.path for state in states if state.sealed_as is None}


def _is_printed(side: Side, values: Sequence[Value], in_clear: set[KeyPath]) -> bool:
    return all(side.survives_printing(one) for one in values if one.path in in_clear)


def _breaks_its_own_mac(rule: Rule, ours: bytes, side: Side) -> bool:
    """Say whether sops cannot open what it seals: comments of lists by a rule about comments."""
    if rule.field != "encrypted_comment_regex":
        return False
    text = formats.parse(ours, side.form)
    lists = {
        item.path[: depth - 1]
        for item in text.tree
        if isinstance(item, Leaf)
        for depth, step in enumerate(item.path, start=1)
        if isinstance(step, int)
    }
    return any(isinstance(item, Comment) and item.container in lists for item in text.tree)
