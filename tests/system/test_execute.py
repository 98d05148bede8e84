"""The user's programs have the terminal, the signals and the status for themselves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nixsecrets.errors import ProgramError
from nixsecrets.plaintext import Plaintext
from nixsecrets.system.execute import find_program, replace_process, run_forwarding
from tests.system.children import in_child

# A program that tells every signal it gets, until SIGTERM.
TOLD = """
import signal, sys
def tell(number, frame):
    print(signal.Signals(number).name, flush=True)
    if number == signal.SIGTERM:
        sys.exit(3)
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGTERM):
    signal.signal(number, tell)
print("ready", flush=True)
while True:
    signal.pause()
"""
# Ourselves, running the program that the arguments are.
RUNNING = """
import os, sys
from nixsecrets.system.execute import run_forwarding
print("status", run_forwarding(sys.argv[1:], os.environ), flush=True)
"""
BECOMING = """
import os, sys
from nixsecrets.plaintext import Plaintext
from nixsecrets.system.execute import replace_process
replace_process(sys.argv[1:], {"PATH": "/nowhere", "A": "1"}, {"B": Plaintext(b"\\xff=")})
"""


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("exit 0", 0),
        ("exit 7", 7),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
        ("kill -PIPE $$", 141),
    ],
)
def test_a_status_is_what_a_shell_would_tell(script: str, status: int) -> None:
    assert run_forwarding(sh(script), os.environ) == status


def test_signals_are_passed_on_each_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUNNING, sys.executable, "-c", TOLD],
        stdout=subprocess.PIPE,
        text=True,
    ) as ours:
        assert ours.stdout is not None
        assert ours.stdout.readline() == "ready\n"
        for name in ("SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGTERM"):
            ours.send_signal(signal.Signals[name])
            assert ours.stdout.readline() == f"{name}\n"
        assert ours.stdout.read() == "status 3\n"


def test_an_interrupt_at_the_terminal_reaches_the_program_once() -> None:
    pid, terminal = os.forkpty()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", RUNNING, sys.executable, "-c", TOLD])  # noqa: S606  # at a terminal of its own
    screen = read_until(terminal, "ready")
    os.write(terminal, b"\x03")
    screen += read_until(terminal, "SIGINT")
    os.kill(pid, signal.SIGTERM)
    screen += read_until(terminal, "status 3")
    os.waitpid(pid, 0)
    os.close(terminal)
    assert screen.count("SIGINT") == 1


def read_until(terminal: int, words: str) -> str:
    screen = ""
    while words not in screen:
        screen += os.read(terminal, 4096).decode()
    return screen


def test_afterwards_signals_are_ours_again() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    run_forwarding(sh("exit 0"), os.environ)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_program_gets_the_environment_alone_and_no_signal_held_or_ignored() -> None:
    script = "PATH=/usr/bin:/bin; cat /proc/self/status; cat /proc/self/environ"
    ended = subprocess.run(
        [sys.executable, "-c", RUNNING, *sh(script)],
        stdout=subprocess.PIPE,
        env={"A": "1"},
        check=True,
    )
    assert standard_signals(ended.stdout) == {"SigBlk": 0, "SigIgn": 0}
    assert b"A=1" in ended.stdout


def standard_signals(told: bytes) -> dict[str, int]:
    """Return the masks of proc_pid_status(5), without the real-time ones of glibc."""
    masks = (line.split(":\t") for line in told.decode("latin-1").splitlines())
    return {
        name[0]: int(name[1], 16) & 0x7FFFFFFF for name in masks if name[0] in ("SigBlk", "SigIgn")
    }


def test_we_become_a_program_with_its_values_and_nothing_else() -> None:
    script = "printf '%s|%s|' $$ \"$A$B$HOME\"; exec /bin/cat /proc/self/status"
    with subprocess.Popen(
        [sys.executable, "-c", BECOMING, *sh(script)], stdout=subprocess.PIPE
    ) as ours:
        out, _ = ours.communicate()
    assert out.startswith(f"{ours.pid}|1".encode() + b"\xff=|")
    assert standard_signals(out)["SigIgn"] == 0


def test_a_missing_program_is_told() -> None:
    with pytest.raises(ProgramError, match=r"^/nowhere/x cannot be started: no such program$"):
        run_forwarding(["/nowhere/x"], {})


def test_what_is_no_program_is_told(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("no program")
    script.chmod(0o755)
    told = "6 script cannot be started: exec format error"
    run = in_child(lambda: run_forwarding([str(script)], {}))
    become = in_child(lambda: replace_process([str(script)], {}, {"A": Plaintext(b"")}))
    assert (run.replace(f"{tmp_path}/", ""), become.replace(f"{tmp_path}/", "")) == (told, told)


def test_a_program_is_looked_for_in_our_own_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program("program") is None
    program.chmod(0o755)
    assert find_program("program") == program
    assert find_program("folder") is None
    assert find_program(str(program)) == program
