import json

from nixsecrets.change import digest
from nixsecrets.report.json import render_findings, render_plan, render_table
from tests.report.samples import DIGEST, FINDINGS, MARKER, PLAN, TABLE


def test_a_plan_tells_what_changes_and_no_content() -> None:
    text = render_plan(PLAN)
    assert MARKER not in text
    after = digest(MARKER.encode())
    assert json.loads(text) == {
        "intent": "add host t15g",
        "changes": [
            {
                "path": "keys/hosts/t15g.pub",
                "kind": "new",
                "before": None,
                "after": after,
                "mode": "0644",
                "why": ["what t15g is known by"],
            },
            {
                "path": "shared/secrets.yaml",
                "kind": "change",
                "before": DIGEST,
                "after": after,
                "mode": "0644",
                "why": ["re-wrap for hq, + t15g", "new data key"],
            },
            {
                "path": "systems/t15g/old.yaml",
                "kind": "remove",
                "before": DIGEST,
                "after": None,
                "mode": "0644",
                "why": [],
            },
        ],
        "exports": [
            {
                "file": "/media/t15g/ssh_host_ed25519_key",
                "what": "host identity of t15g",
                "mode": "0600",
            }
        ],
        "follow_ups": [
            {
                "arguments": [
                    "nix",
                    "--extra-experimental-features",
                    "nix-command flakes",
                    "flake",
                    "lock",
                ],
                "why": "lock the input sops-nix",
            }
        ],
        "warnings": ["t15g has no address, so rebuild runs on t15g only"],
        "notes": ["paste into configuration.nix:\n  imports = [ ./secrets.nix ];"],
    }


def test_findings_are_sorted_and_counted() -> None:
    document = json.loads(render_findings(FINDINGS))
    assert [(found["severity"], found["place"]) for found in document["findings"]] == [
        ("error", ".sops.yaml:3"),
        ("error", "shared/secrets.yaml"),
        ("error", "systems/t15g/secrets.yaml"),
        ("warning", "shared/secrets.yaml"),
    ]
    assert document["findings"][0] == {
        "rule": "policy/anchor-differs",
        "severity": "error",
        "place": ".sops.yaml:3",
        "words": "anchor t15g is not what its key file says",
        "remedy": "nixsecrets add-host t15g",
    }
    assert (document["errors"], document["warnings"]) == (3, 1)


def test_a_table_has_its_columns_as_fields() -> None:
    document = json.loads(render_table(TABLE))
    assert document["caption"] == "2 hosts"
    assert document["rows"][1] == {
        "host": "vm01",
        "flake_attribute": "",
        "reads": "shared/secrets.yaml systems/vm01/secrets.yaml",
    }
