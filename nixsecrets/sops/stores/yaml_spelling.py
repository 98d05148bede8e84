"""How a value is spelled in YAML so that all readers agree: sops', and those of YAML 1.1.

sops-install-secrets, which opens documents on hosts, parses with a YAML 1.1 fork of go-yaml.
"""

import re
from binascii import b2a_base64

from yaml.resolver import Resolver

from nixsecrets.sops.cipher import spelled_type
from nixsecrets.sops.stores.yaml_scalars import resolve_plain
from nixsecrets.sops.tree import Empty, LeafType

_PLAIN = r"[A-Za-z_/][A-Za-z0-9_./@%+=-]*(?: [A-Za-z0-9_./@%+=-]+)*"
_YAML_1_1_LETTERS = frozenset("yYnN")  # truth values of YAML 1.1 that PyYAML leaves out
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


def spell(kind: LeafType | Empty, content: bytes, indent: int | None) -> str:
    """Return a value as YAML text that reads back with the same type and bytes.

    Args:
        kind: the value's type.
        content: its canonical bytes.
        indent: column for the lines of a literal block; None: within a flow collection or as a
            key, where only one line may stand.
    """
    match kind:
        case Empty():
            return kind.value
        case LeafType.STR | LeafType.BYTES:
            return _spell_string(content, indent)
        case LeafType.BOOL:
            return content.decode().lower()
        case LeafType.FLOAT:
            text = content.decode()
            specials = {"NaN": ".nan", "+Inf": ".inf", "-Inf": "-.inf"}
            return specials.get(text) or (text if "." in text else text + ".0")
        case LeafType.INT | LeafType.TIME:
            return content.decode()


def spell_key(key: str) -> str:
    """Return a mapping key, quoted wherever YAML 1.1 or 1.2 would not read this string."""
    return _spell_string(key.encode("utf-8", "surrogateescape"), None)


def _spell_string(content: bytes, indent: int | None) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return "!!binary " + b2a_base64(content, newline=False).decode()
    if is_plain_string(text) or (indent is not None and spelled_type(text)):
        return text
    if indent is not None and "\n" in text.rstrip("\n"):
        return _literal(text, indent) or quote(text)
    return quote(text)


def is_plain_string(text: str) -> bool:
    """Say whether `text` can stand unquoted in every place and for every reader."""
    return (
        re.fullmatch(_PLAIN, text) is not None
        and is_string_in_yaml_1_1(text)
        and resolve_plain(text)[0] is LeafType.STR
    )


def is_string_in_yaml_1_1(text: str) -> bool:
    """Say whether a plain scalar is a string for a reader of YAML 1.1."""
    patterns = Resolver.yaml_implicit_resolvers.get(text[:1], ())
    return text not in _YAML_1_1_LETTERS and not any(one.match(text) for _tag, one in patterns)


def quote(text: str) -> str:
    """Return `text` as one line in double quotes, with every character escaped that needs it."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(_ESCAPES.get(character) or _escape(character) for character in text) + '"'


def _escape(character: str) -> str:
    if character.isprintable() and character != "\ufeff":
        return character
    number = ord(character)
    if number < 0x100:  # noqa: PLR2004  # the three lengths of escapes that YAML has
        return f"\\x{number:02X}"
    return f"\\u{number:04X}" if number <= 0xFFFF else f"\\U{number:08X}"  # noqa: PLR2004  # the same


def _literal(text: str, indent: int) -> str | None:
    lines = text.removesuffix("\n").split("\n")
    if (
        not lines[-1]
        or lines[0][:1].isspace()
        or not lines[0]
        or not all(map(_fits_literal, lines))
    ):
        return None
    head = "|" if text.endswith("\n") else "|-"
    return "\n".join((head, *(" " * indent + line if line else "" for line in lines)))


def _fits_literal(line: str) -> bool:
    return not line or (not line.isspace() and line.replace("\t", "").isprintable())
