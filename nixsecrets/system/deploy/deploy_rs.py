"""The engine deploy-rs: its command line, for one node of the flake (`deploy --help`)."""

from nixsecrets.errors import UsageError
from nixsecrets.system.deploy.target import Action, Target


def command(target: Target, node: str) -> tuple[str, ...]:
    """Return the command line, to be run where the flake stands.

    Where ssh reaches the node, and as whom, the flake says itself (`deploy.nodes`). What goes to
    Nix stands behind `--`, as `deploy` has it.

    Raises:
        UsageError: deploy-rs has no such action.
    """
    more = ("--", *target.extra) if target.extra else ()
    return ("deploy", *_option(target), f".#{node}", *more)


def _option(target: Target) -> tuple[str, ...]:
    match target.action:
        case Action.SWITCH:
            return ()
        case Action.BOOT:
            return ("--boot",)
        case Action.DRY_ACTIVATE:
            return ("--dry-activate",)
        case Action.TEST | Action.BUILD:
            raise UsageError(
                f"deploy-rs has no {target.action}", hint="give --engine nixos-rebuild"
            )
