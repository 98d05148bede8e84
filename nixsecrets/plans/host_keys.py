"""SSH host keys that lie about in a repository: whose each is said to be."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from tree_sitter import Node

from nixsecrets.age.ssh import convert_public_key, parse_public_key
from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.load import Repository
from nixsecrets.nix.syntax import NixSyntaxError, Syntax, descendants, parse
from nixsecrets.plans import policies

# The blob of an ssh-ed25519 key is 51 bytes: two lengths, the name, 32 bytes (RFC 8709).
_KEY = re.compile(rb"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ROOT_AT = re.compile(r"\s+root@(\S+)")
_OF_USERS = "authorizedKeys"


@dataclass(frozen=True, slots=True)
class SaidKey:
    """A host key as some file has it.

    Args:
        recipient: its conversion, `age1…`.
        line: `ssh-ed25519 AAAA…`, no comment.
        words: the names that stand around it.
    """

    recipient: str
    line: str
    words: frozenset[str]


def find(repository: Repository) -> Iterator[SaidKey]:
    """Yield the keys of `.pub` files, of lines as in `known_hosts`, and of Nix attributes.

    Keys that let a user in (`authorizedKeys`) are no host's.
    """
    for path in sorted(repository.paths()):
        content = policies.content_of(repository, path)
        if content is not None and _KEY.search(content):
            found = _in_nix(content) if path.suffix == ".nix" else _in_lines(path, content)
            for line, words in found:
                recipient = _converted(line)
                if recipient is not None:
                    yield SaidKey(recipient, line, frozenset(words))


def _converted(line: str) -> str | None:
    try:
        return convert_public_key(parse_public_key(line)).text
    except NixsecretsError:
        return None


def _in_lines(path: PurePosixPath, content: bytes) -> Iterator[tuple[str, set[str]]]:
    """Yield each key with the words before it, a comment `root@HOST`, and what the file is called.

    The folders count where the file is called as sshd calls it: `hq/ssh_host_ed25519_key.pub`.
    """
    of_file = {path.stem} | (set(path.parent.parts) if "host" in path.name else set())
    for line in content.splitlines():
        for match in _KEY.finditer(line):
            before = line[: match.start()].decode(errors="replace")
            after = line[match.end() :].decode(errors="replace")
            comment = _ROOT_AT.match(after)
            words = {*_WORD.findall(before), *([comment[1]] if comment else ()), *of_file}
            yield match[0].decode(), words


def _in_nix(content: bytes) -> Iterator[tuple[str, set[str]]]:
    """Yield each key with the attributes that it is bound to."""
    try:
        source = parse(content)
    except NixSyntaxError:
        return
    for node in descendants(source.root):
        match = _KEY.match((source.string(node) or "").encode(errors="replace"))
        if match:
            names = _bound_to(source, node)
            if _OF_USERS not in names:
                yield match[0].decode(), names


def _bound_to(source: Syntax, node: Node) -> set[str]:
    names: set[str] = set()
    above = node.parent
    while above is not None:
        path = above.child_by_field_name("attrpath") if above.type == "binding" else None
        for step in path.children if path is not None else ():
            names.update(filter(None, [source.attribute(step)]))
        above = above.parent
    return names
