"""The published vectors of `cctv.json`; the file says where they come from."""

import json
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path

import pytest

_FILE = Path(__file__).with_name("cctv.json")


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
    vectors = json.loads(_FILE.read_text())["vectors"]
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
