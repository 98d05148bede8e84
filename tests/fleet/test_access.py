from pathlib import PurePosixPath

import pytest

from nixsecrets.fleet.access import (
    ManagedDocument,
    delivered,
    managed_documents,
    names_of,
    readers,
    recipients_of,
    spoken_name,
)
from nixsecrets.fleet.model import Fleet
from nixsecrets.fleet.policy import exact_pattern
from nixsecrets.fleet.policy_reading import parse_policy
from tests.fleet.fleets import a_recipient, fleet_of, model_fleet

_ADMINS = ("miscguy", "ops")


def test_every_document_names_its_readers_people_first() -> None:
    documents = managed_documents(model_fleet())
    assert [
        (str(document.path), document.scope.prefix, tuple(one.name for one in document.readers))
        for document in documents
    ] == [
        ("systems/hq/secrets.yaml", "host/hq", (*_ADMINS, "hq")),
        ("systems/t460/secrets.yaml", "host/t460", (*_ADMINS, "t460")),
        ("systems/t15g/secrets.yaml", "host/t15g", (*_ADMINS, "t15g")),
        ("systems/vm01/secrets.yaml", "host/vm01", (*_ADMINS, "vm01")),
        ("systems/mac/secrets.yaml", "host/mac", (*_ADMINS, "mac")),
        ("shared/secrets/laptops.yaml", "group/laptops", (*_ADMINS, "t460", "t15g")),
        ("shared/secrets/servers.yaml", "group/servers", (*_ADMINS, "hq")),
        ("shared/secrets.yaml", "shared", (*_ADMINS, "hq", "t460", "t15g", "vm01", "mac")),
    ]


def test_a_host_without_key_file_reads_nothing_and_has_no_document() -> None:
    documents = managed_documents(model_fleet("t15g"))
    assert "systems/t15g/secrets.yaml" not in {str(document.path) for document in documents}
    assert "t15g" not in {reader.name for document in documents for reader in document.readers}


_MANY = b"""\
version: 1
people:
  ann:
  ops: { role: member }
  paper: { role: escrow }
  eve: { role: member }
hosts: { hq: , t460: , t15g: }
groups:
  laptops: { hosts: [t460, t15g], people: [ops] }
  all2: { hosts: [hq, t460], people: [eve, ann] }
"""
_DECLARED = b"""\
secrets:
  admins: { a: }
  home: { me: { b: { hosts: [hq, t460] } } }
"""


def _named(documents: tuple[ManagedDocument, ...]) -> dict[str, tuple[str, ...]]:
    return {str(one.path): tuple(map(spoken_name, one.readers)) for one in documents}


def test_members_read_what_their_groups_give() -> None:
    assert _named(managed_documents(fleet_of(_MANY))) == {
        "systems/hq/secrets.yaml": ("ann", "paper", "eve", "hq"),
        "systems/t460/secrets.yaml": ("ann", "ops", "paper", "eve", "t460"),
        "systems/t15g/secrets.yaml": ("ann", "ops", "paper", "t15g"),
        "shared/secrets/laptops.yaml": ("ann", "ops", "paper", "t460", "t15g"),
        "shared/secrets/all2.yaml": ("ann", "paper", "eve", "hq", "t460"),
        "shared/secrets.yaml": ("ann", "paper", "hq", "t460", "t15g"),
    }


def test_admins_and_homes_have_documents_where_they_are_declared() -> None:
    fleet = fleet_of(_MANY + _DECLARED)
    more = {
        path: names
        for path, names in _named(managed_documents(fleet)).items()
        if path not in _named(managed_documents(fleet_of(_MANY)))
    }
    assert more == {
        "keys/admins.yaml": ("ann", "paper"),
        "systems/hq/home/me.yaml": ("ann", "paper", "me@hq"),
        "systems/t460/home/me.yaml": ("ann", "paper", "me@t460"),
    }


def test_a_user_without_key_file_has_no_document() -> None:
    fleet = fleet_of(_MANY + _DECLARED)
    hq, t460 = fleet.users
    known = fleet._replace(users=(hq, t460._replace(recipients=())))
    assert "systems/t460/home/me.yaml" not in _named(managed_documents(known))


@pytest.mark.parametrize(
    "path", ["keys/admins.yaml", "keys/hosts/hq.private.yaml"], ids=["admins", "host key"]
)
def test_what_exists_or_has_a_rule_of_its_own_is_for_admins_alone(path: str) -> None:
    fleet = fleet_of(_MANY)
    assert path not in _named(managed_documents(fleet))
    there = fleet._replace(present=frozenset({PurePosixPath(path)}))
    rule = exact_pattern(PurePosixPath(path))
    policy = parse_policy(f"creation_rules:\n  - path_regex: {rule}\n    age: x\n".encode())
    for known in (there, fleet._replace(policy=policy)):
        assert _named(managed_documents(known))[path] == ("ann", "paper")
    (document,) = [one for one in managed_documents(there) if str(one.path) == path]
    assert not document.is_delivered


def test_without_a_manifest_no_document_is_managed() -> None:
    assert managed_documents(Fleet(managed=False)) == ()


def test_readers_of_a_path_that_is_not_managed_are_unknown() -> None:
    fleet = model_fleet()
    assert readers(fleet, PurePosixPath("other.yaml")) == ()
    found = readers(fleet, PurePosixPath("systems/hq/secrets.yaml"))
    assert found == (*fleet.people, fleet.host("hq"))


def test_a_documents_recipients_stand_in_the_readers_order_each_once() -> None:
    fleet = model_fleet()
    twin = fleet.people[1]._replace(recipients=fleet.people[0].recipients)
    manifest = fleet.manifest._replace(people=(fleet.people[0], twin))
    document = managed_documents(fleet._replace(manifest=manifest))[0]
    hq = fleet.host("hq")
    assert document.recipients == (*fleet.people[0].recipients, *recipients_of(hq))


def test_a_recipient_is_shown_by_person_host_anchor_or_shortened() -> None:
    fleet = model_fleet()
    stranger, anchored = a_recipient(), a_recipient()
    policy = parse_policy(f"keys:\n  - &ci {anchored.text}\ncreation_rules: []\n".encode())
    fleet = fleet._replace(policy=policy)
    (of_ops,), (of_hq,) = recipients_of(fleet.person("ops")), recipients_of(fleet.host("hq"))
    assert names_of(fleet, of_ops.text) == "ops"
    assert names_of(fleet, of_hq.text) == "hq"
    assert names_of(fleet, anchored.text) == "ci"
    assert names_of(fleet, stranger.text) == f"{stranger.text[:8]}…{stranger.text[-4:]}"


def test_a_host_is_given_what_any_scope_of_it_declares() -> None:
    fleet = model_fleet()
    assert {
        host.name: [str(declaration.address) for declaration in delivered(fleet, host)]
        for host in fleet.hosts
    } == {
        "hq": ["shared:miscguy/hashed-password", "host/hq:nextcloud/admin-password"],
        "t460": [
            "shared:miscguy/hashed-password",
            "group/laptops:wifi/psk",
            "host/t460:github/token",
        ],
        "t15g": [
            "shared:miscguy/hashed-password",
            "group/laptops:wifi/psk",
            "host/t15g:github/token",
        ],
        "vm01": ["shared:miscguy/hashed-password"],
        "mac": ["shared:miscguy/hashed-password"],
    }
