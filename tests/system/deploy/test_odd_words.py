"""Words that a shell, an option parser or git could take for more than words."""

import subprocess
from pathlib import Path

import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.load import open_repository
from nixsecrets.system.deploy import nixos_rebuild, printed
from nixsecrets.system.deploy.nixos_rebuild import Privilege
from nixsecrets.system.deploy.target import Action, Flake, Target
from tests.cli.rebuilding import Place, make_place
from tests.tools import require_tool

ODD = ["a b", "it's", 'say "hi"', "$(touch x)", "`touch x`", "a;touch x", "--force", "a\\b", "*"]
WORST = ["--force", "$(touch x)", "a 'b' \"c\" `touch x`; touch x"]
RECORDER = '#!/bin/sh\nfor one; do printf "%s\\n" "$one"; done >"$0.told"\n'


@pytest.fixture
def place(tmp_path: Path) -> Place:
    require_tool("git")
    return make_place(tmp_path)


@pytest.mark.parametrize("odd", WORST)
def test_a_message_is_committed_as_it_is(place: Place, odd: str) -> None:
    place.write("systems/hq/configuration.nix", "{ a = 1; }\n")
    ended = place.rebuild("hq", "-m", odd, "--yes")
    assert ended.status == 0, ended.stderr
    assert place.subjects()[0].endswith(f" - {odd}")
    assert not list(place.folder.rglob("x"))


@pytest.mark.parametrize("odd", WORST)
def test_a_host_is_never_taken_for_an_option_or_a_command(place: Place, odd: str) -> None:
    assert place.rebuild(odd, "--yes").status != 0
    assert place.calls() == []
    assert not list(place.folder.rglob("x"))


@pytest.mark.parametrize("odd", WORST)
def test_the_target_host_is_an_address_or_refused(place: Place, odd: str) -> None:
    ended = place.rebuild("hq", f"--target-host={odd}", "--yes")
    assert ended.status == 2
    assert "is no address of a host" in ended.stderr
    assert place.calls() == []


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "host", ["hq: {{ attribute: {} }}", "{}: {{ attribute: hq }}"], ids=["attribute", "host"]
)
def test_the_manifest_takes_no_such_name(tmp_path: Path, host: str, odd: str) -> None:
    quoted = "'" + odd.replace("'", "''") + "'"
    text = f"version: 1\nhosts:\n  {host.format(quoted)}\n"
    (tmp_path / "nixsecrets.yaml").write_text(text)
    with pytest.raises(RepositoryError, match="is no"):
        open_repository(tmp_path, frozenset)


@pytest.mark.parametrize("odd", ODD)
def test_a_shell_takes_what_is_printed_as_it_was_meant(tmp_path: Path, odd: str) -> None:
    folder = tmp_path / odd
    folder.mkdir()
    program = tmp_path / "nixos-rebuild"
    program.write_text(RECORDER)
    program.chmod(0o755)
    target = Target("hq", Flake(odd), Action.SWITCH, None, ("--option", odd))
    line = nixos_rebuild.command(target, folder, Privilege.OURS, Path("/nowhere"))
    shown = "\n".join(printed.render_lines(target, line, folder))
    subprocess.run(
        ["sh", "-eu", "-c", shown], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True
    )
    told = (tmp_path / "nixos-rebuild.told").read_text()
    assert told.splitlines() == [*line[1:]]
    assert not list(tmp_path.rglob("x"))
