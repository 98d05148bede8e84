"""A text in clear in another format: the same values at the same places."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from nixsecrets.errors import NixsecretsError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops.document import OpenDocument, plain_text
from nixsecrets.sops.keypath import spell_key_path
from nixsecrets.sops.stores import (
    binary,
    flat,
    formats,
    ini_spelling,
    json_spelling,
    yaml_rendering,
    yaml_spelling,
)
from nixsecrets.sops.stores.formats import Format
from nixsecrets.sops.stores.text import Scalar, Text
from nixsecrets.sops.stores.yaml_rendering import comment_lines
from nixsecrets.sops.stores.yaml_text import DEFAULT_INDENT
from nixsecrets.sops.tree import Comment, Empty, Item, KeyPath, Leaf, LeafType, leaves, shared_depth

_LEVELS_OF_INI = 2
_DEFAULT_SECTION = "DEFAULT"


class Converted(NamedTuple):
    """A text in another format.

    Args:
        plaintext: the text.
        dropped: how many comments have no place in it.
    """

    plaintext: Plaintext
    dropped: int = 0


def convert(plaintext: Plaintext, source: Format, target: Format) -> Converted:
    """Return a text in clear in another format, laid out as sops does.

    In dotenv and INI every value is a text: that which sops makes of it, `<nil>` for null.

    Raises:
        RepositoryError: it is no text of its format; or the other one has no place for a leaf,
            which is named, for a name, or for a stream of documents.
    """
    if source is target:
        return Converted(plaintext)
    text = formats.parse_plain(plaintext.reveal(), source)
    _refuse_stream(text)
    items = _ordered(text.tree, source)
    made = _render(items, target)
    _check(items, made, target)
    lost = target in (Format.JSON, Format.BINARY)
    return Converted(made, sum(isinstance(one, Comment) for one in items) if lost else 0)


def extract(opened: OpenDocument, path: KeyPath, target: Format) -> Plaintext:
    """Return what stands at a key path: a string as it is, else a text in the format.

    A mapping becomes a document, a list or another value stands alone (sops `decrypt --extract`).

    Raises:
        RepositoryError: nothing stands there, or the format has no words for it.
    """
    form = opened.document.form
    text = formats.parse_plain(plain_text(opened).reveal(), form)
    _refuse_stream(text)
    size = len(path)
    items = [
        _below(item, size) for item in _ordered(text.tree, form) if _holder(item)[:size] == path
    ]
    found = [item for item in items if isinstance(item, Leaf)]
    if not found:
        raise RepositoryError(f"{spell_key_path(path)} is not in the document")
    if found[0].path:
        return _render(items, target)
    kind, content = found[0].kind, found[0].content
    if kind in (LeafType.STR, LeafType.BYTES):
        return Plaintext(content)
    return Plaintext(_alone(Scalar(kind, content), target))


def _refuse_stream(text: Text) -> None:
    if text.documents > 1:
        raise RepositoryError(
            f"is a stream of {text.documents} documents, and only YAML has streams",
            hint="put each document into a file of its own",
        )


def _alone(scalar: Scalar, target: Format) -> bytes:
    match target:
        case Format.YAML:
            return yaml_spelling.spell(scalar.kind, scalar.content, DEFAULT_INDENT).encode() + b"\n"
        case Format.JSON | Format.BINARY:
            return json_spelling.spell(scalar.kind, scalar.content).encode()
        case Format.DOTENV | Format.INI:
            return flat.shown(scalar).encode("utf-8", "surrogateescape")


def _holder(item: Item) -> KeyPath:
    return item.container if isinstance(item, Comment) else item.path


def _below(item: Item, depth: int) -> Item:
    match item:
        case Comment():
            return item._replace(container=item.container[depth:])
        case Leaf():
            return item._replace(path=item.path[depth:])


def _ordered(tree: Iterable[Item], source: Format) -> Sequence[Item]:
    """Return items with every comment above the leaf that it speaks for.

    Behind a leaf stands what is behind it on its line, and in INI each comment of a name. A
    section that comes again is one section.
    """
    items: list[Item] = []
    for item in tree:
        last = items[-1] if items else None
        if isinstance(item, Comment) and isinstance(last, Leaf):
            if source is Format.INI and item.container == last.path[:1]:
                items.insert(-1, item)
                continue
            if item.behind is not None and item.behind == last.path:
                items.insert(-1, item)
                continue
        items.append(item)
    if source is Format.INI:
        order: dict[KeyPath, int] = {}
        for item in items:
            order.setdefault(_holder(item)[:1], len(order))
        items.sort(key=lambda item: order[_holder(item)[:1]])
    return items


def _render(items: Sequence[Item], target: Format) -> Plaintext:
    return Plaintext(_RENDERERS[target](items).encode("utf-8", "surrogateescape"))


def _render_json(items: Sequence[Item]) -> str:
    return "".join(_json_pieces([item for item in items if isinstance(item, Leaf)]))


def _json_pieces(found: Sequence[Leaf]) -> Iterator[str]:
    if not found:
        yield "{}\n"
        return
    yield json_spelling.brackets(found[0].path[0])[0]
    before: KeyPath = ()
    for leaf in found:
        path = leaf.path
        shared = min(shared_depth(before, path), len(path) - 1)
        yield from _json_ends(before, shared)
        yield "," if before else ""
        for depth in range(shared, len(path)):
            step = path[depth]
            yield "\n" + "\t" * (depth + 1)
            yield "" if isinstance(step, int) else f"{json_spelling.spell_string(step)}: "
            if depth + 1 < len(path):
                yield json_spelling.brackets(path[depth + 1])[0]
        yield _named(path, _json_value, leaf)
        before = path
    yield from _json_ends(before, 0)
    yield "\n" + json_spelling.brackets(found[0].path[0])[1] + "\n"


def _json_value(kind: LeafType | Empty, content: bytes) -> str:
    """Return a value as JSON; -0 would come back as the integer 0 (sops 3.13)."""
    is_negative_zero = kind is LeafType.FLOAT and content == b"-0"
    return "-0.0" if is_negative_zero else json_spelling.spell(kind, content)


def _json_ends(path: KeyPath, depth: int) -> Iterator[str]:
    """Yield the brackets that close what is open below `depth`."""
    for level in range(len(path) - 1, depth, -1):
        yield "\n" + "\t" * level + json_spelling.brackets(path[level])[1]


def _render_dotenv(items: Sequence[Item]) -> str:
    empty = formats.parse_plain(b"", Format.DOTENV)
    lines: list[str] = []
    for item in items:
        match item:
            case Comment():
                lines += (f"#{line}\n" for line in comment_lines(item.text))
            case Leaf(path=path):
                _refuse_branch(item, Format.DOTENV)
                if len(path) > 1:
                    problem = f"{spell_key_path(path)} has no place in dotenv, which has no levels"
                    raise RepositoryError(problem, line=item.line)
                lines.append(_named(path, _dotenv_line(empty, path), item))
    return "".join(lines)


def _dotenv_line(empty: Text, path: KeyPath) -> Callable[[LeafType | Empty, bytes], str]:
    return lambda kind, content: empty.insert_leaf(path, Scalar(kind, content)).replacement


def _render_ini(items: Sequence[Item]) -> str:
    """Return sections with blank lines between them; what has no section comes first."""
    sections: dict[str, list[str]] = {_DEFAULT_SECTION: []}
    waiting: list[str] = []
    for item in items:
        match item:
            case Comment():
                waiting += (f"; {line.strip()}\n" for line in comment_lines(item.text))
            case Leaf():
                section, line = _ini_line(item)
                sections.setdefault(section, []).extend((*waiting, line))
                waiting = []
    parts = [
        "".join(
            (f"{ini_spelling.spell_section(name)}\n" if name != _DEFAULT_SECTION else "", *lines)
        )
        for name, lines in sections.items()
        if lines
    ]
    return "\n".join(parts) + "".join(waiting)


def _ini_line(leaf: Leaf) -> tuple[str, str]:
    path = leaf.path
    section, name = path if len(path) == _LEVELS_OF_INI else (None, None)
    if not isinstance(section, str) or not isinstance(name, str):
        raise RepositoryError(
            f"{spell_key_path(path)} has no place in INI, which is sections of names",
        )
    _refuse_branch(leaf, Format.INI)
    spelled = _named(
        path, lambda _kind, _content: ini_spelling.spell(flat.shown(_scalar(leaf))), leaf
    )
    return section, f"{ini_spelling.spell_name(name)} = {spelled}\n"


def _render_binary(items: Sequence[Item]) -> str:
    found = [item for item in items if isinstance(item, Leaf)]
    if [(leaf.path, leaf.kind) for leaf in found] != [(binary.DATA, LeafType.STR)]:
        raise RepositoryError(
            "a binary file is one value: only a document that is `data` alone becomes one",
            hint="`--type binary` takes a whole text as that value",
        )
    return found[0].content.decode("utf-8", "surrogateescape")


_RENDERERS: dict[Format, Callable[[Sequence[Item]], str]] = {
    Format.YAML: yaml_rendering.render,
    Format.JSON: _render_json,
    Format.DOTENV: _render_dotenv,
    Format.INI: _render_ini,
    Format.BINARY: _render_binary,
}


def _scalar(leaf: Leaf) -> Scalar:
    return Scalar(leaf.kind, leaf.content)


def _named(path: KeyPath, spell: Callable[[LeafType | Empty, bytes], str], leaf: Leaf) -> str:
    """Return how a leaf is spelled; errors name it."""
    try:
        return spell(leaf.kind, leaf.content)
    except RepositoryError as error:
        problem = f"{spell_key_path(path)}: {error.problem}"
        raise RepositoryError(problem, hint=error.hint, line=leaf.line) from None


def _refuse_branch(leaf: Leaf, target: Format) -> None:
    if leaf.kind in (Empty.MAPPING, Empty.LIST):
        raise RepositoryError(
            f"{spell_key_path(leaf.path)} is a mapping or a list, which has no place in "
            f"{target.value}",
            line=leaf.line,
        )


def _check(items: Sequence[Item], made: Plaintext, target: Format) -> None:
    """Read the new text and find the same values in it.

    Raises:
        RepositoryError: a name or a value does not read back; or a name stands there twice.
    """
    expected = [(item.path, _content_in(item, target)) for item in items if isinstance(item, Leaf)]
    try:
        tree = formats.parse_plain(made.reveal(), target).tree
    except NixsecretsError as error:
        raise RepositoryError(f"cannot stand in {target.value}: {error.problem}") from None
    found = [(leaf.path, leaf.content) for leaf in leaves(tree)]
    if target is Format.INI:
        expected.sort()
        found.sort()
    if target is not Format.BINARY and found != expected:
        lost = next((path for path, _ in expected if path not in dict(found)), None)
        what = f"{spell_key_path(lost)} does" if lost else "its values do"
        raise RepositoryError(f"{what} not read back in {target.value} as they are")


def _content_in(leaf: Leaf, target: Format) -> bytes:
    match target:
        case Format.YAML | Format.JSON | Format.BINARY:
            return leaf.content
        case Format.DOTENV | Format.INI:
            return flat.shown(_scalar(leaf)).encode("utf-8", "surrogateescape")
