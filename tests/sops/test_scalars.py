"""The canonical bytes of values."""

import pytest

from nixsecrets.errors import IntegrityError
from nixsecrets.sops.scalars import canonical, canonical_time, float_bytes
from nixsecrets.sops.tree import LeafType


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, b"1"),
        (1e10, b"10000000000"),
        (1e21, b"1" + b"0" * 21),
        (1e-7, b"0.0000001"),
        (0.1, b"0.1"),
        (123456.789, b"123456.789"),
        (-0.0, b"-0"),
        (5e-324, b"0." + b"0" * 323 + b"5"),
        (1.7976931348623157e308, b"17976931348623157" + b"0" * 292),
        (float("inf"), b"+Inf"),
        (float("-inf"), b"-Inf"),
        (float("nan"), b"NaN"),
    ],
    ids=str,
)
def test_a_float_has_its_shortest_digits_and_no_exponent(number: float, text: bytes) -> None:
    assert float_bytes(number) == text


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        (LeafType.STR, b"\xff\n", b"\xff\n"),
        (LeafType.BYTES, b"\x00", b"\x00"),
        (LeafType.INT, b"042", b"42"),
        (LeafType.INT, b"+5", b"5"),
        (LeafType.INT, b"-0", b"0"),
        (LeafType.INT, b"-9223372036854775808", b"-9223372036854775808"),
        (LeafType.FLOAT, b"1e3", b"1000"),
        (LeafType.FLOAT, b".5", b"0.5"),
        (LeafType.FLOAT, b"inf", b"+Inf"),
        (LeafType.FLOAT, b"0x1p-2", b"0.25"),
        (LeafType.BOOL, b"True", b"True"),
        (LeafType.BOOL, b"t", b"True"),
        (LeafType.BOOL, b"0", b"False"),
        (LeafType.TIME, b"2024-05-06T07:08:09Z", b"2024-05-06T07:08:09Z"),
        (LeafType.TIME, b"2024-05-06T07:08:09.500+02:00", b"2024-05-06T07:08:09.5+02:00"),
    ],
    ids=str,
)
def test_an_opened_value_is_brought_to_one_spelling(
    kind: LeafType, content: bytes, expected: bytes
) -> None:
    assert canonical(kind, content) == expected


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (LeafType.INT, b""),
        (LeafType.INT, b" 1"),
        (LeafType.INT, b"0x10"),
        (LeafType.INT, b"1_000"),
        (LeafType.INT, b"9223372036854775808"),
        (LeafType.INT, b"9" * 5000),
        (LeafType.FLOAT, b"1e999"),
        (LeafType.FLOAT, b"one"),
        (LeafType.FLOAT, b"0x1"),
        (LeafType.FLOAT, b"0xp1"),
        (LeafType.FLOAT, b"0x1p99999"),
        (LeafType.BOOL, b"yes"),
        (LeafType.TIME, b"2024-05-06"),
        (LeafType.TIME, b"\xff"),
    ],
    ids=lambda part: str(part)[:20],
)
def test_what_is_no_value_of_its_type_is_damage(kind: LeafType, content: bytes) -> None:
    with pytest.raises(IntegrityError, match=f"an opened value is no {kind.value}"):
        canonical(kind, content)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09Z"),
        ("2024-05-06T07:08:09+00:00", "2024-05-06T07:08:09Z"),
        ("2024-05-06T07:08:09.1200Z", "2024-05-06T07:08:09.12Z"),
        ("2024-05-06T07:08:09.1234567891Z", "2024-05-06T07:08:09.123456789Z"),
        ("2024-05-06T07:08:09-03:30", "2024-05-06T07:08:09-03:30"),
        ("2024-05-06 07:08:09Z", None),
        ("2024-05-06T07:08:09", None),
        ("", None),
    ],
)
def test_an_instant_is_printed_as_go_prints_it(text: str, expected: str | None) -> None:
    assert canonical_time(text) == expected
