"""Bytes of a YAML file ⇄ its text: UTF-8, or UTF-16 with its mark, as go-yaml reads them.

Everything is written as UTF-8, like sops does it: no tool of the field (git, a shell, the readers
on hosts) has to know UTF-16 for a text that a machine wrote.
"""

from codecs import BOM_UTF16_BE, BOM_UTF16_LE

from nixsecrets.errors import RepositoryError

_BYTE_ORDER_MARK = "\ufeff"


def decode(content: bytes) -> tuple[str, str]:
    """Return the text, and the byte order mark before it that is written again, or nothing.

    Raises:
        RepositoryError: it is in no encoding that YAML takes.
    """
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return _decoded(content, "UTF-16"), ""
    text = _decoded(content, "UTF-8")
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    return text.removeprefix(mark), mark


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].decode(encoding, "ignore").count("\n") + 1
        raise RepositoryError(f"is not {encoding} text", line=line) from None
