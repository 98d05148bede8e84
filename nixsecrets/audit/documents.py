"""Documents that are not sealed, or not whole."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.audit.survey import Opaque, Survey, Surveyed
from nixsecrets.audit.wording import at, command, listed, spoken
from nixsecrets.errors import NixsecretsError
from nixsecrets.fleet.model import InFile, Scope
from nixsecrets.plans.documents import leaf_name
from nixsecrets.sops.document import Document, LeafState
from nixsecrets.sops.tree import Empty, KeyPath


def findings(found: Survey) -> Iterator[Finding]:
    for one in found.documents.values():
        match one.reading:
            case Document():
                yield from _document(one, one.reading)
            case NixsecretsError():
                place = at(one.path, one.reading.line)
                words = one.reading.problem
                hint = one.reading.hint
                yield Finding("document/unreadable", Severity.ERROR, place, words, hint)
            case Opaque.CLEAR:
                yield _in_clear(found, one)


def set_command(one: Surveyed, path: KeyPath) -> str:
    """Return the command that gives a leaf another value."""
    scope: Scope | InFile = one.managed.scope if one.managed else InFile(one.path)
    return command("nixsecrets", "set", f"{scope.prefix}:{leaf_name(path)}")


def _in_clear(found: Survey, one: Surveyed) -> Finding:
    said_by = "the manifest" if one.rule is None else spoken(one.rule)
    words = f"stands in clear, though {said_by} says that it is a document"
    if one.path in (found.tracked or ()):
        words += "; git has its values already, so replace them too"
    remedy = command("sops", "encrypt", "--in-place", one.path)
    return Finding("document/not-encrypted", Severity.ERROR, str(one.path), words, remedy)


def _document(one: Surveyed, document: Document) -> Iterator[Finding]:
    yield from (_ambiguous_key(one, line) for line in document.ambiguous_keys())
    by_rule = []
    for leaf in document.leaf_states():
        if _is_empty(leaf):
            yield _empty(one, leaf)
        elif leaf.encrypted_by_rule and leaf.sealed_as is None and not leaf.empty:
            yield _clear_leaf(one, leaf)
        elif not leaf.encrypted_by_rule and not leaf.empty:
            by_rule.append(leaf)
    if by_rule:
        yield _clear_by_rule(one.path, by_rule)


def _is_empty(leaf: LeafState) -> bool:
    """Say whether a leaf ought to have a value; an empty mapping or list is none to begin with."""
    return leaf.empty and leaf.kind not in (Empty.MAPPING, Empty.LIST)


def _empty(one: Surveyed, leaf: LeafState) -> Finding:
    words = f"{leaf_name(leaf.path)} is empty, and an empty value is never encrypted"
    is_named = all(isinstance(step, str) for step in leaf.path)
    remedy = set_command(one, leaf.path) if is_named else None
    place = at(one.path, leaf.line)
    return Finding("document/empty-value", Severity.WARNING, place, words, remedy)


def _clear_leaf(one: Surveyed, leaf: LeafState) -> Finding:
    words = (
        f"{leaf_name(leaf.path)} stands in clear or damaged, though the document's own rule says "
        "that it is encrypted; nothing opens the document like this"
    )
    remedy = f"take the line out, then {set_command(one, leaf.path)}"
    place = at(one.path, leaf.line)
    return Finding("document/clear-leaf", Severity.ERROR, place, words, remedy)


def _ambiguous_key(one: Surveyed, line: int) -> Finding:
    delivered = one.managed is not None and one.managed.is_delivered
    severity = Severity.ERROR if delivered else Severity.WARNING
    words = "this mapping key is no string for sops-nix, which reads YAML 1.1, and stops at it"
    remedy = "put the mapping key in double quotes"
    return Finding("document/key-not-a-string", severity, at(one.path, line), words, remedy)


def _clear_by_rule(path: PurePosixPath, leaves: list[LeafState]) -> Finding:
    names = listed([leaf_name(leaf.path) for leaf in leaves])
    verb = "stands" if len(leaves) == 1 else "stand"
    words = f"{names} {verb} in clear by the document's own rule"
    return Finding("document/leaf-in-clear", Severity.WARNING, at(path, leaves[0].line), words)
