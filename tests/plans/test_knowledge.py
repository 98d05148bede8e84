from pathlib import Path

from nixsecrets.plans import knowledge
from tests.plans.fleets import make_fleet


def test_a_host_knows_the_values_of_every_document_with_a_stanza_of_its(tmp_path: Path) -> None:
    fleet = make_fleet(tmp_path)
    repository = fleet.repository()
    hq, t460 = repository.fleet.host("hq"), repository.fleet.host("t460")
    assert knowledge.addresses(repository, knowledge.labels_of(hq)) == (
        "host/hq:nextcloud/admin-password",
        "shared:miscguy/hashed-password",
    )
    assert knowledge.addresses(repository, knowledge.labels_of(t460)) == (
        "group/laptops:wifi/psk",
        "shared:miscguy/hashed-password",
    )
