from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.age.recipient import parse_recipient
from nixsecrets.errors import NoIdentityError, RepositoryError
from nixsecrets.fleet.names import HostName, UserName
from nixsecrets.plans import secrets, users
from tests.plans.fleets import (
    Fleet,
    after,
    changed,
    difference,
    make_fleet,
    person,
    unlock_with,
    why,
)

HQ, ME = HostName("hq"), UserName("me")
HOME = "systems/hq/home/me.yaml"
DECLARED = "secrets:\n  home:\n    me:\n      github/token: { hosts: [hq] }\n"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    fleet = make_fleet(tmp_path)
    fleet.edit("nixsecrets.yaml", "secrets:\n", DECLARED)
    return fleet


def test_a_users_key_brings_key_file_and_rule(fleet: Fleet) -> None:
    _, recipient = person()
    draft = users.add_key(fleet.draft(), HQ, ME, (recipient,), fleet.unlock)
    assert after(draft, "keys/users/hq/me.pub") == f"{recipient.text}\n"
    lines = difference(fleet.read(".sops.yaml"), after(draft, ".sops.yaml"))
    assert [line.split() for line in lines] == [
        ["+", "-", "&me-hq", recipient.text],
        ["+", "-", "path_regex:", r"^systems/hq/home/me\.yaml$"],
        ["+", "key_groups:"],
        ["+", "-", "age:"],
        ["+", "-", "*ann"],
        ["+", "-", "*me-hq"],
    ]


def test_a_further_key_is_wrapped_for(fleet: Fleet) -> None:
    (me, recipient), (other, further) = person(), person()
    fleet.apply(users.add_key(fleet.draft(), HQ, ME, (recipient,), fleet.unlock))
    fleet.seal(HOME, "github:\n  token: x\n", fleet.ann, recipient)
    draft = users.add_key(fleet.draft(), HQ, ME, (further,), fleet.unlock)
    assert {"keys/users/hq/me.pub", ".sops.yaml", HOME} <= set(changed(draft))
    assert why(draft, HOME) == ["re-wrapped: + me@hq"]
    fleet.apply(draft)
    for identity in (me, other, fleet.admin):
        assert fleet.values(HOME, identity) == {"github/token": "x"}
    with pytest.raises(NoIdentityError):
        fleet.values(HOME, *fleet.hq.identities)


def test_an_admins_own_key_may_be_a_users_too(fleet: Fleet) -> None:
    draft = users.add_key(fleet.draft(), HQ, ME, (fleet.ann,), fleet.unlock)
    assert "&me-hq" not in after(draft, ".sops.yaml")
    assert draft.fleet.user(HQ, ME).recipients == (fleet.ann,)


@pytest.mark.parametrize("converted", ["as it is", "converted"])
def test_a_hosts_key_is_refused_in_either_spelling(fleet: Fleet, converted: str) -> None:
    key = fleet.t460.key
    text = key.recipient.text if converted == "converted" else key.public_key
    with pytest.raises(RepositoryError, match="the one of the host t460"):
        users.add_key(fleet.draft(), HQ, ME, (parse_recipient(text),), fleet.unlock)


def test_a_user_of_an_unknown_host_is_refused(fleet: Fleet) -> None:
    with pytest.raises(RepositoryError, match="unknown host 'hp'"):
        users.add_key(fleet.draft(), HostName("hp"), ME, (person()[1],), fleet.unlock)


def test_a_home_that_does_not_open_is_the_end_of_it(fleet: Fleet) -> None:
    fleet.seal(HOME, "github:\n  token: x\n", fleet.ann)
    stranger = unlock_with(person()[0])
    with pytest.raises(NoIdentityError):
        users.add_key(fleet.draft(), HQ, ME, (person()[1],), stranger)


def test_the_document_of_an_escrowed_host_key_is_for_admins_alone(fleet: Fleet) -> None:
    path = PurePosixPath("keys/hosts/vm01.private.yaml")
    draft, readers, _ = secrets.terms_of(fleet.draft(), path)
    assert readers.recipients == (fleet.ann,)
    policy = after(draft, ".sops.yaml")
    assert policy.index(r"^keys/hosts/vm01\.private\.yaml$") < policy.index(r"path_regex: \.yaml$")
