import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from nixsecrets.cli.group import ENTRIES, commands, run
from tests.tools import require_tool


@pytest.mark.parametrize("typed", ["add-", "-"], ids=["commands", "options"])
def test_bash_completes_after_sourcing_the_script(tmp_path: Path, typed: str) -> None:
    bash = require_tool("bash")
    program = tmp_path / "nixsecrets"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m nixsecrets "$@"\n')
    program.chmod(0o755)
    script = (
        'source <(nixsecrets completion bash) && COMP_WORDS=(nixsecrets "$1") COMP_CWORD=1 '
        '&& _nixsecrets_completion nixsecrets && printf "%s\\n" "${COMPREPLY[@]}"'
    )
    told = subprocess.run(
        [bash, "--norc", "-c", script, "bash", typed],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        check=True,
        text=True,
    )
    expected = {
        "add-": ["add-host", "add-admin", "add-user-key"],
        "-": ["-C", "--directory", "--version", "-h", "--help"],
    }
    assert (told.stdout.split(), told.stderr) == (expected[typed], "")


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("zsh", "#compdef nixsecrets"),
        ("fish", "complete --no-files --command nixsecrets"),
    ],
)
def test_other_shells_get_a_script_of_their_own(
    capsys: pytest.CaptureFixture[str], shell: str, line: str
) -> None:
    assert run(commands, ["completion", shell]) == 0
    assert line in capsys.readouterr().out


def test_completing_a_command_loads_none() -> None:
    complete = ShellComplete(commands, {}, "nixsecrets", "_NIXSECRETS_COMPLETE")
    completions = complete.get_completions([], "")
    assert [item.value for item in completions] == list(ENTRIES)
