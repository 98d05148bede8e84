"""Values that go from one place to another, and what is decided about two documents at once."""

import re

import pytest

from tests.cli.scenes import MARKER, Scene

HQ = "systems/hq/secrets.yaml"
T460 = "systems/t460/secrets.yaml"


def test_a_type_is_kept_and_the_ciphertext_is_not(fleet: Scene) -> None:
    fleet.done("set", "host/hq:port", "--json-value", "--yes", stdin=b"8080")
    fleet.done("cp", "host/hq:port", "host/t460:port", "--yes")
    found = [re.search(r"^port: (ENC.*)$", fleet.read(one), re.MULTILINE) for one in (HQ, T460)]
    first, second = (one[1] for one in found if one)
    assert first.endswith("type:int]")
    assert second.endswith("type:int]")
    assert first != second
    assert fleet.done("get", "host/t460:port") == "8080"


def test_a_move_is_one_transaction_over_both_documents(fleet: Scene) -> None:
    before = fleet.tree()
    ended = fleet.run("mv", "host/hq:restic/password", "shared:backup", "--dry-run")
    assert ended.status == 0, ended
    assert fleet.tree() == before
    fleet.done("mv", "host/hq:nextcloud", "file/" + T460 + ":nextcloud", "--yes")
    assert fleet.done("get", "host/t460:nextcloud/admin-password") == MARKER
    assert "nextcloud" not in fleet.read(HQ)


def test_a_new_document_is_made_for_what_moves(fleet: Scene) -> None:
    (fleet.root / T460).unlink()
    ended = fleet.run("cp", "host/hq:nextcloud", "host/t460:nextcloud", "--yes")
    assert ended.status == 0, ended
    assert "new document for miscguy, t460" in ended.text
    assert fleet.done("get", "host/t460:nextcloud/admin-password") == MARKER


def test_what_a_rule_leaves_in_clear_is_warned_of(fleet: Scene) -> None:
    ended = fleet.run("cp", "host/hq:restic/password", "restic/password_unencrypted", "--dry-run")
    assert ended.status == 0, ended
    assert "host/hq:restic/password_unencrypted will stand in clear" in ended.text


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("mv", "host/hq:restic/password", "host/hq:restic/password", "--yes"), 2),
        (("mv", "host/hq:restic", "host/t460:restic", "--yes"), 3),
        (("mv", "host/hq:restic/password", "host/hq:nextcloud/admin-password/x", "--yes"), 3),
        (("cp", "host/hq:restic/password", "host/nobody:x", "--yes"), 3),
        (("cp", "host/hq:restic/password", "file/../x.yaml:x", "--yes"), 3),
        (("cp", "host/hq:restic/password", "sops/x", "--yes"), 3),
        (("cp", "nothing", "x", "--yes"), 3),
        (("rm", "host/hq:nothing", "--yes"), 3),
        (("set", "host/hq:restic", "--yes"), 3),
        (("set", "host/hq:x", "--json-value", "--yes"), 2),
        (("get", "--host", "hq", "--path", '["a"][-1]'), 2),
        (("get", "--host", "hq", "--path", "a"), 2),
        (("get",), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_refused_changes_nothing(
    fleet: Scene, arguments: tuple[str, ...], status: int
) -> None:
    before = fleet.tree()
    ended = fleet.run(*arguments, stdin=b"{")
    assert ended.status == status, ended
    assert fleet.tree() == before


def test_without_an_identity_nothing_moves(fleet: Scene) -> None:
    fleet.identity_file.unlink()
    ended = fleet.run("mv", "host/hq:restic", "host/hq:other", "--yes")
    assert (ended.status, ended.text) == (4, "")


def test_an_object_takes_the_place_of_another_and_is_told_by_its_names(fleet: Scene) -> None:
    text = b'{"admin-password": "%s", "port": 80, "on": true}' % MARKER.encode()
    before = re.search(r"admin-password: (.*)", fleet.read(HQ))
    ended = fleet.run("set", "host/hq:nextcloud", "--json-value", "--yes", stdin=text)
    assert ended.status == 0, ended
    assert "+ host/hq:nextcloud/port" in ended.text
    assert MARKER not in ended.text
    after = re.search(r"admin-password: (.*)", fleet.read(HQ))
    assert before
    assert after
    assert before[1] == after[1]
    assert fleet.done("get", "host/hq:nextcloud/on") == "true"
    document = fleet.read(HQ)
    again = fleet.run("set", "host/hq:nextcloud", "--json-value", "--yes", stdin=text)
    assert (again.status, "nothing to do" in again.text) == (0, True)
    assert fleet.read(HQ) == document
