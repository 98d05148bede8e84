"""Run targets under atheris, each in a process of its own: `python -m fuzz.run --help`."""

import argparse
import subprocess
import sys
from functools import partial
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["nixsecrets"]):
    from fuzz.claims import attempt
    from fuzz.targets import TARGETS

_HERE = Path(__file__).parent
_KEPT = _HERE.parent / "tests" / "fuzz"
_LIMITS = ("-timeout=10", "-rss_limit_mb=1024", "-max_len=4096", "-detect_leaks=0")


def main() -> int:
    """Return 1 where an input was found that breaks a claim; it lies among the regressions."""
    arguments = _arguments()
    targets = arguments.targets or list(TARGETS)
    if unknown := sorted(set(targets) - set(TARGETS)):
        sys.exit(f"no target: {', '.join(unknown)}; there are: {', '.join(TARGETS)}")
    if arguments.here:
        _fuzz(targets[0], arguments.seconds)
    failed = [name for name in targets if _fails(name, arguments.seconds)]
    sys.stderr.write(f"found by: {', '.join(failed)}\n" if failed else "nothing was found\n")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz.run")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--here", action="store_true", help="run one target in this process")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="by default all")
    return parser.parse_args()


def _fails(name: str, seconds: int) -> bool:
    sys.stderr.write(f"--- {name}\n")
    command = [sys.executable, "-m", "fuzz.run", "--here", "--seconds", str(seconds), name]
    return subprocess.run(command, check=False).returncode != 0  # noqa: S603  # ourselves


def _fuzz(name: str, seconds: int) -> None:
    """Fuzz until the time is over or an input is found; libFuzzer then ends the process."""
    found = _folder(_KEPT / "regressions" / name)
    own, seeds = _folder(_HERE / "corpus" / name), _folder(_KEPT / "seeds" / name)
    corpus = [str(own), str(seeds), str(found)]
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={found}/", *_LIMITS]
    atheris.Setup(
        [name, *options, "-print_final_stats=1", *corpus], partial(attempt, TARGETS[name])
    )
    atheris.Fuzz()


def _folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
