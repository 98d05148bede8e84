"""The test plugin on PATH, and the spelling of its recipients and identities."""

import os
import sys
from pathlib import Path

from nixsecrets.age import bech32

PROGRAM = Path(__file__).with_name("plugin_program.py")


def install(folder: Path, counting: Path | None = None) -> str:
    """Put the test plugin into a folder; return a PATH with it in front.

    Args:
        folder: an empty one.
        counting: a file that gets a line each time that the plugin is started.
    """
    program = folder / "age-plugin-test"
    count = f"echo started >>'{counting}'\n" if counting else ""
    program.write_text(f"#!/bin/sh\n{count}exec '{sys.executable}' '{PROGRAM}' \"$@\"\n")
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def recipient(behaviour: str = "", name: str = "test") -> str:
    return bech32.encode(f"age1{name}", behaviour.encode())


def identity(behaviour: str = "", name: str = "test") -> str:
    return bech32.encode(f"age-plugin-{name}-", behaviour.encode()).upper()
