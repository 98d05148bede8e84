"""Policies of any style: what one edit does, its opposite undoes to the last byte."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from nixsecrets.fleet.policy_anchor import add_anchor
from nixsecrets.fleet.policy_joining import Joiner, Joining, join_rules
from nixsecrets.fleet.policy_leaving import remove_recipients
from nixsecrets.fleet.policy_reading import parse_policy
from nixsecrets.fleet.policy_renaming import rename_anchor, replace_recipient

NAMES = ("ann", "hq", "t460", "vm01", "zed")
NEW = "age1new"


@dataclass(frozen=True, slots=True)
class Style:
    """How a generated policy is written."""

    dash: int
    deep: int
    quote: str
    comment: str
    gap: str
    line_break: str


STYLES = st.builds(
    Style,
    dash=st.sampled_from((0, 2, 4)),
    deep=st.sampled_from((0, 2)),
    quote=st.sampled_from(("", "'", '"')),
    comment=st.sampled_from(("", " # note")),
    gap=st.sampled_from(("", "\n", "  # a rule\n")),
    line_break=st.sampled_from(("\n", "\r\n")),
)
READERS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)
SHAPES = st.sampled_from(("group", "list", "brackets", "comma", "folded", "literal"))


def rule_text(style: Style, number: int, names: list[str], shape: str) -> str:
    indent = " " * (style.dash + 2)
    texts = [f"age1{name}" for name in names]
    entries = {"literal": [f"{style.quote}{one}{style.quote}" for one in texts]}
    words = entries.get(shape, [f"*{name}" for name in names])
    head = f"{style.gap}{' ' * style.dash}- path_regex: ^r{number}/\n"
    match shape:
        case "group":
            column = style.dash + 2 + style.deep
            lines = "".join(f"{' ' * (column + 4)}- {one}{style.comment}\n" for one in words)
            return f"{head}{indent}key_groups:\n{' ' * column}- age:\n{lines}"
        case "brackets":
            return f"{head}{indent}age: [{', '.join(words)}]{style.comment}\n"
        case "comma":
            return f"{head}{indent}age: {style.quote}{','.join(texts)}{style.quote}\n"
        case "folded":
            return f"{head}{indent}age: >-\n{indent}  " + f",\n{indent}  ".join(texts) + "\n"
        case _:
            column = style.dash + 2 + style.deep
            lines = "".join(f"{' ' * column}- {one}{style.comment}\n" for one in words)
            return f"{head}{indent}age:\n{lines}"


@st.composite
def policies(draw: st.DrawFn) -> bytes:
    style = draw(STYLES)
    keys = "".join(f"{' ' * style.dash}- &{name} age1{name}{style.comment}\n" for name in NAMES)
    rules = draw(st.lists(st.tuples(READERS, SHAPES), min_size=1, max_size=5))
    text = "".join(rule_text(style, place, *rule) for place, rule in enumerate(rules))
    whole = f"keys:\n{keys}creation_rules:\n{text}"
    if draw(st.booleans()):
        whole = whole.removesuffix("\n")
    return whole.replace("\n", style.line_break).encode()


@settings(max_examples=150, deadline=None)
@given(policies(), st.sampled_from(NAMES), st.booleans())
def test_who_joins_and_leaves_leaves_no_byte_behind(
    content: bytes,
    beside: str,
    has_anchor: bool,  # noqa: FBT001  # a case
) -> None:
    rules = parse_policy(content).rules
    grown = add_anchor(content, "new", NEW, beside) if has_anchor else content
    joining = Joining((Joiner(NEW, "new" if has_anchor else None),), f"age1{beside}")
    joined = join_rules(grown, {rule.place: joining for rule in rules})

    for rule in parse_policy(joined).rules:
        texts = [entry.text for entry in rule.recipients]
        assert (NEW in texts) == (f"age1{beside}" in texts)
    assert remove_recipients(joined, [NEW]).content == content


@settings(max_examples=100, deadline=None)
@given(policies(), st.sampled_from(NAMES))
def test_who_is_replaced_there_and_back_is_as_before(content: bytes, name: str) -> None:
    there = replace_recipient(content, f"age1{name}", NEW)

    assert f"age1{name}".encode() not in there
    assert replace_recipient(there, NEW, f"age1{name}") == content
    assert rename_anchor(rename_anchor(content, name, "other"), "other", name) == content


@settings(max_examples=100, deadline=None)
@given(policies(), st.sampled_from(NAMES))
def test_who_is_removed_is_gone_and_nobody_else(content: bytes, name: str) -> None:
    before = parse_policy(content)
    after = parse_policy(remove_recipients(content, [f"age1{name}"]).content)

    left = [
        texts
        for rule in before.rules
        if (texts := {entry.text for entry in rule.recipients} - {f"age1{name}"})
    ]
    assert [{entry.text for entry in rule.recipients} for rule in after.rules] == left
    assert after.anchor(name) is None
