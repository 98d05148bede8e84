"""Which generation a host runs and which of its units have failed; and back to another one."""

import re
from enum import Enum
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.errors import ProgramError
from nixsecrets.system.deploy.script import (
    answer,
    make_token,
    run_script,
    run_script_as_root,
)
from nixsecrets.system.ssh import Address

PROFILE = PurePosixPath("/nix/var/nix/profiles/system")

_GENERATION = re.compile(r"system-([0-9]+)-link", re.ASCII)
# It reads the token and the profile, and answers between two tokens, a word before each line.
_STATE = """\
PATH=$PATH:/run/current-system/sw/bin;
IFS= read -r token;
IFS= read -r profile;
echo "$token";
link=$(readlink "$profile");
printf "link %s\\n" "${link##*/}";
printf "made %s\\n" "$(stat -c %Y -- "${profile%/*}/${link##*/}" 2>/dev/null)";
for one in "$profile"-*-link; do printf "has %s\\n" "${one##*/}"; done;
if [ -d /run/systemd/system ]; then
  systemctl list-units --failed --plain --no-legend --no-pager |
  while read -r unit rest; do printf "failed %s\\n" "$unit"; done;
fi;
echo "$token"
"""
# It reads profile, generation and `switch` or `test`. As in nixos-rebuild, systemd runs the
# activation, which then does not end with the connection.
_RETURN = """\
PATH=$PATH:/run/wrappers/bin:/run/current-system/sw/bin;
IFS= read -r profile;
IFS= read -r number;
IFS= read -r action;
case $number in ""|*[!0-9]*) exit 2; esac;
case $action in switch|test) ;; *) exit 2; esac;
if ! [ -e "$profile-$number-link" ]; then echo "there is no generation $number" >&2; exit 3; fi;
nix-env --profile "$profile" --switch-generation "$number" >&2 </dev/null || exit 3;
activate=$profile/bin/switch-to-configuration;
if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then
  exec systemd-run -E LOCALE_ARCHIVE --collect --no-ask-password --pipe --quiet --wait
  --service-type=exec "$activate" "$action" </dev/null;
fi;
exec "$activate" "$action" </dev/null
"""


class State(NamedTuple):
    """A host as it runs.

    Args:
        generation: that its profile links to, which is the next boot's; None: none can be read.
        made_s: when that generation was made, in seconds since 1970; None: not known.
        generations: all that it still has, the oldest first.
        failed: systemd's units that have failed.
    """

    generation: int | None
    made_s: int | None = None
    generations: tuple[int, ...] = ()
    failed: frozenset[str] = frozenset()


class Activation(Enum):
    """What an earlier generation becomes."""

    SWITCH = "switch"
    TEST = "test"


def read(address: Address | None, profile: PurePosixPath = PROFILE) -> State | None:
    """Return how a host is; None: it does not answer.

    Args:
        address: the host, over ssh; None: this machine.
        profile: of the system.
    """
    token = make_token()
    try:
        ended = run_script(address, _STATE, (token, str(profile)))
    except ProgramError:
        return None
    lines = answer(ended, token)
    if lines is None:
        return None
    words = [line.partition(" ") for line in lines]
    said = {word: value for word, _, value in words}
    made = said.get("made", "")
    there = (_number(value) for word, _, value in words if word == "has")
    return State(
        _number(said.get("link", "")),
        int(made) if made.isdecimal() else None,
        tuple(sorted(number for number in there if number is not None)),
        frozenset(value for word, _, value in words if word == "failed"),
    )


def go_to(
    address: Address | None,
    generation: int,
    activation: Activation,
    profile: PurePosixPath = PROFILE,
) -> None:
    """Make a generation that a host still has its profile's, and activate it, as root.

    Raises:
        ProgramError: it has no such generation, or did not activate it, or does not answer.
    """
    told = (str(profile), str(generation), activation.value)
    ended = run_script_as_root(address, _RETURN, told)
    if ended.status != 0:
        said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        words = f": {said[-1]}" if said else ""
        raise ProgramError(
            f"the return to generation {generation} failed with status {ended.status}{words}"
        )


def _number(link: str) -> int | None:
    found = _GENERATION.fullmatch(link)
    return int(found[1]) if found else None
