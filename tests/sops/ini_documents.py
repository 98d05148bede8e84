"""Generated INI documents, each with the values that it is written to hold."""

from dataclasses import dataclass

from hypothesis import strategies as st

from nixsecrets.errors import RepositoryError
from nixsecrets.sops.stores.ini_spelling import spell_name, survives

VALUES = st.text(st.sampled_from("ab =:#;\"'`\\[]\n\r\t\f\x1c\x85\u2028é😀n"), max_size=9)
_TAME = st.sampled_from(("v", "a b", "a#b", " x", "l\nm", ""))
_NAMES = st.text(st.sampled_from("abc =:\"`.é]'"), min_size=1, max_size=5)
_NOTES = st.lists(
    st.sampled_from((";", "; note", "# a = b ", ";[x]", "#y ; z", "  ;; ünï", "; it`s", "")),
    max_size=2,
)

Values = list[tuple[str, list[tuple[str, str]]]]


@dataclass(frozen=True)
class Generated:
    """A document in clear and the values that it is written to hold, by section and name."""

    content: bytes
    values: Values

    @property
    def leaves(self) -> list[tuple[tuple[str, str], bytes]]:
        return [
            ((section, name), value.encode())
            for section, entries in self.values
            for name, value in entries
        ]


@st.composite
def _entries(draw: st.DrawFn, *, tame: bool) -> tuple[list[str], list[tuple[str, str]]]:
    """Draw the lines of one section and the values in them; sops cannot print all in clear."""
    lines: list[str] = []
    values: dict[str, str] = {}
    for drawn in draw(st.lists(_NAMES.filter(_is_name), max_size=4)):
        in_clear = draw(st.integers(0, 3)) == 0
        name = f"{drawn.strip()}_unencrypted" if in_clear else drawn.strip()
        value = draw(_TAME if in_clear or tame else VALUES)
        spelled = draw(_spellings(value))
        if name in values or spelled is None:
            continue
        delimiter = draw(st.sampled_from(("=", " = ", ":", "  :\t")))
        lines += [*draw(_NOTES), f"{spell_name(name)}{delimiter}{spelled}"]
        values[name] = value
    return lines, list(values.items())


@st.composite
def _spellings(draw: st.DrawFn, value: str) -> str | None:
    """Draw one of the quotings of a value; behind those that go-ini looks behind, a comment."""
    behind = draw(st.sampled_from(("", "", " ; c", "#d")))
    quoted = [f"{one}{behind}" for one in (value, f'"{value}"', f"'{value}'")]
    found = [one for one in quoted if survives(one.removesuffix(behind), value, behind)]
    blocks = [one for one in (f"`{value}`", f'"""{value}"""') if survives(one, value, "")]
    return draw(st.sampled_from(found + blocks)) if found + blocks else None


@st.composite
def documents(draw: st.DrawFn, *, tame: bool = False) -> Generated:
    """Draw a document of up to five sections.

    Args:
        draw: hypothesis' own.
        tame: of values that sops can print in clear only.
    """
    newline = draw(st.sampled_from(("\n", "\n", "\r\n")))
    lines, entries = draw(_entries(tame=tame))
    values = [("DEFAULT", entries)]
    sections = st.lists(st.sampled_from(("s", "a b", "x.y", "é]", " ")), max_size=3, unique=True)
    for section in draw(sections):
        inner, entries = draw(_entries(tame=tame))
        head = f"[{section}]{draw(st.sampled_from(('', '', ' ; e')))}"
        lines += [*draw(_NOTES), head, *inner]
        values.append((section, entries))
    lines += ["[last]", "k = v", *draw(_NOTES)]
    values.append(("last", [("k", "v")]))
    end = draw(st.sampled_from((newline, newline, "")))
    return Generated((newline.join(lines) + end).encode(), values)


def _is_name(name: str) -> bool:
    try:
        return spell_name(name.strip()) != ""
    except RepositoryError:
        return False
