"""How hard a value is to guess that a declaration asks for."""

from math import log2

from nixsecrets.fleet.generator import Base64, Generator, Hex, Passphrase, Password

_FEWEST_SIGNS = 12
_FEWEST_WORDS = 5
_FEWEST_BITS = 64


def weak(generator: Generator) -> str | None:
    """Say what is weak about what a generator makes, a clause; None: nothing."""
    match generator:
        case Password(length, signs) if length < _FEWEST_SIGNS:
            return f"a password of {length} signs, which are fewer than {_FEWEST_SIGNS}"
        case Password(length, signs) if (bits := length * log2(len(signs))) < _FEWEST_BITS:
            return f"a password of {length} out of {len(signs)} signs: {bits:.0f} bits"
        case Passphrase(words) if words < _FEWEST_WORDS:
            return f"a passphrase of {words} words, which are fewer than {_FEWEST_WORDS}"
        case Hex(length_bytes) | Base64(length_bytes) if 8 * length_bytes < _FEWEST_BITS:
            return f"{length_bytes} random bytes, which are fewer than {_FEWEST_BITS // 8}"
        case _:
            return None
