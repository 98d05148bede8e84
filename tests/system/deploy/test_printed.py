from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.system.deploy.nixos_rebuild import Privilege, command
from nixsecrets.system.deploy.printed import render_lines
from nixsecrets.system.deploy.target import Action, Configuration, Flake, System, Target

ROOT = Path("/home/jane/my fleet")


@pytest.mark.parametrize(
    ("system", "lines"),
    [
        (
            Flake("nixhq"),
            ("cd '/home/jane/my fleet'", "nixos-rebuild switch --flake '.#nixhq' --sudo"),
        ),
        (
            Configuration(PurePosixPath("mac.nix")),
            ("nixos-rebuild switch -I 'nixos-config=/home/jane/my fleet/mac.nix' --sudo",),
        ),
    ],
    ids=["flake", "no flake"],
)
def test_what_is_printed_can_be_pasted(system: System, lines: tuple[str, ...]) -> None:
    target = Target("hq", system, Action.SWITCH)
    arguments = command(target, ROOT, Privilege.BY_OPTION)
    assert render_lines(target, arguments, ROOT) == lines
