"""`rotate value` as a user runs it; the real sops reads what it wrote."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import bcrypt
import pytest

from tests.cli.scenes import Ended, Scene, copied
from tests.tools import require_sops

DECLARED = """\
secrets:
  admins:
    miscguy/password: { generator: passphrase, max-age: 30d }
  shared:
    miscguy/hash:
      generator: { hashed-password: { of: "admins:miscguy/password", method: bcrypt } }
      consumers: [users.users.miscguy.hashedPasswordFile]
    wifi/psk: { max-age: 365d, rotation: tell the guests, restart-units: [wpa.service] }
    token: { generator: prompt, description: from the forge }
  each:
    all:
      backup/password: { generator: restic-password }
"""
LOCK = "nixsecrets.lock.json"
SEALED_ANEW = ["-password", "+password", "-lastmodified", "-mac", "+lastmodified", "+mac"]


@pytest.fixture(scope="session")
def declared_template(fleet_template: Scene, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    fleet = copied(fleet_template, tmp_path_factory.mktemp("declared"))
    fleet.write("nixsecrets.yaml", fleet.read("nixsecrets.yaml") + DECLARED)
    made = ("admins:miscguy/password", "miscguy/hash", "backup/password")
    fleet.done("generate", *made, "--yes")
    for name in ("wifi/psk", "token"):
        fleet.done("set", name, "--yes", stdin=b"older")
    fleet.done("wire", "--yes")
    fleet.commit()
    return fleet


@pytest.fixture
def declared(declared_template: Scene, tmp_path: Path) -> Scene:
    """Return a fleet whose values are declared, made and wired, and of today."""
    return copied(declared_template, tmp_path / "scene")


def changed(fleet: Scene) -> list[str]:
    return fleet.git("diff", "--name-only").split()


def lines(fleet: Scene, path: str) -> list[str]:
    """Return what of a file has changed, without values: the names before each colon."""
    told = fleet.git("diff", "--unified=0", "--", path).splitlines()[4:]
    return [one.split(":")[0].replace(" ", "") for one in told if not one.startswith("@@")]


def age(fleet: Scene, address: str, day: str) -> None:
    """Make a value older than it is, for the lock file alone."""
    today = datetime.now(UTC).date().isoformat()
    before = f'"{address}": {{"changed": "{today}"'
    fleet.edit(LOCK, before, before.replace(today, day))


def with_sops(fleet: Scene, document: str, key_path: str) -> str:
    variables = fleet.with_variables(SOPS_AGE_KEY_FILE=str(fleet.identity_file))
    ended = variables.start(require_sops(), "decrypt", "--extract", key_path, document)
    assert ended.status == 0, ended
    return ended.text


def test_a_password_and_its_hash_are_others_and_nothing_else_is(declared: Scene) -> None:
    age(declared, "admins:miscguy/password", "2020-01-02")
    declared.commit()
    before = declared.done("get", "admins:miscguy/password")
    told = declared.done("rotate", "value", "miscguy/password", "--yes")
    assert changed(declared) == ["keys/admins.yaml", LOCK, "shared/secrets.yaml"]
    assert lines(declared, "keys/admins.yaml") == SEALED_ANEW
    word = with_sops(declared, "keys/admins.yaml", '["miscguy"]["password"]')
    hashed = with_sops(declared, "shared/secrets.yaml", '["miscguy"]["hash"]')
    assert bcrypt.checkpw(word.encode(), hashed.encode())
    assert word not in (before, told)
    assert "note: shared:miscguy/hash is for hq and t460, is read by" in told
    assert declared.run("check").status == 0


def test_what_is_due_is_told_by_check_and_made_new(declared: Scene) -> None:
    age(declared, "admins:miscguy/password", "2020-01-02")
    declared.commit()
    told = declared.done("check")
    assert "value/too-old" in told
    assert "fix: nixsecrets rotate value admins:miscguy/password" in told
    declared.done("rotate", "value", "--due", "--yes")
    assert changed(declared) == ["keys/admins.yaml", LOCK, "shared/secrets.yaml"]
    assert "value/too-old" not in declared.done("check")
    assert (
        declared.done("rotate", "value", "--due", "--yes") == "rotate what is due: nothing to do\n"
    )


def test_what_is_due_may_be_of_one_scope(declared: Scene) -> None:
    age(declared, "admins:miscguy/password", "2020-01-02")
    assert "nothing to do" in declared.done("rotate", "value", "--due", "--shared", "--yes")
    assert "keys/admins.yaml" in declared.done("rotate", "value", "--due", "--admins", "--dry-run")


def test_a_value_on_stdin_takes_the_place_of_the_older(declared: Scene) -> None:
    told = declared.done("rotate", "value", "wifi/psk", "--yes", stdin=b"newer\n")
    assert "note: shared:wifi/psk, afterwards: tell the guests" in told
    assert "restarts wpa.service" in told
    assert declared.done("get", "wifi/psk") == "newer"


def test_a_value_in_a_file_takes_the_place_of_the_older(declared: Scene, tmp_path: Path) -> None:
    (tmp_path / "value").write_text("from a file\n")
    options = ("--from-file", str(tmp_path / "value"), "--yes")
    declared.done("rotate", "value", "token", *options)
    assert declared.done("get", "token") == "from a file"


@pytest.mark.parametrize(
    ("name", "before"), [("wifi/psk", ""), ("token", "forge\r\n")], ids=["no generator", "prompt"]
)
def test_a_value_is_typed_unseen(declared: Scene, name: str, before: str) -> None:
    turns = (
        (f"{before}shared:{name}: ", "unseen\n"),
        ("once more: ", "unseen\n"),
        ("[y/N] ", "y\n"),
    )
    status, screen = declared.talk(("rotate", "value", name), *turns)
    assert (status, "unseen" in screen) == (0, False)
    assert declared.done("get", name) == "unseen"


def test_a_dry_run_asks_nobody_and_changes_nothing(declared: Scene) -> None:
    before = declared.tree()
    told = declared.done("rotate", "value", "wifi/psk", "miscguy/password", "--dry-run")
    assert "change  shared/secrets.yaml" in told
    assert declared.tree() == before


def backups(fleet: Scene) -> Sequence[str]:
    return [fleet.done("get", f"host/{host}:backup/password") for host in ("hq", "t460")]


def test_a_value_per_host_is_another_on_one_or_on_all(declared: Scene) -> None:
    own, other = backups(declared)
    declared.done("rotate", "value", "backup/password", "--host", "hq", "--yes")
    newer, same = backups(declared)
    assert (newer != own, same) == (True, other)
    declared.done("rotate", "value", "backup/password", "--every", "--yes")
    last, changed_too = backups(declared)
    assert last not in (own, newer, changed_too)
    assert changed_too != other


def refused(fleet: Scene, *arguments: str) -> Ended:
    before = fleet.tree()
    ended = fleet.run("rotate", "value", *arguments, "--yes")
    assert fleet.tree() == before
    return ended


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ((), 2, "a NAME or --due is needed"),
        (("token", "--due"), 2, "a NAME or --due is needed"),
        (("backup/password",), 2, "hint: say --host HOST, or --every for all of them"),
        (("token", "--every"), 2, "hint: nixsecrets rotate value token"),
        (("backup/password", "--every", "--host", "hq"), 2, "--every takes a NAME and no scope"),
        (("token",), 2, "hint: nixsecrets rotate value shared:token --from-file FILE"),
        (("wifi/psk", "token"), 2, "hint: nixsecrets rotate value shared:wifi/psk --from-file"),
        (
            ("admins:miscguy/password", "--from-file", "x"),
            2,
            "the generator passphrase makes admins:miscguy/password",
        ),
        (("token", "wifi/psk", "--from-file", "x"), 2, "and there are others too"),
        (("tokn",), 3, "did you mean token?"),
        (("host/t15g:backup/password",), 3, "hint: nixsecrets generate host/t15g:backup/password"),
    ],
    ids=[
        *("nothing", "both", "per host", "one value", "every and scope", "nobody to ask"),
        *("several to type", "generated", "several of a file", "near name", "no value"),
    ],
)
def test_what_is_refused_changes_nothing(
    declared: Scene, arguments: tuple[str, ...], status: int, told: str
) -> None:
    ended = refused(declared, *arguments)
    assert (ended.status, told in ended.stderr) == (status, True), ended.stderr


def test_without_an_identity_nothing_is_made(declared: Scene) -> None:
    declared.identity_file.unlink()
    assert refused(declared, "miscguy/password").status == 4


def test_a_value_that_no_declaration_knows_is_another_too(declared: Scene) -> None:
    options = ("nextcloud/admin-password", "--host", "hq", "--yes")
    told = declared.done("rotate", "value", *options, stdin=b"newer")
    assert "is not declared: nothing tells what uses it" in told
    assert changed(declared) == ["systems/hq/secrets.yaml"]


def test_dates_and_public_halves_are_staged_when_they_are_new(fleet: Scene) -> None:
    fleet.write(
        "nixsecrets.yaml",
        fleet.read("nixsecrets.yaml")
        + "secrets:\n  hosts:\n    hq:\n      vpn/private: { generator: wireguard }\n",
    )
    fleet.done("generate", "--yes")
    staged = fleet.git("ls-files", LOCK, "systems/hq/secrets.public").split()
    assert staged == [LOCK, "systems/hq/secrets.public/vpn/private.pub"]
