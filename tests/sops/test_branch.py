"""Whole branches of a document: what stays keeps its ciphertext, and sops opens what comes out."""

import json
from datetime import datetime

import pytest

from nixsecrets.errors import RepositoryError, UsageError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import branch, document, sealing
from nixsecrets.sops.branch import find_branch, fitted, parse_json, remove_branch, set_branch
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.keypath import parse_key_path, spell_key_path
from nixsecrets.sops.sealing import Terms
from nixsecrets.sops.stores.formats import Format
from nixsecrets.sops.tree import KeyPath
from tests.sops.real import RealSops

YAML = b"# head\na:\n    b: x\n    l:\n        - 1\n        - k: v\n        - two\nc: y\ne: {}\n"
JSON = b'{"a": {"b": "x", "l": [1, {"k": "v"}, "two"]}, "c": "y", "e": {}}'
TEXTS = {
    Format.YAML: YAML,
    Format.JSON: JSON,
    Format.DOTENV: b"# head\na=x\nc=y\n",
    Format.INI: b"[a]\n; about b\nb = x\nd = z\n\n[c]\ne = y\n",
}


def opened(real_sops: RealSops, sealed: bytes, form: Format) -> OpenDocument:
    known = document.parse(sealed, form)
    return document.open_document(known, document.open_data_key(known, [real_sops.identity]))


def made(real_sops: RealSops, now: datetime, form: Format) -> OpenDocument:
    sealed = sealing.seal(Plaintext(TEXTS[form]), [real_sops.recipient], now, Terms(form))
    return opened(real_sops, sealed, form)


def read(real_sops: RealSops, content: bytes, form: Format) -> object:
    types = ("--input-type", form.value, "--output-type", "json")
    return json.loads(real_sops.decrypt(content, *types))


def ciphertexts(content: bytes, form: Format) -> dict[str, bytes]:
    """Return what stands where, list positions left out."""
    tree = document.parse(content, form).text.tree
    return {
        "/".join(step for step in item.path if isinstance(step, str)): item.content
        for item in tree
        if hasattr(item, "path")
    }


@pytest.mark.parametrize("form", [Format.YAML, Format.JSON], ids=lambda form: form.value)
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ('["a"]["b"]', '"new"'),
        ('["a"]["b"]', "7"),
        ('["a"]["b"]', '{"x": {"y": [1, 2.5, null, true]}}'),
        ('["a"]["l"][3]', '"appended"'),
        ('["a"]["l"][3]', '{"k": 1, "m": ["x"]}'),
        ('["a"]["l"][0]', '["inner", {"k": 2}]'),
        ('["new"]["deep"][0]["k"]', "false"),
        ('["c"]', '["x", "y"]'),
        ('["e"]["f"]', '{"g": "h"}'),
    ],
)
def test_what_is_set_is_what_sops_sets(
    real_sops: RealSops, now: datetime, form: Format, path: str, text: str
) -> None:
    known = made(real_sops, now, form)
    ours = set_branch(known, parse_key_path(path), parse_json(Plaintext(text.encode())), now)
    found = read(real_sops, ours, form)
    assert found == _changed(json.loads(JSON), parse_key_path(path), json.loads(text))
    before = sealing.seal(Plaintext(TEXTS[form]), [real_sops.recipient], now, Terms(form))
    if not text.startswith("["):  # sops refuses a bare list
        types = ("--input-type", form.value, "--output-type", form.value)
        theirs = real_sops.edit(before, "set", *types, real_sops.file.name, path, text)
        assert read(real_sops, theirs, form) == found
    untouched = {"a/l/k", "c", "a/b"} - {"/".join(map(str, parse_key_path(path)))}
    here, there = ciphertexts(known.document.text.apply([]), form), ciphertexts(ours, form)
    for name in untouched - {"a/l/k"}:
        assert here[name] == there[name]


def _changed(tree: object, path: KeyPath, value: object) -> object:
    step, rest = path[0], path[1:]
    inner = value
    if isinstance(step, int):
        items = list(tree) if isinstance(tree, list) else []
        if rest:
            inner = _changed(items[step] if step < len(items) else None, rest, value)
        return [*items[:step], inner, *items[step + 1 :]]
    entries = dict(tree) if isinstance(tree, dict) else {}
    if rest:
        inner = _changed(entries.get(step), rest, value)
    return {**entries, step: inner}


@pytest.mark.parametrize(
    ("form", "path"),
    [
        *((form, path) for form in (Format.YAML, Format.JSON) for path in (
            '["a"]["b"]', '["a"]["l"][0]', '["a"]["l"][1]', '["a"]["l"][2]', '["a"]["l"]', '["a"]',
            '["e"]',
        )),
        (Format.DOTENV, '["a"]'),
        (Format.INI, '["a"]["b"]'),
        (Format.INI, '["a"]'),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_unset_is_what_sops_unsets(
    real_sops: RealSops, now: datetime, form: Format, path: str
) -> None:
    known = made(real_sops, now, form)
    before = known.document.text.apply([])
    ours = remove_branch(known, parse_key_path(path), now)
    types = ("--input-type", form.value, "--output-type", form.value)
    theirs = real_sops.edit(before, "unset", *types, real_sops.file.name, path)
    assert read(real_sops, ours, form) == read(real_sops, theirs, form)
    here, there = ciphertexts(before, form), ciphertexts(ours, form)
    if form is not Format.DOTENV:
        assert all(here[name] == content for name, content in there.items() if name != "a/l")


@pytest.mark.parametrize("form", [Format.DOTENV, Format.INI], ids=lambda form: form.value)
@pytest.mark.parametrize(("text", "shown"), [("true", "true"), ("1.0", "1.0"), ("7", "7")])
def test_flat_formats_hold_texts(
    real_sops: RealSops, now: datetime, form: Format, text: str, shown: str
) -> None:
    known = made(real_sops, now, form)
    path = parse_key_path('["c"]' if form is Format.DOTENV else '["c"]["e"]')
    values = fitted(parse_json(Plaintext(text.encode())), form)
    ours = set_branch(known, path, values, now)
    found = read(real_sops, ours, form)
    assert shown in json.dumps(found)
    for odd in ("null", "{}", "[]"):
        with pytest.raises(RepositoryError):
            fitted(parse_json(Plaintext(odd.encode())), form)


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ('["c"]["d"]', '{"x": 1}', "c is a value: nothing can stand below it"),
        ('["a"]["l"][9]', "1", "a/l/9 is not the next item of a list: 3 is"),
        ('["a"]["l"]["x"]', "1", "a/l is a list: a/l/x cannot stand below it"),
        ('["a"][0]', "1", "a is a mapping: a/0 cannot stand below it"),
        ('["a"]', "1", "a is a mapping or a list, not a value"),
        ('["a"]["l"][1]', '{"x": 1}', '["a"]["l"][1] is an item of a list that holds values'),
    ],
)
def test_what_cannot_stand_there_is_refused(
    real_sops: RealSops, now: datetime, path: str, text: str, problem: str
) -> None:
    known = made(real_sops, now, Format.YAML)
    with pytest.raises(RepositoryError) as caught:
        set_branch(known, parse_key_path(path), parse_json(Plaintext(text.encode())), now)
    assert caught.value.problem == problem


@pytest.mark.parametrize(
    "text", ["", "x", "{", "1 2", '1, "b": 2', "1} ", '{"a": 1, "a": 2}', "NaN", "[1,]", "\ufeff1"]
)
def test_what_is_no_json_is_refused_and_not_told(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_json(Plaintext(text.encode()))
    assert caught.value.problem.startswith("the value is ")
    assert len(caught.value.problem) < 40


def test_a_branch_is_found_with_its_types(real_sops: RealSops, now: datetime) -> None:
    known = made(real_sops, now, Format.YAML)
    found = find_branch(known, ("a", "l"))
    assert [(spell_key_path(one.path), one.kind.value, one.value.reveal()) for one in found] == [
        ("[0]", "int", b"1"),
        ('[1]["k"]', "str", b"v"),
        ("[2]", "str", b"two"),
    ]
    assert find_branch(known, ("zz",)) == ()
    assert branch.has_branch(known.document, ("a",))
    assert not branch.has_branch(known.document, ("a", "b", "c"))
