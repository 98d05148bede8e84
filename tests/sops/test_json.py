"""JSON documents: read with places, edited in place, in exchange with the real sops."""

import json
import re
from collections.abc import Sequence
from datetime import datetime

import pytest
from hypothesis import HealthCheck, assume, given, settings

from nixsecrets.errors import IntegrityError, NixsecretsError, RepositoryError
from nixsecrets.sops.rules import parse_selection
from nixsecrets.sops.stores import json as store
from nixsecrets.sops.stores.text import Scalar, Text
from nixsecrets.sops.tree import Comment, KeyPath, Leaf, LeafType, Span, leaves
from tests.sops.json_documents import Generated, json_documents
from tests.sops.real import RealSops
from tests.sops.stores_interop import Foreign, open_values, plain, seal, seal_scalar, stamp

BOTH_WAYS = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
SEALED = "ENC[AES256_GCM,data:QQ==,iv:QQ==,tag:QQ==,type:str]"


@pytest.fixture(scope="session")
def foreign(real_sops: RealSops) -> Foreign:
    return Foreign(real_sops, "json")


def _shown(text: str | bytes) -> list[tuple[KeyPath, str, bytes]]:
    content = text.encode() if isinstance(text, str) else text
    return [(one.path, one.kind.value, one.content) for one in leaves(store.parse(content).tree)]


def _leaf(text: Text, path: KeyPath) -> Leaf:
    return next(leaf for leaf in leaves(text.tree) if leaf.path == path)


@given(generated=json_documents())
@settings(max_examples=300)
def test_a_document_in_any_layout_is_read_whole(generated: Generated) -> None:
    parsed = store.parse(generated.text.encode())
    assert tuple(_shown(generated.text)) == generated.leaves
    assert [leaf.line for leaf in leaves(parsed.tree)] == [
        generated.text.count("\n", 0, leaf.span.start) + 1 for leaf in leaves(parsed.tree)
    ]
    for leaf in leaves(parsed.tree):
        json.loads(parsed.text[leaf.span.start : leaf.span.end])
    assert parsed.apply([]).decode() == generated.text


@given(generated=json_documents())
@BOTH_WAYS
def test_what_is_sealed_there_opens_here_and_prints_the_same(
    generated: Generated, foreign: Foreign
) -> None:
    in_clear = [leaf for leaf in generated.leaves if "x_unencrypted" in leaf[0]]
    assume(not [content for _, _, content in in_clear if content == b"-0"])  # printed as an integer
    sealed = foreign.encrypt(generated.text.encode())
    text = store.parse(sealed)
    values = open_values(text, foreign.sops.identity)
    assert _rounded([value.shown for value in values]) == _rounded(list(generated.leaves))
    clear = plain(text, foreign.sops.identity)
    assert re.sub(rb"(?m)(^\t+|: )-0\.0(?=,?$)", rb"\1-0", clear) == foreign.decrypt(sealed)


def _values(shown: Sequence[tuple[KeyPath, str, bytes]]) -> list[tuple[KeyPath, bytes]]:
    """Return values as they read back: sops prints a whole float, -0 too, like an integer."""
    return [
        (path, b"0" if kind == "float" and content == b"-0" else content)
        for path, kind, content in shown
    ]


def _rounded(shown: list[tuple[KeyPath, str, bytes]]) -> list[tuple[KeyPath, object]]:
    """Return values as sops before 3.13.2 has them, to which every number is a float."""
    numbers = ("int", "float")
    return [
        (path, float(content) if kind in numbers else (kind, content))
        for path, kind, content in shown
    ]


def test_text_that_is_no_unicode_is_read_as_sops_does(foreign: Foreign) -> None:
    raw = b'{"a": "\xff\xe2\x82z \\ud800 \\ud83d\\ude00 \\udc00\x7f", "b\xff": 1}'
    clear = "\ufffd\ufffd\ufffdz \ufffd \U0001f600 \ufffd\x7f".encode()
    assert _shown(raw) == [
        (("a",), "str", clear),
        (("b\ufffd",), "int", b"1"),
    ]
    theirs = _shown(foreign.decrypt(foreign.encrypt(raw)))
    assert theirs == _shown(raw)


def test_bytes_that_are_no_unicode_stay_where_nothing_is_edited() -> None:
    parsed = store.parse(b'{"a": "\xff", "b": 1}')
    edit = parsed.respell_leaf(_leaf(parsed, ("b",)), Scalar(LeafType.INT, b"2"))
    assert parsed.apply([edit]) == b'{"a": "\xff", "b": 2}'


@pytest.mark.parametrize(
    ("spelled", "kind", "content"),
    [
        ("0", "int", b"0"),
        ("-0", "int", b"0"),
        ("9223372036854775807", "int", b"9223372036854775807"),
        ("-9223372036854775808", "int", b"-9223372036854775808"),
        ("9223372036854775808", "float", b"9223372036854776000"),
        ("18446744073709551616", "float", b"18446744073709552000"),
        ("1" + "0" * 300, "float", b"1" + b"0" * 300),
        ("1.0", "float", b"1"),
        ("-0.0", "float", b"-0"),
        ("1e2", "float", b"100"),
        ("1E-7", "float", b"0.0000001"),
        ("1e-400", "float", b"0"),
        ("true", "bool", b"True"),
        ("false", "bool", b"False"),
        ("null", "null", b""),
        ("{ }", "{}", b""),
        ("[\n]", "[]", b""),
        ('""', "str", b""),
    ],
)
def test_values_are_typed_as_by_sops_since_3_13_2(spelled: str, kind: str, content: bytes) -> None:
    assert _shown(f'{{"a": {spelled}}}') == [(("a",), kind, content)]


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("", 1, 1, "a document in JSON is one object, in braces"),
        ("[1]", 1, 1, "a document in JSON is one object, in braces"),
        ("\n 1", 2, 2, "a document in JSON is one object, in braces"),
        ('\ufeff{"a": 1}', 1, 1, "a byte order mark is not allowed in JSON"),
        ('{"a": 1} x', 1, 10, "text behind the closing brace"),
        ('{"a": 1}\n{"b": 1}', 2, 1, "text behind the closing brace"),
        ('{"a": 1,}', 1, 9, "a name in double quotes is missing here"),
        ('{"a": [1,]}', 1, 10, "a value is missing here"),
        ("{,}", 1, 2, "a name in double quotes is missing here"),
        ('{"a": 1 "b": 2}', 1, 9, "`,` or `}` is missing here"),
        ('{"a": [1 2]}', 1, 10, "`,` or `]` is missing here"),
        ('{"a": [1}', 1, 9, "`,` or `]` is missing here"),
        ('{"a" 1}', 1, 6, "`:` is missing here"),
        ('{"a":', 1, 6, "a value is missing here"),
        ('{"a": 1', 1, 8, "`,` or `}` is missing here"),
        ("{a: 1}", 1, 2, "a name in double quotes is missing here"),
        ('{"a": NaN}', 1, 7, "a value is missing here"),
        ('{"a": -Infinity}', 1, 7, "a value is missing here"),
        ('{"a": 01}', 1, 8, "`,` or `}` is missing here"),
        ('{"a": 1.}', 1, 8, "`,` or `}` is missing here"),
        ('{"a": truex}', 1, 11, "`,` or `}` is missing here"),
        ('{"a": 1} // note', 1, 10, "text behind the closing brace"),
        ('{\n"a": 1,\n  "b": 1e400}', 3, 8, "a number is larger than a float64 can be"),
        ('{"a": -' + "1" * 5000 + "}", 1, 7, "a number is larger than a float64 can be"),
        ('{"a": "x}', 1, 7, "unterminated string"),
        ('{"a": "x\ny"}', 1, 9, "invalid control character"),
        ('{"a": "\\x"}', 1, 8, "invalid \\escape"),
        ('{"a": "\\u12"}', 1, 9, "invalid \\uxxxx escape"),
        ('{"a": 1, "b": 2,\n "a": 3}', 2, 2, "a stands here twice"),
        ('{"a": [{"b": 1, "b": 2}]}', 1, 17, "a/0/b stands here twice"),
        ('{"sops": 1, "sops": {"mac": 1}}', 1, 13, "sops stands here twice"),
        ('{"sops": {"mac": 1, "mac": {}}}', 1, 21, "sops/mac stands here twice"),
        ('{"a": ' + "[" * 300, 1, 207, "nested deeper than 200 levels"),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_what_has_no_place_in_a_document_is_refused_with_its_own(
    text: str, line: int, column: int, problem: str
) -> None:
    with pytest.raises(RepositoryError) as caught:
        store.parse(text.encode())
    error = caught.value
    assert (error.problem, error.line, error.column) == (problem, line, column)


def test_a_sealed_text_that_was_cut_off_is_damaged() -> None:
    with pytest.raises(IntegrityError) as caught:
        store.parse(f'{{\n\t"a": "{SEALED}",\n'.encode())
    assert (caught.value.line, caught.value.column) == (3, 1)


def test_names_twice_that_sops_sealed_are_read_and_stay(foreign: Foreign, now: datetime) -> None:
    clear = b'{\n\t"a": 1,\n\t"a": 2,\n\t"b": {\n\t\t"c": "x",\n\t\t"c": "y"\n\t}\n}\n'
    sealed = foreign.encrypt(clear)
    text = store.parse(sealed)
    identity = foreign.sops.identity
    assert [value.content for value in open_values(text, identity)] == [b"1", b"2", b"x", b"y"]
    assert plain(text, identity) == clear
    added = store.parse(text.apply([text.insert_leaf(("d",), Scalar(LeafType.STR, b""))]))
    theirs = foreign.decrypt(stamp(added, identity, now))
    assert theirs == clear.removesuffix(b"\n}\n") + b',\n\t"d": ""\n}\n'
    with pytest.raises(RepositoryError, match="a stands in the document twice"):
        text.remove_leaf(("a",))
    with pytest.raises(RepositoryError, match="b/c stands in the document twice"):
        text.remove_leaf(("b", "c"))


@pytest.mark.parametrize("name", ["sops", "SOPS", "Sops", "\u017fops"])
def test_a_name_that_the_metadata_needs_is_reserved(name: str) -> None:
    assert store.parse(json.dumps({"a": 1, name: 1}).encode()).reserved
    assert not store.parse(json.dumps({"a": {name: 1}}).encode()).reserved
    with pytest.raises(RepositoryError, match="reserved"):
        store.parse(b"{}").insert_leaf((name,), Scalar(LeafType.STR, b"x"))


@pytest.mark.parametrize("name", ["SOPS", "\u017fops"])
def test_sops_cannot_open_what_it_seals_under_a_name_like_its_own(
    name: str, foreign: Foreign
) -> None:
    sealed = foreign.encrypt(json.dumps({"a": 1, name: 1}).encode())
    with pytest.raises(AssertionError, match="cannot unmarshal string into Go struct field"):
        foreign.decrypt(sealed)


@pytest.mark.parametrize(
    ("kind", "content", "spelled"),
    [
        (LeafType.STR, '<a&b>\u2028\u2029\x00\x1f\x7f\b\f\n\r\t"\\/ü😀', None),
        (LeafType.STR, SEALED, f'"{SEALED}"'),
        (LeafType.TIME, "2024-05-06T07:08:09Z", '"2024-05-06T07:08:09Z"'),
        (LeafType.INT, "9007199254740993", "9007199254740993"),
        (LeafType.FLOAT, "1", "1"),
        (LeafType.FLOAT, "0.000001", "0.000001"),
        (LeafType.FLOAT, "0.0000001", "1e-7"),
        (LeafType.FLOAT, "0.00000000000125", "1.25e-12"),
        (LeafType.FLOAT, "100000000000000000000", "100000000000000000000"),
        (LeafType.FLOAT, "1000000000000000000000", "1e+21"),
        (LeafType.BOOL, "True", "true"),
    ],
)  # fmt: skip
def test_values_are_spelled_as_go_does(
    kind: LeafType, content: str, spelled: str | None, foreign: Foreign
) -> None:
    parsed = store.parse(b'{\n\t"a": 0\n}\n')
    edit = parsed.respell_leaf(_leaf(parsed, ("a",)), Scalar(kind, content.encode()))
    written = parsed.apply([edit])
    assert spelled is None or edit.replacement == spelled
    theirs = foreign.decrypt(foreign.encrypt(written))
    assert kind is LeafType.INT or theirs == written


def test_a_negative_zero_stays_one() -> None:
    parsed = store.parse(b'{"a": 0}')
    edit = parsed.respell_leaf(_leaf(parsed, ("a",)), Scalar(LeafType.FLOAT, b"-0"))
    assert _shown(parsed.apply([edit])) == [(("a",), "float", b"-0")]


@pytest.mark.parametrize(
    ("kind", "content", "problem"),
    [
        (LeafType.FLOAT, b"NaN", "a value that is no finite number cannot stand in JSON"),
        (LeafType.FLOAT, b"-Inf", "a value that is no finite number cannot stand in JSON"),
        (LeafType.STR, b"\xff", "a value that is not UTF-8 cannot stand in JSON"),
    ],
)
def test_a_value_that_json_has_no_words_for_is_refused(
    kind: LeafType, content: bytes, problem: str
) -> None:
    parsed = store.parse(b'{"a":\n{"b": 1}}')
    with pytest.raises(RepositoryError) as caught:
        parsed.respell_leaf(_leaf(parsed, ("a", "b")), Scalar(kind, content))
    assert (caught.value.problem, caught.value.line) == (f"a/b: {problem}", 2)
    with pytest.raises(RepositoryError, match=f"a/c: {problem}"):
        parsed.insert_leaf(("a", "c"), Scalar(kind, content))


TAB = '{\n\t"a": {\n\t\t"b": 1\n\t}\n}\n'
TAIL = ',\n\t"sops": {\n\t\t"mac": "x"\n\t}\n}\n'


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        (TAB, ("c",), '{\n\t"a": {\n\t\t"b": 1\n\t},\n\t"c": "z"\n}\n'),
        (TAB, ("a", "c"), '{\n\t"a": {\n\t\t"b": 1,\n\t\t"c": "z"\n\t}\n}\n'),
        (TAB, ("c", "d"), '{\n\t"a": {\n\t\t"b": 1\n\t},\n\t"c": {\n\t\t"d": "z"\n\t}\n}\n'),
        ('{\n\t"a": 1' + TAIL, ("c",), '{\n\t"a": 1,\n\t"c": "z"' + TAIL),
        ('{\n\t"sops": {\n\t}\n}', ("c",), '{\n\t"c": "z",\n\t"sops": {\n\t}\n}'),
        ('{"sops":{}}', ("c",), '{"c":"z","sops":{}}'),
        ('{\n  "sops": {},\n  "a": 1\n}', ("c",), '{\n  "sops": {},\n  "a": 1,\n  "c": "z"\n}'),
        ('{\n  "a": 1\n}', ("c", "d"), '{\n  "a": 1,\n  "c": {\n    "d": "z"\n  }\n}'),
        ('{\n    "a": {}\n}', ("a", "d"), '{\n    "a": {\n        "d": "z"\n    }\n}'),
        ('{\n  "a": null\n}', ("a", "d"), '{\n  "a": {\n    "d": "z"\n  }\n}'),
        ('{\r\n  "a": 1\r\n}', ("c",), '{\r\n  "a": 1,\r\n  "c": "z"\r\n}'),
        ('{\n"a": 1\n}', ("c", "d"), '{\n"a": 1,\n"c": {\n"d": "z"\n}\n}'),
        ('{"a":1}', ("c", "d"), '{"a":1,"c":{"d":"z"}}'),
        ('{"a": 1}', ("c", "d"), '{"a": 1, "c": {"d": "z"}}'),
        ('{"a": {}, "b": 1}', ("a", "c"), '{"a": {"c": "z"}, "b": 1}'),
        ('{ "a" : {"b" : 1} }', ("a", "c"), '{ "a" : {"b" : 1, "c": "z"} }'),
        ('{"a": [{"b": 1}]}', ("a", 0, "c"), '{"a": [{"b": 1, "c": "z"}]}'),
        ('{"a": [1]}', ("a", 1), '{"a": [1, "z"]}'),
        ('{"a": [1]}', ("a", 1, "b", 0), '{"a": [1, {"b": ["z"]}]}'),
        ('{"a": []}', ("a", 0, "b"), '{"a": [{"b": "z"}]}'),
        ('{\n  "a": [\n    1\n  ]\n}', ("a", 1), '{\n  "a": [\n    1,\n    "z"\n  ]\n}'),
        ('{\n  "a": 1\n}', ("b", 0), '{\n  "a": 1,\n  "b": [\n    "z"\n  ]\n}'),
        ("{}", ("c",), '{\n\t"c": "z"\n}'),
        (" { \n } \n", ("c", "d"), ' {\n\t"c": {\n\t\t"d": "z"\n\t}\n} \n'),
        ("{}", ("<",), '{\n\t"\\u003c": "z"\n}'),
        ('{\n\t"x": {"y": 1}\n}', ("x", "c"), '{\n\t"x": {"y": 1, "c": "z"}\n}'),
    ],
)
def test_a_new_leaf_is_laid_out_as_its_neighbours(before: str, path: KeyPath, after: str) -> None:
    parsed = store.parse(before.encode())
    edit = parsed.insert_leaf(path, Scalar(LeafType.STR, b"z"))
    assert parsed.apply([edit]).decode() == after
    found = _shown(after)
    assert (path, "str", b"z") in found


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        (("a",), "a is there already"),
        (("a", "b"), "a/b is there already"),
        (("a", "b", "c"), "a/b is a value: nothing can stand below it"),
        (("l", "x"), "l is a list: l/x cannot stand below it"),
        (("l", 2), "l/2 is not the next item of a list: 1 is"),
        (("l", 0, "x"), "l/0 is a value: nothing can stand below it"),
        (("a", 0), "a is an object: a/0 cannot stand below it"),
        (("e", "x"), "e is a list: e/x cannot stand below it"),
        (("n", 1), "n/1 is not the next item of a list: 0 is"),
    ],
    ids=repr,
)
def test_a_leaf_that_cannot_stand_there_is_refused(path: KeyPath, problem: str) -> None:
    parsed = store.parse(b'{"a": {"b": 1}, "l": [1], "e": []}')
    with pytest.raises(RepositoryError) as caught:
        parsed.insert_leaf(path, Scalar(LeafType.STR, b"z"))
    assert caught.value.problem == problem


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ('{\n\t"a": 1,\n\t"b": 2\n}\n', ("a",), '{\n\t"b": 2\n}\n'),
        ('{\n\t"a": 1,\n\t"b": 2\n}\n', ("b",), '{\n\t"a": 1\n}\n'),
        ('{"a":1,"b":2,"c":3}', ("b",), '{"a":1,"c":3}'),
        ('{"a":1 , "b":2}', ("b",), '{"a":1}'),
        ('{\n\t"a": 1\n}\n', ("a",), "{}\n"),
        (TAB, ("a", "b"), "{}\n"),
        ('{"a": {"b": 1}, "c": 2}', ("a", "b"), '{"c": 2}'),
        ('{"a": [1, 2, 3]}', ("a", 1), '{"a": [1, 3]}'),
        ('{"a": [{"b": 1}], "c": 2}', ("a", 0, "b"), '{"c": 2}'),
        ('{"a": 1, "b": {}}', ("b",), '{"a": 1}'),
        ('{\n\t"a": 1' + TAIL, ("a",), "{" + TAIL[1:]),
    ],
)
def test_a_leaf_is_taken_away_with_its_comma(before: str, path: KeyPath, after: str) -> None:
    parsed = store.parse(before.encode())
    assert parsed.apply([parsed.remove_leaf(path)]).decode() == after
    store.parse(after.encode())


@pytest.mark.parametrize("path", [("x",), ("a",), ("sops", "mac"), ("a", "b", "c")], ids=repr)
def test_what_is_no_leaf_is_not_taken_away(path: KeyPath) -> None:
    parsed = store.parse((TAB.removesuffix("\n}\n") + TAIL).encode())
    with pytest.raises(RepositoryError, match="is not in the document"):
        parsed.remove_leaf(path)


@given(generated=json_documents())
@settings(max_examples=200)
def test_metadata_comes_and_goes_without_a_trace(generated: Generated) -> None:
    parsed = store.parse(generated.text.encode())
    fields = {"age": ({"recipient": "r", "enc": "x\n"},), "mac": "m", "shamir_threshold": 2}
    written = store.parse(parsed.apply(parsed.write_metadata(fields)))
    assert written.metadata == fields
    assert written.apply(written.write_metadata(fields)) == written.apply([])
    cut = written.apply(written.cut_metadata()).decode()
    assert cut == generated.text or json.loads(cut) == json.loads(generated.text) == {}


def test_metadata_is_laid_out_as_sops_does(foreign: Foreign) -> None:
    sealed = foreign.encrypt(b'{"a": [1, {"b": "<x>"}], "c": {}}')
    text = store.parse(sealed)
    assert text.metadata is not None
    clear = store.parse(text.apply(text.cut_metadata()))
    assert clear.metadata is None
    assert clear.apply(clear.write_metadata(text.metadata)) == sealed


AGE_OF_TWO = (
    '{\n\t"sops": {\n\t\t"age": [\n\t\t\t{\n\t\t\t\t"enc": "e\\n"\n\t\t\t},\n'
    '\t\t\t{\n\t\t\t\t"enc": "f"\n\t\t\t}\n\t\t],\n\t\t"mac": "x"\n\t}\n}\n'
)


@pytest.mark.parametrize(
    ("before", "fields", "after"),
    [
        ('{"a":1}', {"mac": "x"}, '{"a":1,"sops":{"mac":"x"}}'),
        ('{\n  "a": 1\n}', {"mac": "x"}, '{\n  "a": 1,\n  "sops": {\n    "mac": "x"\n  }\n}'),
        ("{}", {"mac": "x"}, '{\n\t"sops": {\n\t\t"mac": "x"\n\t}\n}'),
        ('{"sops": {}}', {"mac": "x"}, '{"sops": {"mac": "x"}}'),
        (
            '{"sops": {"a": 1, "b" :  2, "kms": null, "d": [ ]}}',
            {"a": 2, "b": 2, "kms": None, "d": ()},
            '{"sops": {"a": 2, "b" :  2, "kms": null, "d": [ ]}}',
        ),
        (
            '{"sops": {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}}',
            {"b": 2, "c": 3},
            '{"sops": {"b": 2, "c": 3}}',
        ),
        (
            '{"sops": {"a": 1, "b": 2, "c": 3}}',
            {"c": None, "n": True, "m": 1.5},
            '{"sops": {"c": null, "n": true, "m": 1.5}}',
        ),
        (
            '{"sops": {"a": 1, "b": 2, "c": 3}}',
            {"a": 1, "n": "x"},
            '{"sops": {"a": 1, "n": "x"}}',
        ),
        ('{"a": 1, "sops": {"b": 2}}', {"c": "x"}, '{"a": 1, "sops": {"c": "x"}}'),
        (
            '{\n\t"sops": {\n\t\t"age": null,\n\t\t"mac": "x"\n\t}\n}\n',
            {"age": ({"enc": "e\n"}, {"enc": "f"}), "mac": "x"},
            AGE_OF_TWO,
        ),
    ],
)
def test_only_metadata_that_changes_is_written(
    before: str, fields: dict[str, str | int | None], after: str
) -> None:
    parsed = store.parse(before.encode())
    assert parsed.apply(parsed.write_metadata(fields)).decode() == after
    assert store.parse(after.encode()).metadata == fields


def test_fields_are_stamped_in_place() -> None:
    parsed = store.parse(b'{"mac": "a", "sops": {"mac": "b" , "version": "c"}}')
    stamped = parsed.apply(parsed.stamp_metadata({"mac": "x"}))
    assert stamped == b'{"mac": "a", "sops": {"mac": "x" , "version": "c"}}'


@pytest.mark.parametrize("lists", ['"kms": null,', '"kms": [], "pgp": [],', '"hc_vault": null,'])
def test_metadata_of_old_releases_is_read(lists: str, foreign: Foreign, now: datetime) -> None:
    sealed = seal(store.parse(b'{"a": "x"}'), [foreign.sops.recipient], now).decode()
    old = sealed.replace('"sops":', '"sops": ').replace('"mac":', f'{lists} "mac":')
    text = store.parse(old.encode())
    assert [value.content for value in open_values(text, foreign.sops.identity)] == [b"x"]
    assert _shown(foreign.decrypt(old.encode())) == [(("a",), "str", b"x")]


def test_a_value_set_here_is_read_there_and_the_other_way_round(
    foreign: Foreign, now: datetime
) -> None:
    identity = foreign.sops.identity
    text = store.parse(foreign.encrypt(b'{"a": "x", "b": {"c": [1]}}'))
    new = seal_scalar(text, identity, ("b", "d", "e"), b"<y>")
    other = seal_scalar(text, identity, ("a",), b"z")
    text = store.parse(text.apply([text.insert_leaf(("b", "d", "e"), new)]))
    text = store.parse(text.apply([text.respell_leaf(_leaf(text, ("a",)), other)]))
    ours = stamp(text, identity, now)
    expected = b'{\n\t"a": "z",\n\t"b": {\n\t\t"c": [\n\t\t\t1\n\t\t],\n\t\t"d": {\n\t\t\t"e": "\\u003cy\\u003e"\n\t\t}\n\t}\n}\n'  # noqa: E501  # a file as sops prints it
    assert foreign.decrypt(ours) == expected
    theirs = store.parse(foreign.edit(ours, "set", '["b"]["f"]', '"q"'))
    gone = theirs.apply([theirs.remove_leaf(("b", "d", "e"))])
    assert _shown(foreign.decrypt(stamp(store.parse(gone), identity, now))) == [
        (("a",), "str", b"z"),
        (("b", "c", 0), "int", b"1"),
        (("b", "f"), "str", b"q"),
    ]


@pytest.mark.parametrize(
    "rule",
    [
        {"encrypted_regex": "^(a|x)$"},
        {"unencrypted_regex": "^a"},
        {"encrypted_suffix": "_secret"},
        {"unencrypted_suffix": "_clear"},
    ],
    ids=repr,
)
def test_values_in_clear_keep_the_mac_on_both_sides(
    rule: dict[str, str], foreign: Foreign, now: datetime
) -> None:
    clear = b'{"a": 1.0, "b_secret": {"x": 1e3}, "c_clear": [true, "<", -1.5e-9, 9007199254740992]}'
    sealed = seal(store.parse(clear), [foreign.sops.recipient], now, parse_selection(rule))
    assert _values(_shown(foreign.decrypt(sealed))) == _values(_shown(clear))
    flags = [part for name, text in rule.items() for part in ("--" + name.replace("_", "-"), text)]
    theirs = store.parse(foreign.encrypt(clear, *flags))
    values = open_values(theirs, foreign.sops.identity)
    assert [value.content for value in values] == [content for _, content in _values(_shown(clear))]


def test_a_changed_value_in_clear_is_noticed(foreign: Foreign) -> None:
    sealed = foreign.encrypt(b'{"a_unencrypted": 12}').replace(b"12,", b"13,")
    with pytest.raises(IntegrityError, match="the MAC does not match the values"):
        open_values(store.parse(sealed), foreign.sops.identity)


def test_json_has_no_comments() -> None:
    text = store.parse(b'{"a": ["x"]}')
    comment = Comment(("a",), (), "x", Span(7, 10), 0, 1)
    assert text.seated([]) is text
    assert text.documents == 1
    assert text.apply([text.respell_comment(comment, SEALED)]) == f'{{"a": ["{SEALED}"]}}'.encode()
    for refuse in (lambda: text.seated([comment]), lambda: text.clear_comments([(comment, "x")])):
        with pytest.raises(NixsecretsError, match="a comment cannot stand in JSON"):
            refuse()
