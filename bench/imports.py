"""What starting Python and importing costs, each in a process of its own."""

from functools import partial

from bench.cases import LEAST
from bench.compare import in_turn
from bench.install import Programs
from bench.measure import Runner, Sample

SOPS = "`sops --version`"
INTERPRETER = "the interpreter, nothing imported"
THIRD_PARTY = "all of these"
ALL = "all of these and ours: what `get` loads"
_STATEMENTS = {
    "pyrage": "import pyrage",
    "bcrypt": "import bcrypt",
    "google-re2": "import re2",
    "PyYAML": "import yaml",
    "cryptography, AESGCM alone": "from cryptography.hazmat.primitives.ciphers.aead import AESGCM",
    "click": "import click",
}


def measure_imports(
    rounds: int, runner: Runner, programs: Programs
) -> dict[str, tuple[Sample, ...]]:
    together = "; ".join(_STATEMENTS.values())
    statements = {
        INTERPRETER: "pass",
        **_STATEMENTS,
        THIRD_PARTY: together,
        ALL: f"{together}; import nixsecrets.cli, nixsecrets.cli.get",
    }
    python = (programs.python, "-I", "-c")
    commands: dict[str, tuple[str, ...]] = {
        SOPS: (programs.sops, "--disable-version-check", "--version")
    }
    commands |= {name: (*python, statement) for name, statement in statements.items()}
    place = LEAST["yaml"].name
    takers = {name: partial(runner.run, place, command) for name, command in commands.items()}
    in_turn(takers, 1)
    return in_turn(takers, rounds)
