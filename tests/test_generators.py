import string

import pytest

from nixsecrets import generators


@pytest.mark.parametrize("length", [1, 32, 64])
def test_a_password_is_letters_and_digits_of_the_length_asked_for(length: int) -> None:
    value = generators.password(length).reveal().decode("ascii")
    assert len(value) == length
    assert set(value) <= set(string.ascii_letters + string.digits)


def test_a_password_has_32_characters_and_never_comes_twice() -> None:
    values = {generators.password().reveal() for _ in range(100)}
    assert len(values) == 100
    assert {len(value) for value in values} == {32}


def test_every_letter_and_digit_comes() -> None:
    drawn = generators.password(5000).reveal().decode("ascii")
    assert set(drawn) == set(string.ascii_letters + string.digits)


def test_a_password_does_not_print_itself() -> None:
    value = generators.password()
    assert value.reveal().decode() not in f"{value!r} {value}"
