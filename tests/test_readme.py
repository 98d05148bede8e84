"""README's session, run as it stands on a copy of the reference fleet."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MARK = "end of a step"


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
