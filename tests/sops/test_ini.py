"""INI documents: text to leaves, comments and metadata; edits; both directions with sops."""

import json
from datetime import datetime

import pytest
from hypothesis import given, settings

from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.sops.rules import SelectionKind, parse_selection
from nixsecrets.sops.stores import ini
from nixsecrets.sops.stores.ini_spelling import spell
from nixsecrets.sops.stores.text import Scalar
from nixsecrets.sops.tree import Comment, Leaf, LeafType
from tests.sops.flat_interop import open_text, plain, restamped, seal, sealed_scalar
from tests.sops.ini_documents import VALUES, Generated, documents
from tests.sops.real import RealSops

_FROM = ("--input-type", "ini")
_TO = ("--output-type", "ini")
_JSON = ("--output-type", "json")
_interop = settings(max_examples=120)


@given(generated=documents())
@_interop
def test_sops_opens_what_is_sealed_here(
    real_sops: RealSops, now: datetime, generated: Generated
) -> None:
    sealed = seal(ini.parse(generated.content), [real_sops.recipient], now)
    shown = real_sops.decrypt(sealed, *_FROM, *_JSON)
    assert json.loads(shown, object_pairs_hook=tuple) == tuple(
        (section, tuple(entries)) for section, entries in generated.values
    )


@given(generated=documents())
@_interop
def test_what_sops_seals_is_opened_here(real_sops: RealSops, generated: Generated) -> None:
    sealed = real_sops.encrypt(generated.content, *_FROM, *_TO)
    opened = open_text(ini.parse(sealed), real_sops.identity)
    assert opened.leaves == generated.leaves
    assert opened.comments == [
        one for one in _comments(ini.parse(generated.content)) if one[0] != ("sops",)
    ]


@given(generated=documents())
def test_sealing_and_opening_keeps_every_value_and_comment(
    real_sops: RealSops, now: datetime, generated: Generated
) -> None:
    parsed = ini.parse(generated.content)
    opened = open_text(ini.parse(seal(parsed, [real_sops.recipient], now)), real_sops.identity)
    back = ini.parse(plain(opened))
    assert opened.leaves == _leaves(back) == _leaves(parsed) == generated.leaves
    assert _comments(back) == _comments(parsed)


LAYOUTS = (
    ("a=1\n", None),
    ("a = 1\n\n", None),
    ("; c\n;d\n#  e\na :  1\n\n\n  ;; f\n  [s]  \n\tb=x y\nc=\n", None),
    ("a = 1\r\n; b\r\n; c\r\n[s]\r\nb = 2\r\n", None),
    ("\ufeffa = 1\n", None),
    ("[s]\na = `x;y`\n; the end\n", None),
    ('[s]\na = `x\ny`\nb = " z "\n', None),
    ("a = 1", "a = 1\n"),
    ("a = 'x'\n", "a = x\n"),
    ("[s] ; c\na = 1 ; d\n", "; c\n[s]\n; d\na = 1\n"),
    ("; c\n\n; d\na = 1\n", "; c\n; d\na = 1\n"),
    ("a = 1\n; c\na = 2\n", "; c\na = 2\n"),
)


@pytest.mark.parametrize(("text", "after"), LAYOUTS, ids=repr)
def test_sealing_and_opening_keeps_the_layout_that_sops_can_read(
    real_sops: RealSops, now: datetime, text: str, after: str | None
) -> None:
    sealed = seal(ini.parse(text.encode()), [real_sops.recipient], now)
    again = plain(open_text(ini.parse(sealed), real_sops.identity)).decode()
    assert again == (text if after is None else after)


@pytest.mark.parametrize(
    "text",
    [
        "a = SECRET\na = 2\n",
        "; SECRET\na = 1\n; c\na = 2\n",
        "a = 1 ; SECRET\n",
        "a = `1` ; SECRET\n",
        'a = """1\n2""" # SECRET\n',
        "a = x\\ ; SECRET\nb = 2\n",
        "a = ; SECRET\n",
        "[s] ; SECRET\na = 1\n",
        "; x\n\n; SECRET\na = 1 ; SECRET\n",
        "a = 1\n; SECRET\n",
        "a = 1\n; SECRET",
        "; SECRET\n",
        "a = x\\\n; SECRET\\\n\nb = 1\n",
        "[s]\n; SECRET\n[t]\n",
    ],
    ids=repr,
)
def test_nothing_stays_readable(real_sops: RealSops, now: datetime, text: str) -> None:
    sealed = seal(ini.parse(text.encode()), [real_sops.recipient], now)
    assert b"SECRET" not in sealed
    real_sops.decrypt(sealed, *_FROM, *_TO)


READ = (
    ("a=1\n[s]\nb:2\n", [("DEFAULT", "a", "1"), ("s", "b", "2")]),
    ("[DEFAULT]\na = 1\n", [("DEFAULT", "a", "1")]),
    ("[s] ]\na = b = c : d\n", [("s] ", "a", "b = c : d")]),
    ('`a=b` = 1\n"c:d":2\n"""e`"""=3\n', [("a=b", "1"), ("c:d", "2"), ("e`", "3")]),
    (
        "a = 'x'\nb = \"x\"\nc = 'x'y'\nd = 'x\n",
        [("a", "x"), ("b", "x"), ("c", "'x'y'"), ("d", "'x")],
    ),
    ('a = `x#y`\nb = "x#y"\n', [("a", "x#y"), ("b", '"x')]),
    ('a = """x\n y"z\n"""\nb = 1\n', [("a", 'x\n y"z\n'), ("b", "1")]),
    ("a = x \\\n  y\\\n z ; w\nb = 1\n", [("a", "x yz ; w"), ("b", "1")]),
    ("a = x\\\n\nb = 1\n", [("a", "x"), ("b", "1")]),
    ("a = x\\", [("a", "x")]),
    ('a = """', [("a", '"""')]),
    ("a = x\\ ; y\n", [("a", "x\\")]),
    ("a =\nb = ; c\n", [("a", ""), ("b", "")]),
    ("a = 1\nb = 2\na = 3\n", [("a", "3"), ("b", "2")]),
    ("[s]\na = 1\n[t]\nb = 2\n[s]\na = 3\n", [("s", "a", "1"), ("t", "b", "2"), ("s", "a", "3")]),
    ("a = \udcff\n", [("a", "\udcff")]),
    ("a = \x1cx\x1c\n\x85b\u2028= \xa0y\n", [("a", "\x1cx\x1c"), ("b", "y")]),
)


@pytest.mark.parametrize(("text", "expected"), READ, ids=repr)
def test_a_text_is_read_by_the_rules_of_go_ini(text: str, expected: list[tuple[str, ...]]) -> None:
    leaves = _leaves(ini.parse(text.encode("utf-8", "surrogateescape")))
    found = [(*path, content.decode("utf-8", "surrogateescape")) for path, content in leaves]
    assert found == [one if len(one) == 3 else ("DEFAULT", *one) for one in expected]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a = 1\nb\n", 2, "a line has neither `=` nor `:`"),
        ("[s\n", 1, "a section is not closed by `]`"),
        ("[]\n", 1, "a section has no name"),
        ("a = 1\n = 2\n", 2, "a line has no name of its own"),
        ("- = 2\n", 1, "a line has no name of its own"),
        ("`a = 2\n", 1, "a quoted name is not closed"),
        ("`a`b = 2\n", 1, "something stands between a quoted name and its value"),
        ("a = 1\nb = `x\n\n", 2, "a quoted value is not closed"),
        ("a = `x` y\n", 1, "what stands behind a closing quote or bracket would be lost"),
        ("[s] x\n", 1, "what stands behind a closing quote or bracket would be lost"),
        ("[sops]\n[sops]\n", 2, "the section `sops` comes again"),
        ("[sops]\na = 1\na = 2\n", 3, "`a` stands in the metadata twice"),
    ],
    ids=repr,
)
def test_what_go_ini_refuses_or_loses_is_refused(text: str, line: int, problem: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        ini.parse(text.encode())
    assert (caught.value.problem, caught.value.line) == (problem, line)


def test_other_encodings_are_refused() -> None:
    with pytest.raises(RepositoryError, match="UTF-16"):
        ini.parse("a = 1\n".encode("utf-16"))


def test_conflict_marks_in_a_sealed_text_are_damage() -> None:
    with pytest.raises(IntegrityError) as caught:
        ini.parse(b"a = ENC[AES256_GCM,data:x]\n<<<<<<< HEAD\n")
    assert caught.value.line == 2


def test_comments_come_behind_what_they_belong_to() -> None:
    parsed = ini.parse(
        b"; of a\n\n#  more\na = 1 ; and more\n[s] # of s\n;\nb = 2\n; ENC[AES256_GCM,x]\n;y\n"
        b"c = 3\n; end\n"
    )
    assert [
        (item.container, item.text, item.line) if isinstance(item, Comment) else item.path
        for item in parsed.tree
    ] == [
        ("DEFAULT", "a"),
        (("DEFAULT",), "of a\n#  more\n; and more", 1),
        (("s",), "of s", 5),
        ("s", "b"),
        (("s",), "", 6),
        ("s", "c"),
        (("s",), "ENC[AES256_GCM,x]", 8),
        (("s",), "y", 9),
        (("sops",), "end", 11),
    ]


def test_a_section_that_comes_again_is_sealed_only_where_all_readers_agree(
    real_sops: RealSops, now: datetime
) -> None:
    together = ini.parse(b"[s]\na = 1\n[s]\nb = 2\n")
    sealed = seal(together, [real_sops.recipient], now)
    assert open_text(ini.parse(sealed), real_sops.identity).leaves == _leaves(together)
    real_sops.decrypt(sealed, *_FROM, *_TO)
    for text in (b"[s]\na = 1\n[t]\nb = 1\n[s]\nc = 1\n", b"[s]\na = 1\n[s]\na = 2\n"):
        with pytest.raises(RepositoryError, match="the section 's' comes again"):
            seal(ini.parse(text), [real_sops.recipient], now)


def test_comments_choose_values_as_they_do_for_sops(real_sops: RealSops, now: datetime) -> None:
    text = b"; keep\na = 1\nb = 2\nc = 3\n"
    selection = parse_selection({SelectionKind.UNENCRYPTED_COMMENT_REGEX.value: "^keep"})
    ours = seal(ini.parse(text), [real_sops.recipient], now, selection)
    rule = ("--unencrypted-comment-regex", "^keep", "--age", real_sops.recipient.text)
    theirs = real_sops.run(*rule, *_FROM, *_TO, "-e", "document.yaml", content=text).stdout
    in_clear = [("a", b"1"), ("b", b"2"), ("c", b"3")]
    for sealed in (ours, theirs):
        leaves = [(path[1], content) for path, content in _leaves(ini.parse(sealed))]
        assert [one for one in in_clear if one in leaves] == [("b", b"2")]
    assert open_text(ini.parse(theirs), real_sops.identity).leaves == _leaves(ini.parse(text))


@pytest.mark.parametrize("width", ["escaped", "in three quotes"])
def test_metadata_are_read_as_every_release_writes_them(real_sops: RealSops, width: str) -> None:
    sealed = real_sops.encrypt(b"a = 1\n", *_FROM, *_TO).decode()
    if width == "in three quotes":
        lines = [
            line.replace("= ", '= """', 1).replace("\\n", "\n") + '"""' if "_enc " in line else line
            for line in sealed.split("\n")
        ]
        sealed = "\n".join(lines)
        assert '"""-----BEGIN AGE' in sealed
    assert plain(open_text(ini.parse(sealed.encode()), real_sops.identity)) == b"a = 1\n"


@given(value=VALUES)
def test_a_value_is_spelled_so_that_it_survives(value: str) -> None:
    assert ini.parse(f"a = {spell(value)}\nb = 1\n".encode()).tree[0].content == value.encode()


def test_a_value_that_no_quoting_holds_is_refused() -> None:
    with pytest.raises(RepositoryError, match="no quoting of INI holds this value"):
        spell('`\n"""\nx')


@pytest.mark.parametrize(
    ("text", "value", "after"),
    [
        ("a = 1\nb = 2\n", "x", "a = x\nb = 2\n"),
        ("a=1 ; c\n", "x y", "a=x y ; c\n"),
        ("a = 1 ; it`s\n", "x#y", 'a = """x#y""" ; it`s\n'),
        ("a =\n", "x", "a = x\n"),
        ("a=", "x", "a=x"),
        ("a = ; c\n", "x", "a = x ; c\n"),
        ("a = 1\n", "", "a = \n"),
        ("a = x\\\n  y\nb = 1\n", "z\\", 'a = "z\\"\nb = 1\n'),
        ("a = `x\ny`\nb = 1\n", "'q'", "a = \"'q'\"\nb = 1\n"),
        ("a = 1\r\n", "x\ny", "a = `x\ny`\r\n"),
    ],
    ids=repr,
)
def test_a_value_is_put_in_its_place(text: str, value: str, after: str) -> None:
    parsed = ini.parse(text.encode())
    leaf = parsed.tree[0]
    assert isinstance(leaf, Leaf)
    edit = parsed.respell_leaf(leaf, Scalar(LeafType.STR, value.encode()))
    assert parsed.apply([edit]) == after.encode()
    changed = ini.parse(after.encode())
    assert _leaves(changed) == [(leaf.path, value.encode()), *_leaves(parsed)[1:]]
    assert _comments(changed) == _comments(parsed)


@pytest.mark.parametrize(
    ("text", "path", "after"),
    [
        ("", "DEFAULT/n", "n = x\n"),
        ("[s]\na = 1\n", "DEFAULT/n", "n = x\n[s]\na = 1\n"),
        ("a=1\n[s]\n", "DEFAULT/n", "a=1\nn=x\n[s]\n"),
        ("[s]\nlong   = 1\nb      = 2", "s/n", "[s]\nlong   = 1\nb      = 2\nn      = x\n"),
        ("[s]\n\t`a=`:1\r\n", "s/n", "[s]\n\t`a=`:1\r\n\tn:x\n"),
        ("[s]\n\n[t]\n", "s/n", "[s]\nn = x\n\n[t]\n"),
        ("[s]\na = 1\n", "t/n", "[s]\na = 1\n\n[t]\nn = x\n"),
        (
            "[s]\na = 1\n\n; end\n[sops]\nmac = m\n",
            "t/n",
            "[s]\na = 1\n\n[t]\nn = x\n\n; end\n[sops]\nmac = m\n",
        ),
        ("; end\n[sops]\nmac = m\n", "t/n", "[t]\nn = x\n\n; end\n[sops]\nmac = m\n"),
        ("a = 1\r\n", "t/n=", "a = 1\r\n\r\n[t]\r\n`n=` = x\r\n"),
    ],
    ids=repr,
)
def test_a_new_value_stands_last_in_its_section(text: str, path: str, after: str) -> None:
    parsed = ini.parse(text.encode())
    edit = parsed.insert_leaf(tuple(path.split("/")), Scalar(LeafType.STR, b"x"))
    assert parsed.apply([edit]) == after.encode()


@pytest.mark.parametrize(
    "path",
    [
        ("a",),
        ("s", "t", "u"),
        ("s", 0),
        ("sops", "a"),
        ("", "a"),
        ("s\n", "a"),
        ("s", ""),
        ("s", "-"),
        ("s", "#a"),
        ("s", ";a"),
        ("s", "[a"),
        ("s", " a"),
        ("s", "a\nb"),
        ("s", '`"'),
        ("s", "`a="),
    ],
    ids=repr,
)
def test_a_place_that_does_not_read_back_is_refused(path: tuple[str | int, ...]) -> None:
    with pytest.raises(RepositoryError):
        ini.parse(b"a = 1\n").insert_leaf(path, Scalar(LeafType.STR, b"x"))


@pytest.mark.parametrize(
    ("path", "after"),
    [
        ("s/a", "; of s\n[s]\n; of b\nb = 2 ; more\n\n[t]\nc = 3\n"),
        ("s/b", "; of s\n[s]\n; of a\na = 1\n\n[t]\nc = 3\n"),
        ("t/c", "; of s\n[s]\n; of a\na = 1\n; of b\nb = 2 ; more\n\n"),
    ],
)
def test_a_value_goes_with_its_comment_and_an_empty_section(path: str, after: str) -> None:
    text = "; of s\n[s]\n; of a\na = 1\n; of b\nb = 2 ; more\n\n[t]\nc = 3\n"
    parsed = ini.parse(text.encode())
    assert parsed.apply([parsed.remove_leaf(tuple(path.split("/")))]) == after.encode()


def test_a_value_that_is_not_there_once_cannot_be_removed() -> None:
    parsed = ini.parse(b"a = 1\na = 2\n")
    with pytest.raises(RepositoryError, match="DEFAULT/x is not in the document"):
        parsed.remove_leaf(("DEFAULT", "x"))
    with pytest.raises(RepositoryError, match="DEFAULT/a stands in the document twice") as caught:
        parsed.remove_leaf(("DEFAULT", "a"))
    assert caught.value.line == 2


def test_only_metadata_that_changes_is_written() -> None:
    parsed = ini.parse(
        b"a = 1\n\n[sops]\nversion                    = 3.9.0\nkms = old\n"
        b'age__list_0__map_enc       = """e\n"""\nage__list_0__map_recipient = r\nmac = m'
    )
    stanzas = ({"recipient": "r", "enc": "e\n"}, {"recipient": "s", "enc": "f\n"})
    fields = {"age": stanzas, "mac": "n#", "version": "3.9.0"}
    assert parsed.apply(parsed.write_metadata(fields)).decode() == (
        "a = 1\n\n[sops]\nversion                    = 3.9.0\n"
        'age__list_0__map_enc       = """e\n"""\nage__list_0__map_recipient = r\n'
        "age__list_1__map_enc = f\\n\nage__list_1__map_recipient = s\nmac = `n#`"
    )
    assert parsed.apply(parsed.stamp_metadata({"mac": "n", "none": "x"})) == (
        parsed.text.removesuffix("m").encode() + b"n"
    )


def test_new_metadata_are_a_last_section() -> None:
    fields = {"version": "3.9.0", "mac": "m"}
    for text, head in ((b"", b""), (b"a = 1", b"a = 1\n\n"), (b"a = 1\n", b"a = 1\n\n")):
        parsed = ini.parse(text)
        written = parsed.apply(parsed.write_metadata(fields))
        assert written == head + b"[sops]\nmac     = m\nversion = 3.9.0\n"
        sealed = ini.parse(written)
        assert sealed.metadata == fields
        assert sealed.apply(sealed.cut_metadata()) == head.removesuffix(b"\n")


def test_metadata_between_sections_are_cut_out() -> None:
    parsed = ini.parse(b"[a]\nx = 1\n\n[sops]\nmac = m\n\n[b]\ny = 1\n")
    assert parsed.apply(parsed.cut_metadata()) == b"[a]\nx = 1\n\n[b]\ny = 1\n"
    assert [path for path, _ in _leaves(parsed)] == [("a", "x"), ("b", "y")]


def test_setting_one_value_changes_its_line_and_the_stamps(
    real_sops: RealSops, now: datetime
) -> None:
    text = b"; note\na = 1\n\n[s]\nb = 2\n; more\nc = 3\n"
    parsed = ini.parse(real_sops.encrypt(text, *_FROM, *_TO))
    opened = open_text(parsed, real_sops.identity)
    (leaf,) = (item for item in parsed.tree if isinstance(item, Leaf) and item.path == ("s", "b"))
    edit = parsed.respell_leaf(leaf, sealed_scalar(opened, ("s", "b"), b"new"))
    changed = restamped(opened, ini.parse(parsed.apply([edit])), now)

    assert real_sops.decrypt(changed, *_FROM, *_TO).rstrip() == text.rstrip().replace(b"2", b"new")
    before, after = parsed.text.split("\n"), changed.decode().split("\n")
    differing = [new.split(" ")[0] for old, new in zip(before, after, strict=True) if old != new]
    assert sorted(differing) == ["b", "lastmodified", "mac"]


def test_a_document_that_sops_changed_is_opened(real_sops: RealSops, now: datetime) -> None:
    sealed = seal(ini.parse(b"; c\na = 1\n[s]\nb = 2 ; d\n"), [real_sops.recipient], now)
    changed = real_sops.edit(sealed, "set", *_FROM, *_TO, "document.yaml", '["s"]["b"]', '"3"')
    opened = open_text(ini.parse(changed), real_sops.identity)
    assert plain(opened) == b"; c\na = 1\n\n[s]\n; d\nb = 3\n"


def _leaves(parsed: ini.IniText) -> list[tuple[tuple[str | int, ...], bytes]]:
    return [(item.path, item.content) for item in parsed.tree if isinstance(item, Leaf)]


def _comments(parsed: ini.IniText) -> list[tuple[tuple[str | int, ...], str]]:
    return [
        (item.container, item.text)
        for item in parsed.tree
        if isinstance(item, Comment) and item.text
    ]
