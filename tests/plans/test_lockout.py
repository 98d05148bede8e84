from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.age.identity import Identity
from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.load import Sources
from nixsecrets.plans import lockout, recipients
from nixsecrets.plans.draft import Draft
from tests.plans.fleets import Fleet, machine, make_fleet, person

DOCUMENT = PurePosixPath("shared/secrets.yaml")
OWN_RULE = r"^shared/secrets\.yaml$"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return make_fleet(tmp_path)


def refuse(fleet: Fleet, draft: Draft, *identities: Identity) -> None:
    plan = draft.plan("test")
    assert DOCUMENT in {change.path for change in plan.changes}
    lockout.refuse(Sources(fleet.root), plan, lambda: identities, fleet.repository)


def without(fleet: Fleet, name: str) -> Draft:
    """Return a draft that takes somebody out of the document, by a rule of the people's own."""
    head, pattern, rest = fleet.read(".sops.yaml").partition(OWN_RULE)
    rule = rest.replace(f"          - *{name}\n", "", 1)
    fleet.write({".sops.yaml": head + pattern.replace("yaml", "ya?ml") + rule})
    return recipients.bring(fleet.draft(), [DOCUMENT], fleet.unlock)


def test_a_document_stays_open_to_an_identity_that_is_here(fleet: Fleet) -> None:
    draft = without(fleet, "hq")
    refuse(fleet, draft, fleet.admin)
    with pytest.raises(RepositoryError, match="would open it any more"):
        refuse(fleet, draft, *fleet.hq.identities)


def test_who_could_not_open_it_before_loses_nothing(fleet: Fleet) -> None:
    refuse(fleet, without(fleet, "hq"), person()[0])


def test_a_document_keeps_an_admin(fleet: Fleet) -> None:
    draft = without(fleet, "ann")
    with pytest.raises(RepositoryError, match="without any admin"):
        refuse(fleet, draft, *fleet.hq.identities)


def test_a_plan_that_only_adds_readers_asks_for_no_identity(fleet: Fleet) -> None:
    def never() -> tuple[Identity, ...]:
        pytest.fail("an identity was asked for")

    plan = fleet.add("t15g", machine("t15g")).plan("test")
    assert DOCUMENT in {change.path for change in plan.changes}
    lockout.refuse(Sources(fleet.root), plan, never, fleet.repository)
