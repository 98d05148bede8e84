import pytest

from tests.audit.clean_fleet import Place

POLICY = ".sops.yaml"


def _with_rules(place: Place, text: str, *, first: bool) -> int:
    """Put rules of the people's before or behind all others; return the line of the first."""
    before = place.read(POLICY)
    text = text.replace("ANN", place.recipients["ann"].text)
    if first:
        place.edit(POLICY, "creation_rules:\n", f"creation_rules:\n{text}")
        return place.line(POLICY, "creation_rules:") + 1
    place.write(POLICY, before + text)
    return before.count("\n") + 1


@pytest.mark.parametrize(
    ("rules", "findings"),
    [
        pytest.param(
            "  - path_regex: ^vault/\n    age: ANN\n",
            ["no-document: no document is governed by the rule ^vault/"],
            id="no document",
        ),
        pytest.param(
            "  - path_regex: ^systems/hq/secrets\n    age: ANN\n",
            [
                (
                    "shadowed: the rule ^systems/hq/secrets governs nothing: the one of line {hq} "
                    "comes first"
                )
            ],
            id="an earlier rule takes its document",
        ),
        pytest.param(
            "  - path_regex: ^vault/a\\.yaml$\n    age: ANN\n"
            "  - path_regex: ^vault/a\\.yaml$\n    age: ANN\n",
            [
                "no-document: no document is governed by the rule ^vault/a\\.yaml$",
                (
                    "shadowed: the rule ^vault/a\\.yaml$ governs nothing: the one of line {here} "
                    "comes first"
                ),
            ],
            id="the same again",
        ),
        pytest.param(
            "  - path_regex: ^vault/\n    age: ANN\n"
            "  - path_regex: ^vault/a\\.yaml$\n    age: ANN\n",
            [
                "no-document: no document is governed by the rule ^vault/",
                (
                    "shadowed: the rule ^vault/a\\.yaml$ governs nothing: the one of line {here} "
                    "comes first"
                ),
            ],
            id="a path that an earlier rule takes, without document",
        ),
        pytest.param(
            "  - age: ANN\n  - path_regex: ^vault/\n    age: ANN\n",
            ["shadowed: the rule ^vault/ governs nothing: the one of line {here} comes first"],
            id="behind the rule for every path",
        ),
        pytest.param(
            "  - path_regex: .*\n    age: ANN\n",
            [],
            id="a catch-all at the end is for what is to come",
        ),
        pytest.param(
            "  - path_regex: vault/*\n    age: ANN\n",
            [
                "glob: the rule vault/* looks like a shell's pattern, and is a regular expression",
                "no-document: no document is governed by the rule vault/*",
            ],
            id="a glob",
        ),
        pytest.param(
            "  - path_regex: vault/{a,b}.yaml\n    age: ANN\n",
            [
                (
                    "glob: the rule vault/{{a,b}}.yaml looks like a shell's pattern, and is a "
                    "regular expression"
                ),
                "no-document: no document is governed by the rule vault/{{a,b}}.yaml",
            ],
            id="braces",
        ),
        pytest.param(
            "  - path_regex: ^vault/[^/]*/\\d{1,3}\\p{Greek}a/?.*$\n    age: ANN\n",
            [
                (
                    "no-document: no document is governed by the rule ^vault/[^/]*/\\d{{1,3}}"
                    "\\p{{Greek}}a/?.*$"
                )
            ],
            id="a regular expression with stars and braces is no glob",
        ),
        pytest.param(
            "  - path_regex: .*\n    gpg: x\n    age: ANN\n",
            ["unknown-field: sops knows no `gpg` in a rule and leaves it aside"],
            id="an unknown field",
        ),
    ],
)
def test_rules(place: Place, rules: str, findings: list[str]) -> None:
    here = _with_rules(place, rules, first=False)
    lines = {"here": here, "hq": place.line(POLICY, "^systems/hq/")}
    found = sorted(f"{one.rule.removeprefix('policy/')}: {one.words}" for one in place.check())
    assert found == [one.format_map(lines) for one in findings]
    assert {one.severity.value for one in place.check()} <= {"warning"}


def test_an_anchor_that_no_rule_uses(place: Place) -> None:
    spare = f"  - &spare {place.recipients['ann'].text}\n"
    place.edit(POLICY, "keys:\n", f"keys:\n{spare}")
    assert place.found() == [
        "warning policy/unused-anchor .sops.yaml:4: no rule uses the anchor &spare"
    ]


def test_a_policy_by_such_a_name_in_a_folder(place: Place) -> None:
    place.write("vault/.sops.yml", "creation_rules: []\n")
    assert [line.split(":")[0] for line in place.found()] == [
        "warning policy/wrong-name vault/.sops.yml"
    ]


def test_a_policy_by_a_name_that_sops_does_not_read(place: Place) -> None:
    place.write(".sops.yml", "creation_rules: []\n")
    assert place.found() == [
        (
            "warning policy/wrong-name .sops.yml: sops reads .sops.yaml only, and leaves this file "
            "aside"
        )
    ]
