import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyrage import x25519

from nixsecrets.age.recipient import parse_recipient
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops.sealing import seal
from nixsecrets.system import lock
from tests.cli.rebuilding import Place, make_place

LOCAL = [] if os.geteuid() == 0 else ["--sudo"]
HERE = ["switch", "--flake", ".#nixhq", *LOCAL]
T15G = ["switch", "--flake", ".#nixt15g", "--target-host", "root@nixt15g"]
T460 = ["switch", "--flake", ".#nixt460", "--target-host", "jane@nixt460"]
MAC = ["switch", "-I", "nixos-config={root}/systems/mac/configuration.nix"]
MAC += ["--target-host", "root@mac"]
BUILT = ("nixt460", "lost")
LOG = "systems/hq/rebuild.log"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


def test_a_rebuild_of_this_machine_ends_in_a_pushed_commit(place: Place) -> None:
    place.write("systems/hq/configuration.nix", "{ a = 1; }\n")
    ended = place.rebuild("-m", "a is one", "--yes")
    assert ended.status == 0, ended.stderr
    assert place.calls() == [
        {
            "arguments": HERE,
            "cwd": str(place.root),
            "held": True,
            "staged": [],
            "options": None,
        }
    ]
    assert place.subjects() == ["nixhq: generation 425 - a is one", "start"]
    assert place.committed() == ["systems/hq/configuration.nix"]
    assert place.subjects("remote.git") == place.subjects()
    assert place.status() == []
    assert not place.is_locked()


def test_the_log_holds_the_command_its_output_and_its_end(place: Place) -> None:
    ended = place.rebuild("--yes")
    log = place.root / LOG
    time = r"# \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC "
    assert re.fullmatch(
        f"{time}hq: nixos-rebuild switch --flake '.#nixhq'( --sudo)?\n"
        "(building the system configuration...\n|/nix/store/stand-in\n){2}"
        f"{time}hq: ended with status 0\n",
        log.read_text(),
    )
    assert log.stat().st_mode & 0o777 == 0o600
    assert "building the system configuration...\n" in ended.stderr
    assert "/nix/store" not in ended.stdout
    place.rebuild("--yes")
    assert log.read_text().count("hq: ended") == 1


@pytest.mark.parametrize(
    ("asked", "commands"),
    [
        (["hq"], [HERE]),
        (["t15g", "hq", "t15g", "t460", "mac"], [T15G, HERE, [*T460, "--sudo"], MAC]),
        (["--boot"], [["boot", *HERE[1:]]]),
        (["--test"], [["test", *HERE[1:]]]),
        (["--dry-activate"], [["dry-activate", *HERE[1:]]]),
        (["--build", "t460", "lost"], [["build", "--flake", f".#{name}"] for name in BUILT]),
        (["--local", "t15g"], [["switch", "--flake", ".#nixt15g", *LOCAL]]),
        (["--target-host", "root@127.0.0.7", "t460"], [[*T460[:4], "root@127.0.0.7"]]),
        (["t15g", "--", "--show-trace", "-j", "4"], [[*T15G, "--show-trace", "-j", "4"]]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value[0], str) else "",
)
def test_the_command_lines_are_nixos_rebuilds(
    place: Place, asked: list[str], commands: list[list[str]]
) -> None:
    ended = place.rebuild("--yes", "--no-commit", *asked)
    assert ended.status == 0, ended.stderr
    expected = [[word.format(root=place.root) for word in command] for command in commands]
    assert place.arguments() == expected


def test_a_port_goes_to_ssh_beside_the_users_options(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIX_SSHOPTS", "-i ~/.ssh/fleet")
    place.rebuild("--yes", "--no-commit", "t460")
    assert place.calls()[0]["options"] == "-i ~/.ssh/fleet -p 2222"


def test_an_older_nixos_rebuild_is_given_the_option_that_it_knows(place: Place) -> None:
    place.write("help", "nixos-rebuild [--use-remote-sudo] [--target-host host]\n", folder="bin")
    place.rebuild("--yes", "--no-commit", "t460")
    assert place.arguments() == [[*T460, "--use-remote-sudo"]]


def test_without_a_flake_in_the_repository_the_configuration_is_built(place: Place) -> None:
    place.git("rm", "--quiet", "flake.nix")
    place.rebuild("--yes", "--no-commit")
    config = f"nixos-config={place.root}/systems/hq/configuration.nix"
    assert place.arguments() == [["switch", "-I", config, *LOCAL]]


def test_the_print_engine_prints_and_runs_nothing(place: Place) -> None:
    ended = place.rebuild("vm01", "--no-check")
    lines = [f"cd {place.root}", " ".join(["nixos-rebuild switch --flake '.#vm01'", *LOCAL])]
    assert (ended.status, ended.stdout.splitlines(), ended.stderr) == (0, lines, "")
    assert place.calls() == []
    assert place.subjects() == ["start"]
    assert not list(place.root.rglob("rebuild.log"))


def test_another_engine_is_run_in_place_of_nixos_rebuild(place: Place) -> None:
    for name in ("colmena", "deploy"):
        (place.folder / "bin" / name).symlink_to("nixos-rebuild")
    file = place.root / "nixsecrets.yaml"
    file.write_text(file.read_text() + "rebuild: { engine: colmena }\n")
    assert place.rebuild("--yes", "--no-commit", "t460").status == 0
    assert place.rebuild("--yes", "--no-commit", "--engine", "deploy-rs", "t460").status == 0
    assert place.arguments() == [["apply", "--on", "nixt460", "switch"], [".#nixt460"]]
    place.write("status", "1", folder="bin")
    ended = place.rebuild("--yes", "t460")
    assert ended.status == 6
    assert "error: colmena switch of t460 failed with status 1\n" in ended.stderr


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (1, f"its output stands in {LOG}"),
        (4, f"its output stands in {LOG}; the new generation may be the default at boot already"),
    ],
    ids=["build", "activation"],
)
def test_a_failed_switch_commits_nothing(place: Place, status: int, hint: str) -> None:
    place.write("status", str(status), folder="bin")
    place.write("systems/hq/configuration.nix", "{ a = 1; }\n")
    ended = place.rebuild("--yes")
    assert ended.status == 6
    assert ended.stderr.splitlines()[-2:] == [
        f"nixsecrets: error: nixos-rebuild switch of hq failed with status {status}",
        f"nixsecrets: hint: {hint}",
    ]
    assert place.subjects() == ["start"]
    assert place.status() == [" M systems/hq/configuration.nix"]
    assert (place.root / LOG).read_text().endswith(f"hq: ended with status {status}\n")


def test_a_missing_nixos_rebuild_is_told_and_noted_in_the_log(place: Place) -> None:
    (place.folder / "bin/nixos-rebuild").unlink()
    ended = place.rebuild("--yes")
    assert ended.status == 6
    assert "nixos-rebuild cannot be started" in ended.stderr
    assert (place.root / LOG).read_text().endswith("hq: did not end by itself\n")


@pytest.mark.parametrize(
    ("own_commits", "told", "hint"),
    [
        (
            *(0, "the branch is 1 commit behind its upstream"),
            "git pull --rebase --autostash, or give --pull",
        ),
        (
            *(2, "the branch and its upstream have diverged: 1 commit there, 2 here"),
            "git pull --rebase --autostash",
        ),
    ],
    ids=["behind", "diverged"],
)
def test_what_is_only_upstream_stops_the_rebuild(
    place: Place, own_commits: int, told: str, hint: str
) -> None:
    place.commit_elsewhere()
    for _ in range(own_commits):
        place.git("commit", "--quiet", "--allow-empty", "-m", "ours")
    place.write("systems/hq/new.nix", "{ }\n")
    ended = place.rebuild("--yes")
    assert ended.status == 1
    assert ended.stderr.splitlines()[-2:] == [
        f"nixsecrets: error: {told}",
        f"nixsecrets: hint: {hint}",
    ]
    assert place.calls() == []
    assert place.status() == ["?? systems/hq/new.nix"]


def test_a_pull_takes_over_what_is_new_and_lists_it(place: Place) -> None:
    place.commit_elsewhere()
    ended = place.rebuild("--yes", "--pull")
    assert ended.status == 0, ended.stderr
    author = place.git("log", "-1", "--format=%h %s (%an)", "@{upstream}").strip()
    assert f"nixsecrets: pulled: {author}\n" in ended.stderr
    assert place.subjects() == ["theirs", "start"]
    assert place.arguments() == [HERE]


def test_a_pull_never_merges(place: Place) -> None:
    place.commit_elsewhere()
    place.git("commit", "--quiet", "--allow-empty", "-m", "ours")
    ended = place.rebuild("--yes", "--pull")
    assert (ended.status, place.subjects(), place.calls()) == (1, ["ours", "start"], [])


def test_without_a_network_it_stops_unless_nothing_is_to_be_fetched(place: Place) -> None:
    (place.folder / "remote.git").rename(place.folder / "gone.git")
    ended = place.rebuild("--yes")
    assert (ended.status, place.calls()) == (6, [])
    assert ended.stderr.endswith("nixsecrets: hint: without a network: give --no-fetch\n")
    assert place.rebuild("--yes", "--no-fetch", "--no-push").status == 0
    assert place.arguments() == [HERE]


def test_a_refused_push_leaves_the_commit_and_says_so(place: Place) -> None:
    place.commit_elsewhere()
    place.write("systems/hq/configuration.nix", "{ a = 1; }\n")
    ended = place.rebuild("--yes", "--no-fetch")
    assert ended.status == 6
    assert "error: hq is rebuilt, but nothing was pushed: git failed" in ended.stderr
    assert place.subjects() == ["nixhq: generation 425", "start"]


def test_a_refused_commit_says_that_the_host_is_rebuilt(place: Place) -> None:
    place.write("systems/hq/configuration.nix", "{ a = 1; }\n")
    place.write(".git/hooks/pre-commit", "#!/bin/sh\necho not today >&2\nexit 1\n")
    (place.root / ".git/hooks/pre-commit").chmod(0o755)
    ended = place.rebuild("--yes")
    assert ended.status == 6
    assert "error: hq is rebuilt, but nothing was committed: git failed" in ended.stderr


def test_without_an_upstream_it_goes_on(place: Place) -> None:
    place.git("branch", "--unset-upstream")
    place.write("systems/hq/configuration.nix", "{ a = 1; }\n")
    ended = place.rebuild("--yes")
    assert ended.status == 0
    assert "the branch has no upstream: nothing is fetched or pushed" in ended.stderr
    assert place.subjects() == ["nixhq: generation 425", "start"]


def test_without_git_it_only_rebuilds(place: Place) -> None:
    (place.root / ".git").rename(place.folder / "git")
    ended = place.rebuild("--yes")
    assert (ended.status, place.arguments()) == (0, [HERE]), ended.stderr
    assert (place.root / LOG).exists()
    assert "git" not in ended.stdout


def test_new_files_of_the_host_are_staged_in_full_before_the_build(place: Place) -> None:
    for path in ("systems/hq/new.nix", "shared/new.nix", "systems/t15g/new.nix", "other.txt"):
        place.write(path, "{ }\n")
    place.rebuild("--yes", "--no-commit")
    assert place.calls()[0]["staged"] == ["shared/new.nix", "systems/hq/new.nix"]
    assert place.status() == [
        "A  shared/new.nix",
        "A  systems/hq/new.nix",
        "?? other.txt",
        "?? systems/t15g/new.nix",
    ]


def test_the_commit_holds_the_fleets_paths_only(place: Place) -> None:
    place.write("notes.txt", "staged by the people\n")
    place.write("systems/t15g/configuration.nix", "{ b = 1; }\n")
    place.git("add", "notes.txt", "systems/t15g/configuration.nix")
    place.git("mv", "systems/hq/configuration.nix", "systems/hq/default.nix")
    place.write("flake.lock", "{ }\n")
    assert place.rebuild("--yes").status == 0
    assert place.git("show", "--format=", "--name-status", "--no-renames").splitlines() == [
        "A\tflake.lock",
        "D\tsystems/hq/configuration.nix",
        "A\tsystems/hq/default.nix",
    ]
    assert place.status() == ["M  notes.txt", "M  systems/t15g/configuration.nix"]


def test_nothing_to_commit_is_fine(place: Place) -> None:
    ended = place.rebuild("--yes")
    assert ended.status == 0
    assert "hq: nothing to commit" in ended.stderr
    assert place.subjects() == ["start"]


def test_what_makes_no_generation_is_not_committed(place: Place) -> None:
    place.write("systems/hq/configuration.nix", "{ a = 1; }\n")
    assert place.rebuild("--yes", "--test").status == 0
    assert place.subjects() == ["start"]


@pytest.mark.parametrize(
    ("flag", "manifest"),
    [("--no-push", ""), ("--yes", "rebuild: { commit: { push: false } }\n")],
    ids=["flag", "manifest"],
)
def test_the_push_can_be_switched_off(place: Place, flag: str, manifest: str) -> None:
    file = place.root / "nixsecrets.yaml"
    file.write_text(file.read_text() + manifest + "# changed\n")
    assert place.rebuild("--yes", flag).status == 0
    assert place.subjects() == ["nixhq: generation 425", "start"]
    assert place.subjects("remote.git") == ["start"]


def test_a_log_that_git_tracks_is_never_committed(place: Place) -> None:
    place.write(LOG, "an old one\n")
    place.write("systems/hq/configuration.nix", "{ a = 1; }\n")
    place.git("add", "--force", LOG)
    place.git("commit", "--quiet", "-m", "with log", LOG)
    ended = place.rebuild("--yes")
    assert place.committed() == ["systems/hq/configuration.nix"]
    assert place.status() == [f" M {LOG}"]
    assert f"{LOG} is tracked by git, and left out of the commit: git rm --cached" in ended.stdout


def test_a_log_that_git_does_not_ignore_is_told_once(place: Place) -> None:
    place.git("rm", "--quiet", "--cached", ".gitignore")
    (place.root / ".gitignore").unlink()
    ended = place.rebuild("--yes", "hq", "t15g")
    line = "warning: rebuild.log is not ignored by git; a line for .gitignore: rebuild.log"
    assert ended.stdout.splitlines().count(line) == 1
    assert "?? systems/hq/rebuild.log" in place.status()
    again = place.rebuild("--yes", "hq")
    assert "git add" not in again.stdout


def test_a_generation_that_cannot_be_read_is_told(place: Place) -> None:
    place.profile.unlink()
    place.write("systems/hq/configuration.nix", "{ a = 1; }\n")
    ended = place.rebuild("--yes", "-m", "now")
    assert "hq: the number of its generation could not be read" in ended.stderr
    assert place.subjects()[0] == "nixhq: generation ? - now"


def test_hosts_are_rebuilt_in_turn_until_one_fails(place: Place) -> None:
    place.write("status", "1", folder="bin")
    ended = place.rebuild("--yes", "t15g", "hq")
    assert ended.status == 6
    assert place.arguments() == [T15G]


def test_a_dry_run_shows_each_step_and_runs_none(place: Place) -> None:
    place.write("systems/hq/new.nix", "{ }\n")
    ended = place.rebuild("--dry-run", "--json", "-m", "new things")
    steps = [one["arguments"] for one in json.loads(ended.stdout)["follow_ups"]]
    paths = ["flake.nix", "systems/hq", ".sops.yaml", "nixsecrets.yaml"]
    assert ended.status == 0
    assert steps == [
        ["git", "fetch"],
        ["git", "add", "--", "systems/hq/new.nix"],
        ["nixos-rebuild", *HERE],
        ["git", "commit", "-m", "nixhq: generation N - new things", "--", *paths],
        ["git", "push"],
    ]
    assert place.calls() == []
    assert place.status() == ["?? systems/hq/new.nix"]
    assert not (place.root / ".git/nixsecrets").exists()


def test_nobody_being_there_to_ask_is_told(place: Place) -> None:
    ended = place.rebuild()
    assert ended.status == 2
    assert ended.stderr.endswith("nixsecrets: hint: give --yes\n")
    assert place.calls() == []


def test_an_error_of_the_checks_stops_it(place: Place) -> None:
    place.write("keys/hosts/hq.pub", f"{x25519.Identity.generate().to_public()}\n")
    place.write(
        ".sops.yaml", "creation_rules:\n  - path_regex: ^systems/hq/secrets\\.yaml$\n    age: ''\n"
    )
    place.write("systems/hq/secrets.yaml", "token: in clear\n")
    ended = place.rebuild("--yes", "--json")
    assert ended.status == 1
    rules = {finding["rule"] for finding in json.loads(ended.stdout)["findings"]}
    assert "document/not-encrypted" in rules
    assert "document/untracked" not in rules  # it would be staged
    assert ended.stderr.splitlines()[0] == (
        "nixsecrets: error: the checks found errors, so nothing was built"
    )
    assert (place.calls(), place.subjects()) == ([], ["start"])
    assert place.rebuild("--yes", "--no-check").status == 0


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        (["hx"], 3, "unknown host 'hx'"),
        (["boot"], 2, "no host is called boot\nnixsecrets: hint: nixsecrets rebuild --boot"),
        (["lost"], 3, "and has no address"),
        (["bare"], 3, "host bare has no attribute, so that flake.nix cannot be asked for it"),
        (["hq", "t15g", "--local"], 2, "--local and --target-host speak of one host"),
        (["hq", "--target-host", "-oProxyCommand=id"], 2, "is no address of a host"),
        (["vm01", "--rollback"], 2, "vm01 is rebuilt by hand, and so is its way back"),
        (["t15g", "--build", "--to", "3"], 2, "--build and a way back exclude each other"),
    ],
    ids=[
        *("unknown", "action", "no address", "no attribute", "two hosts", "option"),
        *("back by hand", "back and build"),
    ],
)
def test_a_request_that_cannot_be_is_refused(
    place: Place, asked: list[str], status: int, told: str
) -> None:
    ended = place.rebuild("--yes", *asked)
    assert (ended.status, told in ended.stderr) == (status, True), ended.stderr
    assert place.calls() == []


def test_a_machine_outside_the_fleet_names_the_hosts(place: Place) -> None:
    file = place.root / "nixsecrets.yaml"
    file.write_text(re.sub("host-name: [^ ]+", "host-name: elsewhere", file.read_text()))
    ended = place.rebuild("--yes")
    assert ended.status == 2
    assert "hint: name one of hq, t15g, t460, mac, vm01, lost, bare\n" in ended.stderr


def test_a_second_rebuild_at_the_same_time_is_refused(place: Place) -> None:
    with lock.exclusive(place.root / ".git/nixsecrets"):
        ended = place.rebuild("--yes")
    assert (ended.status, place.calls()) == (7, [])


def test_no_value_reaches_screen_log_or_arguments(place: Place) -> None:
    recipient = parse_recipient(str(x25519.Identity.generate().to_public()))
    document = seal(Plaintext(b"token: MARKER\n"), [recipient], datetime.now(UTC))
    place.write("systems/hq/secrets.yaml", document.decode())
    ended = place.rebuild("--yes", "--no-check")
    log = (place.root / LOG).read_text()
    assert "ENC[AES256_GCM" in log
    assert "MARKER" not in ended.stdout + ended.stderr + log + str(place.calls())


def test_its_help_names_what_goes_to_nixos_rebuild() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "nixsecrets", "rebuild", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.startswith("Usage: nixsecrets rebuild [OPTIONS] [HOST]... [-- EXTRA...]\n")
