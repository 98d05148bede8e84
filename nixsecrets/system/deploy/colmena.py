"""The engine colmena: its command line, for one node of the hive (`colmena apply --help`)."""

import os

from nixsecrets.system.deploy.target import Action, Target


def command(target: Target, node: str) -> tuple[str, ...]:
    """Return the command line, to be run where the hive stands.

    Where ssh reaches the node, and as whom, the hive says itself (`deployment.targetHost`).

    Args:
        target: without an address, this machine, which colmena deploys without ssh.
        node: what the hive calls it.
    """
    goal = target.action.value
    if target.address is not None or target.action is Action.BUILD:
        return ("colmena", "apply", "--on", node, *target.extra, goal)
    sudo = () if os.geteuid() == 0 else ("--sudo",)
    return ("colmena", "apply-local", "--node", node, *sudo, *target.extra, goal)
