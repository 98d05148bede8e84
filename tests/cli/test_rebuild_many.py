import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.rebuilding import DRIVER, Ended, Place, make_place

# What it is told to run runs here; hosts that are named in `down` do not answer.
SSH = """\
#!{python}
import os, pathlib, sys
down = (pathlib.Path(__file__).parent / "down").read_text().split()
destination, command = sys.argv[sys.argv.index("--") + 1:]
if destination in down:
    sys.exit(255)
os.execvp("sh", ["sh", "-c", command])
"""
# A host whose attribute stands in `bad` fails; the others wait until `together` have begun.
BUILD = """\
#!{python}
import os, pathlib, select, sys
here = pathlib.Path(__file__).parent
if sys.argv[1:] == ["--help"]:
    sys.exit(sys.stdout.write((here / "help").read_text()) and 0)
attribute = sys.argv[3].removeprefix(".#")
with (here / "calls").open("a") as calls:
    calls.write(attribute + "\\n")
while len((here / "calls").read_text().split()) < int((here / "together").read_text()):
    select.select([], [], [], 0.01)
print("building", attribute)
sys.exit(attribute in (here / "bad").read_text().split())
"""
ALL = ("--on", "hq,t15g", "--on", "t460")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = make_place(tmp_path)
    for name, text in (("ssh", SSH), ("nixos-rebuild", BUILD)):
        place.write(name, text.format(python=sys.executable), folder="bin")
        (place.folder / "bin" / name).chmod(0o755)
    for name, text in (("down", ""), ("bad", ""), ("together", "0")):
        place.write(name, text, folder="bin")
    place.write(
        "nixsecrets.yaml",
        (place.root / "nixsecrets.yaml").read_text() + "groups:\n  home: { hosts: [t15g, t460] }\n",
    )
    return place


def rebuild(place: Place, *arguments: str) -> Ended:
    return place.rebuild("--yes", "--no-check", *arguments)


def built(place: Place) -> list[str]:
    return sorted((place.folder / "bin/calls").read_text().split())


def outcomes(ended: Ended) -> dict[str, str]:
    return {row["host"]: row["outcome"] for row in json.loads(ended.stdout)["rows"]}


def test_all_are_built_at_once_and_committed_in_turn(place: Place) -> None:
    place.write("together", "3", folder="bin")
    for name in ("hq", "t15g", "t460"):
        place.write(f"systems/{name}/configuration.nix", "{ a = 1; }\n")
    ended = rebuild(place, *ALL)
    assert ended.status == 0, ended.stderr
    *made, start = place.subjects()
    assert (start, len(made)) == ("start", 3)
    order = [line.split()[1] for line in ended.stderr.splitlines() if ": committed '" in line]
    assert [f"{line.split(':')[0].removeprefix('nix')}:" for line in reversed(made)] == order
    assert place.subjects("remote.git") == place.subjects()
    assert "t15g: building nixt15g\n" in ended.stderr
    assert [line.split()[:2] for line in ended.stdout.splitlines()[-3:]] == [
        [name, "rebuilt"] for name in ("hq", "t15g", "t460")
    ]


def test_one_at_a_time_keeps_the_order_in_which_they_were_named(place: Place) -> None:
    place.write("bad", "nixt15g", folder="bin")
    ended = rebuild(place, *ALL, "--parallel", "1", "--json")
    assert ended.status == 6
    assert outcomes(ended) == {"hq": "rebuilt", "t15g": "failed", "t460": "left out"}
    assert "t15g: nixos-rebuild switch of t15g failed with status 1" in ended.stderr


def test_keep_going_begins_the_rest_too(place: Place) -> None:
    place.write("bad", "nixhq", folder="bin")
    ended = rebuild(place, *ALL, "--parallel", "1", "--json", "--keep-going")
    assert ended.status == 6
    assert outcomes(ended) == {"hq": "failed", "t15g": "rebuilt", "t460": "rebuilt"}


def test_a_canary_that_fails_keeps_the_rest_from_beginning(place: Place) -> None:
    place.write("bad", "nixt460", folder="bin")
    ended = rebuild(place, *ALL, "--canary", "t460", "--keep-going", "--json")
    assert (ended.status, built(place)) == (6, ["nixt460"])
    assert outcomes(ended) == {"t460": "failed", "hq": "left out", "t15g": "left out"}


def test_a_host_that_does_not_answer_is_pending_and_no_failure(place: Place) -> None:
    place.write("down", "root@nixt15g", folder="bin")
    ended = rebuild(place, "--on", "@home", "--json")
    assert (ended.status, built(place)) == (0, ["nixt460"]), ended.stderr
    assert outcomes(ended) == {"t15g": "pending", "t460": "rebuilt"}


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        (["--on", "t15"], 3, "unknown host 't15'"),
        (["--on", "@homes"], 3, "unknown group 'homes'"),
        (["--on", "hq,"], 2, "a name is missing in --on"),
        (["--on", "hq", "--canary", "t460"], 2, "the canary t460 is none of the hosts"),
        (["--all"], 2, "no host can be rebuilt from here"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(
    place: Place, asked: list[str], status: int, told: str
) -> None:
    ended = rebuild(place, *asked)
    assert (ended.status, told in ended.stderr, built(place)) == (status, True, []), ended.stderr


def test_an_interrupt_ends_all_that_runs_and_commits_nothing(place: Place) -> None:
    place.write("together", "9", folder="bin")
    started = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(place.profile), "rebuild", "--yes", "--no-check", *ALL],
        cwd=place.root,
        env={**os.environ, "PATH": f"{place.folder}/bin:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while len(built(place)) < 3:
        select.select([], [], [], 0.01)
    started.send_signal(signal.SIGINT)
    started.communicate(timeout=20)
    assert started.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.killpg(started.pid, 0)
    assert place.subjects() == ["start"]
    assert not place.is_locked()
