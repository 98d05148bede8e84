"""Texts that people write: policy, manifest, expressions, names, Nix."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from fuzz.claims import claim
from nixsecrets.errors import RepositoryError
from nixsecrets.fleet import (
    manifest_edit,
    policy_anchor,
    policy_leaving,
    policy_renaming,
    policy_rules,
)
from nixsecrets.fleet.address import Address, parse_argument
from nixsecrets.fleet.layout import parse_path, parse_pattern
from nixsecrets.fleet.manifest import parse_manifest
from nixsecrets.fleet.names import parse_person_name
from nixsecrets.fleet.policy import Policy, Rule
from nixsecrets.fleet.policy_reading import parse_policy
from nixsecrets.nix import edit, options, render, systems
from nixsecrets.sops.rules import SelectionKind, compile_pattern, parse_selection

_PATH = PurePosixPath("systems/hq/secrets.yaml")
_RECIPIENT = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"
_SEPARATOR = "\0"


def policy(content: bytes) -> None:
    read = parse_policy(content)
    governing = read.rule_for(_PATH)
    claim("what governs is a rule", holds=governing is None or governing in read.rules)
    _add_anchor(content, read)
    _add_rule(content, read)
    for rule in read.rules[:3]:
        for entry in rule.recipients[:2]:
            _leave(content, rule.place, entry.text)
            _replace(content, entry.text)


def manifest(content: bytes) -> None:
    read = parse_manifest(content)
    name = parse_person_name("newcomer")
    after = parse_manifest(manifest_edit.add_person(content, name))
    claim("a new person is there", holds=name in {person.name for person in after.people})
    claim("the hosts stay", holds=after.hosts == read.hosts)


def selection(content: bytes) -> None:
    """Search a text for an expression, parted by a zero byte."""
    expression, _, searched = content.decode("utf-8", "surrogateescape").partition(_SEPARATOR)
    for kind in SelectionKind:
        try:
            parse_selection({kind.value: expression}).encrypts((searched, "b"), (searched,))
        except RepositoryError:
            continue
    compile_pattern(expression).search(searched)


def key_path(content: bytes) -> None:
    """Read what names a secret, a path, a pattern of paths and a NixOS option."""
    text = content.decode("utf-8", "surrogateescape")
    for parse in (parse_path, lambda one: parse_pattern(one, "{host}")):
        try:
            parse(text)
        except RepositoryError:
            continue
    _option_path(text)
    found = parse_argument(text)
    if isinstance(found, Address):
        claim("an address reads back", holds=parse_argument(str(found)) == found)
    else:
        claim("a name reads back", holds=parse_argument(found) == found)


def nix(content: bytes) -> None:
    edit.has_import(content, "./secrets.nix")
    systems.find_systems(content)
    options.declared_secrets(content)
    after = edit.add_import(content, "./secrets.nix")
    claim("an added import is there", holds=edit.has_import(after, "./secrets.nix"))


def _add_anchor(content: bytes, read: Policy) -> None:
    try:
        after = policy_anchor.add_anchor(content, "newcomer", _RECIPIENT)
    except RepositoryError:
        return
    again = parse_policy(after)
    claim("a new anchor is there", holds=again.anchor("newcomer") is not None)
    claim("the rules stay", holds=_rules(again) == _rules(read))


def _rules(policy: Policy) -> Sequence[Rule]:
    return [rule._replace(line=0) for rule in policy.rules]


def _add_rule(content: bytes, read: Policy) -> None:
    names = tuple(anchor.name for anchor in read.anchors[:1])
    if not names:
        return
    try:
        after = policy_rules.add_rule(content, _PATH, names, None)
    except RepositoryError:
        return
    again = parse_policy(after)
    governing = again.rule_for(_PATH)
    claim("a new rule governs", holds=governing is not None and governing not in read.rules)


def _leave(content: bytes, index: int, text: str) -> None:
    try:
        after = policy_leaving.remove_from_rule(content, index, text)
    except RepositoryError:
        return
    left = {entry.text for entry in parse_policy(after).rules[index].recipients}
    claim("who was removed is gone", holds=text not in left)


def _option_path(text: str) -> None:
    try:
        components = render.parse_option_path(text)
    except RepositoryError:
        return
    spelled = render.render_option_path(text)
    claim("an option path reads back", holds=render.parse_option_path(spelled) == components)


def _replace(content: bytes, text: str) -> None:
    try:
        after = policy_renaming.replace_recipient(content, text, _RECIPIENT)
    except RepositoryError:
        return
    named = {entry.text for rule in parse_policy(after).rules for entry in rule.recipients}
    claim("who was replaced is gone", holds=text == _RECIPIENT or text not in named)
