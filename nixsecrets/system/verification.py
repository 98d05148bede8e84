"""Ask a host how files of its show themselves, without a value passing: digests go over the wire.

Neither the nonce nor an answer is logged or printed.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nixsecrets.errors import ProgramError
from nixsecrets.system.deploy.script import answer, make_token, run_script_as_root
from nixsecrets.system.process import Completed
from nixsecrets.system.ssh import Address

_NONCE_BYTES = 32
_NO_PROGRAMS = 3
_FIELDS = 5
_ABSENT = "-"
# It reads the token, the nonce, then `=PATH` for a file whose content is summed up and `?PATH` for
# one whose content is not. A unit that still installs secrets (sops.useSystemdActivation) is
# waited for. What a login shell says before stays out by the token.
_SCRIPT = """\
PATH=$PATH:/run/wrappers/bin:/run/current-system/sw/bin;
IFS= read -r token;
IFS= read -r nonce;
command -v stat >/dev/null && command -v sha256sum >/dev/null || exit 3;
waited=0;
while [ "$waited" -lt 60 ] &&
  [ "$(systemctl is-active sops-install-secrets.service 2>/dev/null)" = activating ];
do sleep 1; waited=$((waited + 1)); done;
echo "$token";
while IFS= read -r line; do
  path=${line#?};
  if ! [ -f "$path" ]; then printf "%s\\n" "- - - - $path"; continue; fi;
  seen=$(stat -L -c "%U %G %a" -- "$path") || exit 4;
  sum=-;
  case $line in
    =*) sum=$({ printf %s "$nonce"; cat -- "$path"; printf %s "$nonce"; } | sha256sum) || exit 4;
  esac;
  printf "%s %s %s\\n" "$seen" "${sum%% *}" "$path";
done;
echo "$token"
"""


class Seen(NamedTuple):
    """A file of a host: names of user and group, the mode in octal digits.

    `digest` is the SHA-256 of nonce, content, nonce; `-` where it was not asked for.
    """

    owner: str
    group: str
    mode: str
    digest: str


class Question(NamedTuple):
    """A file to look at, by its absolute path without a newline."""

    path: str
    content: bool


def make_nonce() -> str:
    """Return 32 fresh bytes in hexadecimal digits, which are what is summed up."""
    return secrets.token_hex(_NONCE_BYTES)


def look(
    address: Address | None, nonce: str, questions: Sequence[Question]
) -> Mapping[str, Seen | None]:
    """Return by path what a host shows; None: there is no such file.

    Args:
        address: the host, over ssh; None: this machine.
        nonce: of `make_nonce`.
        questions: what to look at.

    Raises:
        ProgramError: it could not be looked at all of them, or ssh does not reach the host.
    """
    token = make_token()
    asked = [f"{'=' if one.content else '?'}{one.path}" for one in questions]
    ended = run_script_as_root(address, _SCRIPT, (token, nonce, *asked))
    lines = answer(ended, token)
    answers = [_parse(line) for line in lines or ()]
    if lines is None or None in answers or len(answers) != len(questions):
        raise _incomplete(ended)
    return dict(answer for answer in answers if answer is not None)


def _parse(line: str) -> tuple[str, Seen | None] | None:
    fields = line.split(" ", _FIELDS - 1)
    if len(fields) != _FIELDS:
        return None
    *shown, path = fields
    return path, None if shown[0] == _ABSENT else Seen(*shown)


def _incomplete(ended: Completed) -> ProgramError:
    if ended.status == _NO_PROGRAMS:
        return ProgramError("it has no stat or no sha256sum")
    said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
    words = f": {said[-1]}" if said and ended.status != 0 else ""
    return ProgramError(f"the script that looks at them ended with status {ended.status}{words}")
