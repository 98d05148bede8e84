"""The real Nix, as a judge of what was written."""

import json
import re
import subprocess
from pathlib import Path

from tests.tools import require_tool


def assert_parses(content: bytes) -> None:
    run = subprocess.run(
        [require_tool("nix-instantiate"), "--parse", "-"],
        input=content,
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr.decode() + content.decode()


def evaluate(expression: str, state: Path) -> object:
    """Return what `expression` is, by way of JSON; `state` is a folder for Nix's own files."""
    run = subprocess.run(
        [
            require_tool("nix-instantiate"),
            *("--eval", "--strict", "--json", "--readonly-mode", "-"),
        ],
        input=expression.encode(),
        capture_output=True,
        check=False,
        env={"HOME": str(state), "NIX_STATE_DIR": str(state), "NIX_STORE_DIR": str(state)},
    )
    assert run.returncode == 0, run.stderr.decode() + expression
    return json.loads(run.stdout)


def unmarked(marked: str) -> tuple[bytes, bytes]:
    """Return a source before and after an edit that inserts what stands between « and »."""
    before = re.sub("«.*?»", "", marked, flags=re.DOTALL)
    return before.encode(), marked.replace("«", "").replace("»", "").encode()
