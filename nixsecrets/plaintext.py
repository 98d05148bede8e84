"""A secret value that does not print itself."""

import hmac
from typing import NoReturn, final

from nixsecrets.override import override


@final
class Plaintext:
    """The bytes of a value, shown only where `reveal` is called.

    Not a dataclass: a test report prints a dataclass's fields even with `repr=False`.
    """

    __slots__ = ("_content",)
    __hash__ = None  # type: ignore[assignment]  # equal values must not meet in a dict or a set

    def __init__(self, content: bytes) -> None:
        self._content = content

    def reveal(self) -> bytes:
        return self._content

    def __len__(self) -> int:
        return len(self._content)

    def __bool__(self) -> bool:
        return bool(self._content)

    @override
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Plaintext):
            return NotImplemented
        return hmac.compare_digest(self._content, other._content)

    @override
    def __repr__(self) -> str:
        return "Plaintext(…)"

    @override
    def __reduce__(self) -> NoReturn:
        raise TypeError("a Plaintext is not pickled")
