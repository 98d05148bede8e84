"""What the differential tests draw: a text of each format, a rule, a change, and what is left."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from nixsecrets.override import override
from nixsecrets.sops.rules import DEFAULT_SELECTION, Selection, parse_selection
from nixsecrets.sops.sealing import Terms
from nixsecrets.sops.stores.formats import Format
from nixsecrets.sops.tree import KeyPath
from tests.sops.documents import documents as yaml_documents
from tests.sops.dotenv_documents import documents as dotenv_documents
from tests.sops.dotenv_documents import leaves_of
from tests.sops.ini_documents import documents as ini_documents
from tests.sops.json_documents import json_documents
from tests.sops.real import RealSops
from tests.sops.spellings import ODD_TEXTS

Row = tuple[tuple[str, ...], object]
"""Mapping keys and value of one leaf, as both programs can be made to tell them."""

COLLECTIONS = ("{}", "[]")
NUMBERS = ("int", "float")
_EXACT = 2**53
_TAME = re.compile(r"[A-Za-z0-9]( ?[A-Za-z0-9])*|")


@dataclass(frozen=True)
class Rule:
    """Which leaves are encrypted, for both programs."""

    field: str
    text: str
    only_encrypted: bool

    @property
    def options(self) -> Sequence[str]:
        rule = (f"--{self.field.replace('_', '-')}", self.text) if self.field else ()
        return (*rule, *(("--mac-only-encrypted",) if self.only_encrypted else ()))

    @property
    def selection(self) -> Selection:
        return parse_selection({self.field: self.text}) if self.field else DEFAULT_SELECTION

    @property
    def speaks_of_comments(self) -> bool:
        return "comment" in self.field


@dataclass(frozen=True)
class Value:
    """One leaf: path, type (`null`, `{}` and `[]` among them), canonical bytes."""

    path: KeyPath
    kind: str
    content: bytes

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(step for step in self.path if isinstance(step, str))


@dataclass(frozen=True)
class Clear:
    """A text in clear and what it was written to hold, in file order.

    Args:
        content: as it stands in a file.
        values: its leaves.
        comments: their texts; None: the format joins and marks them anew.
    """

    content: bytes
    values: tuple[Value, ...]
    comments: frozenset[str] | None = frozenset()

    def may_hold(self, comments: set[str]) -> bool:
        return self.comments is None or comments <= self.comments


@dataclass(frozen=True)
class Change:
    """A value set at a path or, of no value, removed."""

    path: KeyPath
    value: str | None

    def of(self, values: Iterable[Value]) -> list[Value]:
        """Return what the values are when it is made."""
        before = list(values)
        if self.value is None:
            return [one for one in before if one.path != self.path]
        new = Value(self.path, "str", self.value.encode())
        if any(one.path == self.path for one in before):
            return [new if one.path == self.path else one for one in before]
        return [*before, new]


class Side(ABC):
    """One format: how it is drawn, what sops says of it, what sops cannot do with it."""

    form: Format
    regexes: tuple[str, ...] = ("unencrypted$|^a", "[a-k]|^$")
    comment = "note"
    texts: tuple[str, ...] = ODD_TEXTS
    added: KeyPath = ("added",)
    crashes_on_empty_comments = False

    @abstractmethod
    def documents(self, rule: Rule) -> st.SearchStrategy[Clear]:
        """Return the texts that both programs can seal under a rule."""

    @property
    def types(self) -> Sequence[str]:
        return ("--input-type", self.form.value, "--output-type", self.form.value)

    def rules(self) -> st.SearchStrategy[Rule]:
        found = [
            ("", ""),
            ("unencrypted_suffix", "_unencrypted"),
            ("encrypted_suffix", "d"),
            ("unencrypted_regex", self.regexes[0]),
            ("encrypted_regex", self.regexes[1]),
        ]
        if self.comment:
            found += [
                ("unencrypted_comment_regex", self.comment),
                ("encrypted_comment_regex", self.comment),
            ]
        return st.builds(
            lambda pair, only: Rule(*pair, only), st.sampled_from(found), st.booleans()
        )

    def terms(self, rule: Rule) -> Terms:
        return Terms(self.form, rule.selection, rule.only_encrypted)

    def decrypted(self, sops: RealSops, sealed: bytes, values: Sequence[Value]) -> list[Row] | None:
        """Return what sops opens; None: it opens, but no output of it could be compared."""
        del values
        shown = sops.decrypt(sealed, "--input-type", self.form.value, "--output-type", "json")
        return [(keys, value) for keys, value in flat(json.loads(shown, parse_int=float)) if keys]

    def rows(self, values: Iterable[Value]) -> list[Row]:
        return [(one.keys, as_json(one)) for one in values if one.path]

    def survives_printing(self, value: Value) -> bool:
        """Say whether sops prints a value in clear so that it reads back as it was."""
        del value
        return True

    def changes(self, values: Sequence[Value], in_clear: set[KeyPath]) -> st.SearchStrategy[Change]:
        """Return changes of one value, at a place that stands there once or is new."""
        paths = [one.path for one in values if one.path]
        once = [path for path in paths if paths.count(path) == 1] or [self.added]
        return st.one_of(
            st.sampled_from([*once, self.added]).flatmap(
                lambda path: self.new_texts(in_clear=path in in_clear).map(
                    lambda text: Change(path, text)
                )
            ),
            st.sampled_from(once).map(lambda path: Change(path, None))
            if len(once) > 1
            else st.just(Change(self.added, "x")),
        )

    def new_texts(self, *, in_clear: bool) -> st.SearchStrategy[str]:
        del in_clear
        return st.sampled_from(self.texts)


class _Yaml(Side):
    form = Format.YAML

    @override
    def documents(self, rule: Rule) -> st.SearchStrategy[Clear]:
        del rule
        return yaml_documents().map(
            lambda one: Clear(
                one.text.encode(),
                tuple(Value(*leaf) for leaf in one.leaves),
                frozenset(one.comments),
            )
        )

    @override
    def decrypted(self, sops: RealSops, sealed: bytes, values: Sequence[Value]) -> list[Row] | None:
        if any(one.content in (b"NaN", b"+Inf", b"-Inf") for one in values):
            sops.decrypt(sealed)
            return None
        return super().decrypted(sops, sealed, values)

    @override
    def new_texts(self, *, in_clear: bool) -> st.SearchStrategy[str]:
        found = st.sampled_from(ODD_TEXTS)
        if not in_clear:
            return found
        return found.filter(lambda text: self.survives_printing(Value((), "str", text.encode())))

    @override
    def survives_printing(self, value: Value) -> bool:
        """Say so of all but -0.0, and lines that begin with a tab, a blank or an empty line."""
        content = value.content
        return content != b"-0" and not (b"\n" in content and content[:1] in (b"\t", b" ", b"\n"))


class _Json(Side):
    form = Format.JSON
    comment = ""

    @override
    def documents(self, rule: Rule) -> st.SearchStrategy[Clear]:
        del rule
        return json_documents().map(
            lambda one: Clear(one.text.encode(), tuple(Value(*leaf) for leaf in one.leaves))
        )

    @override
    def survives_printing(self, value: Value) -> bool:
        """Say so of all but numbers in clear that releases before 3.13.2 take for others."""
        if value.kind == "int":
            return abs(int(value.content)) <= _EXACT
        return value.content != b"-0"


class _Dotenv(Side):
    form = Format.DOTENV
    comment = "^ note"
    texts = tuple(one for one in ODD_TEXTS if "\\n" not in one)  # it has no spelling in clear

    @override
    def documents(self, rule: Rule) -> st.SearchStrategy[Clear]:
        del rule
        return dotenv_documents().map(
            lambda one: Clear(
                one,
                tuple(Value(path, "str", content) for path, content in leaves_of(one)),
                frozenset(_surrogates(line[1:]) for line in one.split(b"\n") if line[:1] == b"#"),
            )
        )

    @override
    def decrypted(self, sops: RealSops, sealed: bytes, values: Sequence[Value]) -> list[Row] | None:
        del values
        return [(path, content) for path, content in leaves_of(sops.decrypt(sealed, *self.types))]

    @override
    def rows(self, values: Iterable[Value]) -> list[Row]:
        return [(one.keys, one.content) for one in values]


class _Ini(Side):
    form = Format.INI
    comment = "^note"
    added = ("last", "added")
    crashes_on_empty_comments = True

    @override
    def documents(self, rule: Rule) -> st.SearchStrategy[Clear]:
        return ini_documents(tame=bool(rule.field)).map(
            lambda one: Clear(
                one.content,
                tuple(Value(path, "str", content) for path, content in one.leaves),
                comments=None,
            )
        )

    @override
    def decrypted(self, sops: RealSops, sealed: bytes, values: Sequence[Value]) -> list[Row] | None:
        del values
        shown = sops.decrypt(sealed, "--input-type", "ini", "--output-type", "json")
        return [
            ((section, name), value)
            for section, entries in json.loads(shown, object_pairs_hook=tuple)
            for name, value in entries
        ]

    @override
    def new_texts(self, *, in_clear: bool) -> st.SearchStrategy[str]:
        tame = [one for one in ODD_TEXTS if _TAME.fullmatch(one)]
        return st.sampled_from(tame if in_clear else ODD_TEXTS)


class _Binary(Side):
    form = Format.BINARY
    comment = ""
    added = ("data",)

    @override
    def documents(self, rule: Rule) -> st.SearchStrategy[Clear]:
        del rule
        return st.binary(max_size=300).map(lambda one: Clear(one, (Value(("data",), "str", one),)))

    @override
    def rules(self) -> st.SearchStrategy[Rule]:
        return st.just(Rule("", "", only_encrypted=False))

    @override
    def decrypted(self, sops: RealSops, sealed: bytes, values: Sequence[Value]) -> list[Row] | None:
        del values
        return [(("data",), sops.decrypt(sealed, *self.types))]

    @override
    def rows(self, values: Iterable[Value]) -> list[Row]:
        return [(one.keys, one.content) for one in values]


SIDES: tuple[Side, ...] = (_Yaml(), _Json(), _Dotenv(), _Ini(), _Binary())


def flat(value: object, keys: tuple[str, ...] = ()) -> Iterator[Row]:
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from flat(below, (*keys, key))
    elif isinstance(value, list) and value:
        for below in value:
            yield from flat(below, keys)
    else:
        yield keys, value


def as_json(value: Value) -> object:
    match value.kind:
        case "null":
            return None
        case "{}":
            return {}
        case "[]":
            return []
        case "int" | "float":
            return float(value.content)
        case "bool":
            return value.content == b"True"
        case _:
            return value.content.decode("utf-8", "replace")


def without_collections(rows: Iterable[Row]) -> list[Row]:
    """Return rows without empty mappings and lists: a removal leaves them, or takes them along."""
    return [(keys, value) for keys, value in rows if value not in ({}, [])]


def without_number_types(values: Iterable[Value]) -> list[Value]:
    """Return values with each number as one: sops prints 1.0 as 1, or takes 1 for 1.0 in JSON.

    -0 is 0: what is printed so in JSON is read as an integer.
    """
    return [
        replace(one, kind="number", content=str(float(one.content) + 0).encode())
        if one.kind in NUMBERS
        else one
        for one in values
    ]


def _surrogates(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")
