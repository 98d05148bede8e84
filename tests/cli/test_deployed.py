"""`status --deployed`: what hosts run, by the notes that rebuilds leave."""

import json

import pytest

from nixsecrets.system import deployments
from tests.cli.scenes import Scene


@pytest.fixture
def deployed(fleet: Scene) -> Scene:
    """Return a fleet with two values of hq, of which a first generation is noted."""
    fleet.done("set", "--yes", "--host", "hq", "db/password", stdin=b"first")
    fleet.done("set", "--yes", "--host", "hq", "mail/password", stdin=b"first")
    fleet.done("wire", "--yes")
    fleet.commit()
    deployments.note(fleet.root, "hq", 425)
    return fleet


def row(scene: Scene, host: str) -> dict[str, str]:
    rows = json.loads(scene.done("status", "--deployed", "--json"))["rows"]
    return next(one for one in rows if one["host"] == host)


def test_a_host_in_step_is_told_with_its_commit(deployed: Scene) -> None:
    told = row(deployed, "hq")
    commit = deployed.git("rev-parse", "HEAD").strip()
    assert (told["generation"], told["behind"], told["older_values"]) == ("425", "0", "")
    assert commit.startswith(told["commit"])


def test_a_host_without_a_note_was_never_deployed(deployed: Scene) -> None:
    assert row(deployed, "t460")["verified"] == "never deployed by nixsecrets"


def test_a_value_that_changed_is_told_and_needs_no_identity(deployed: Scene) -> None:
    deployed.done("set", "--yes", "--host", "hq", "db/password", stdin=b"second")
    deployed.commit()
    deployed.identity_file.unlink()
    told = row(deployed, "hq")
    assert told["behind"] == "1"
    assert "db/password (" in told["older_values"]
    assert "mail/password" not in told["older_values"]
    assert "nixsecrets rebuild hq" in deployed.run("status", "--deployed").stderr


@pytest.mark.parametrize("day", ["2999-01-01", "2000-01-01"], ids=["later", "earlier"])
def test_only_a_later_date_says_that_the_value_changed(deployed: Scene, day: str) -> None:
    deployed.done("rotate", "data-keys", "--yes")
    deployed.write(
        "nixsecrets.lock.json",
        f'{{"host/hq:db/password": {{"changed": "{day}", "spec": "0"}}}}\n',
    )
    told = row(deployed, "hq")["older_values"]
    words = f"changed since, on {day}" if day > "2026" else f"ciphertext changed, value of {day}"
    assert words in told
    assert "mail/password (ciphertext changed)" in told


def test_a_commit_that_is_gone_is_told(deployed: Scene) -> None:
    deployed.git("commit", "--amend", "--quiet", "--message", "rewritten")
    deployed.git("reflog", "expire", "--expire=now", "--all")
    deployed.git("gc", "--quiet", "--prune=now")
    assert row(deployed, "hq")["behind"] == "its commit is gone"
