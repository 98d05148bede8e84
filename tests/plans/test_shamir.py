"""Key groups of a document added and taken away, with the real sops on both sides."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.age.identity import Identity
from nixsecrets.age.recipient import Recipient
from nixsecrets.errors import NixsecretsError, NoIdentityError, RepositoryError, UsageError
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import shamir
from nixsecrets.plans.draft import Draft, Unlock
from nixsecrets.sops import document, sealing
from nixsecrets.sops.keygroups import KeyGroups
from tests.plans.fleets import NOW, Fleet, make_fleet, person, unlock_with, values, why
from tests.sops.real import make_identity
from tests.tools import require_sops

PATH = PurePosixPath("notes/secrets.yaml")
EVERYTHING_ELSE = "  # everything else"
MAY_KEEP = (
    "notes/secrets.yaml: whoever could open it may keep the data key that it had; "
    "`nixsecrets rotate data-keys notes/secrets.yaml` makes a new one"
)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Return a fleet with a document for notes, without a rule."""
    fleet = make_fleet(tmp_path)
    text = fleet.read(".sops.yaml")
    fleet.write({".sops.yaml": text[: text.index(EVERYTHING_ELSE)]})
    seal(fleet, (fleet.ann,))
    return fleet


def seal(fleet: Fleet, *groups: Sequence[Recipient], threshold: int = 0) -> None:
    readers = KeyGroups(tuple(tuple(group) for group in groups), threshold)
    fleet.write({str(PATH): sealing.seal(Plaintext(b"a: b\n"), readers, NOW)})


def ruled(fleet: Fleet, groups: str, *more: str) -> None:
    """Put a rule for notes behind all others; its line is 38."""
    lines = "".join(f"    {line}\n" for line in more)
    rule = f"  - path_regex: ^notes/\n    key_groups: {groups}\n{lines}"
    fleet.write({".sops.yaml": fleet.read(".sops.yaml") + rule})


def unlock(fleet: Fleet) -> Unlock:
    return unlock_with(fleet.admin, *fleet.hq.identities)


def add(fleet: Fleet, *group: Recipient, threshold: int | None = None) -> Draft:
    return shamir.add(fleet.draft(), PATH, group, threshold, unlock(fleet))


def delete(fleet: Fleet, index: int, threshold: int | None = None) -> Draft:
    return shamir.delete(fleet.draft(), PATH, index, threshold, unlock(fleet))


def threshold_of(fleet: Fleet) -> tuple[int, int]:
    metadata = document.parse(fleet.read(str(PATH)).encode()).metadata
    return metadata.threshold, len(metadata.groups)


def test_a_group_more_makes_one_of_each_needed(fleet: Fleet) -> None:
    draft = add(fleet, fleet.hq.key.recipient)
    assert why(draft, str(PATH)) == ["re-wrapped: 2 of [ann], [hq]"]
    assert draft.warnings == (f"{PATH}: ann, hq cannot open it alone", MAY_KEEP)
    fleet.apply(draft)
    assert threshold_of(fleet) == (2, 2)
    assert fleet.values(str(PATH), fleet.admin, *fleet.hq.identities) == {"a": "b"}
    with pytest.raises(NoIdentityError):
        fleet.values(str(PATH), fleet.admin)


def test_values_and_mac_keep_their_bytes(fleet: Fleet) -> None:
    before = set(fleet.read(str(PATH)).splitlines())
    fleet.apply(add(fleet, fleet.hq.key.recipient))
    changed = before - set(fleet.read(str(PATH)).splitlines())
    assert not [line for line in changed if "ENC[" in line or "lastmodified" in line]


@pytest.mark.parametrize(
    ("given", "needed"), [(None, 2), (2, 2), (3, 3)], ids=["as before", "said", "raised"]
)
def test_a_third_group_leaves_the_threshold(fleet: Fleet, given: int | None, needed: int) -> None:
    hq, t460 = fleet.hq.key.recipient, fleet.t460.key.recipient
    seal(fleet, (fleet.ann,), (hq,))
    fleet.apply(add(fleet, t460, fleet.ann, threshold=given))
    assert threshold_of(fleet) == (needed, 3)


def test_the_threshold_of_the_policy_counts(fleet: Fleet) -> None:
    seal(fleet, (fleet.ann,), (fleet.hq.key.recipient,))
    groups = "[{age: [*ann]}, {age: [*hq]}, {age: [*t460]}]"
    ruled(fleet, groups, "shamir_threshold: 3")
    draft = add(fleet, fleet.t460.key.recipient)
    assert why(draft, str(PATH)) == ["re-wrapped: 3 of [ann], [hq], [t460]"]
    assert not any("undo" in warning for warning in draft.warnings)
    assert draft.notes == ()


def test_a_policy_that_says_otherwise_is_told_with_what_it_has_to_say(fleet: Fleet) -> None:
    stranger = person()[1]
    ruled(fleet, "[{age: [*ann]}]")
    draft = add(fleet, fleet.hq.key.recipient, stranger)
    assert draft.warnings[-1] == "rule ^notes/ says otherwise: `nixsecrets rekey` would undo this"
    assert draft.notes == (
        (
            "to keep it, the rule of .sops.yaml:38 has to say\n"
            "    key_groups:\n"
            "      - age:\n"
            "          - *ann\n"
            "      - age:\n"
            "          - *hq\n"
            f"          - {stranger.text}\n"
            "    shamir_threshold: 2"
        ),
    )


def test_a_group_less(fleet: Fleet) -> None:
    hq, t460 = fleet.hq.key.recipient, fleet.t460.key.recipient
    seal(fleet, (fleet.ann,), (hq,), (t460,), threshold=2)
    draft = delete(fleet, 1)
    assert why(draft, str(PATH)) == ["re-wrapped: 2 of [ann], [t460]"]
    fleet.apply(draft)
    assert threshold_of(fleet) == (2, 2)
    everyone = (fleet.admin, *fleet.t460.identities)
    assert fleet.values(str(PATH), *everyone) == {"a": "b"}


def test_the_last_group_is_one_again(fleet: Fleet) -> None:
    seal(fleet, (fleet.ann,), (fleet.hq.key.recipient,))
    fleet.apply(delete(fleet, 1, threshold=1))
    text = fleet.read(str(PATH))
    assert "key_groups" not in text
    assert "shamir_threshold" not in text
    assert fleet.values(str(PATH), fleet.admin) == {"a": "b"}


@pytest.mark.parametrize(
    ("groups", "index", "threshold", "failure"),
    [
        (2, 1, None, RepositoryError("2 key groups are needed, and 1 would stay")),
        (3, 0, 3, RepositoryError("3 key groups are needed, and 2 would stay")),
        (3, 0, 1, RepositoryError("a threshold of 1 with 2 key groups is impossible")),
        (2, 2, 1, UsageError(f"{PATH} has no key group 2")),
        (2, -1, 1, UsageError(f"{PATH} has no key group -1")),
        (1, 0, 1, UsageError(f"{PATH} has one key group, without which nobody could open it")),
    ],
    ids=["below", "said too high", "one of two", "out of range", "negative", "the only one"],
)
def test_a_group_that_cannot_go_is_refused(
    fleet: Fleet, groups: int, index: int, threshold: int | None, failure: NixsecretsError
) -> None:
    everyone = (fleet.ann, fleet.hq.key.recipient, fleet.t460.key.recipient)
    seal(fleet, *((one,) for one in everyone[:groups]))
    with pytest.raises(type(failure)) as caught:
        delete(fleet, index, threshold)
    assert caught.value.problem == failure.problem


def test_a_threshold_above_the_number_of_groups_is_refused(fleet: Fleet) -> None:
    with pytest.raises(RepositoryError, match="a threshold of 3 with 2 key groups") as caught:
        add(fleet, fleet.hq.key.recipient, threshold=3)
    assert caught.value.place == str(PATH)


def test_a_label_that_nothing_explains_is_never_wrapped_to(fleet: Fleet) -> None:
    seal(fleet, (fleet.ann, person()[1]))
    with pytest.raises(RepositoryError, match="neither a key file nor the policy explains"):
        add(fleet, fleet.hq.key.recipient)


def test_a_group_of_strangers_may_go(fleet: Fleet) -> None:
    stranger = person()[1]
    seal(fleet, (fleet.ann,), (fleet.hq.key.recipient,), (stranger,), threshold=2)
    fleet.apply(delete(fleet, 2))
    assert stranger.text not in fleet.read(str(PATH))


def test_services_other_than_age_are_refused(fleet: Fleet) -> None:
    entry = "    pgp:\n        - enc: x\n          fp: ABC\n    lastmodified:"
    fleet.edit(str(PATH), "    lastmodified:", entry)
    with pytest.raises(RepositoryError, match="pgp could not be given a new share") as caught:
        add(fleet, fleet.hq.key.recipient)
    assert caught.value.place == str(PATH)


@dataclass(frozen=True)
class Sops:
    """The real program, with the admin's identity and a friend's, where no policy governs."""

    folder: Path
    secrets: tuple[Plaintext, ...]

    def run(self, content: bytes, *arguments: str) -> bytes:
        file = self.folder / "document.yaml"
        file.write_bytes(content)
        secrets = b"\n".join(secret.reveal().strip() for secret in self.secrets)
        done = subprocess.run(
            [require_sops(), *arguments, file.name],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "SOPS_AGE_KEY": secrets.decode(),
            },
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


@pytest.fixture
def friend(fleet: Fleet) -> tuple[Identity, Plaintext]:
    identity, secret = make_identity()
    assert identity.recipient
    anchor = f"  - &friend {identity.recipient.text}\n  # machines\n"
    fleet.edit(".sops.yaml", "  # machines\n", anchor)
    return identity, secret


@pytest.fixture
def sops(
    fleet: Fleet, friend: tuple[Identity, Plaintext], tmp_path_factory: pytest.TempPathFactory
) -> Sops:
    return Sops(tmp_path_factory.mktemp("sops"), (fleet.admin_file, friend[1]))


def test_sops_opens_a_document_whose_groups_were_added_and_deleted_here(
    fleet: Fleet, friend: tuple[Identity, Plaintext], sops: Sops
) -> None:
    identity, _ = friend
    assert identity.recipient
    opens = unlock_with(fleet.admin, identity)
    for step in (
        lambda draft: shamir.add(draft, PATH, [identity.recipient], None, opens),
        lambda draft: shamir.add(draft, PATH, [fleet.hq.key.recipient], 2, opens),
        lambda draft: shamir.delete(draft, PATH, 2, None, opens),
    ):
        fleet.apply(step(fleet.draft()))
        assert sops.run(fleet.read(str(PATH)).encode(), "decrypt") == b"a: b\n"
    assert threshold_of(fleet) == (2, 2)


def test_a_document_whose_groups_sops_added_and_deleted_is_opened(
    fleet: Fleet, friend: tuple[Identity, Plaintext], sops: Sops
) -> None:
    content = fleet.read(str(PATH)).encode()
    assert friend[0].recipient
    for group in (friend[0].recipient, fleet.hq.key.recipient):
        sops.run(content, "groups", "add", "--age", group.text, "-i", "--file")
        content = (sops.folder / "document.yaml").read_bytes()
        assert values(content, fleet.admin, friend[0], *fleet.hq.identities) == {"a": "b"}
    fleet.write({str(PATH): content})
    assert threshold_of(fleet) == (2, 3)
    fleet.apply(delete(fleet, 1))
    assert fleet.values(str(PATH), fleet.admin, *fleet.hq.identities) == {"a": "b"}
