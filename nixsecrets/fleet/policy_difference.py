"""What an edit of a policy comes to, in words: for plans, and for those who edit its source."""

from collections import Counter
from collections.abc import Callable, Iterator

from nixsecrets.age.recipient import canonical_text
from nixsecrets.fleet.policy import Policy, Rule


def differences(
    before: Policy, after: Policy, named: Callable[[str], str] = str
) -> tuple[str, ...]:
    """Return one clause for each anchor and each recipient of a rule that came or went.

    Args:
        before: as it was.
        after: as it is to be.
        named: how a recipient is called, of its canonical text.
    """
    return (*_anchors(before, after), *_rules(before, after, named))


def _anchors(before: Policy, after: Policy) -> Iterator[str]:
    old = {anchor.name: anchor.text for anchor in before.anchors}
    new = {anchor.name: anchor.text for anchor in after.anchors}
    for name, text in old.items():
        if name not in new:
            yield f"- anchor &{name}"
        elif new[name] != text:
            yield f"anchor &{name}: {new[name]} for {text}"
    yield from (f"+ anchor &{name} {text}" for name, text in new.items() if name not in old)


def _rules(before: Policy, after: Policy, named: Callable[[str], str]) -> Iterator[str]:
    old, new = _by_pattern(before), _by_pattern(after)
    for key, rule in old.items():
        if key not in new:
            yield f"- {rule.named}, which named nobody else"
            continue
        was, now = _texts(rule), _texts(new[key])
        yield from (f"{rule.named}: - {named(text)}" for text in was if text not in now)
        yield from (f"{rule.named}: + {named(text)}" for text in now if text not in was)
    for key, rule in new.items():
        if key not in old:
            yield f"+ {rule.named}: {', '.join(map(named, _texts(rule)))}"


def _by_pattern(policy: Policy) -> dict[tuple[str, int], Rule]:
    """Return the rules by expression, and by how often it stood there before."""
    met = Counter[str]()
    found = {}
    for rule in policy.rules:
        found[rule.pattern_text, met[rule.pattern_text]] = rule
        met[rule.pattern_text] += 1
    return found


def _texts(rule: Rule) -> tuple[str, ...]:
    return tuple(dict.fromkeys(canonical_text(entry.text) for entry in rule.recipients))
