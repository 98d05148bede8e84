"""Words that people can type."""

import secrets
from collections.abc import Callable
from functools import cache
from importlib.resources import files

from nixsecrets.plaintext import Plaintext


def passphrase(words: int, separator: str) -> Plaintext:
    """Return words, each drawn evenly from the EFF's long list."""
    return _passphrase(words, separator, secrets.randbelow)


@cache
def word_list() -> tuple[str, ...]:
    """Return the EFF's long list of 7776 words without the four that have a hyphen."""
    listed = files("xkcdpass").joinpath("static/eff-long").read_text("ascii").split()
    return tuple(word for word in listed if word.isalpha())


def _passphrase(words: int, separator: str, below: Callable[[int], int]) -> Plaintext:
    known = word_list()
    return Plaintext(separator.join(known[below(len(known))] for _ in range(words)).encode())
