"""A document's values as a program is given them, held against `sops exec-env`."""

from datetime import datetime
from pathlib import PurePosixPath

import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops.document import OpenDocument, open_data_key, open_document, parse
from nixsecrets.sops.environment import environment, files, values
from nixsecrets.sops.sealing import Terms, seal
from nixsecrets.sops.stores.formats import Format
from tests.sops.real import RealSops, make_identity

EVERY_TYPE = rb"""
int: 1
negative: -42
float: 1.0
large: 1e21
million: 1000000.0
below: 100000.0
long: 123456.789
small: 0.00001
smaller: 0.0001
nan: .nan
infinite: -.inf
zero: -0.0
yes: true
no: false
date: 2024-01-02
time: 2024-01-02T03:04:05.678+02:00
text: "a b=c\t\u00fc"
lines: |
  a
  b
empty: ""
bytes: !!binary /wBhYg==
quoted: "1.0"
"""


def opened(content: bytes, form: Format = Format.YAML) -> OpenDocument:
    identity, _ = make_identity()
    now = datetime.fromisoformat("2024-05-06T07:08:09+00:00")
    sealed = seal(Plaintext(content), [identity.recipient], now, Terms(form))
    document = parse(sealed, form)
    return open_document(document, open_data_key(document, [identity]))


def shown(content: bytes, form: Format = Format.YAML) -> dict[str, bytes]:
    found = environment(values(opened(content, form)))
    return {name: value.reveal() for name, value in found.items()}


def by_sops(real_sops: RealSops, sealed: bytes) -> dict[str, bytes]:
    """Return the environment that the real program makes, without what its shell adds."""
    arguments = ("exec-env", "--pristine", real_sops.file.name, "/usr/bin/env -0")
    told = real_sops.output(*arguments, content=sealed)
    pairs = (entry.partition(b"=") for entry in told.split(b"\0") if entry)
    return {name.decode(): value for name, _, value in pairs if name not in (b"PWD", b"_")}


def test_every_type_becomes_the_text_that_sops_makes_of_it(real_sops: RealSops) -> None:
    content = EVERY_TYPE.replace(b"/wBhYg==", b"/2Fi")  # without a NUL, which none can hold
    sealed = real_sops.encrypt(content)
    document = parse(sealed)
    ours = environment(
        values(open_document(document, open_data_key(document, [real_sops.identity])))
    )
    theirs = by_sops(real_sops, sealed)
    assert {name: value.reveal() for name, value in ours.items()} == theirs
    assert len(theirs) == 21


def test_null_is_no_variable_where_sops_spells_it(real_sops: RealSops) -> None:
    assert by_sops(real_sops, real_sops.encrypt(b"a: null\nb: 1\n"))["a"] == b"<nil>"
    assert shown(b"a: null\nb: 1\n") == {"b": b"1"}


def test_the_first_document_of_a_stream_is_meant(real_sops: RealSops) -> None:
    sealed = real_sops.encrypt(b"a: 1\n---\nb: 2\n")
    document = parse(sealed)
    found = values(open_document(document, open_data_key(document, [real_sops.identity])))
    assert [value.path for value in found] == [("a",)]
    assert by_sops(real_sops, sealed) == {"a": b"1"}


@pytest.mark.parametrize(
    ("content", "form", "found"),
    [
        (b'{"a": 1, "b": 1.5, "c": "x"}', Format.JSON, {"a": b"1", "b": b"1.5", "c": b"x"}),
        (b"A=1\n# note\nB=x\\ny\n", Format.DOTENV, {"A": b"1", "B": b"x\ny"}),
        (b"\xffall of it\n", Format.BINARY, {"data": b"\xffall of it\n"}),
    ],
    ids=["json", "dotenv", "binary"],
)
def test_every_flat_format_has_variables(
    content: bytes, form: Format, found: dict[str, bytes]
) -> None:
    assert shown(content, form) == found


@pytest.mark.parametrize(
    ("content", "problem", "line"),
    [
        (b"b: 1\na:\n  c: 1\n", "a is a mapping or a list, which no variable can hold", 3),
        (b"a: [1]\n", "a is a mapping or a list, which no variable can hold", 1),
        (b"a: {}\n", "a is a mapping or a list, which no variable can hold", 1),
        (b"a: []\n", "a is a mapping or a list, which no variable can hold", 1),
        (b"a=b: 1\n", "'a=b' cannot be a variable's name", 1),
        (b'"": 1\n', "'' cannot be a variable's name", 1),
        (b'"a\\0b": 1\n', r"'a\x00b' cannot be a variable's name", 1),
        (b'a: "x\\0y"\n', "the value of a holds a NUL, which no variable can", 1),
    ],
)
def test_what_no_environment_can_hold_is_refused(content: bytes, problem: str, line: int) -> None:
    with pytest.raises(RepositoryError) as caught:
        shown(content)
    assert (caught.value.problem, caught.value.line) == (problem, line)


def test_a_name_that_stands_there_twice_is_refused() -> None:
    with pytest.raises(RepositoryError, match="A stands there twice"):
        shown(b"A=1\nA=2\n", Format.DOTENV)


def test_files_stand_in_folders_for_mappings_and_lists() -> None:
    content = b'a:\n  b: 1.0\n  c: [x, [y]]\nnone: null\nempty: {}\nd: "x\\0"\n'
    found = files(values(opened(content)))
    assert {str(path): value.reveal() for path, value in found.items()} == {
        "a/b": b"1.0",
        "a/c/0": b"x",
        "a/c/1/0": b"y",
        "d": b"x\0",
    }


def test_sections_are_folders() -> None:
    found = files(values(opened(b"[s]\na = 1\n", Format.INI)))
    assert dict(found) == {PurePosixPath("s/a"): Plaintext(b"1")}


@pytest.mark.parametrize("name", ["..", ".", "a/b", "/etc", "", r"a\0b"])
def test_a_name_that_would_be_another_path_is_refused(name: str) -> None:
    with pytest.raises(RepositoryError, match="cannot be a file's name"):
        files(values(opened(f'a: {{"{name}": 1}}\n'.encode())))


def test_a_file_that_stands_there_twice_is_refused() -> None:
    with pytest.raises(RepositoryError, match="A stands there twice"):
        files(values(opened(b"A=1\nA=2\n", Format.DOTENV)))
