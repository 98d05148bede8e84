from collections.abc import Callable

import pytest
from pyrage import x25519

from nixsecrets.plaintext import Plaintext
from nixsecrets.sops.keygroups import KeyGroups
from nixsecrets.sops.sealing import seal
from tests.audit.clean_fleet import NOW, OF_HQ, SHARED, Place

HQ = "systems/hq/secrets.yaml"
HQ_RULE = r"^systems/hq/secrets\.yaml$"
STRANGER = str(x25519.Identity.generate().to_public())
SHORT = f"{STRANGER[:8]}…{STRANGER[-4:]}"
POST_QUANTUM = "age1pq1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"


def _host_missing(place: Place) -> None:
    place.seal("shared/secrets.yaml", SHARED, "ann", "hq")


def _host_surplus(place: Place) -> None:
    place.seal(HQ, OF_HQ, "hq", "t15g", "ann")


def _stranger(place: Place) -> None:
    place.seal(HQ, OF_HQ, "ann", "hq", STRANGER)


def _split(place: Place) -> None:
    readers = KeyGroups(((place.recipients["ann"],), (place.recipients["hq"],)))
    place.write(HQ, seal(Plaintext(OF_HQ.encode()), readers, NOW))


def _no_rule_at_all(place: Place) -> None:
    place.write("vault/x.yaml", place.sealed("a: b\n", ["ann"]))


def _peoples_rule(place: Place, *names: str, head: str = "^systems/hq/") -> None:
    """Put a rule of the people's before all others."""
    texts = [place.recipients[name].text if name in place.recipients else name for name in names]
    rule = f"creation_rules:\n  - path_regex: {head}\n    age: [{', '.join(texts)}]\n"
    place.edit(".sops.yaml", "creation_rules:\n", rule)


def _left_out(place: Place) -> None:
    _peoples_rule(place, "ann")
    place.seal(HQ, OF_HQ, "ann")


def _left_out_of_nothing(place: Place) -> None:
    _left_out(place)
    place.edit("nixsecrets.yaml", "        owner: nextcloud\n", "        deliver: false\n")
    text = "        consumers: [services.nextcloud.config.adminpassFile]\n"
    place.edit("nixsecrets.yaml", text, "")
    place.plan()


def _no_escrow(place: Place) -> None:
    place.edit("nixsecrets.yaml", "  ann: {}\n", "  ann: {}\n  paper: { role: escrow }\n")
    place.write("keys/admins/paper.pub", f"{STRANGER}\n")
    place.plan()
    _peoples_rule(place, "ann", head="^vault/")
    place.seal("vault/x.yaml", "a: b\n", "ann")


def _admins_open_to_hosts(place: Place) -> None:
    _peoples_rule(place, "ann", "hq", head="^keys/")
    place.seal("keys/admins.yaml", "a: b\n", "ann", "hq")


def _only_escrow(place: Place) -> None:
    place.edit("nixsecrets.yaml", "  ann: {}\n", "  ann: { role: escrow }\n")


def _stranger_in_peoples_rule(place: Place) -> None:
    _peoples_rule(place, "ann", "hq", STRANGER)
    place.seal(HQ, OF_HQ, "ann", "hq", STRANGER)


def _raw_ssh(place: Place) -> None:
    place.seal(HQ, OF_HQ, "ann", place.ssh_line)


def _raw_ssh_in_rule(place: Place) -> None:
    _peoples_rule(place, "ann", place.ssh_line)
    place.seal(HQ, OF_HQ, "ann", place.ssh_line)


def _without_admin(place: Place) -> None:
    _peoples_rule(place, "hq")
    place.seal(HQ, OF_HQ, "hq")


def _pgp_in_rule(place: Place) -> None:
    _peoples_rule(place, "ann", "hq")
    place.edit(
        ".sops.yaml",
        "\n    age: [",
        "\n    pgp: 85D77543B3D624B63CEA9E6DBC17301B491B3F21\n    age: [",
    )


def _kms_in_document(place: Place) -> None:
    place.edit(HQ, "sops:\n", "sops:\n    kms:\n        - arn: arn:aws:kms:x\n          enc: y\n")


def _half_post_quantum(place: Place) -> None:
    _peoples_rule(place, "ann", "hq", POST_QUANTUM)
    stanza = f"        - recipient: {POST_QUANTUM}\n          enc: x\n"
    place.edit(HQ, "    age:\n", f"    age:\n{stanza}")


def _no_people(place: Place) -> None:
    place.edit("nixsecrets.yaml", "people:\n  ann: {}\n", "")
    place.plan()
    place.seal(HQ, OF_HQ, "hq")
    place.seal("shared/secrets.yaml", SHARED, "hq", "t15g", "vm01")


@pytest.mark.parametrize(
    ("break_it", "findings"),
    [
        pytest.param(
            _host_missing,
            [
                (
                    "error recipients/missing shared/secrets.yaml: t15g and vm01 cannot open it, "
                    "though the policy names them"
                )
            ],
            id="hosts that the policy names and the document does not",
        ),
        pytest.param(
            _host_surplus,
            [
                (
                    f"error recipients/surplus {HQ}: t15g can open it, though the policy does not "
                    "name t15g"
                )
            ],
            id="a host that the document names and the policy does not; order is nothing",
        ),
        pytest.param(
            _stranger,
            [
                (
                    f"error recipients/unknown {HQ}: {SHORT} can open it, whom neither the policy "
                    "nor a file in keys/ explains"
                )
            ],
            id="a stranger in a document",
        ),
        pytest.param(
            _split,
            [
                (
                    f"error recipients/split {HQ}: its data key is split otherwise than the policy "
                    "says: one key group instead of 2 of 2 key groups"
                )
            ],
            id="a document that is split, and its rule is not",
        ),
        pytest.param(
            _no_rule_at_all,
            ["warning recipients/no-rule vault/x.yaml: no rule of the policy governs it"],
            id="a document without rule",
        ),
        pytest.param(
            _left_out,
            [
                (
                    f"error recipients/host-left-out {HQ}: hq cannot open it and is given what it "
                    "holds: no rule, no stanza"
                ),
                (
                    "warning policy/other-rule .sops.yaml: the rule '^systems/hq/' (line 9) "
                    f"governs {HQ} and is not the tool's to edit; it does not name hq"
                ),
            ],
            id="a host that neither rule nor document name",
        ),
        pytest.param(
            _left_out_of_nothing,
            [
                (
                    "warning policy/other-rule .sops.yaml: the rule '^systems/hq/' (line 9) "
                    f"governs {HQ} and is not the tool's to edit; it does not name hq"
                ),
            ],
            id="the same, and it is given nothing",
        ),
        pytest.param(
            _stranger_in_peoples_rule,
            [
                (
                    f"warning recipients/unknown .sops.yaml:9: the rule ^systems/hq/ names "
                    f"{SHORT}, whom no file in keys/ explains"
                )
            ],
            id="a stranger in a rule of the people's",
        ),
        pytest.param(
            _raw_ssh,
            [
                (
                    f"error recipients/raw-ssh {HQ}: names hq by its raw ssh-ed25519 line, which "
                    "sops-nix cannot open there"
                ),
            ],
            id="a raw ssh recipient in a document",
        ),
        pytest.param(
            _raw_ssh_in_rule,
            [
                (
                    "error recipients/raw-ssh .sops.yaml:9: the rule ^systems/hq/ names hq by its "
                    "raw ssh-ed25519 line, which sops-nix cannot open there"
                ),
                (
                    f"error recipients/raw-ssh {HQ}: names hq by its raw ssh-ed25519 line, which "
                    "sops-nix cannot open there"
                ),
                (
                    "warning policy/other-rule .sops.yaml: the rule '^systems/hq/' (line 9) "
                    f"governs {HQ} and is not the tool's to edit; it does not name hq"
                ),
            ],
            id="a raw ssh recipient in a rule too",
        ),
        pytest.param(
            _without_admin,
            [
                (
                    f"error recipients/no-admin {HQ}: no admin can open it, so that nobody can "
                    "change it or let anyone read it"
                ),
                (
                    "warning policy/other-rule .sops.yaml: the rule '^systems/hq/' (line 9) "
                    f"governs {HQ} and is not the tool's to edit; it does not name ann"
                ),
            ],
            id="no admin",
        ),
        pytest.param(
            _no_people,
            [
                (
                    "error recipients/no-admin nixsecrets.yaml: it names no admin, so that only "
                    "hosts can open what is sealed"
                ),
                "warning policy/unused-anchor .sops.yaml:4: no rule uses the anchor &ann",
            ],
            id="no people",
        ),
        pytest.param(
            _pgp_in_rule,
            [
                (
                    "warning recipients/other-service .sops.yaml:9: the rule ^systems/hq/ names "
                    "pgp recipients, which are neither checked nor changed"
                )
            ],
            id="PGP in a rule",
        ),
        pytest.param(
            _kms_in_document,
            [
                (
                    f"warning recipients/other-service {HQ}: kms can open it too, which is neither "
                    "checked nor changed"
                )
            ],
            id="KMS in a document alone",
        ),
        pytest.param(
            _half_post_quantum,
            [
                (
                    "warning recipients/unknown .sops.yaml:9: the rule ^systems/hq/ names age1pq1q…"
                    "qqqq, whom no file in keys/ explains"
                ),
                (
                    f"warning recipients/half-post-quantum {HQ}: has post-quantum recipients "
                    "beside classical ones, which undo what those are for"
                ),
            ],
            id="classical beside post-quantum",
        ),
        pytest.param(
            _admins_open_to_hosts,
            [
                (
                    "error recipients/open-to-hosts keys/admins.yaml: hq can open it, and it is "
                    "for the admins alone"
                )
            ],
            id="the admins' document open to a host",
        ),
    ],
)
def test_recipients(place: Place, break_it: Callable[[Place], None], findings: list[str]) -> None:
    break_it(place)
    found = place.found()
    kept = ("policy/shadowed", "policy/behind", "wiring/")
    assert [one for one in found if not any(rule in one for rule in kept)] == findings


@pytest.mark.parametrize(
    ("break_it", "remedy"),
    [
        (_host_missing, "nixsecrets rekey shared/secrets.yaml"),
        (_host_surplus, f"nixsecrets rotate data-keys {HQ}"),
        (_stranger, f"nixsecrets rotate data-keys {HQ}"),
        (_raw_ssh, f"nixsecrets rekey {HQ}"),
    ],
)
def test_the_remedy_is_the_command_that_repairs(
    place: Place, break_it: Callable[[Place], None], remedy: str
) -> None:
    break_it(place)
    assert {one.remedy for one in place.check()} == {remedy}


def test_a_managed_document_without_rule_is_an_error(place: Place) -> None:
    text = place.read(".sops.yaml")
    place.write(".sops.yaml", text[: text.index("  - path_regex: ^shared/")])
    assert [one for one in place.found() if "recipients/" in one] == [
        "error recipients/no-rule shared/secrets.yaml: no rule of the policy governs it"
    ]


def test_a_fleet_without_manifest_knows_nobody_and_shows_anchors(place: Place) -> None:
    """Rules are the people's then; a document still has to be in step with its rule."""
    place.remove("nixsecrets.yaml")
    place.seal(HQ, OF_HQ, "ann")
    assert [one for one in place.found() if "policy/no-document" not in one] == [
        f"error recipients/missing {HQ}: hq cannot open it, though the policy names hq"
    ]


def test_who_is_in_escrow_is_demanded_where_no_rule_names_it(place: Place) -> None:
    _no_escrow(place)
    assert [one for one in place.found() if "escrow" in one] == [
        (
            "error recipients/no-escrow vault/x.yaml: paper, who is in escrow for every document, "
            "cannot open it"
        )
    ]


def test_escrow_alone_is_no_admin(place: Place) -> None:
    _only_escrow(place)
    assert [one for one in place.found() if "no-admin" in one] == [
        (
            "error recipients/no-admin nixsecrets.yaml: it names no admin, so that no admin can "
            "open what is sealed"
        )
    ]
