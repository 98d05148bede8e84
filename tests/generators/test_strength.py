import pytest

from nixsecrets.fleet.generator import Base64, Generator, Hex, Passphrase, Password, Prompt, Uuid
from nixsecrets.generators.strength import weak


@pytest.mark.parametrize(
    ("generator", "words"),
    [
        (Password(), None),
        (Password(12), None),
        (Password(11), "a password of 11 signs, which are fewer than 12"),
        (Password(12, "0123456789"), "a password of 12 out of 10 signs: 40 bits"),
        (Password(20, "0123456789"), None),
        (Passphrase(), None),
        (Passphrase(5), None),
        (Passphrase(4), "a passphrase of 4 words, which are fewer than 5"),
        (Hex(8), None),
        (Hex(7), "7 random bytes, which are fewer than 8"),
        (Base64(1), "1 random bytes, which are fewer than 8"),
        (Uuid(), None),
        (Prompt(), None),
    ],
)
def test_what_is_easy_to_guess_is_weak(generator: Generator, words: str | None) -> None:
    assert weak(generator) == words
