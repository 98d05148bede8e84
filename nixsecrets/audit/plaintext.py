"""Private key material that git tracks."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.audit.survey import Survey

_PRIVATE_HALF = re.compile(
    rb"AGE-SECRET-KEY-1[0-9A-Z]{20}|-----BEGIN (?:OPENSSH|RSA|EC|DSA)? ?PRIVATE KEY-----"
)
_LABEL = b"# test identity"


def findings(found: Survey) -> Iterator[Finding]:
    for path in sorted(found.tracked or ()):
        source = found.repository.sources.find(path)
        if source is not None:
            yield from _private_halves(path, source.content)


def _private_halves(path: PurePosixPath, content: bytes) -> Iterator[Finding]:
    for match in _PRIVATE_HALF.finditer(content):
        start = content.rfind(b"\n", 0, match.start()) + 1
        above = content[:start].rstrip(b"\r\n").rpartition(b"\n")[2].strip()
        is_test = above == _LABEL
        line = content.count(b"\n", 0, match.start()) + 1
        words = "holds a private key" + (", labelled as a test identity" if is_test else "")
        yield Finding(
            "plaintext/private-key",
            Severity.WARNING if is_test else Severity.ERROR,
            f"{path}:{line}",
            words,
            None if is_test else f"git rm --cached -- {path}, and replace the key",
        )
