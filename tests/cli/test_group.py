"""The command group: its table, its help, and what a wrong command line is told."""

import subprocess
import sys
from pathlib import Path

import pytest

from nixsecrets.cli.group import ALIASES, ENTRIES, Entry, commands, load_command, run


def nixsecrets(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nixsecrets", *arguments],
        capture_output=True,
        check=False,
        text=True,
    )


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_every_command_of_the_table_loads_and_has_a_help(entry: Entry) -> None:
    assert load_command(entry).help


def test_every_alias_means_a_command_of_the_table() -> None:
    assert set(ALIASES.values()) <= set(ENTRIES)


def test_help_lists_every_command_in_the_order_of_a_secrets_life() -> None:
    told = nixsecrets("--help")
    listed = [line.split()[0] for line in told.stdout.splitlines() if line.startswith("  ")]
    assert [name for name in listed if name in ENTRIES] == list(ENTRIES)
    assert (told.returncode, told.stderr) == (0, "")


def test_help_fits_80_columns() -> None:
    assert max(map(len, nixsecrets("--help").stdout.splitlines())) <= 80


def test_help_and_version_load_no_command() -> None:
    program = (
        "import sys\n"
        "from nixsecrets.cli.group import commands, run\n"
        "run(commands, ['--help']), run(commands, ['--version'])\n"
        "print(*(name for name in sys.modules if name.startswith('nixsecrets.')), file=sys.stderr)"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert set(told.stderr.split()) == {
        "nixsecrets.cli",
        "nixsecrets.cli.group",
        "nixsecrets.errors",
        "nixsecrets.override",
        "nixsecrets.report",
        "nixsecrets.report.printable",
    }


def test_version_is_one_line() -> None:
    told = nixsecrets("--version")
    name, number = told.stdout.split()
    assert (told.returncode, name, number.count(".")) == (0, "nixsecrets", 2)


def test_no_command_shows_the_help_and_is_a_usage_error() -> None:
    told = nixsecrets()
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith("Usage: nixsecrets")


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"),
    [
        (["hots"], "no such command: hots", "did you mean: nixsecrets hosts"),
        (["updatekey"], "no such command: updatekey", "did you mean: nixsecrets updatekeys"),
        (["xyzzy"], "no such command: xyzzy", "nixsecrets --help"),
        (["a\x1b[2J"], "no such command: a\\x1b[2J", "nixsecrets --help"),
        (["--xyzzy"], "no such option '--xyzzy'", "nixsecrets --help"),
        (
            ["-C", "/nowhere", "hosts"],
            "invalid value for '-C' / '--directory': Directory '/nowhere' does not exist",
            "nixsecrets --help",
        ),
        (
            ["completion"],
            "missing argument 'SHELL'. Choose from: bash, zsh, fish",
            "nixsecrets completion --help",
        ),
        (
            ["completion", "bash", "typed-by-mistake"],
            "got unexpected extra argument",
            "nixsecrets completion --help",
        ),
    ],
    ids=[
        "near one",
        "near an alias",
        "near none",
        "control characters",
        "unknown option",
        "no such directory",
        "missing argument",
        "a value where none belongs",
    ],
)
def test_a_wrong_command_line_ends_with_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str, hint: str
) -> None:
    status = run(commands, arguments)
    captured = capsys.readouterr()
    assert (status, captured.out) == (2, "")
    assert captured.err == f"nixsecrets: error: {problem}\nnixsecrets: hint: {hint}\n"


def test_directory_is_where_a_command_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert run(commands, ["-C", str(tmp_path), "completion", "fish"]) == 0
    assert Path.cwd() == tmp_path
