"""`typing.override`, which Python 3.11 does not have; `typing_extensions` is too slow to load."""

import sys
from typing import TYPE_CHECKING

__all__ = ["override"]

if sys.version_info >= (3, 12):
    from typing import override
elif TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method: object) -> object:
        return method
