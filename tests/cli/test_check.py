"""`nixsecrets check`, run as a user would; nobody has an identity of the fleet it looks at."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.audit.clean_fleet import Place, make_place

HQ = "systems/hq/secrets.yaml"


@dataclass(frozen=True)
class Ended:
    status: int
    stdout: str
    stderr: str


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path / "fleet")


def run_check(place: Place, *arguments: str, folder: str = ".") -> Ended:
    ended = subprocess.run(
        [sys.executable, "-m", "nixsecrets", "check", *arguments],
        cwd=place.root / folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def _warn(place: Place) -> None:
    place.remove("flake.lock")


def _break(place: Place) -> None:
    place.write(HQ, "token: in-clear-Tr0ub4dor\n")


def test_a_fleet_in_order_needs_no_identity_and_ends_with_0(place: Place) -> None:
    assert not [name for name in os.environ if name.startswith("SOPS_")]
    assert not list(Path.home().rglob("*key*"))
    assert run_check(place) == Ended(0, "no errors, no warnings\n", "")
    assert run_check(place, folder="systems/hq") == Ended(0, "no errors, no warnings\n", "")


def test_an_error_ends_with_1_and_names_its_repair(place: Place) -> None:
    _break(place)
    ended = run_check(place)
    assert ended.status == 1
    lines = ended.stdout.splitlines()
    assert lines[0].startswith(f"error   document/not-encrypted  {HQ}: stands in clear")
    assert lines[1] == f"        fix: sops encrypt --in-place {HQ}"
    assert lines[-1] == "1 error, no warnings"
    assert "Tr0ub4dor" not in ended.stdout + ended.stderr


def test_warnings_end_with_0_and_with_1_where_they_count(place: Place) -> None:
    _warn(place)
    assert run_check(place).status == 0
    strict = run_check(place, "--strict")
    assert (strict.status, strict.stdout) == (1, run_check(place).stdout)
    assert strict.stdout.endswith("no errors, 1 warning\n")


def test_hosts_narrow_it(place: Place) -> None:
    _break(place)
    assert run_check(place, "t15g", "vm01").status == 0
    assert run_check(place, "hq").status == 1


def test_an_unknown_host_is_told_with_the_nearest(place: Place) -> None:
    ended = run_check(place, "t15")
    assert (ended.status, ended.stdout) == (3, "")
    assert "unknown host 't15'" in ended.stderr
    assert "did you mean t15g" in ended.stderr


def test_json_is_for_programs(place: Place) -> None:
    assert json.loads(run_check(place, "--json").stdout) == {
        "findings": [],
        "errors": 0,
        "warnings": 0,
    }
    _break(place)
    ended = run_check(place, "--json")
    read = json.loads(ended.stdout)
    assert (ended.status, read["errors"], read["warnings"]) == (1, len(read["findings"]), 0)
    assert set(read["findings"][0]) == {"rule", "severity", "place", "words", "remedy"}
    assert "Tr0ub4dor" not in ended.stdout


@pytest.mark.parametrize(
    ("path", "content", "place_at_fault"),
    [
        ("nixsecrets.yaml", "version: 1\nunknown: 1\n", "nixsecrets.yaml:2:1"),
        ("nixsecrets.yaml", "version: [1\n", "nixsecrets.yaml:"),
        (".sops.yaml", "creation_rules:\n  - path_regex: '('\n", ".sops.yaml:2:"),
        (".sops.yaml", "creation_rules: 1\n", ".sops.yaml:1:"),
        (".sops.yaml", "a: *nobody\n", ".sops.yaml:1:"),
    ],
)
def test_a_manifest_or_policy_that_cannot_be_read_ends_with_3(
    place: Place, path: str, content: str, place_at_fault: str
) -> None:
    place.write(path, content)
    ended = run_check(place)
    assert (ended.status, ended.stdout) == (3, "")
    assert ended.stderr.startswith(f"nixsecrets: error: {place_at_fault}")


def test_outside_of_a_fleet_it_says_where_to_begin(place: Place, tmp_path: Path) -> None:
    ended = run_check(Place(tmp_path, place.recipients, place.ssh_line))
    assert ended.status == 3
    assert "nixsecrets init" in ended.stderr


def test_it_changes_nothing(place: Place) -> None:
    _break(place)
    before = {file: file.stat().st_mtime_ns for file in place.root.rglob("*") if file.is_file()}
    run_check(place)
    after = {file: file.stat().st_mtime_ns for file in place.root.rglob("*") if file.is_file()}
    assert before == after
