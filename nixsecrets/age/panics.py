"""Panics of pyrage: how Rust fails where nobody expected it, past every `except Exception`."""

from collections.abc import Iterator
from contextlib import contextmanager

from nixsecrets.errors import NixsecretsError

_PANIC = "PanicException"  # pyo3_runtime's; nothing exports it


@contextmanager
def panics_as(refusal: NixsecretsError) -> Iterator[None]:
    """Raise `refusal` where Rust panics; it has written a line to stderr by then."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ == _PANIC:
            raise refusal from None
        raise
