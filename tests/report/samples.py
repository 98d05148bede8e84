"""One plan, some findings and a listing, for every renderer."""

from pathlib import Path, PurePosixPath

from nixsecrets.audit.finding import Finding, Severity
from nixsecrets.change import Change, Export, FollowUp, Plan
from nixsecrets.plaintext import Plaintext
from nixsecrets.report.table import Table

MARKER = "correct-horse-battery-staple"
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

PLAN = Plan(
    "add host t15g",
    changes=(
        Change(
            PurePosixPath("keys/hosts/t15g.pub"), None, MARKER.encode(), ("what t15g is known by",)
        ),
        Change(
            PurePosixPath("shared/secrets.yaml"),
            DIGEST,
            MARKER.encode(),
            ("re-wrap for hq, + t15g", "new data key"),
        ),
        Change(PurePosixPath("systems/t15g/old.yaml"), DIGEST, None),
    ),
    exports=(
        Export(
            Path("/media/t15g/ssh_host_ed25519_key"),
            Plaintext(MARKER.encode()),
            "host identity of t15g",
        ),
    ),
    follow_ups=(
        FollowUp(
            ("nix", "--extra-experimental-features", "nix-command flakes", "flake", "lock"),
            "lock the input sops-nix",
        ),
    ),
    warnings=("t15g has no address, so rebuild runs on t15g only",),
    notes=("paste into configuration.nix:\n  imports = [ ./secrets.nix ];",),
)

FINDINGS = (
    Finding("declarations/undeclared", Severity.WARNING, "shared/secrets.yaml", "wifi/psk is not"),
    Finding(
        "recipients/missing",
        Severity.ERROR,
        "systems/t15g/secrets.yaml",
        "host t15g has no stanza",
        "nixsecrets rekey",
    ),
    Finding(
        "recipients/missing",
        Severity.ERROR,
        "shared/secrets.yaml",
        "host t15g has no stanza",
        "nixsecrets rekey",
    ),
    Finding(
        "policy/anchor-differs",
        Severity.ERROR,
        ".sops.yaml:3",
        "anchor t15g is not what its key file says",
        "nixsecrets add-host t15g",
    ),
)

TABLE = Table(
    ("host", "flake attribute", "reads"),
    (
        ("hq", "nixhq", "shared/secrets.yaml systems/hq/secrets.yaml"),
        ("vm01", "", "shared/secrets.yaml systems/vm01/secrets.yaml"),
    ),
    caption="2 hosts",
    empty="no hosts yet: nixsecrets add-host NAME",
)
