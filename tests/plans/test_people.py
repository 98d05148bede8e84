from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.age.recipient import Recipient, parse_recipient
from nixsecrets.age.ssh import convert_public_key, generate_ed25519
from nixsecrets.audit.finding import Severity
from nixsecrets.errors import NoIdentityError, RepositoryError
from nixsecrets.fleet.names import PersonName
from nixsecrets.plans import people
from nixsecrets.plans.draft import Draft
from tests.plans.fleets import (
    Fleet,
    after,
    changed,
    difference,
    machine,
    make_fleet,
    person,
    unlock_with,
    why,
)

BOB = PersonName("bob")
ANN = PersonName("ann")


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return make_fleet(tmp_path)


def add(fleet: Fleet, name: PersonName, *added: Recipient) -> Draft:
    return people.add(fleet.draft(), name, added, fleet.unlock)


def test_a_new_admin_reads_every_document(fleet: Fleet) -> None:
    bob, recipient = person()
    draft = add(fleet, BOB, recipient)
    assert sorted(changed(draft)) == [
        ".sops.yaml",
        "keys/admins/bob.pub",
        "nixsecrets.yaml",
        "shared/secrets.yaml",
        "shared/secrets/laptops.yaml",
        "systems/hq/secrets.yaml",
    ]
    fleet.apply(draft)
    for path in ("shared/secrets.yaml", "shared/secrets/laptops.yaml", "systems/hq/secrets.yaml"):
        assert fleet.values(path, bob)
    assert fleet.findings(Severity.ERROR) == []


def test_what_people_write_only_gains_lines(fleet: Fleet) -> None:
    recipient = person()[1]
    draft = add(fleet, BOB, recipient)
    assert difference(fleet.read("nixsecrets.yaml"), after(draft, "nixsecrets.yaml")) == [
        "+   bob: { role: admin }"
    ]
    lines = difference(fleet.read(".sops.yaml"), after(draft, ".sops.yaml"))
    assert lines == [f"+   - &bob {recipient.text}", *["+           - *bob"] * 5]


def test_further_recipients_join_those_of_a_known_admin(fleet: Fleet) -> None:
    private, public = generate_ed25519("ann@desk")
    fleet.write({"keys/admins/ann.pub": f"# at home\n{fleet.ann.text}"})
    draft = add(fleet, ANN, parse_recipient(public.line))
    assert after(draft, "keys/admins/ann.pub") == (f"# at home\n{fleet.ann.text}\n{public.line}\n")
    assert "nixsecrets.yaml" not in changed(draft)
    assert "+ anchor &ann-2" in why(draft, ".sops.yaml")
    assert private.reveal().decode() not in after(draft, "keys/admins/ann.pub")


def test_the_same_again_is_nothing_to_do(fleet: Fleet) -> None:
    assert add(fleet, ANN, fleet.ann, fleet.ann).plan("again").empty


def test_the_same_again_with_another_comment_is_nothing_to_do(fleet: Fleet) -> None:
    _, public = generate_ed25519("ann@desk")
    fleet.apply(add(fleet, ANN, parse_recipient(public.line)))
    other = parse_recipient(f"{' '.join(public.line.split()[:2])} ann@elsewhere")
    assert add(fleet, ANN, other).plan("again").empty


def test_another_persons_recipient_is_refused(fleet: Fleet) -> None:
    with pytest.raises(RepositoryError, match="already one of ann"):
        add(fleet, BOB, fleet.ann)


@pytest.mark.parametrize("converted", [True, False])
def test_a_hosts_key_is_refused_in_either_spelling(fleet: Fleet, converted: bool) -> None:  # noqa: FBT001  # a case
    text = fleet.hq.key.recipient.text if converted else fleet.hq.key.public_key
    with pytest.raises(RepositoryError, match="the one of the host hq"):
        add(fleet, BOB, parse_recipient(text))


def test_another_persons_line_is_refused_in_the_other_spelling(fleet: Fleet) -> None:
    _, public = generate_ed25519("ann@desk")
    fleet.apply(add(fleet, ANN, parse_recipient(public.line)))
    with pytest.raises(RepositoryError, match="already one of ann"):
        add(fleet, BOB, convert_public_key(public))


def test_a_key_file_that_somebody_left_lets_nobody_in(fleet: Fleet) -> None:
    left, own = person()[1], person()[1]
    fleet.write({"keys/admins/bob.pub": f"{left.text}\n"})
    with pytest.raises(RepositoryError, match="names others than what is given for bob") as caught:
        add(fleet, BOB, own)
    assert caught.value.place == "keys/admins/bob.pub"
    assert "keys/admins/bob.pub" not in changed(add(fleet, BOB, left))


def test_a_name_that_is_a_hosts_anchor_is_refused(fleet: Fleet) -> None:
    with pytest.raises(RepositoryError, match="the same anchor 'hq'"):
        add(fleet, PersonName("hq"), person()[1])


def test_a_document_that_does_not_open_is_the_end_of_it(fleet: Fleet) -> None:
    stranger = unlock_with(person()[0])
    with pytest.raises(NoIdentityError):
        people.add(fleet.draft(), BOB, (person()[1],), stranger)


def test_documents_under_rules_of_the_peoples_are_told(fleet: Fleet) -> None:
    fleet.edit(
        ".sops.yaml",
        "  # one a machine\n",
        "  - path_regex: ^notes/\n    age: *ann\n  # one a machine\n",
    )
    fleet.seal("notes/secrets.yaml", "a: b\n", fleet.ann)
    fleet.seal("elsewhere.yaml", "a: b\n", fleet.ann)
    draft = add(fleet, BOB, person()[1])
    assert draft.warnings == (
        "elsewhere.yaml stays closed to bob: its rule is not the tool's",
        "notes/secrets.yaml stays closed to bob: its rule is not the tool's",
    )
    assert "notes/secrets.yaml" not in changed(draft)


def test_what_has_drifted_for_other_reasons_waits_for_rekey(fleet: Fleet) -> None:
    fleet.edit(
        ".sops.yaml",
        "  # one a machine\n",
        f"  - path_regex: ^notes/\n    age: {machine().key.recipient.text}\n  # one a machine\n",
    )
    fleet.seal("notes/secrets.yaml", "a: b\n", fleet.ann)
    draft = add(fleet, BOB, person()[1])
    assert draft.repository.changes.get(PurePosixPath("notes/secrets.yaml")) is None
