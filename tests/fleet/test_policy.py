import json
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from pyrage import x25519

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.policy import Anchor, RecipientEntry, exact_pattern
from nixsecrets.fleet.policy_reading import parse_policy
from nixsecrets.sops.rules import SelectionKind
from tests.tools import require_sops

ANCHORS = b"keys:\n  - &ann age1ann\n  - &hq age1hq\n  - &pgp 0xABC\n"


def entries(rule: str) -> list[tuple[str, str, str | None]]:
    """Return kind, text and anchor of a lone rule's entries, whose fields are given."""
    (parsed,) = parse_policy(ANCHORS + b"creation_rules:\n  - " + rule.encode()).rules
    return [(entry.kind, entry.text, entry.anchor) for group in parsed.groups for entry in group]


ANN = ("age", "age1ann", "ann")
HQ = ("age", "age1hq", "hq")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param("age: age1a", [("age", "age1a", None)], id="one literal"),
        pytest.param(
            "age: ' age1a , ,age1b,'",
            [("age", "age1a", None), ("age", "age1b", None)],
            id="comma text",
        ),
        pytest.param("age: *ann", [ANN], id="alias"),
        pytest.param(
            "{aws_profile: &both 'age1a,age1b', age: *both}",
            [("age", "age1a", None), ("age", "age1b", None)],
            id="alias of a comma text names neither",
        ),
        pytest.param("age: [*ann, age1b]", [ANN, ("age", "age1b", None)], id="flow list"),
        pytest.param(
            "age: ['age1a,age1b']",
            [("age", "age1a", None), ("age", "age1b", None)],
            id="comma text in a list",
        ),
        pytest.param(
            "age: >-\n      age1a,\n      age1b",
            [("age", "age1a", None), ("age", "age1b", None)],
            id="folded text",
        ),
        pytest.param("age:", [], id="null"),
        pytest.param("age: [&new age1n]", [("age", "age1n", "new")], id="anchor on the spot"),
        pytest.param("{age: *hq, pgp: *pgp}", [HQ, ("pgp", "0xABC", "pgp")], id="pgp beside"),
        pytest.param(
            "key_groups: [{pgp: [*pgp], age: [*ann]}]",
            [ANN, ("pgp", "0xABC", "pgp")],
            id="group",
        ),
        pytest.param(
            "{age: age1lost, key_groups: [{age: [*ann]}]}", [ANN], id="groups beat flat fields"
        ),
        pytest.param("{age: age1a, key_groups: []}", [("age", "age1a", None)], id="no groups"),
        pytest.param(
            "key_groups: [{age: [*ann, age1ann, null, *hq]}]", [ANN, HQ], id="each once in a group"
        ),
        pytest.param(
            "key_groups: [{age: [*hq], merge: [{age: [*ann], merge: [{age: [age1deep]}]}]}]",
            [("age", "age1deep", None), ANN, HQ],
            id="merged groups first",
        ),
        pytest.param(
            "{<<: {age: age1no, pgp: A}, age: *hq}", [HQ, ("pgp", "A", None)], id="merged fields"
        ),
        pytest.param(
            "key_groups: [{kms: [{arn: 'arn:x', role: r}], hc_vault: [https://v]}]",
            [("kms", "arn=arn:x,role=r", None), ("hc_vault", "https://v", None)],
            id="other services are opaque",
        ),
        pytest.param(
            "age: [age1yubikey1q, age1tag1q, age1pq1q, ssh-ed25519 AAAA me]",
            [
                ("age", text, None)
                for text in ("age1yubikey1q", "age1tag1q", "age1pq1q", "ssh-ed25519 AAAA me")
            ],
            id="every sort of age recipient",
        ),
    ],
)
def test_recipients_of_a_rule(rule: str, expected: list[tuple[str, str, str | None]]) -> None:
    assert entries(rule) == expected


@pytest.mark.parametrize(
    "section",
    [
        pytest.param("keys:\n  - &ann age1ann\n  - &hq age1hq\n", id="flat"),
        pytest.param(
            "keys:\n- &u:\n  - &ann age1ann\n- &h:\n  - &hq age1hq\n", id="colon in anchor"
        ),
        pytest.param(
            "keys:\n  - &u '':\n    - &ann age1ann\n  - &h '':\n    - &hq age1hq\n", id="''"
        ),
        pytest.param("keys:\n  - u:\n    - &ann age1ann\n  - h:\n    - &hq age1hq\n", id="named"),
        pytest.param(
            "keys:\n  age:\n    - &ann 'age1ann'\n    - &hq   age1hq # hq\n", id="mapping"
        ),
        pytest.param('{"keys": [&ann "age1ann", &hq "age1hq"],\n"x": [&null ~]}\n---\n', id="flow"),
        pytest.param("a: &ann age1no\nb: &ann age1ann\nhq: &hq age1hq\n", id="defined twice"),
    ],
)
def test_anchors_in_every_shape_of_the_key_section(section: str) -> None:
    text = section.removesuffix("---\n")
    rules = "creation_rules:\n  - age: [*ann, *hq]\n"
    flow = text.startswith("{")
    policy = parse_policy((text if flow else text + rules).encode())

    named = [(anchor.name, anchor.text) for anchor in policy.anchors[-2:]]
    assert named == [("ann", "age1ann"), ("hq", "age1hq")]
    if not flow:
        assert [entry.text for entry in policy.rules[0].recipients] == ["age1ann", "age1hq"]


def test_json_is_yaml() -> None:
    policy = parse_policy(
        json.dumps(
            {
                "creation_rules": [
                    {"path_regex": "a$", "key_groups": [{"age": ["age1a"]}]},
                    {"age": ["age1b"]},
                ]
            },
            indent=2,
        ).encode()
    )

    assert [(rule.pattern_text, rule.line) for rule in policy.rules] == [("a$", 3), ("", 13)]


def test_a_rule_as_a_whole() -> None:
    policy = parse_policy(
        b"""\
---
creation_rules:
  - path_regex: ^a
    key_groups:
      - age: [age1a]
      - pgp: [B]
    shamir_threshold: 2
    encrypted_regex: ^data$
    mac_only_encrypted: true
---
creation_rules: broken
"""
    )

    (rule,) = policy.rules
    assert (rule.place, rule.line, rule.pattern_text) == (0, 3, "^a")
    assert (rule.shamir_threshold, rule.mac_only_encrypted) == (2, True)
    assert (rule.selection.kind, rule.selection.text) == (SelectionKind.ENCRYPTED_REGEX, "^data$")
    assert rule.recipients == (RecipientEntry("age1a", None, "age"),)
    assert rule.foreign == (RecipientEntry("B", None, "pgp"),)
    assert rule.has_several_groups


@pytest.mark.parametrize(
    "content",
    [b"", b"# nothing\n", b"---\n", b"creation_rules:\n", b"stores: {yaml: {indent: 2}}\n"],
)
def test_a_policy_may_have_no_rules(content: bytes) -> None:
    assert parse_policy(content).rules == ()


def test_names_of_recipients() -> None:
    policy = parse_policy(ANCHORS)

    assert policy.anchor("hq") == Anchor("hq", "age1hq", 3)
    assert policy.anchor("nobody") is None
    assert policy.name_of("age1ann") == "ann"
    assert policy.name_of("age1nobody") is None


def test_what_sops_passes_over_is_warned_of() -> None:
    policy = parse_policy(
        b"creation_rules:\n  - gpg: X\n    key_groups:\n      - age: [a]\n        gcp-kms: [g]\n"
    )

    assert [(warning.line, warning.words) for warning in policy.warnings] == [
        (2, "sops knows no `gpg` in a rule and leaves it aside"),
        (5, "sops knows no `gcp-kms` in a key group and leaves it aside"),
    ]


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        pytest.param(b"a: [\n", 2, "not readable as YAML", id="syntax"),
        pytest.param(b"a:\n  b: \x01\n", 2, "not readable as YAML", id="control character"),
        pytest.param(b"a: 1\nb: \xff\n", 2, "not UTF-8", id="encoding"),
        pytest.param(b"x:\n  - *a\n", 2, "alias *a has no anchor before it", id="alias"),
        pytest.param(b"x: &a [*a]\n", 1, "alias *a has no anchor", id="alias of itself"),
        pytest.param(b"[" * 500, 1, "nested too deeply", id="nesting"),
        pytest.param(b"- a\n", 1, "a mapping is expected here", id="list as root"),
        pytest.param(b"a: 1\ncreation_rules: x\n", 2, "must be a list", id="rules"),
        pytest.param(b"creation_rules:\n  - x\n", 2, "a mapping is expected", id="rule"),
        pytest.param(b"creation_rules:\n  - age: {a: [b]}\n    age: c\n", 3, "twice", id="twice"),
        pytest.param(
            b"creation_rules:\n  - age: a\n    path_regex: (?=a)\n", 3, "not valid", id="regex"
        ),
        pytest.param(
            b"creation_rules:\n  - age: a\n    encrypted_regex: a\\Z\n",
            3,
            "not valid",
            id="selection",
        ),
        pytest.param(
            b"creation_rules:\n  - encrypted_suffix: a\n    unencrypted_suffix: b\n",
            2,
            "exclude each other",
            id="two selections",
        ),
        pytest.param(
            b"creation_rules:\n  - key_groups:\n    - age: a\n", 3, "must be a list", id="group"
        ),
        pytest.param(b"creation_rules:\n  - age: [[a]]\n", 2, "a list stands among", id="nested"),
        pytest.param(
            b"creation_rules:\n  - shamir_threshold: two\n", 2, "must be a number", id="threshold"
        ),
    ],
)
def test_a_policy_that_sops_could_not_use_is_an_error(
    content: bytes, line: int, problem: str
) -> None:
    with pytest.raises(RepositoryError) as caught:
        parse_policy(content)

    assert problem in caught.value.problem
    assert caught.value.line == line


def test_groups_that_merge_each_other_many_times_are_read_in_no_time() -> None:
    lines = ["a0: &a0 {age: [age1a]}"]
    lines += [f"a{n}: &a{n} {{merge: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 50)]
    lines.append("creation_rules: [{key_groups: [*a49]}]")

    (rule,) = parse_policy("\n".join(lines).encode()).rules

    assert [entry.text for entry in rule.recipients] == ["age1a"]


RULES = {
    "first match wins": ["a", "ab"],
    "a dot is any character": ["hosts/hq/secrets.yaml$"],
    "no pattern matches all": ["^x$", ""],
    "unanchored": ["secrets"],
    "exact": [r"^hosts/hq/secrets\.yaml$"],
    "glob by intent": ["hosts/*/secrets/*"],
    "alternatives": [r"(yaml|json)$"],
    "line end": [r"yaml\z"],
    "case": ["(?i)HQ"],
    "quoted run": [r"\Qhq/secrets.\E"],
    "classes": ["[[:alpha:]]+/[^/]+/secrets"],
    "braces": ["{hq,t460}.yaml$"],
}
PATHS = ["hosts/hq/secrets.yaml", "hosts/hq/secretsxyaml", "ab.json", "x", "{hq,t460}.yaml"]


@pytest.mark.parametrize("name", RULES)
def test_the_real_sops_takes_the_same_rule(tmp_path: Path, name: str) -> None:
    recipients = [str(x25519.Identity.generate().to_public()) for _ in RULES[name]]
    content = json.dumps(
        {
            "creation_rules": [
                {"path_regex": pattern, "age": recipient}
                for pattern, recipient in zip(RULES[name], recipients, strict=True)
            ]
        }
    ).encode()
    (tmp_path / ".sops.yaml").write_bytes(content)

    policy = parse_policy(content)
    ours = {
        path: rule.groups if (rule := policy.rule_for(PurePosixPath(path))) else ()
        for path in PATHS
    }

    assert {
        path: [[entry.text for entry in group] for group in groups] for path, groups in ours.items()
    } == {path: sops_groups(tmp_path, path) for path in PATHS}


MEANINGS = {
    "comma text": "age: '{0} , ,{1},'",
    "list": "age: [*one, '{1}']",
    "list with comma text": "age: ['{0},{1}']",
    "groups beat flat fields": "age: {0}\n    key_groups: [{{age: [*two]}}]",
    "no groups": "age: {0}\n    key_groups: []",
    "each once": "key_groups: [{{age: [*one, '{0}', *two, null]}}]",
    "merge": "key_groups: [{{age: [*one], merge: [{{age: [*two]}}]}}]",
    "two groups": "key_groups: [{{age: [*one]}}, {{age: [*two, *one]}}]",
    "merged fields": "<<: {{age: {0}}}",
    "own field before merged": "<<: {{age: {0}}}\n    age: *two",
}


@pytest.mark.parametrize("name", MEANINGS)
def test_the_real_sops_reads_the_same_recipients(tmp_path: Path, name: str) -> None:
    pair = [str(x25519.Identity.generate().to_public()) for _ in range(2)]
    content = (
        f"keys:\n  - &u:\n    - &one {pair[0]}\n    - &two {pair[1]}\ncreation_rules:\n  - "
        + MEANINGS[name].format(*pair)
        + "\n"
    ).encode()
    (tmp_path / ".sops.yaml").write_bytes(content)

    (rule,) = parse_policy(content).rules

    assert [[entry.text for entry in group] for group in rule.groups] == sops_groups(
        tmp_path, "a.json"
    )


def sops_groups(folder: Path, path: str) -> list[list[str]]:
    """Return the recipients that the real sops would encrypt a path to; none: no rule matches."""
    arguments = ["encrypt", "--filename-override", path, "--input-type", "json"]
    done = subprocess.run(
        [require_sops(), *arguments, "--output-type", "json"],
        check=False,
        capture_output=True,
        cwd=folder,
        input=b"{}",
    )
    if done.returncode:
        assert b"no matching creation rules found" in done.stderr
        return []
    metadata = json.loads(done.stdout)["sops"]
    groups = metadata.get("key_groups") or [metadata]
    return [[entry["recipient"] for entry in group["age"]] for group in groups]


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("systems/hq/secrets.yaml", r"^systems/hq/secrets\.yaml$"),
        ("a-b_c/d e", "^a-b_c/d e$"),
        (r"x.+*?()|[]{}^$\y", r"^x\.\+\*\?\(\)\|\[\]\{\}\^\$\\y$"),
    ],
)
def test_exact_pattern_matches_its_path_alone(path: str, pattern: str) -> None:
    assert exact_pattern(PurePosixPath(path)) == pattern
    content = json.dumps({"creation_rules": [{"path_regex": pattern}]}).encode()
    policy = parse_policy(content)
    assert policy.rule_for(PurePosixPath(path)) is not None
    assert policy.rule_for(PurePosixPath(path + "x")) is None
    assert policy.rule_for(PurePosixPath("x", path)) is None


@pytest.mark.parametrize("name", ["creation-rules", "creation_rule", "creationRules"])
def test_a_misspelt_section_is_warned_of(name: str) -> None:
    policy = parse_policy(f"{name}:\n  - age: age1x\nkeys: []\n".encode())

    assert [warning.words for warning in policy.warnings] == [
        f"sops knows no `{name}`, and leaves it aside: `creation_rules` is meant"
    ]
    assert policy.rules == ()
