"""Which leaves of a document are encrypted, and the regular expressions that say so."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from functools import lru_cache, partial
from typing import NamedTuple

import re2

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.tree import Comment, Item, KeyPath, Tree, active_comments, keys_of

# C++ RE2 takes `\C` (one byte), which Go's regexp, the one sops uses, refuses.
_SINGLE_BYTE = r"(?<!\\)(?:\\\\)*\\C"


class Pattern:
    """A regular expression in RE2's language, as sops reads it; searched, not anchored."""

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str, compiled: re2._Regexp) -> None:
        self.text = text
        self._compiled = compiled

    def search(self, text: str) -> bool:
        # Go takes each byte that is not UTF-8 for U+FFFD (regexp, package comment).
        valid = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return self._compiled.search(valid.encode()) is not None


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str) -> Pattern:
    """Return `pattern`, compiled; remembered, so that rules and selections keep its text alone.

    Raises:
        RepositoryError: RE2 refuses it. sops ignores such a selection and leaves the
            document in clear.
    """
    options = re2.Options()
    options.log_errors = False
    hint = "sops reads RE2: without lookaround, back-references and `\\Z`"
    if r"\C" in pattern and re.search(_SINGLE_BYTE, pattern):
        raise RepositoryError(f"regular expression {pattern!r} is not valid: `\\C`", hint=hint)
    try:
        return Pattern(pattern, re2.compile(pattern, options))
    except re2.error as error:
        reason = b"".join(error.args).decode("utf-8", "replace")
    except UnicodeEncodeError:
        reason = "not UTF-8"
    raise RepositoryError(f"regular expression {pattern!r} is not valid: {reason}", hint=hint)


class SelectionKind(Enum):
    """How leaves are chosen; the value is the field's name in metadata and creation rules."""

    UNENCRYPTED_SUFFIX = "unencrypted_suffix"
    ENCRYPTED_SUFFIX = "encrypted_suffix"
    UNENCRYPTED_REGEX = "unencrypted_regex"
    ENCRYPTED_REGEX = "encrypted_regex"
    UNENCRYPTED_COMMENT_REGEX = "unencrypted_comment_regex"
    ENCRYPTED_COMMENT_REGEX = "encrypted_comment_regex"


_KEEPS_ITSELF = SelectionKind.UNENCRYPTED_COMMENT_REGEX
"""The rule by which a comment speaks for itself too (sops `sops.go`, `shouldBeEncrypted`)."""
COMMENT_RULES = (
    SelectionKind.ENCRYPTED_COMMENT_REGEX,
    SelectionKind.UNENCRYPTED_COMMENT_REGEX,
)
_SUFFIXES = (SelectionKind.UNENCRYPTED_SUFFIX, SelectionKind.ENCRYPTED_SUFFIX)
_ENCRYPTING = (
    SelectionKind.ENCRYPTED_SUFFIX,
    SelectionKind.ENCRYPTED_REGEX,
    SelectionKind.ENCRYPTED_COMMENT_REGEX,
)


class Selection(NamedTuple):
    """The one rule of a document that says which leaves are encrypted (sops `shouldBeEncrypted`).

    Args:
        kind: what is looked at.
        text: the suffix or the regular expression.
    """

    kind: SelectionKind
    text: str

    def encrypts(self, key_path: tuple[str, ...], comments: tuple[str, ...]) -> bool:
        """Tell whether the value at `key_path` is encrypted.

        Args:
            key_path: all mapping keys from the root, without list positions.
            comments: texts, leading blank included, of the comments directly before the value
                in its container and of those before each of its ancestors.
        """
        of_comments = self.kind in COMMENT_RULES
        return self.search(comments if of_comments else key_path) is self.encrypts_what_it_finds

    @property
    def encrypts_what_it_finds(self) -> bool:
        return self.kind in _ENCRYPTING

    @property
    def search(self) -> Callable[[tuple[str, ...]], bool]:
        """Tells whether one of the mapping keys, or of the comments, is what the rule looks for."""
        if self.kind in _SUFFIXES:
            return partial(_ends, self.text)
        return partial(_matches, compile_pattern(self.text))


def _matches(pattern: Pattern, texts: tuple[str, ...]) -> bool:
    return any(map(pattern.search, texts))


def _ends(suffix: str, names: tuple[str, ...]) -> bool:
    for name in names:  # noqa: SIM110  # `any` takes three times as long, and it is once a leaf
        if name.endswith(suffix):
            return True
    return False


DEFAULT_SELECTION = Selection(SelectionKind.UNENCRYPTED_SUFFIX, "_unencrypted")


def parse_selection(fields: Mapping[str, str]) -> Selection:
    """Return the selection that metadata or a creation rule states.

    Args:
        fields: the texts by the fields' names; other names are left aside, an empty text
            counts as absent, as in sops.

    Raises:
        RepositoryError: more than one field is set, or RE2 refuses the expression.
    """
    stated = [kind for kind in SelectionKind if fields.get(kind.value)]
    if len(stated) > 1:
        names = " and ".join(kind.value for kind in stated)
        raise RepositoryError(f"{names} exclude each other", hint="keep one of them")
    if not stated:
        return DEFAULT_SELECTION
    (kind,) = stated
    text = fields[kind.value]
    if kind not in _SUFFIXES:
        compile_pattern(text)
    return Selection(kind, text)


def items_with_rule(tree: Iterable[Item], selection: Selection) -> Iterator[tuple[Item, bool]]:
    """Yield every item in file order with whether a rule says that it is encrypted."""
    if selection.kind in COMMENT_RULES:
        yield from _items_with_comments(tuple(tree), selection)
        return
    finds, sought = selection.search, selection.encrypts_what_it_finds
    above: KeyPath = ()  # what the item before stands in
    found = finds(())
    for item in tree:
        path = item.container if isinstance(item, Comment) else item.path
        if path[:-1] != above:
            above = path[:-1]
            found = finds(keys_of(above))
        step = path[-1] if path else 0
        yield item, (found or (isinstance(step, str) and finds((step,)))) is sought


def _items_with_comments(tree: Tree, selection: Selection) -> Iterator[tuple[Item, bool]]:
    active = active_comments(tree)
    for position, item in enumerate(tree):
        comments = active[position]
        if isinstance(item, Comment) and selection.kind is _KEEPS_ITSELF:
            comments = (*comments, item.text)
        yield item, selection.encrypts((), comments)
