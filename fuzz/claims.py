"""What is claimed of every parser, whatever its input."""

from collections.abc import Callable

from nixsecrets.errors import NixsecretsError

Target = Callable[[bytes], None]

_LONGEST_ERROR = 800  # characters, the hint included


class BrokenClaimError(Exception):
    """A claim does not hold for an input."""


def claim(words: str, *, holds: bool) -> None:
    if not holds:
        raise BrokenClaimError(words)


def attempt(target: Target, content: bytes) -> None:
    """Run a target; an input is taken, or refused in few words, and nothing else ends it.

    Raises:
        BrokenClaimError: a claim does not hold; any other exception says the same.
    """
    try:
        target(content)
    except NixsecretsError as error:
        claim("an error is short", holds=len(f"{error}{error.hint or ''}") <= _LONGEST_ERROR)
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # of pyo3; atheris saves no input for it
            raise BrokenClaimError(f"Rust panics: {error}") from error
        raise


def claim_silence(error: NixsecretsError, secret: str) -> None:
    """Claim that an error quotes nothing of a text that may hold an identity."""
    said = f"{error} {error.hint or ''}"
    quoted = (secret[start : start + _QUOTE] for start in range(len(secret) - _QUOTE + 1))
    claim("an error quotes no identity", holds=not any(part in said for part in quoted))


_QUOTE = 20
"""Characters that, found in an error, can hardly stand there by chance."""
