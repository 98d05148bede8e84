"""Names and texts of a policy replaced in place: recipients, anchors, the paths of rules."""

import re
from itertools import takewhile
from pathlib import PurePosixPath

from nixsecrets.age.recipient import canonical_text
from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.policy import Policy, RecipientEntry, Rule, exact_pattern
from nixsecrets.fleet.policy_edit import ANCHOR_NAME, PolicyEditError, edited, known_anchor
from nixsecrets.fleet.policy_layout import spell
from nixsecrets.fleet.policy_nodes import AliasNode, Node, ScalarNode, resolve
from nixsecrets.fleet.policy_reach import every_node, parts_of
from nixsecrets.fleet.policy_reading import PolicyText, fields_of, read_policy, rule_nodes
from nixsecrets.sops.rules import compile_pattern
from nixsecrets.textedit import Edit


def replace_recipient(content: bytes, old: str, new: str) -> bytes:
    """Return the policy with another recipient wherever one is written out, under its anchors too.

    Args:
        content: the policy; one that does not name `old` stays as it is.
        old: canonical text of the recipient that goes.
        new: text of the one that comes.

    Raises:
        PolicyEditError: `old` is spelled so that it cannot be replaced in place.
    """
    before = read_policy(content)
    edits = [
        _written_anew(node, edit)
        for node in every_node(before.composition.root)
        if isinstance(node, ScalarNode)
        for part in parts_of(before.text, node)
        if part.canonical == old
        for edit in (Edit(part.start, part.end, new),)
    ]
    intended = _with_recipient(before.policy, old, new)
    if intended == before.policy:
        return content
    refusal = PolicyEditError(f"{old} cannot be replaced where it stands", new)
    return edited(content, edits, intended, refusal)


def _written_anew(node: ScalarNode, edit: Edit) -> Edit:
    """Quote what a plain text cannot hold; in other styles only quotes would need it."""
    is_alone = "," not in node.text
    plain = not node.style and is_alone
    return edit._replace(replacement=spell(edit.replacement, "")) if plain else edit


def _with_recipient(policy: Policy, old: str, new: str) -> Policy:
    def entry(one: RecipientEntry) -> RecipientEntry:
        return one._replace(text=new) if canonical_text(one.text) == old else one

    return policy._replace(
        anchors=tuple(
            anchor._replace(text=new) if canonical_text(anchor.text) == old else anchor
            for anchor in policy.anchors
        ),
        rules=tuple(
            rule._replace(groups=tuple(tuple(map(entry, group)) for group in rule.groups))
            for rule in policy.rules
        ),
    )


def rename_anchor(content: bytes, old: str, new: str) -> bytes:
    """Return the policy with an anchor of another name, and so its aliases.

    Raises:
        RepositoryError: there is no such anchor, or the new name is taken or cannot be one.
    """
    before = read_policy(content)
    if old == new:
        return content
    known = known_anchor(before.policy, old)
    if not ANCHOR_NAME.fullmatch(new):
        raise RepositoryError(f"{new!r} cannot be an anchor: only letters, digits, `-` and `_` can")
    if any(node.anchor == new for node in before.composition.anchored):
        raise RepositoryError(f"anchor {new} stands for something already", line=known.line)
    edits = [
        edit
        for node in every_node(before.composition.root)
        for edit in _renamed(before.text, node, old, new)
    ]
    anchors = tuple(
        anchor._replace(name=new) if anchor.name == old else anchor
        for anchor in before.policy.anchors
    )
    refusal = PolicyEditError(f"anchor {old} cannot be renamed", f"&{new}", line=known.line)
    return edited(content, edits, before.policy._replace(anchors=anchors), refusal)


def _renamed(text: str, node: Node, old: str, new: str) -> tuple[Edit, ...]:
    """Rename an alias, or an anchor together with the blanks that align what follows it."""
    start = node.place.start
    if isinstance(node, AliasNode):
        return (Edit(start + 1, node.place.end, new),) if node.name == old else ()
    if node.anchor != old:
        return ()
    blanks = re.compile(" *").match(text, start + 1 + len(old))
    gap = len(blanks[0]) if blanks else 0
    kept = max(gap - len(new) + len(old), 1) if gap > 1 else gap
    return (Edit(start + 1, start + 1 + len(old) + gap, new + " " * kept),)


def respell_path(content: bytes, old: PurePosixPath, new: PurePosixPath) -> bytes:
    """Return the policy whose rule for one path matches another instead.

    A rule that matches both already stays as it is.

    Args:
        content: the policy.
        old: the path that a rule governs, relative to the policy's folder.
        new: the path that it is to govern.

    Raises:
        PolicyEditError: its expression does not spell what differs, or an earlier rule would
            govern `new`.
    """
    before = read_policy(content)
    rule = before.policy.rule_for(old)
    if rule is None:
        return content
    if rule.matches(new):
        return _governed(before.policy, rule, new, content)
    refusal = PolicyEditError(
        f"{rule.named} does not spell what is to change of {old}",
        f"path_regex: {exact_pattern(new)}",
        line=rule.line,
    )
    pattern = next(
        (one for one in _respellings(rule.pattern_text, old, new) if _takes(one, old, new)), None
    )
    node = resolve(fields_of(rule_nodes(before.composition)[rule.place])["path_regex"])
    if pattern is None or not isinstance(node, ScalarNode):
        raise refusal
    edit = _pattern_edit(before, node, pattern, refusal)
    rules = tuple(
        one._replace(pattern_text=pattern) if one.place == rule.place else one
        for one in before.policy.rules
    )
    after = edited(content, (edit,), before.policy._replace(rules=rules), refusal)
    return _governed(read_policy(after).policy, rule, new, after)


def _governed(policy: Policy, rule: Rule, path: PurePosixPath, content: bytes) -> bytes:
    governing = policy.rule_for(path)
    if governing is None or governing.place != rule.place:
        at = governing.named if governing else "no rule"
        raise PolicyEditError(
            f"{at} would govern {path}, and not {rule.named}",
            f"{rule.named}, before line {governing.line if governing else rule.line}",
            doing="move",
            line=rule.line,
        )
    return content


def _pattern_edit(
    before: PolicyText, node: ScalarNode, pattern: str, refusal: PolicyEditError
) -> Edit:
    start = node.place.start + (len(node.anchor) + 1 if node.anchor else 0)
    written = before.text[start : node.place.end]
    start += len(written) - len(written.lstrip())
    if node.style in ("|", ">") or "\n" in written.strip():
        raise refusal
    return Edit(start, node.place.end, spell(pattern, node.style))


def _respellings(pattern: str, old: PurePosixPath, new: PurePosixPath) -> tuple[str, ...]:
    """Return the expressions with the part that differs spelled anew, as escaped as it was."""
    if pattern == exact_pattern(old):
        return (exact_pattern(new),)
    found = []
    for gone, come in _differences(old, new):
        for escaped in (True, False):
            spelled = _escaped(gone) if escaped else gone
            whole = re.compile(rf"(?<![\w-]){re.escape(spelled)}(?![\w-])")
            instead = _escaped(come) if escaped else come
            found.append(whole.sub(instead.replace("\\", r"\\"), pattern))
    return tuple(found)


def _differences(old: PurePosixPath, new: PurePosixPath) -> tuple[tuple[str, str], ...]:
    """Return what differs between two paths: the parts that do, and the paths as a whole.

    `hosts/hq/a.yaml` and `hosts/vm/a.yaml`: `hq` and `vm`.
    """
    head = len(list(takewhile(_same, zip(old.parts, new.parts, strict=False))))
    limit = min(len(old.parts), len(new.parts)) - head
    backwards = zip(old.parts[::-1][:limit], new.parts[::-1][:limit], strict=True)
    tail = len(list(takewhile(_same, backwards)))
    gone = old.parts[head : len(old.parts) - tail], new.parts[head : len(new.parts) - tail]
    middle = ("/".join(gone[0]), "/".join(gone[1]))
    stems = (PurePosixPath(middle[0]).stem, PurePosixPath(middle[1]).stem)
    folders = (str(old.parent), str(new.parent))
    pairs = (middle, stems, folders, (str(old), str(new)))
    return tuple(pair for pair in pairs if pair[0] and pair[0] != ".")


def _same(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]


def _escaped(path: str) -> str:
    return exact_pattern(PurePosixPath(path))[1:-1]


def _takes(pattern: str, old: PurePosixPath, new: PurePosixPath) -> bool:
    try:
        expression = compile_pattern(pattern)
    except RepositoryError:
        return False
    return bool(expression.search(str(new))) and not expression.search(str(old))
