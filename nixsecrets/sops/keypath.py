"""Key paths as sops spells them on its command line: `["a"][0]['b']` (`cmd/sops/main.go`)."""

import re

from nixsecrets.errors import UsageError
from nixsecrets.sops.stores.text import METADATA_NAME
from nixsecrets.sops.tree import KeyPath

_STEP = re.compile(
    r"""\[(?:"(?P<double>.*?)"|'(?P<single>.*?)'|(?P<position>[0-9]{1,9}))\](?=\[|\Z)""",
    re.DOTALL,
)
_NEGATIVE = re.compile(r"\[-[0-9]+\]")
_SPELLED = """write ["a"][0]["b"]"""


def parse_key_path(text: str) -> KeyPath:
    r"""Return the key path that a text spells.

    Names stand in quotes of either sort, without escapes, as in sops: `["a\b"]` is a name of three
    characters. A name may hold brackets, which sops does not take.

    Raises:
        UsageError: it spells none, or the metadata.
    """
    path: list[str | int] = []
    offset = 0
    while match := _STEP.match(text, offset):
        position = match["position"]
        name = match["single"] if match["double"] is None else match["double"]
        path.append(name if position is None else int(position))
        offset = match.end()
    if not path or offset < len(text):
        _refuse(text, offset)
    if path[0] == METADATA_NAME:
        raise UsageError("the top-level `sops` is reserved for the metadata")
    if isinstance(path[0], int):
        raise UsageError(f"{text!r} begins with a position, and no document is a list")
    return tuple(path)


def spell_key_path(path: KeyPath) -> str:
    """Return a key path as `parse_key_path` reads it; single quotes only where they must be."""
    return "".join(map(_spell_step, path))


def _spell_step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f"['{step}']" if '"][' in step or step.endswith('"]') else f'["{step}"]'


def _refuse(text: str, offset: int) -> None:
    if _NEGATIVE.match(text, offset):
        raise UsageError(f"{text!r} has a negative position", hint="positions count from 0")
    raise UsageError(f"{text!r} is no key path from character {offset + 1} on", hint=_SPELLED)
