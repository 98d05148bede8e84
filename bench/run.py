"""nixsecrets against sops: `python -m bench.run --help`."""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.cases import FLEET, IMPORTS, LARGEST, LEAST, SECTIONS, cases
from bench.compare import compare, compare_fleet
from bench.imports import measure_imports
from bench.install import Programs, install
from bench.measure import Runner
from bench.table import render_fleet, render_imports, render_memory, render_times

_PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_BEGIN = "<!-- made by bench/run.py: begin -->\n"
_END = "<!-- made by bench/run.py: end -->\n"


def main() -> None:
    arguments = _arguments()
    sections = frozenset(arguments.only or SECTIONS)
    with tempfile.TemporaryDirectory(prefix="nixsecrets-bench-") as folder:
        report = _report(Path(folder), sections, arguments.rounds)
    sys.stdout.write(report)
    if arguments.write:
        _write(report)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.run")
    parser.add_argument("--rounds", type=int, default=11, help="of each pair (11)")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, metavar="SECTION", help=_only())
    parser.add_argument("--write", action="store_true", help="put the tables into the docs")
    arguments = parser.parse_args()
    if arguments.write and arguments.only:
        parser.error("--write is for all tables, not for --only some")
    return arguments


def _only() -> str:
    return f"some of: {', '.join(SECTIONS)}"


def _report(scratch: Path, sections: frozenset[str], rounds: int) -> str:
    _say("installing")
    programs = install(scratch)
    _say("making documents")
    _make_documents(scratch, sections, programs)
    runner = Runner(scratch, _environment(scratch))
    results = []
    for case in cases(sections):
        _say(f"{case.document.title}: {case.operation.name}")
        results.append(compare(case, rounds, runner, programs))
    _say("the fleet and the imports")
    fleet = compare_fleet(rounds, runner, programs) if FLEET in sections else {}
    imports = measure_imports(rounds, runner, programs) if IMPORTS in sections else {}
    tables = (
        ("Time", render_times(results)),
        ("Memory", render_memory(results, _size(scratch))),
        ("A fleet", render_fleet(fleet)),
        ("Starting", render_imports(imports)),
    )
    shown = "".join(f"\n### {title}\n\n{table}" for title, table in tables if table)
    return f"{_machine(programs, scratch)} {rounds} rounds.\n{shown}"


def _make_documents(scratch: Path, sections: frozenset[str], programs: Programs) -> None:
    """In a process of its own, so that this one stays smaller than those it measures."""
    (scratch / "value").write_text("a new value")
    names = {document.name for document in LEAST.values()} | sections
    subprocess.run(  # noqa: S603  # ourselves
        [sys.executable, "-m", "bench.documents", programs.sops, str(scratch), *sorted(names)],
        check=True,
        env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull},
    )


def _environment(scratch: Path) -> dict[str, str]:
    """As little as both programs need: nothing of the user's reaches them."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "LANG": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "SOPS_AGE_KEY_FILE": str(scratch / "keys.txt"),
    }


def _size(scratch: Path) -> int:
    file = scratch / LARGEST.name / "pristine" / Path(LARGEST.file).name
    return file.stat().st_size if file.exists() else 0


def _machine(programs: Programs, scratch: Path) -> str:
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return (
        f"{os.cpu_count()} CPUs ({_cpu()}), {system}, files on {_filesystem(scratch)}; "
        f"Python {platform.python_version()}, {programs.versions()}; "
        f"sops {programs.sops_version()}."
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _filesystem(scratch: Path) -> str:
    """The kind of the mount that holds `scratch`: it decides what a durable write costs."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    holding = [mount for mount in mounts if scratch.resolve().is_relative_to(mount[1])]
    return max(holding, key=lambda mount: len(mount[1]))[2]


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")


def _write(report: str) -> None:
    page = _PAGE.read_text()
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        sys.exit(f"{_PAGE.name} has lost its marks: {_BEGIN}{_END}")
    _PAGE.write_text(f"{before}{begin}\n{report}\n{end}{after}")


if __name__ == "__main__":
    main()
