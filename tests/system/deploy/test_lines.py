"""The exact arguments of each engine for each action, here and over ssh."""

import os
import shlex
from pathlib import Path

import pytest

from nixsecrets.errors import UsageError
from nixsecrets.fleet.model import Engine
from nixsecrets.system.deploy import colmena, deploy_rs, nixos_rebuild, printed
from nixsecrets.system.deploy.nixos_rebuild import Privilege
from nixsecrets.system.deploy.target import Action, Flake, Target
from nixsecrets.system.ssh import Address

ROOT = Path("/home/jane/nixos")
THERE = Address("root", "hq.lan")
SUDO = "" if os.geteuid() == 0 else " --sudo"
IMPOSSIBLE = None
LINES = {
    "nixos-rebuild here switch": "nixos-rebuild switch --flake .#nixhq",
    "nixos-rebuild here boot": "nixos-rebuild boot --flake .#nixhq",
    "nixos-rebuild here test": "nixos-rebuild test --flake .#nixhq",
    "nixos-rebuild here build": "nixos-rebuild build --flake .#nixhq",
    "nixos-rebuild here dry-activate": "nixos-rebuild dry-activate --flake .#nixhq",
    "nixos-rebuild there switch": "nixos-rebuild switch --flake .#nixhq --target-host root@hq.lan",
    "nixos-rebuild there boot": "nixos-rebuild boot --flake .#nixhq --target-host root@hq.lan",
    "nixos-rebuild there test": "nixos-rebuild test --flake .#nixhq --target-host root@hq.lan",
    "nixos-rebuild there build": "nixos-rebuild build --flake .#nixhq --target-host root@hq.lan",
    "nixos-rebuild there dry-activate": (
        "nixos-rebuild dry-activate --flake .#nixhq --target-host root@hq.lan"
    ),
    "colmena here switch": f"colmena apply-local --node nixhq{SUDO} switch",
    "colmena here boot": f"colmena apply-local --node nixhq{SUDO} boot",
    "colmena here test": f"colmena apply-local --node nixhq{SUDO} test",
    "colmena here build": "colmena apply --on nixhq build",
    "colmena here dry-activate": f"colmena apply-local --node nixhq{SUDO} dry-activate",
    "colmena there switch": "colmena apply --on nixhq switch",
    "colmena there boot": "colmena apply --on nixhq boot",
    "colmena there test": "colmena apply --on nixhq test",
    "colmena there build": "colmena apply --on nixhq build",
    "colmena there dry-activate": "colmena apply --on nixhq dry-activate",
    "deploy-rs here switch": "deploy .#nixhq",
    "deploy-rs here boot": "deploy --boot .#nixhq",
    "deploy-rs here test": IMPOSSIBLE,
    "deploy-rs here build": IMPOSSIBLE,
    "deploy-rs here dry-activate": "deploy --dry-activate .#nixhq",
    "deploy-rs there switch": "deploy .#nixhq",
    "deploy-rs there boot": "deploy --boot .#nixhq",
    "deploy-rs there test": IMPOSSIBLE,
    "deploy-rs there build": IMPOSSIBLE,
    "deploy-rs there dry-activate": "deploy --dry-activate .#nixhq",
    "print here switch": "nixos-rebuild switch --flake .#nixhq",
    "print here boot": "nixos-rebuild boot --flake .#nixhq",
    "print here test": "nixos-rebuild test --flake .#nixhq",
    "print here build": "nixos-rebuild build --flake .#nixhq",
    "print here dry-activate": "nixos-rebuild dry-activate --flake .#nixhq",
    "print there switch": "nixos-rebuild switch --flake .#nixhq --target-host root@hq.lan",
    "print there boot": "nixos-rebuild boot --flake .#nixhq --target-host root@hq.lan",
    "print there test": "nixos-rebuild test --flake .#nixhq --target-host root@hq.lan",
    "print there build": "nixos-rebuild build --flake .#nixhq --target-host root@hq.lan",
    "print there dry-activate": (
        "nixos-rebuild dry-activate --flake .#nixhq --target-host root@hq.lan"
    ),
}
ODD = ["a b", "it's", 'say "hi"', "$(touch x)", "`touch x`", "a;touch x", "-rf", "a\\b", "*"]


def arguments(engine: Engine, target: Target, node: str) -> tuple[str, ...]:
    """Return what the program is started with; for `print`, what a shell makes of its lines."""
    match engine:
        case Engine.COLMENA:
            return colmena.command(target, node)
        case Engine.DEPLOY_RS:
            return deploy_rs.command(target, node)
        case Engine.NIXOS_REBUILD | Engine.PRINT:
            line = nixos_rebuild.command(target, ROOT, Privilege.OURS, Path("/nowhere"))
    if engine is Engine.NIXOS_REBUILD:
        return line
    enter, shown = printed.render_lines(target, line, ROOT)
    assert enter == f"cd {ROOT}"
    return tuple(shlex.split(shown))


@pytest.mark.parametrize(("case", "line"), LINES.items(), ids=LINES)
def test_an_engine_is_given_these_arguments(case: str, line: str | None) -> None:
    engine, place, action = case.split()
    address = THERE if place == "there" else None
    target = Target("hq", Flake("nixhq"), Action(action), address)
    if line is IMPOSSIBLE:
        with pytest.raises(UsageError, match=f"deploy-rs has no {action}"):
            arguments(Engine(engine), target, "nixhq")
    else:
        assert arguments(Engine(engine), target, "nixhq") == tuple(line.split())


def test_every_engine_and_action_is_in_the_table() -> None:
    places = ("here", "there")
    assert set(LINES) == {
        f"{one.value} {at} {do}" for one in Engine for at in places for do in Action
    }


@pytest.mark.parametrize("engine", list(Engine))
@pytest.mark.parametrize("odd", ODD)
def test_odd_words_stay_one_argument(engine: Engine, odd: str) -> None:
    target = Target("hq", Flake(odd), Action.SWITCH, THERE, ("--option", odd))
    usual = Target("hq", Flake("nixhq"), Action.SWITCH, THERE, ("--option", "value"))
    expected = [
        {"nixhq": odd, ".#nixhq": f".#{odd}", "value": odd}.get(one, one)
        for one in arguments(engine, usual, "nixhq")
    ]
    assert list(arguments(engine, target, odd)) == expected
