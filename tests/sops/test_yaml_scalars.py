"""Which type a YAML scalar has."""

import json
import re

import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.stores import yaml
from nixsecrets.sops.stores.yaml_scalars import resolve, resolve_plain
from nixsecrets.sops.tree import Empty, Leaf, LeafType
from tests.sops.real import RealSops
from tests.sops.spellings import TYPED

PLAIN: tuple[tuple[str, LeafType | Empty, bytes], ...] = (
    ("", Empty.NULL, b""),
    ("~", Empty.NULL, b""),
    ("Null", Empty.NULL, b""),
    ("TRUE", LeafType.BOOL, b"True"),
    ("false", LeafType.BOOL, b"False"),
    (".nan", LeafType.FLOAT, b"NaN"),
    ("+.inf", LeafType.FLOAT, b"+Inf"),
    ("-.Inf", LeafType.FLOAT, b"-Inf"),
    (".5_0", LeafType.FLOAT, b"0.5"),
    (".5e3", LeafType.FLOAT, b"500"),
    ("0777", LeafType.INT, b"511"),
    ("0O17", LeafType.INT, b"15"),
    ("-0b11", LeafType.INT, b"-3"),
    ("+0X1f", LeafType.INT, b"31"),
    ("08", LeafType.FLOAT, b"8"),
    ("9_223_372_036_854_775_807", LeafType.INT, b"9223372036854775807"),
    ("1.", LeafType.FLOAT, b"1"),
    ("1e+10", LeafType.FLOAT, b"10000000000"),
    ("+1.5", LeafType.FLOAT, b"1.5"),
    ("2001-1-2", LeafType.TIME, b"2001-01-02T00:00:00Z"),
    ("2001-12-14 21:59:43.10", LeafType.TIME, b"2001-12-14T21:59:43.1Z"),
    ("2001-12-14   1:2:3", LeafType.TIME, b"2001-12-14T01:02:03Z"),
    ("2001-12-14T21:59:43,5-05:00", LeafType.TIME, b"2001-12-14T21:59:43.5-05:00"),
    ("0000-01-01", LeafType.TIME, b"0000-01-01T00:00:00Z"),
)
STRINGS = (
    "yes",
    "no",
    "on",
    "y",
    "nULL",
    ".Nan",
    "<<",
    "1:30",
    "12:30:45",
    "=",
    "0o8",
    "1_000x",
    "1e400",
    "2001-02-29",
    "2001-13-01",
    "2001-12-14t21:59:43z",
    "2001-12-14T21:59:43",
    "01-02-03",
    "2001-12-14 24:00:00",
    "2001-12-14T21:59:43+0100",
    "2001-12-14T21:59:43+25:00",
    "0x",
    "0b2",
    "+",
    "-",
    ".",
    "..",
    "._5",
    "1e",
    "e1",
    "1_e",
    "Infinity",
    "٣",
    "1" * 5000 + "x",
)


@pytest.mark.parametrize(("text", "kind", "content"), PLAIN, ids=lambda part: str(part)[:30])
def test_a_plain_scalar_has_the_type_that_go_finds(
    text: str, kind: LeafType | Empty, content: bytes
) -> None:
    assert resolve_plain(text) == (kind, content)


@pytest.mark.parametrize("text", STRINGS, ids=lambda text: text[:30])
def test_every_other_plain_scalar_is_a_string(text: str) -> None:
    assert resolve_plain(text) == (LeafType.STR, text.encode())


def test_an_integer_beyond_64_bits_is_a_float() -> None:
    assert resolve_plain("18446744073709551616") == (LeafType.FLOAT, b"18446744073709552000")
    assert resolve_plain("1" + "0" * 100)[0] is LeafType.FLOAT
    assert resolve_plain("1" * 5000)[0] is LeafType.STR


@pytest.mark.parametrize("text", ["9223372036854775808", "0xFFFFFFFFFFFFFFFF"])
def test_an_integer_that_sops_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(RepositoryError, match="does not fit the format"):
        resolve_plain(text)


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("int", "1.0"),
        ("float", "abc"),
        ("bool", "yes"),
        ("null", "x"),
        ("binary", "aGVs bG8="),
        ("binary", "ÿYQ=="),
    ],
)
def test_a_tag_that_the_text_does_not_fit_is_refused(tag: str, text: str) -> None:
    with pytest.raises(RepositoryError):
        resolve(text, plain=True, tag=f"tag:yaml.org,2002:{tag}")


def test_types_and_values_are_those_of_the_real_sops(real_sops: RealSops) -> None:
    spellings = _all_spellings()
    content = "".join(f"k{n}: {spelled}\n" for n, spelled in enumerate(spellings)).encode()

    sealed = real_sops.encrypt(content).decode()
    theirs = [
        found[1] if (found := re.search(r"type:([a-z]+)\]", line)) else line.partition(": ")[2]
        for line in sealed.splitlines()
        if re.match(r"k\d+:", line)
    ]

    ours = [leaf for leaf in yaml.parse(content).tree if isinstance(leaf, Leaf)]
    expected = [
        '""' if not isinstance(one.kind, Empty) and not one.content else one.kind.value
        for one in ours
    ]
    assert dict(zip(spellings, theirs, strict=True)) == dict(zip(spellings, expected, strict=True))
    finite = [n for n, one in enumerate(ours) if one.content not in (b"NaN", b"+Inf", b"-Inf")]
    content = "".join(f"k{n}: {spellings[n]}\n" for n in finite).encode()
    clear = real_sops.decrypt(real_sops.encrypt(content), "--output-type", "json")
    values = json.loads(clear, parse_int=float)
    assert {n: values[f"k{n}"] for n in finite} == {n: _as_json(ours[n]) for n in finite}


def _all_spellings() -> list[str]:
    plain = [text for text in STRINGS if text != "-"]
    return list(dict.fromkeys([*(row[0] for row in PLAIN), *plain, *(row[0] for row in TYPED)]))


def _as_json(leaf: Leaf) -> object:
    match leaf.kind:
        case Empty():
            return None
        case LeafType.INT | LeafType.FLOAT:
            return float(leaf.content)
        case LeafType.BOOL:
            return leaf.content == b"True"
        case _:
            return leaf.content.decode("utf-8", "replace")
