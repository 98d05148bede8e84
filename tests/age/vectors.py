"""The published vectors of the age format (C2SP/CCTV), read from outside of the project.

`NIXSECRETS_CCTV` names a JSON file: `{"vectors": [{"name", "expect", "about", "content" (base64),
"identities", "file key" (hexadecimal), "payload" (SHA-256)}]}`.
"""

import json
import os
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path

import pytest

_VARIABLE = "NIXSECRETS_CCTV"


@dataclass(frozen=True)
class Vector:
    """One age file and what must come of it: "success", or at which step it fails."""

    expect: str
    content: bytes
    identities: tuple[str, ...]
    file_key: bytes
    payload_sha256: str | None


def about(subject: str) -> list[object]:
    """Return the vectors about "armor", "message" or "hybrid", as parameters."""
    if _VARIABLE not in os.environ:
        reason = f"{_VARIABLE} names no file of published vectors"
        return [pytest.param(None, id="published", marks=pytest.mark.skip(reason=reason))]
    vectors = json.loads(Path(os.environ[_VARIABLE]).read_text())["vectors"]
    return [
        pytest.param(
            Vector(
                one["expect"],
                b64decode(one["content"]),
                tuple(one.get("identities", ())),
                bytes.fromhex(one.get("file key", "")),
                one.get("payload"),
            ),
            id=one["name"],
        )
        for one in vectors
        if one["about"] == subject
    ]
