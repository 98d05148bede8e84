"""README's session, run on a copy of the reference fleet; and every command that guides show."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from nixsecrets.cli.group import commands

ROOT = Path(__file__).parent.parent
MARK = "end of a step"
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs/how-to").glob("*.md"))]


def test_the_session_says_what_the_readme_shows(reference_fleet: Path) -> None:
    (session,) = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    steps = [step.partition("\n") for step in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]]
    script = [f'nixsecrets() {{ "{sys.executable}" -m nixsecrets "$@"; }}', "exec 2>&1"]
    for command, _, _ in steps:
        script += [command, f"echo '{MARK}'"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GIT_PAGER": "cat"}
    ended = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=reference_fleet,
        env=environment,
        capture_output=True,
        check=True,
        text=True,
    )
    said = ended.stdout.split(f"{MARK}\n")[:-1]
    assert said == [shown for _, _, shown in steps]


def test_the_wiring_shown_is_the_reference_fleets() -> None:
    (shown,) = re.findall(r"```nix\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown == (ROOT / "systems/hq/secrets.nix").read_text()


def test_the_demos_fleet_is_the_reference_fleet_before_nixsecrets() -> None:
    demo = ROOT / "nixsecrets/demo/fleet"
    for file in demo.rglob("*.nix"):
        now = (ROOT / file.relative_to(demo)).read_text().splitlines()
        gone = [line for line in file.read_text().splitlines() if line not in now]
        assert gone == [], f"{file} has lines that the reference fleet lost"


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_every_command_that_is_shown_exists_with_its_options(guide: Path) -> None:
    for line in shown_commands(guide.read_text()):
        words = shlex.split(line, comments=True)[1:]
        words = words[: words.index("|")] if "|" in words else words
        words = words[: words.index("--")] if "--" in words else words
        if words[0] == "-C":
            words = words[2:]
        command, rest = resolved(words)
        known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
        given = {word for word in rest if word.startswith("-") and len(word) > 1}
        assert given <= known | {"--help", "--dry-run"}, line


def shown_commands(text: str) -> Iterator[str]:
    for block in re.findall(r"^```(?:sh|console)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from re.findall(r"^(?:\$ )?(?:printf \S+ \| )?(nixsecrets .*)$", block, re.MULTILINE)


def resolved(words: list[str]) -> tuple[click.Command, list[str]]:
    command: click.Command = commands
    with click.Context(commands) as context:
        while isinstance(command, click.Group):
            found = command.get_command(context, words[0])
            assert found is not None, words
            command, words = found, words[1:]
    return command, words
