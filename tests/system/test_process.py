import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nixsecrets.errors import ProgramError
from nixsecrets.system.process import Completed, output, run, stream

# A program that counts its interrupts and ends half a second after the last one.
INTERRUPTED = """
import signal, sys
count = 0
def interrupt(*_):
    global count
    count += 1
signal.signal(signal.SIGINT, interrupt)
print("ready", flush=True)
while signal.sigtimedwait([signal.SIGTERM], 0.5) is None and not count:
    continue
signal.sigtimedwait([signal.SIGTERM], 0.5)
print("interrupts:", count, flush=True)
"""
# Ourselves, streaming that program.
STREAMING = f"""
import sys
from pathlib import Path
from nixsecrets.system.process import stream
with Path(sys.argv[1]).open("wb", buffering=0) as log:
    try:
        stream([sys.executable, "-c", {INTERRUPTED!r}], log=log)
    except KeyboardInterrupt:
        print("we were interrupted", flush=True)
"""


def test_a_program_gets_arguments_environment_stdin_and_place(tmp_path: Path) -> None:
    script = 'printf "%s|%s|%s|%s" "$1" "$VALUE" "$(cat)" "$(pwd)"; echo talk >&2; exit 3'
    environment = {"VALUE": "a b", "PATH": os.environ["PATH"]}
    ended = run(
        ["sh", "-c", script, "sh", "; $(id)"],
        environment=environment,
        stdin=b"\xff\n",
        cwd=tmp_path,
    )
    assert ended == Completed(
        3, f"; $(id)|a b|\udcff|{tmp_path}".encode(errors="surrogateescape"), b"talk\n"
    )


def test_a_program_never_reads_our_stdin() -> None:
    assert run(["cat"]).stdout == b""


def test_a_missing_program_is_told_with_what_to_install() -> None:
    with pytest.raises(ProgramError, match="ssh-keyscan cannot be started") as caught:
        run(["/nowhere/ssh-keyscan"])
    assert caught.value.hint == "install openssh, or try again inside `nix-shell -p openssh`"


def test_output_is_stdout_alone() -> None:
    assert output(["sh", "-c", "echo result; echo talk >&2"]) == b"result\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo first >&2; echo last words >&2; exit 9", "sh failed with status 9: last words"),
        ("exit 9", "sh failed with status 9"),
        ("kill -KILL $$", "sh failed with signal 9"),
        (r"printf 'a\033[31mb\n\n' >&2; exit 1", "sh failed with status 1: a[31mb"),
    ],
)
def test_a_failure_tells_program_status_and_last_words(script: str, said: str) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(said)}$"):
        output(["/bin/sh", "-c", script])


def test_a_stream_goes_to_screen_and_log(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb", buffering=0) as log:
        status = stream(["sh", "-c", "echo out; echo talk >&2; exit 4"], log=log)
    screen = capfd.readouterr()
    assert (status, screen.out, screen.err) == (4, "", "out\ntalk\n")
    assert (tmp_path / "log").read_text() == "out\ntalk\n"


def test_a_full_log_does_not_stop_the_program(capfd: pytest.CaptureFixture[str]) -> None:
    with Path("/dev/full").open("wb", buffering=0) as log:
        status = stream(["sh", "-c", "echo one; echo two"], log=log)
    assert status == 0
    said = capfd.readouterr().err
    assert said.startswith("one\n")
    assert "two\n" in said
    assert "(this output is not written in full: No space left on device)" in said


def test_a_program_that_is_missing_cannot_be_streamed() -> None:
    with pytest.raises(ProgramError, match="nixos-rebuild cannot be started"):
        stream(["/nowhere/nixos-rebuild"])


def test_an_interrupt_that_only_we_got_is_passed_on(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", STREAMING, str(tmp_path / "log")]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as ours:
        assert ours.stdout
        assert ours.stderr
        assert ours.stderr.readline() == b"ready\n"
        ours.send_signal(signal.SIGINT)
        assert ours.stdout.read() == b"we were interrupted\n"
    assert (tmp_path / "log").read_text() == "ready\ninterrupts: 1\n"


def test_ctrl_c_at_the_terminal_reaches_the_program_once(tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        arguments = [sys.executable, "-c", STREAMING, str(tmp_path / "log")]
        os.execv(sys.executable, arguments)  # noqa: S606  # at a terminal of its own
    said = _read_until(terminal, b"ready\r\n")
    os.write(terminal, b"\x03")
    said += _read_until(terminal, b"we were interrupted")
    os.waitpid(pid, 0)
    os.close(terminal)
    assert b"interrupts: 1" in said
    assert (tmp_path / "log").read_text() == "ready\ninterrupts: 1\n"


def _read_until(terminal: int, word: bytes) -> bytes:
    said = b""
    while word not in said:
        said += os.read(terminal, 4096)
    return said
