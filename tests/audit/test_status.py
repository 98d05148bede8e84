"""Every document in one word, in repositories of one policy, of several, and of none."""

from pathlib import Path

import pytest

from nixsecrets.audit import status
from nixsecrets.audit.status import State, Status
from tests.plans.adopted import OLD, Made, Old, keys, make, rule

POLICY = keys(ann="ann", hq="hq", t460="t460") + rule(r"hosts/hq/.*\.(yaml|key)$", "ann", "hq")


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make(Old({".sops.yaml": POLICY}, {"hosts/hq/secrets.yaml": "ann hq"}, {}), tmp_path)


def found(made: Made) -> dict[str, Status]:
    return {str(one.path): one for one in status.find(made.tree.repository())}


def test_a_document_in_step_says_who_reads_it(made: Made) -> None:
    (one,) = found(made).values()
    assert (one.state, one.readers, one.details) == (State.IN_STEP, ("ann", "hq"), "")
    assert one.rule == r"hosts/hq/.*\.(yaml|key)$"


def test_a_document_out_of_step_says_how(made: Made) -> None:
    made.tree.edit(".sops.yaml", "      - *hq\n", "      - *t460\n")
    (one,) = found(made).values()
    assert (one.state, one.details) == (State.OUT_OF_STEP, "+ t460, - hq")


def test_a_document_without_a_rule_is_one_all_the_same(made: Made) -> None:
    made.tree.write({"elsewhere/notes": made.tree.read("hosts/hq/secrets.yaml")})
    assert found(made)["elsewhere/notes"].state is State.NO_RULE


@pytest.mark.parametrize(
    ("text", "state"),
    [
        pytest.param("a: b\n", State.CLEAR, id="in clear"),
        pytest.param("", State.CLEAR, id="empty"),
        pytest.param("sops:\n    lastmodified: x\n", State.DAMAGED, id="half a document"),
        pytest.param("a: ENC[AES256_GCM,data:x]\n", State.DAMAGED, id="its metadata is lost"),
    ],
)
def test_what_a_rule_wants_and_is_no_document(made: Made, text: str, state: State) -> None:
    made.tree.write({"hosts/hq/other.yaml": text})
    assert found(made)["hosts/hq/other.yaml"].state is state


def test_recipients_of_other_services_are_not_compared(made: Made) -> None:
    made.tree.edit(".sops.yaml", "    - age:\n", "    - pgp: [ABCD]\n      age:\n")
    one = found(made)["hosts/hq/secrets.yaml"]
    assert (one.state, one.details) == (State.FOREIGN, "pgp: not compared")


def test_each_document_is_held_against_the_nearest_policy(made: Made) -> None:
    made.tree.write({"hosts/.sops.yaml": made.tree.read(".sops.yaml").replace("*hq", "*t460")})
    made.tree.edit("hosts/.sops.yaml", "hosts/hq/", "hq/")
    assert found(made)["hosts/hq/secrets.yaml"].details == "+ t460, - hq"


def test_a_nearer_policy_that_cannot_be_read_is_told(made: Made) -> None:
    made.tree.write({"hosts/.sops.yaml": "creation_rules: [\n"})
    one = found(made)["hosts/hq/secrets.yaml"]
    assert one.state is State.NO_RULE
    assert one.details.startswith("hosts/.sops.yaml cannot be read")


def test_a_repository_without_a_policy_has_a_status(made: Made) -> None:
    (made.tree.root / ".sops.yaml").unlink()
    assert found(made)["hosts/hq/secrets.yaml"].state is State.NO_RULE


def test_a_policy_below_the_root_governs_what_is_below_it(tmp_path: Path) -> None:
    made = make(OLD["a policy below the root"], tmp_path)
    assert {one.state for one in found(made).values()} == {State.IN_STEP}
