"""`.sops.yaml`: which rule governs a path, and who may read what it governs."""

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.sops.rules import DEFAULT_SELECTION, Selection, compile_pattern

_UNRELATED = PurePosixPath("unrelated-to/every-document.yaml")
_SPECIAL = r"[\\.+*?()|\[\]{}^$]"
_EXACT = r"\^((?:[^\\.+*?()|\[\]{}^$\ufffd]|\\[\\.+*?()|\[\]{}^$])*)\$"


class RecipientEntry(NamedTuple):
    """One recipient of a rule.

    Args:
        text: as the policy says it; an `age` entry may be of any sort that age knows.
        anchor: the alias it was written by, or the anchor it defines on the spot.
        kind: the field it stands under (`age`, `pgp`, `kms`, …).
    """

    text: str
    anchor: str | None
    kind: str


class Rule(NamedTuple):
    """One creation rule.

    Args:
        place: position among the rules, from 0; the first that matches governs.
        pattern_text: regular expression of paths that RE2 takes; "" matches every path.
        groups: key groups in order; flat recipients are one group.
        shamir_threshold: as stated; None where it is not, or 0.
        selection: which leaves are encrypted.
        mac_only_encrypted: the MAC leaves clear values out.
        line: 1-based line of its start.
    """

    place: int
    pattern_text: str
    groups: tuple[tuple[RecipientEntry, ...], ...]
    shamir_threshold: int | None = None
    selection: Selection = DEFAULT_SELECTION
    mac_only_encrypted: bool = False
    line: int = 0

    @property
    def recipients(self) -> tuple[RecipientEntry, ...]:
        """The age entries of all groups, in order."""
        return tuple(entry for group in self.groups for entry in group if entry.kind == "age")

    @property
    def foreign(self) -> tuple[RecipientEntry, ...]:
        """The entries of other services, in order."""
        return tuple(entry for group in self.groups for entry in group if entry.kind != "age")

    @property
    def has_several_groups(self) -> bool:
        return len(self.groups) > 1

    @property
    def named(self) -> str:
        """How messages name the rule."""
        return f"rule {self.pattern_text}" if self.pattern_text else "the rule for every path"

    @property
    def is_catch_all(self) -> bool:
        """Whether it matches a document that nobody can have meant by it."""
        return self.matches(_UNRELATED)

    def matches(self, path: PurePosixPath) -> bool:
        return not self.pattern_text or compile_pattern(self.pattern_text).search(str(path))


class Anchor(NamedTuple):
    """A named text of the policy, wherever it stands."""

    name: str
    text: str
    line: int


class PolicyWarning(NamedTuple):
    """What sops passes over without a word."""

    line: int
    words: str


class _Stated(NamedTuple):
    rules: tuple[Rule, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    warnings: tuple[PolicyWarning, ...] = ()
    folder: PurePosixPath = PurePosixPath()


class Policy(_Stated):
    """A policy's meaning.

    Args:
        rules: in their order.
        anchors: in their order.
        warnings: in the order in which they were met.
        folder: where the policy stands, relative to the root of the paths it is asked about.
    """

    @cached_property
    def _apart(self) -> tuple[Mapping[str, int], tuple[int, ...]]:
        """The rules of one path, and the others, so that a fleet's hundreds need no search."""
        paths = [_only_path(rule) for rule in self.rules]
        exact: dict[str, int] = {}
        for place, path in enumerate(paths):
            if path is not None:
                exact.setdefault(path, place)
        return exact, tuple(place for place, path in enumerate(paths) if path is None)

    def rule_for(self, path: PurePosixPath) -> Rule | None:
        """Return the rule that governs `path`; outside of the policy's folder none does.

        Expressions are matched against what follows the folder (sops, `config.go`).
        """
        inside = self.inside(path)
        if inside is None:
            return None
        exact_places, searched = self._apart
        exact = exact_places.get(str(inside), len(self.rules))
        earlier = (self.rules[place] for place in searched if place < exact)
        found = next((rule for rule in earlier if rule.matches(inside)), None)
        return found or next(iter(self.rules[exact : exact + 1]), None)

    def has_own_rule(self, path: PurePosixPath) -> bool:
        """Say whether a rule's expression is `path`, escaped; an earlier one may govern it."""
        inside = self.inside(path)
        return inside is not None and str(inside) in self._apart[0]

    def inside(self, path: PurePosixPath) -> PurePosixPath | None:
        """Return `path` relative to the policy's folder; None: it lies outside."""
        if not self.folder.parts:
            return path
        return path.relative_to(self.folder) if path.is_relative_to(self.folder) else None

    def anchor(self, name: str) -> Anchor | None:
        return next((anchor for anchor in self.anchors if anchor.name == name), None)

    def name_of(self, recipient_text: str) -> str | None:
        """Return the first anchor that stands for `recipient_text`."""
        named = (anchor.name for anchor in self.anchors if anchor.text == recipient_text)
        return next(named, None)


def exact_pattern(path: PurePosixPath) -> str:
    r"""Return the expression that matches `path` alone: `^systems/hq/secrets\.yaml$`."""
    return "^" + re.sub(_SPECIAL, r"\\\g<0>", str(path)) + "$"


def _only_path(rule: Rule) -> str | None:
    """Return the one path that a rule matches, where its expression is that path, escaped."""
    found = re.fullmatch(_EXACT, rule.pattern_text)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else None
