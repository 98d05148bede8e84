"""Values that nobody has to think up."""

import secrets
import string

from nixsecrets.plaintext import Plaintext

PASSWORD_LENGTH = 32
_LETTERS_AND_DIGITS = string.ascii_letters + string.digits


def password(length: int = PASSWORD_LENGTH) -> Plaintext:
    """Return letters and digits, each drawn evenly by the operating system's randomness."""
    return Plaintext("".join(secrets.choice(_LETTERS_AND_DIGITS) for _ in range(length)).encode())
