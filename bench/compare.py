"""Both programs in turn, round by round, on the same documents."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.cases import FLEET, LEAST, VERSION, Case, Document, Operation, Policy
from bench.install import Programs
from bench.measure import Runner, Sample
from bench.repository import restore, unchanged


class Pair(NamedTuple):
    ours: Sample
    sops: Sample


@dataclass(frozen=True, slots=True)
class Result:
    """Rounds of one case: on its document, and of the same command on the least document."""

    case: Case
    whole: tuple[Pair, ...]
    least: tuple[Pair, ...]


def compare(case: Case, rounds: int, runner: Runner, programs: Programs) -> Result:
    least = LEAST[case.document.suffix]
    _prove(case.document, case.operation, runner, programs)
    _pair(least, case.operation, runner, programs)
    both = [
        (
            _pair(case.document, case.operation, runner, programs),
            _pair(least, case.operation, runner, programs),
        )
        for _ in range(rounds)
    ]
    return Result(case, tuple(whole for whole, _ in both), tuple(start for _, start in both))


def compare_fleet(rounds: int, runner: Runner, programs: Programs) -> dict[str, tuple[Sample, ...]]:
    """Time `rekey` of all documents, and sops in every way in which people run it."""
    names = sorted(file.name for file in (runner.scratch / FLEET / "pristine").iterdir())
    files = [f"secrets/{name}" for name in names]
    (runner.scratch / FLEET / "files").write_text("\n".join(files))
    sops = (programs.sops, "updatekeys", "-y")
    each = (programs.xargs, "-a", "../files", "-P2")
    commands: dict[str, tuple[str, ...]] = {
        "nixsecrets, one process": (programs.ours, "rekey", "--yes"),
        "sops, one process with all files": (*sops, *files),
        "sops, two processes with half of them each": (*each, f"-n{len(files) // 2}", *sops),
        "sops, a process a file, two at a time": (*each, "-n1", *sops),
    }
    return in_turn(
        {name: partial(_fleet, runner, command) for name, command in commands.items()}, rounds
    )


def in_turn(
    takers: Mapping[str, Callable[[], Sample]], rounds: int
) -> dict[str, tuple[Sample, ...]]:
    """Take one sample of each, then again, so that all share the machine's moods."""
    taken = [{name: take() for name, take in takers.items()} for _ in range(rounds)]
    return {name: tuple(samples[name] for samples in taken) for name in takers}


def _fleet(runner: Runner, command: tuple[str, ...]) -> Sample:
    restore(runner.scratch / FLEET, Policy.ONE_MORE)
    sample = runner.run(FLEET, command)
    _expect_work(runner, FLEET, command)
    return sample


def _pair(document: Document, operation: Operation, runner: Runner, programs: Programs) -> Pair:
    ours = (programs.ours, *_spelled(operation.ours, document))
    sops = (programs.sops, *_spelled(operation.sops, document))
    return Pair(
        _sample(document, operation, runner, ours), _sample(document, operation, runner, sops)
    )


def _sample(
    document: Document, operation: Operation, runner: Runner, command: tuple[str, ...]
) -> Sample:
    folder = runner.scratch / document.name
    if operation.changes:
        restore(folder, operation.policy)
    sample = runner.run(document.name, command)
    if operation.changes:
        _expect_work(runner, document.name, command)
    return sample


def _prove(document: Document, operation: Operation, runner: Runner, programs: Programs) -> None:
    """Warm up, and see that both do the same: the same output, or a document that sops opens."""
    restore(runner.scratch / document.name, operation.policy)
    sops = (programs.sops, *_spelled(operation.sops, document))
    _sample(document, operation, runner, sops)
    shutil.copyfile(runner.scratch / "output", runner.scratch / "expected")
    ours = (programs.ours, *_spelled(operation.ours, document))
    _sample(document, operation, runner, ours)
    if operation.changes:
        runner.run(document.name, (programs.sops, "decrypt", document.file))
    elif operation != VERSION:
        _expect_same(runner.scratch, ours)


def _expect_work(runner: Runner, name: str, command: tuple[str, ...]) -> None:
    if left := unchanged(runner.scratch / name):
        sys.exit(f"{' '.join(command)[:300]}: left {len(left)} documents as they were")


def _expect_same(scratch: Path, command: tuple[str, ...]) -> None:
    same = [sys.executable, "-m", "bench.same", str(scratch / "output"), str(scratch / "expected")]
    if subprocess.run(same, check=False).returncode:  # noqa: S603  # ourselves
        sys.exit(f"{' '.join(command)}: printed something else than sops does")


def _spelled(template: tuple[str, ...], document: Document) -> tuple[str, ...]:
    return tuple(word.format(file=document.file, path=document.key_path) for word in template)
