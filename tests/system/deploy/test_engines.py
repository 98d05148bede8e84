import os

import pytest

from nixsecrets.errors import UsageError
from nixsecrets.system.deploy import colmena, deploy_rs
from nixsecrets.system.deploy.target import Action, Flake, Target
from nixsecrets.system.ssh import Address

SUDO = () if os.geteuid() == 0 else ("--sudo",)
THERE = Address("root", "nixt460")
EXTRA = ("--show-trace", "$(id)")


def target(action: Action, address: Address | None = THERE, extra: tuple[str, ...] = ()) -> Target:
    return Target("t460", Flake("nixt460"), action, address, extra)


@pytest.mark.parametrize("action", list(Action))
def test_colmena_is_given_its_goal(action: Action) -> None:
    line = colmena.command(target(action), "nixt460")
    assert line == ("colmena", "apply", "--on", "nixt460", action.value)


def test_colmena_deploys_this_machine_without_ssh() -> None:
    line = colmena.command(target(Action.SWITCH, None, EXTRA), "nixhq")
    assert line == ("colmena", "apply-local", "--node", "nixhq", *SUDO, *EXTRA, "switch")


@pytest.mark.parametrize(
    ("action", "extra", "line"),
    [
        (Action.SWITCH, (), ("deploy", ".#nixt460")),
        (Action.BOOT, (), ("deploy", "--boot", ".#nixt460")),
        (Action.DRY_ACTIVATE, (), ("deploy", "--dry-activate", ".#nixt460")),
        (Action.SWITCH, EXTRA, ("deploy", ".#nixt460", "--", *EXTRA)),
    ],
    ids=["switch", "boot", "dry-activate", "extra"],
)
def test_deploy_rs_is_given_its_option(
    action: Action, extra: tuple[str, ...], line: tuple[str, ...]
) -> None:
    assert deploy_rs.command(target(action, extra=extra), "nixt460") == line


@pytest.mark.parametrize("action", [Action.TEST, Action.BUILD])
def test_deploy_rs_is_not_asked_for_what_it_cannot(action: Action) -> None:
    with pytest.raises(UsageError, match=f"deploy-rs has no {action}"):
        deploy_rs.command(target(action), "nixt460")
