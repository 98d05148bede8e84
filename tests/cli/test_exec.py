"""exec: a program with a document's values, and nothing of them anywhere else."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.scenes import MARKER, TOOL, Scene

FLAT = "other/flat.yaml"
DEEP = "systems/hq/secrets.yaml"
RUNTIME = Path(f"/dev/shm/test-exec-{os.getpid()}")  # noqa: S108  # ours alone, in memory
# Tells its process id, its own command line and its parent's, and its environment.
WITNESS = """\
import json, os, sys
read = lambda pid: open(f"/proc/{pid}/cmdline", "rb").read().decode().split("\\0")
told = {"pid": os.getpid(), "arguments": read("self") + read(os.getppid()), "env": dict(os.environ)}
print(json.dumps(told), flush=True)
"""
# Waits for a signal, tells it and ends with 3.
WAITING = """\
import signal, sys
def tell(number, frame):
    print(signal.Signals(number).name, flush=True)
    sys.exit(3)
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, tell)
print("ready", flush=True)
signal.pause()
"""
TREE = """\
import json, os, stat, sys
top = sys.argv[1]
assert top == os.environ["NIXSECRETS_FILES"]
found = {"": oct(stat.S_IMODE(os.stat(top).st_mode))}
for parent, folders, files in os.walk(top):
    for name in folders + files:
        path = os.path.join(parent, name)
        mode = oct(stat.S_IMODE(os.lstat(path).st_mode))
        content = open(path).read() if name in files else None
        found[os.path.relpath(path, top)] = [mode, content]
print(json.dumps(found))
"""


@pytest.fixture(autouse=True, scope="module")
def runtime() -> Iterator[None]:
    RUNTIME.mkdir(mode=0o700)
    yield
    shutil.rmtree(RUNTIME)


@pytest.fixture
def fleet(fleet: Scene) -> Scene:
    return fleet.with_variables(XDG_RUNTIME_DIR=str(RUNTIME))


@pytest.fixture
def flat(fleet: Scene) -> Scene:
    """Return the fleet with a flat document, made by the tool itself."""
    recipient = next(
        line.split()[-1] for line in fleet.read(".sops.yaml").splitlines() if "age1" in line
    )
    rules = "creation_rules:\n"
    fleet.edit(".sops.yaml", rules, f"{rules}  - path_regex: ^other/\n    age: {recipient}\n")
    text = f"TOKEN: {MARKER}\\nCOUNT: 1\\nPART: 1.0\\nON: true\\nNONE: null\\nEMPTY: ''\\n"
    editor = fleet.folder / "editor"
    editor.write_text(f'#!/bin/sh\nprintf "{text}" >"$1"\n')
    editor.chmod(0o755)
    ended = fleet.with_variables(EDITOR=str(editor)).run("edit", FLAT, "--yes")
    assert ended.status == 0, ended
    return fleet


def program(code: str, *arguments: str) -> tuple[str, ...]:
    return ("--", sys.executable, "-c", code, *arguments)


def folders() -> set[Path]:
    return set(RUNTIME.iterdir())


def test_values_are_variables_and_stand_in_no_arguments(flat: Scene) -> None:
    scene = flat.with_variables(SOPS_AGE_KEY="x", NIXSECRETS_ROOT="x", MINE="mine")
    ended = scene.run("exec", FLAT, *program(WITNESS))
    assert ended.status == 0, ended
    told = json.loads(ended.text)
    names = ("TOKEN", "COUNT", "PART", "ON", "EMPTY", "MINE")
    assert [told["env"][name] for name in names] == [MARKER, "1", "1.0", "true", "", "mine"]
    assert not {"NONE", "SOPS_AGE_KEY", "NIXSECRETS_ROOT"} & told["env"].keys()
    assert MARKER not in str(told["arguments"])
    assert ended.stderr.endswith("nixsecrets: NONE has no value (null) and is left out\n")


def test_the_program_may_have_what_opens_documents_where_that_is_asked_for(flat: Scene) -> None:
    scene = flat.with_variables(SOPS_ANYTHING="x")
    told = json.loads(scene.done("exec", FLAT, "--keep-sops", *program(WITNESS)))
    assert told["env"]["SOPS_ANYTHING"] == "x"


def test_a_pristine_environment_is_the_values_alone(flat: Scene) -> None:
    told = flat.done("exec", "--pristine", FLAT, "--only", "TOKEN", "--", "env")
    assert told == f"TOKEN={MARKER}\n"


def test_some_values_are_taken_alone(flat: Scene) -> None:
    told = flat.done("exec", FLAT, "--pristine", "--only=COUNT", "--only=ON", "--", "env")
    assert sorted(told.split()) == ["COUNT=1", "ON=true"]


def test_the_program_takes_our_place(flat: Scene) -> None:
    arguments = (*TOOL, "exec", FLAT, *program(WITNESS))
    with subprocess.Popen(
        arguments, cwd=flat.root, env=flat.environment, stdout=subprocess.PIPE
    ) as ours:
        out, _ = ours.communicate()
    assert json.loads(out)["pid"] == ours.pid


def test_no_shell_reads_the_arguments(flat: Scene) -> None:
    assert flat.done("exec", FLAT, "--", "printf", "%s", "$TOKEN; {} *") == "$TOKEN; {} *"


@pytest.mark.parametrize("options", [(), ("--files",)], ids=["variables", "files"])
@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGTERM"])
def test_signals_and_status_are_the_programs(
    flat: Scene, options: tuple[str, ...], name: str
) -> None:
    before = folders()
    arguments = (*TOOL, "exec", FLAT, *options, *program(WAITING))
    with subprocess.Popen(
        arguments, cwd=flat.root, env=flat.environment, stdout=subprocess.PIPE
    ) as ours:
        assert ours.stdout is not None
        assert ours.stdout.readline() == b"ready\n"
        ours.send_signal(signal.Signals[name])
        assert ours.stdout.read() == f"{name}\n".encode()
    assert ours.returncode == 3
    assert folders() == before


def test_a_signal_that_ends_the_program_is_told_as_a_shell_does(flat: Scene) -> None:
    ended = flat.run("exec", FLAT, "--files", "--", "sh", "-c", "kill -TERM $$")
    assert ended.status == 128 + signal.SIGTERM


def test_values_as_files_lie_in_memory_for_as_long_as_the_program_runs(fleet: Scene) -> None:
    before = folders()
    ended = fleet.run("exec", DEEP, "--files", *program(TREE, "{}"))
    assert ended.status == 0, ended
    assert json.loads(ended.text) == {
        "": "0o700",
        "nextcloud": ["0o700", None],
        "nextcloud/admin-password": ["0o600", MARKER],
        "restic": ["0o700", None],
        "restic/password": ["0o600", "of hq"],
    }
    assert folders() == before


def test_some_files_are_taken_alone(fleet: Scene) -> None:
    script = 'cd "$NIXSECRETS_FILES" && find . -type f'
    told = fleet.done("exec", DEEP, "--files", "--only", "restic", "--", "sh", "-c", script)
    assert told == "./restic/password\n"


def test_a_path_may_go_on_behind_the_folder(fleet: Scene) -> None:
    told = fleet.done("exec", DEEP, "--files", "--pristine", "--", "cat", "{}/restic/password")
    assert told == "of hq"


def test_files_may_lie_on_a_disk_where_that_is_asked_for(fleet: Scene) -> None:
    folder = fleet.folder / "disk"
    folder.mkdir()
    arguments = ("exec", DEEP, "--files", "--tmpdir", str(folder), "--", "printenv")
    ended = fleet.run(*arguments, "NIXSECRETS_FILES")
    assert ended.status == 0, ended
    assert Path(ended.text.strip()).parent == folder
    assert f"lie on disk while printenv runs, below {folder}" in ended.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((DEEP, "--", "env"), 3, f"{DEEP}:"),
        ((DEEP, "--", "env"), 3, "nextcloud is a mapping or a list, which no variable can hold"),
        ((FLAT, "--only", "TOKE", "--", "env"), 3, "TOKE has no value"),
        ((FLAT, "--", "no-such-program"), 6, "error: no-such-program cannot be started"),
        ((FLAT, "--files", "--", "no-such-program"), 6, "no-such-program cannot be started"),
        ((FLAT,), 2, "missing argument"),
        ((FLAT, "--tmpdir", "/", "--", "env"), 2, "--tmpdir says where files are to lie"),
        (("missing.yaml", "--", "env"), 2, "missing.yaml: no such document"),
    ],
    ids=["place", "mapping", "name", "program", "with files", "nothing", "tmpdir", "document"],
)
def test_what_cannot_be_is_refused(
    flat: Scene, arguments: tuple[str, ...], status: int, words: str
) -> None:
    before = folders()
    ended = flat.run("exec", *arguments)
    assert (ended.status, ended.text) == (status, ""), ended
    assert words in ended.stderr
    assert MARKER not in ended.stderr
    assert folders() == before


def test_without_an_identity_nothing_runs(flat: Scene) -> None:
    flat.identity_file.unlink()
    ended = flat.run("exec", FLAT, "--", "env")
    assert (ended.status, ended.text) == (4, "")


def test_a_pipe_that_closes_early_ends_the_program_as_ever(flat: Scene) -> None:
    script = f"{sys.executable} -m nixsecrets exec {FLAT} -- yes | head -n 1"
    ended = flat.start("bash", "-o", "pipefail", "-c", script)
    assert (ended.status, ended.text) == (128 + signal.SIGPIPE, "y\n")
