"""Relative path literals of a Nix source that follow files to another place."""

import posixpath
from collections.abc import Iterator, Mapping

from nixsecrets.nix.render import render_path
from nixsecrets.nix.syntax import descendants, parse
from nixsecrets.textedit import Edit, apply_edits


def follow(content: bytes, folders: tuple[str, str], moves: Mapping[str, str]) -> bytes:
    """Return a source whose path literals lead where the files went; the rest stays.

    Args:
        content: a Nix source.
        folders: the one it stood in, and the one it stands in; paths from the same root.
        moves: files and folders, from where to where.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
    """
    edits = tuple(_edits(content, folders, moves))
    if not edits:
        return content
    text = content.decode(errors="surrogateescape")
    return apply_edits(text, edits).encode(errors="surrogateescape")


def _edits(content: bytes, folders: tuple[str, str], moves: Mapping[str, str]) -> Iterator[Edit]:
    before, now = folders
    source = parse(content)
    for node in descendants(source.root):
        if node.type != "path_expression":
            continue
        literal = source.text(node)
        target = moves.get(posixpath.normpath(posixpath.join(before, literal)))
        if not literal.startswith(".") or target is None:
            continue
        led = posixpath.relpath(target, now)
        if led != posixpath.normpath(literal):
            start = len(content[: node.start_byte].decode(errors="surrogateescape"))
            spelled = render_path(led if led.startswith("../") else f"./{led}")
            yield Edit(start, start + len(literal), spelled)
