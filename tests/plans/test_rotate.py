from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.errors import ExitStatus, IntegrityError, NoIdentityError, RepositoryError
from nixsecrets.plans import documents, rotate
from nixsecrets.plans.draft import Draft
from nixsecrets.sops import document
from tests.plans.fleets import HQ, MARKER, NOW, Fleet, after, changed, make_fleet, person, why

HQ_PATH = "systems/hq/secrets.yaml"
ALL = ("shared/secrets.yaml", "shared/secrets/laptops.yaml", HQ_PATH)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return make_fleet(tmp_path)


def rotated(fleet: Fleet, *paths: str) -> Draft:
    chosen = map(PurePosixPath, paths)
    return rotate.data_keys(fleet.draft(), chosen, fleet.unlock, NOW)


def data_key(fleet: Fleet, path: str) -> bytes:
    return fleet.unlock(document.parse(fleet.read(path).encode())).reveal()


def test_every_document_gets_a_data_key_of_its_own_and_keeps_its_values(fleet: Fleet) -> None:
    before = {path: data_key(fleet, path) for path in ALL}
    draft = rotated(fleet, *ALL)
    assert changed(draft) == list(ALL)
    assert [why(draft, path) for path in ALL] == [["new data key"]] * 3
    fleet.apply(draft)
    keys = {data_key(fleet, path) for path in ALL}
    assert len(keys | set(before.values())) == 6
    assert fleet.values(HQ_PATH, *fleet.hq.identities) == {"nextcloud/admin-password": MARKER}
    assert "# of hq" not in fleet.read(HQ_PATH)


def test_an_old_data_key_opens_nothing_any_more(fleet: Fleet) -> None:
    old = fleet.unlock(document.parse(fleet.read(HQ_PATH).encode()))
    new = document.parse(after(rotated(fleet, HQ_PATH), HQ_PATH).encode())
    with pytest.raises(IntegrityError):
        document.open_document(new, old)


def test_a_document_asked_for_twice_is_renewed_once(fleet: Fleet) -> None:
    assert why(rotated(fleet, HQ_PATH, HQ_PATH), HQ_PATH) == ["new data key"]


def test_recipients_become_those_of_the_policy(fleet: Fleet) -> None:
    stranger, recipient = person()
    fleet.seal(HQ_PATH, HQ, fleet.ann, recipient)
    draft = rotated(fleet, HQ_PATH)
    shown = f"{recipient.text[:8]}…{recipient.text[-4:]}"
    assert why(draft, HQ_PATH) == [f"new data key; + hq, - {shown}"]
    fleet.apply(draft)
    with pytest.raises(NoIdentityError):
        fleet.values(HQ_PATH, stranger)


def test_a_damaged_document_stops_everything_with_its_place(fleet: Fleet) -> None:
    sealed = fleet.read(HQ_PATH)
    at = sealed.index("data:") + len("data:")
    swapped = "B" if sealed[at] == "A" else "A"
    fleet.write({HQ_PATH: sealed[:at] + swapped + sealed[at + 1 :]})
    with pytest.raises(IntegrityError) as caught:
        rotated(fleet, *ALL)
    assert caught.value.place == HQ_PATH
    assert caught.value.line is not None
    assert caught.value.status is ExitStatus.DAMAGED
    assert MARKER not in f"{caught.value}{caught.value.hint}"


def test_a_document_that_was_cut_off_stops_everything(fleet: Fleet) -> None:
    text = fleet.read(HQ_PATH)
    fleet.write({HQ_PATH: text[: text.index("\nsops:") + 1]})
    with pytest.raises(IntegrityError) as caught:
        rotated(fleet, *(str(path) for path, _ in documents.sealed(fleet.repository())))
    assert caught.value.place == HQ_PATH


def test_a_document_that_does_not_open_stops_everything(fleet: Fleet) -> None:
    fleet.seal(HQ_PATH, HQ, person()[1])
    with pytest.raises(NoIdentityError) as caught:
        rotated(fleet, *ALL)
    assert caught.value.place == HQ_PATH


def test_services_other_than_age_are_refused(fleet: Fleet) -> None:
    stanza = (
        '    pgp:\n        - created_at: "2026-01-01T00:00:00Z"\n          enc: x\n'
        "          fp: FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4\n    lastmodified:"
    )
    fleet.edit(HQ_PATH, "    lastmodified:", stanza)
    with pytest.raises(RepositoryError, match="pgp could not be given a new data key") as caught:
        rotated(fleet, *ALL)
    assert caught.value.place == HQ_PATH


def test_a_file_in_clear_is_refused(fleet: Fleet) -> None:
    fleet.write({"notes.yaml": "a: b\n"})
    with pytest.raises(RepositoryError, match="not encrypted") as caught:
        rotated(fleet, "notes.yaml")
    assert caught.value.place == "notes.yaml"


def test_a_stranger_in_a_managed_rule_is_never_wrapped_to(fleet: Fleet) -> None:
    rule = "          - *ann\n          - *hq\n"
    fleet.edit(".sops.yaml", rule, f"{rule}          - {person()[1].text}\n")
    with pytest.raises(RepositoryError, match="whom no key file explains"):
        rotated(fleet, HQ_PATH)


class TestWithoutARule:
    PATH = "notes/secrets.yaml"

    @pytest.fixture
    def unruled(self, fleet: Fleet) -> Fleet:
        text = fleet.read(".sops.yaml")
        fleet.write({".sops.yaml": text[: text.index("  # everything else")]})
        return fleet

    def test_known_recipients_stay(self, unruled: Fleet) -> None:
        unruled.seal(self.PATH, "a: b\n", unruled.ann, unruled.hq.key.recipient)
        unruled.apply(rotated(unruled, self.PATH))
        assert unruled.values(self.PATH, *unruled.hq.identities) == {"a": "b"}

    def test_a_recipient_that_an_anchor_explains_stays(self, unruled: Fleet) -> None:
        friend, recipient = person()
        unruled.edit(".sops.yaml", "  # machines\n", f"  - &friend {recipient.text}\n")
        unruled.seal(self.PATH, "a: b\n", unruled.ann, recipient)
        unruled.apply(rotated(unruled, self.PATH))
        assert unruled.values(self.PATH, friend) == {"a": "b"}

    def test_a_label_that_nothing_explains_is_never_wrapped_to(self, unruled: Fleet) -> None:
        unruled.seal(self.PATH, "a: b\n", unruled.ann, person()[1])
        with pytest.raises(RepositoryError, match="neither a key file nor the policy") as caught:
            rotated(unruled, self.PATH)
        assert caught.value.place == self.PATH
        assert ".sops.yaml" in str(caught.value.hint)
