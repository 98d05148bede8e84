"""Names and values as INI text that reads back: the first quoting that go-ini undoes."""

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.stores.ini_reader import read_sections, read_value


def spell(text: str, tail: str = "") -> str:
    """Return a value as it can stand before `tail`, the rest of its line.

    Raises:
        RepositoryError: no quoting holds it.
    """
    quoted = (text, f'"{text}"', f"'{text}'", f"`{text}`", f'"""{text}"""')
    found = next((one for one in quoted if survives(one, text, tail)), None)
    if found is None:
        behind = " and the comment behind it" if tail.strip() else ""
        raise RepositoryError(f"no quoting of INI holds this value{behind}: all are in it")
    return found


def survives(spelled: str, text: str, tail: str) -> bool:
    """Say whether a spelling is read as `text` when `tail` stands behind it."""
    try:
        return read_value(f"{spelled}{tail}\n", 0).text == text
    except RepositoryError:
        return False


def spell_name(name: str) -> str:
    """Return a name as sops spells it (go-ini `file.go`, `writeToBuffer`).

    Raises:
        RepositoryError: sops could not read it again.
    """
    if any(one in name for one in '"=:'):
        spelled = f"`{name}`"
    else:
        spelled = f'"""{name}"""' if "`" in name else name
    if _names(f"{spelled} = x\n") != [("DEFAULT", name)]:
        raise RepositoryError(f"{name!r} cannot be a name in an INI document")
    return spelled


def spell_section(name: str) -> str:
    """Return a section's name in its brackets.

    Raises:
        RepositoryError: it could not be read again.
    """
    spelled = f"[{name}]"
    if _names(f"{spelled}\nx = x\n") != [(name, "x")]:
        raise RepositoryError(f"{name!r} cannot be a section of an INI document")
    return spelled


def _names(text: str) -> list[tuple[str, str]]:
    try:
        sections, _ = read_sections(text)
    except RepositoryError:
        return []
    return [(one.name, entry.line.name) for one in sections for entry in one.entries]
