from datetime import date

import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.address import parse_argument
from nixsecrets.fleet.lockfile import Entry, parse_lock, with_entries
from nixsecrets.fleet.model import Address

B, A = "shared:b", "admins:a"
EARLY, LATE = Entry(date(2030, 1, 2), "ab"), Entry(date(2031, 12, 31), "cd")


def address(text: str) -> Address:
    parsed = parse_argument(text)
    assert isinstance(parsed, Address)
    return parsed


def test_each_value_has_a_line_and_they_are_sorted() -> None:
    content = with_entries(with_entries(None, {address(B): EARLY}), {address(A): LATE})
    assert content.decode() == (
        "{\n"
        '  "admins:a": {"changed": "2031-12-31", "spec": "cd"},\n'
        '  "shared:b": {"changed": "2030-01-02", "spec": "ab"}\n'
        "}\n"
    )
    assert parse_lock(content) == {A: LATE, B: EARLY}


def test_a_later_entry_takes_the_place_of_the_earlier() -> None:
    content = with_entries(with_entries(None, {address(A): EARLY}), {address(A): LATE})
    assert parse_lock(content) == {A: LATE}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"<<<<<<< ours\n", "nixsecrets.lock.json is not as nixsecrets writes it: it is no JSON"),
        (b"\xff", "nixsecrets.lock.json is not as nixsecrets writes it: it is no JSON"),
        (b"[]", "nixsecrets.lock.json is not as nixsecrets writes it"),
        (b'{"a": 1}', "nixsecrets.lock.json is not as nixsecrets writes it, of a"),
        (
            b'{"a": {"changed": "2030-01-02", "spec": "x", "more": 1}}',
            "nixsecrets.lock.json is not as nixsecrets writes it, of a",
        ),
        (
            b'{"a": {"changed": "2030-13-02", "spec": "x"}}',
            "nixsecrets.lock.json is not as nixsecrets writes it: '2030-13-02' is no date, of a",
        ),
    ],
    ids=["conflict", "bytes", "list", "number", "more", "month"],
)
def test_what_nixsecrets_has_not_written_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        parse_lock(content)
    assert caught.value.problem == problem
