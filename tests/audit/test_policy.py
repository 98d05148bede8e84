from collections.abc import Callable

import pytest

from tests.audit.clean_fleet import OF_HQ, SHARED, Place, a_recipient

POLICY = ".sops.yaml"
HQ = "systems/hq/secrets.yaml"
STRANGER = a_recipient()
SHORT = f"{STRANGER[:8]}…{STRANGER[-4:]}"


def _missing(place: Place) -> None:
    place.remove(POLICY)


def _without_rules(place: Place) -> None:
    text = place.read(POLICY)
    place.write(POLICY, text[: text.index("  - path_regex: ^shared/")])


def _only_a_catch_all(place: Place) -> None:
    rules = "creation_rules:\n  - path_regex: .*\n    key_groups:\n      - age:\n          - *ann\n"
    text = place.read(POLICY)
    place.write(POLICY, text[: text.index("creation_rules:")] + rules)


def _rule_of(place: Place, path: str) -> str:
    """Return the text of a managed rule."""
    rules = place.read(POLICY).split("  - path_regex: ")
    rule = next(rule for rule in rules if rule.startswith(f"^{path}"))
    return f"  - path_regex: {rule}"


def _rule_without_host(place: Place) -> None:
    rule = _rule_of(place, "shared/secrets\\.yaml")
    place.edit(POLICY, rule, rule.replace("          - *t15g\n", ""))
    place.seal("shared/secrets.yaml", SHARED, "ann", "hq", "vm01")


def _rule_with_host(place: Place) -> None:
    rule = _rule_of(place, "systems/hq/")
    place.edit(
        POLICY, rule, rule.replace("          - *hq\n", "          - *hq\n          - *t15g\n")
    )
    place.seal(HQ, OF_HQ, "ann", "hq", "t15g")


def _rule_with_stranger(place: Place) -> None:
    rule = _rule_of(place, "systems/hq/")
    more = f"          - *hq\n          - {STRANGER}\n"
    place.edit(POLICY, rule, rule.replace("          - *hq\n", more))
    place.seal(HQ, OF_HQ, "ann", "hq", STRANGER)


def _other_anchor(place: Place) -> None:
    place.edit(POLICY, place.recipients["t15g"].text, STRANGER)


def _other_key_file(place: Place) -> None:
    place.write("keys/admins/ann.pub", f"{STRANGER}\n")


def _groups(place: Place, threshold: str = "") -> None:
    rule = _rule_of(place, "systems/hq/")
    split = rule.replace("          - *hq\n", "      - age:\n          - *hq\n")
    assert split != rule
    place.edit(POLICY, rule, split + threshold)


def _groups_with_one_enough(place: Place) -> None:
    _groups(place, "    shamir_threshold: 1\n")


def _host_in_all_groups(place: Place) -> None:
    rule = _rule_of(place, "systems/hq/")
    again = "          - *hq\n      - age:\n          - *hq\n    shamir_threshold: 2\n"
    place.edit(POLICY, rule, rule.replace("          - *hq\n", again))


def _people(place: Place, groups: str, *more: str) -> None:
    lines = "".join(f"    {line}\n" for line in more)
    rule = f"  - path_regex: ^vault/\n    key_groups: {groups}\n{lines}"
    place.write(POLICY, place.read(POLICY) + rule)


def _groups_of_people(place: Place) -> None:
    _people(place, "[{age: [*ann]}, {age: [*hq]}]")


def _threshold_with_hosts(place: Place) -> None:
    groups = "[{age: [*ann, *t15g]}, {age: [*hq]}, {age: [*hq]}]"
    _people(place, groups, "shamir_threshold: 2")


def _threshold_of_people(place: Place) -> None:
    _people(place, "[{age: [*ann]}, {age: [*ann]}]", "shamir_threshold: 2")


def _threshold_too_high(place: Place) -> None:
    _people(place, "[{age: [*ann]}, {age: [*ann]}]", "shamir_threshold: 3")


@pytest.mark.parametrize(
    ("break_it", "findings"),
    [
        pytest.param(
            _missing,
            ["error policy/missing .sops.yaml: there is none, so that no document can be made"],
            id="no policy",
        ),
        pytest.param(
            _without_rules,
            ["error policy/behind .sops.yaml: there is no rule for shared/secrets/laptops.yaml"],
            id="a rule is missing, and its document not there",
        ),
        pytest.param(
            _only_a_catch_all,
            [
                f"error policy/behind .sops.yaml: there is no rule for {path} alone: the rule .* "
                "governs it"
                for path in (
                    "shared/secrets.yaml",
                    "shared/secrets/laptops.yaml",
                    "systems/hq/secrets.yaml",
                    "systems/t15g/secrets.yaml",
                    "systems/vm01/secrets.yaml",
                )
            ],
            id="only a catch-all",
        ),
        pytest.param(
            _rule_without_host,
            [
                (
                    "error policy/behind .sops.yaml:{shared}: the rule of shared/secrets.yaml does "
                    "not name t15g"
                )
            ],
            id="a managed rule lacks a host",
        ),
        pytest.param(
            _rule_with_host,
            [
                (
                    "error policy/behind .sops.yaml:{hq}: the rule of systems/hq/secrets.yaml "
                    "names t15g, which the manifest does not"
                )
            ],
            id="a managed rule has a host too much",
        ),
        pytest.param(
            _rule_with_stranger,
            [
                (
                    "error recipients/unknown .sops.yaml:{hq}: the rule of systems/hq/secrets.yaml "
                    f"names {SHORT}, whom no file in keys/ explains"
                )
            ],
            id="a managed rule names a stranger",
        ),
        pytest.param(
            _other_anchor,
            [
                (
                    "error policy/anchor-differs .sops.yaml:{t15g}: the anchor &t15g is not what "
                    "keys/hosts/t15g.pub says t15g is"
                )
            ],
            id="an anchor that is not its key file",
        ),
        pytest.param(
            _other_key_file,
            [
                (
                    "error policy/anchor-differs .sops.yaml:{ann}: the anchor &ann is not what "
                    "keys/admins/ann.pub says ann is"
                )
            ],
            id="a key file that is not its anchor",
        ),
        pytest.param(
            _groups,
            [
                (
                    "error policy/several-groups .sops.yaml:{hq}: the rule of "
                    "systems/hq/secrets.yaml splits the data key, 2 of 2 key groups are needed: hq "
                    "alone cannot open it"
                )
            ],
            id="key groups over a host's document",
        ),
        pytest.param(
            _groups_with_one_enough,
            [
                (
                    "error policy/several-groups .sops.yaml:{hq}: the rule "
                    "^systems/hq/secrets\\.yaml$ asks for 1 of 2 key groups, which is impossible"
                )
            ],
            id="key groups of which one is enough",
        ),
        pytest.param(_host_in_all_groups, [], id="key groups that a host stands in all of"),
        pytest.param(
            _groups_of_people,
            [
                (
                    "warning policy/several-groups .sops.yaml:{vault}: the rule ^vault/ has 2 key "
                    "groups: one of each is needed"
                )
            ],
            id="key groups over what no host reads",
        ),
        pytest.param(
            _threshold_with_hosts,
            [
                (
                    "warning policy/several-groups .sops.yaml:{vault}: the rule ^vault/ needs 2 of "
                    "3 key groups: t15g alone cannot open them"
                )
            ],
            id="a threshold that a host does not reach alone",
        ),
        pytest.param(_threshold_of_people, [], id="a threshold that is meant"),
        pytest.param(
            _threshold_too_high,
            [
                (
                    "error policy/several-groups .sops.yaml:{vault}: the rule ^vault/ asks for 3 "
                    "of 2 key groups, which is impossible"
                )
            ],
            id="a threshold that cannot be reached",
        ),
    ],
)
def test_policy(place: Place, break_it: Callable[[Place], None], findings: list[str]) -> None:
    break_it(place)
    text = "" if break_it is _missing else place.read(POLICY)
    lines = {
        name: number
        for number, line in enumerate(text.splitlines(), start=1)
        for name, mark in {
            "shared": "^shared/secrets",
            "hq": "^systems/hq/",
            "vault": "^vault/",
            "ann": "&ann",
            "t15g": "&t15g",
        }.items()
        if mark in line
    }
    kept = (" policy/", " recipients/unknown .sops.yaml")
    found = [one for one in place.found() if any(rule in one for rule in kept)]
    left_out = ("policy/no-document", "policy/unused-anchor")
    assert [one for one in found if not any(rule in one for rule in left_out)] == [
        one.format_map(lines) for one in findings
    ]


def test_a_policy_that_takes_no_insertion_is_told_with_the_text_to_insert(place: Place) -> None:
    place.write(POLICY, f"creation_rules: [{{path_regex: '^x$', age: {STRANGER}}}]\n")
    (found,) = [one for one in place.check() if one.rule == "policy/not-editable"]
    assert found.place.startswith(POLICY)
    assert found.remedy
