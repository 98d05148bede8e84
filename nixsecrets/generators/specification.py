"""A declaration's generator in one spelling, and the digest that tells when it has changed."""

import json
from enum import Enum
from hashlib import sha256

from nixsecrets.fleet.generator import Generator


def spec_of(generator: Generator | None) -> str:
    """Return the sha256, in hex, of what is asked for; of no value.

    What is left out in the manifest counts as what it means, so that writing a default down
    changes nothing. None: a value that is set by hand.
    """
    spelled = generator._asdict() if generator else None
    text = json.dumps(spelled, default=_plain, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    raise TypeError(f"{type(value).__name__} has no spelling")
