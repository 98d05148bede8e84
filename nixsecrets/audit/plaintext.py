"""Private key material that git tracks."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from nixsecrets.age import bech32
from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.audit.survey import Survey, content_of
from nixsecrets.audit.wording import at, command
from nixsecrets.errors import NixsecretsError

# A line's end as it stands in a file, or within a string of JSON, Python or Nix.
_END = rb"(?:\\r|\\n|[\s\"',+])"
_LABEL_NOISE = b" \t\r\"'`,+-|>*;:"
_NEAR = 400  # bytes before an identity in which its label stands
_BREAK = re.compile(rb"\\n|\n")
_LABEL = re.compile(rb"(?:.*[\"'])?# test identity")
# age's identities (age specification, "Identity"; the post-quantum ones have a `PQ-` more): 32
# bytes in bech32 with its checksum; and what PEM and OpenPGP hold: the heading alone, as in a
# program's text, is nobody's identity.
_PRIVATE_HALF = re.compile(
    rb"(?P<age>AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{58})"
    rb"|-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----" + _END + rb"{1,64}"
    rb"(?:[A-Za-z-]+: [^\n\\]{1,200}" + _END + rb"{1,64}){0,8}[A-Za-z0-9+/]{32}"
)
_HINTS = (b"AGE-SECRET-KEY-", b"PRIVATE KEY")


def findings(found: Survey) -> Iterator[Finding]:
    for path in sorted(found.own_paths & (found.tracked or frozenset())):
        content = content_of(found.repository, path)
        match content:
            case None:
                continue
            case bytes():
                yield from _private_halves(path, content)
            case NixsecretsError():
                words = f"{content.problem}, so that it is not known what it holds"
                yield Finding("plaintext/unread", Severity.WARNING, str(path), words)


def _private_halves(path: PurePosixPath, content: bytes) -> Iterator[Finding]:
    if not any(hint in content for hint in _HINTS):
        return
    for match in filter(_is_whole, _PRIVATE_HALF.finditer(content)):
        place = at(path, content.count(b"\n", 0, match.start()) + 1)
        if _is_labelled(content, match.start()):
            words = "holds a private key, labelled as a test identity"
            yield Finding("plaintext/private-key", Severity.WARNING, place, words)
        else:
            words = "holds a private key, which everyone has who ever had this repository"
            remedy = f"{command('git', 'rm', '--cached', path)}, and replace the key"
            yield Finding("plaintext/private-key", Severity.ERROR, place, words, remedy)


def _is_whole(match: re.Match[bytes]) -> bool:
    """Say whether an identity's checksum holds; one that was made up to show a form is none."""
    if match["age"] is None:
        return True
    try:
        bech32.decode(match["age"].decode("ascii"))
    except NixsecretsError:
        return False
    return True


def _is_labelled(content: bytes, start: int) -> bool:
    """Say whether the line above reads `# test identity`, in a text or in a string of one."""
    lines = _BREAK.split(content[max(0, start - _NEAR) : start])
    above = (line.strip(_LABEL_NOISE) for line in reversed(lines[:-1]))
    return _LABEL.fullmatch(next((line for line in above if line), b"")) is not None
