"""Session transcripts: commands, their input, and everything they say.

scene: fleet                     the first line: `bare` or `fleet`, see conftest

Words between steps begin with `#`.

$ nixsecrets set wifi/psk --yes  a command; $HERE is the scene's folder, $PUB its public keys
<< a line of input               stdin, line by line; `<<- ` leaves the line end out
set shared:wifi/psk: …           a line of stdout; `…` stands for anything on that line
! nixsecrets: …                  a line of stderr
…                                any number of lines, of both
? 2                              the exit status; without it: 0
$ openers                        every document, and whose identity opens it; see `openers.py`
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

from tests.cli.openers import everyone, openers
from tests.cli.scenes import TOOL, Ended, Scene

_PROGRAM = "nixsecrets"
_OPENERS = "openers"


@dataclass(frozen=True)
class Step:
    """One command of a transcript, and what it is to say."""

    line: int
    command: str
    stdin: str
    said: tuple[str, ...]
    status: int


@dataclass(frozen=True)
class Session:
    scene: str
    steps: tuple[Step, ...]


def read_session(file: Path) -> Session:
    first, *lines = file.read_text().splitlines()
    name = first.removeprefix("scene: ")
    numbered = [(number, line) for number, line in enumerate(lines, start=2) if line]
    starts = [index for index, (_, line) in enumerate(numbered) if line.startswith("$ ")]
    ends = [*starts[1:], len(numbered)]
    blocks = (numbered[start:end] for start, end in zip(starts, ends, strict=True))
    return Session(name, tuple(_step(block) for block in blocks))


def play(step: Step, scene: Scene) -> Ended:
    """Run a step; the scene's folder is spelled `$HERE` in what it says."""
    places = {"HERE": str(scene.folder), "PUB": str(scene.folder / "machines")}
    words = shlex.split(Template(step.command).safe_substitute(places))
    if words == [_OPENERS]:
        found = openers(scene, everyone(scene))
        told = (f"{path}: {', '.join(sorted(names))}\n" for path, names in found.items())
        return Ended(0, "".join(told).encode(), "")
    program = (*TOOL, *words[1:]) if words[0] == _PROGRAM else tuple(words)
    ended = scene.start(*program, stdin=step.stdin.encode())
    return Ended(ended.status, ended.stdout, ended.stderr)


def shown(ended: Ended, scene: Scene) -> str:
    """Return what a process said as a transcript spells it; blank lines say nothing."""
    out = [line for line in ended.text.splitlines() if line]
    err = [f"! {line}" for line in ended.stderr.splitlines() if line]
    status = [f"? {ended.status}"] if ended.status else []
    return "\n".join((*out, *err, *status)).replace(str(scene.folder), "$HERE")


def matches(step: Step, told: str) -> bool:
    status = [f"? {step.status}"] if step.status else []
    pattern = "\n".join(_pattern(line) for line in (*step.said, *status))
    return re.fullmatch(pattern.replace(_ANY_LINES + "\n", _ANY_LINES), told) is not None


_ANY_LINES = r"(?:.*(?:\n|\Z))*?"


def _pattern(line: str) -> str:
    if line == "…":
        return _ANY_LINES
    return ".*?".join(map(re.escape, line.split("…")))


def _step(block: list[tuple[int, str]]) -> Step:
    (number, command), *rest = block
    lines = [line for _, line in rest]
    status = next((int(line[2:]) for line in lines if line.startswith("? ")), 0)
    said = (line for line in lines if not line.startswith(("#", "<<", "? ")))
    return Step(number, command.removeprefix("$ "), "".join(_input(lines)), tuple(said), status)


def _input(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if line.startswith("<<- "):
            yield line.removeprefix("<<- ")
        elif line.startswith("<< "):
            yield line.removeprefix("<< ") + "\n"
