import string
from base64 import b64decode
from uuid import UUID

import pytest

from nixsecrets.generators import passwords
from nixsecrets.plaintext import Plaintext


@pytest.mark.parametrize("length", [1, 32, 64])
def test_a_password_is_letters_and_digits_of_the_length_asked_for(length: int) -> None:
    value = passwords.password(length).reveal().decode("ascii")
    assert len(value) == length
    assert set(value) <= set(string.ascii_letters + string.digits)


def test_a_password_has_32_characters_and_never_comes_twice() -> None:
    values = {passwords.password().reveal() for _ in range(100)}
    assert len(values) == 100
    assert {len(value) for value in values} == {32}


def test_every_letter_and_digit_comes() -> None:
    drawn = passwords.password(5000).reveal().decode("ascii")
    assert set(drawn) == set(string.ascii_letters + string.digits)


def test_a_password_does_not_print_itself() -> None:
    value = passwords.password()
    assert value.reveal().decode() not in f"{value!r} {value}"


def test_a_password_is_drawn_from_the_signs_asked_for() -> None:
    assert set(passwords.password(500, "aé!").reveal().decode()) == set("aé!")


def test_each_draw_is_one_sign() -> None:
    drawn = iter([2, 0, 1])
    assert passwords._password(3, "abc", lambda _below: next(drawn)) == Plaintext(b"cab")


def test_random_bytes_are_as_many_as_asked_for() -> None:
    assert len(bytes.fromhex(passwords.hexadecimal(20).reveal().decode())) == 20
    assert len(b64decode(passwords.base64(20).reveal(), validate=True)) == 20
    assert passwords.hexadecimal(20) != passwords.hexadecimal(20)


def test_a_uuid_is_random_and_says_so() -> None:
    value = passwords.uuid().reveal().decode()
    assert (str(UUID(value)), UUID(value).version) == (value, 4)
    assert passwords._uuid(bytes(16)) == Plaintext(b"00000000-0000-4000-8000-000000000000")
