"""Nix source text as a tree with positions, and as the tokens that formatters leave alone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

import tree_sitter_nix
from tree_sitter import Language, Node, Parser

from nixsecrets.errors import RepositoryError

_LANGUAGE = Language(tree_sitter_nix.language())

# tree-sitter-nix 0.1.0 knows neither `{ a, b, }:` nor the pipe operators of Nix 2.24. What
# stands in for them is as long, so that offsets hold; `->` binds as loosely as a pipe. Inside a
# string or a comment the exchange does no harm: text is only ever read from the source itself.
_TRAILING_COMMA = re.compile(rb",(?=(?>\s+|#[^\r\n]*|/\*.*?\*/)*+\})", re.DOTALL)
_PIPE = re.compile(rb"\|>|<\|")

_STRING_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


class NixSyntaxError(RepositoryError):
    """The source is no Nix expression; carries line and column."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """A parsed source.

    Args:
        content: the source; offsets of nodes count its bytes.
        root: the one expression that the file holds.
    """

    content: bytes
    root: Node

    def text(self, node: Node) -> str:
        """Return the source of `node`; bytes that are no UTF-8 stay recognisable."""
        return self.content[node.start_byte : node.end_byte].decode(errors="surrogateescape")

    def string(self, node: Node) -> str | None:
        """Return the value of a `"…"` literal; None for anything else and where it interpolates."""
        if node.type != "string_expression" or any(
            child.type == "interpolation" for child in node.children
        ):
            return None
        return _STRING_ESCAPE.sub(
            lambda escape: _ESCAPED.get(escape[1], escape[1]), self.text(node)[1:-1]
        )

    def attribute(self, node: Node) -> str | None:
        """Return the name that one component of an attribute path spells; None: computed."""
        return self.text(node) if node.type == "identifier" else self.string(node)

    def leaves(self) -> Iterator[Node]:
        """Yield the significant tokens in order: no whitespace, no comments.

        The text of a string is a token whose blanks count.
        """
        for node in descendants(self.root):
            if not node.child_count and node.start_byte < node.end_byte and node.type != "comment":
                yield node


def parse(content: bytes) -> Syntax:
    """Parse one Nix file.

    Raises:
        NixSyntaxError: the first place that is not understood.
    """
    known = _PIPE.sub(b"->", _TRAILING_COMMA.sub(b" ", content))
    tree = Parser(_LANGUAGE).parse(known)
    root = tree.root_node.child_by_field_name("expression")
    if root is None or tree.root_node.has_error:
        raise _syntax_error(content, tree.root_node)
    return Syntax(content, root)


def descendants(node: Node) -> Iterator[Node]:
    """Yield `node` and everything below it, in the order of the source."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))


def tokens(content: bytes) -> tuple[bytes, ...]:
    """Return the significant tokens: the same for a file before and after a formatter.

    A comma after the last argument of a function is not one of them.

    Raises:
        NixSyntaxError: `content` is no Nix expression.
    """
    source = parse(content)
    return tuple(content[leaf.start_byte : leaf.end_byte] for leaf in source.leaves())


def digest(content: bytes) -> str:
    """Return the sha256, in hex, of the significant tokens, each preceded by its length."""
    summary = sha256()
    for token in tokens(content):
        summary.update(b"%d:%b" % (len(token), token))
    return summary.hexdigest()


def _syntax_error(content: bytes, root: Node) -> NixSyntaxError:
    fault = next((node for node in descendants(root) if node.is_error or node.is_missing), root)
    row, column = fault.start_point
    before = content[fault.start_byte - column : fault.start_byte]
    return NixSyntaxError(
        "not understood as Nix",
        line=row + 1,
        column=len(before.decode(errors="replace")) + 1,
    )
