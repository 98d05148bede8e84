import pytest

from tests.cli.machines import Machine, make_machine
from tests.cli.scenes import MARKER, Scene

HQ = "systems/hq/secrets.yaml"


@pytest.fixture
def machine(fleet: Scene) -> Machine:
    return make_machine(fleet)


def rebuilt(machine: Machine) -> None:
    ended = machine.rebuild()
    assert ended.status == 0, ended.stderr


def test_a_rebuild_shows_that_every_secret_arrived(machine: Machine) -> None:
    ended = machine.rebuild()
    assert ended.status == 0, ended.stderr
    assert "hq: 3 files of secrets verified\n" in ended.stderr
    assert "not compared" not in ended.stderr
    assert machine.note() == "deployed as generation 1."
    assert MARKER not in ended.text + ended.stderr


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("value", "shared:wifi/psk: /run/secrets/wifi/psk holds another value"),
        ("mode", "restic/password: /run/secrets/restic/password has the mode 444, not 0400"),
        ("missing", "/run/secrets/nextcloud/admin-password is not there"),
    ],
)
def test_a_host_that_shows_something_else_goes_back(
    machine: Machine, fault: str, words: str
) -> None:
    rebuilt(machine)
    machine.fault(fault)
    ended = machine.rebuild()
    assert ended.status == 1
    assert words in ended.stderr
    assert "hq is back at generation 1\n" in ended.stderr
    assert machine.generation == "system-1-link"
    assert machine.shown("nextcloud/admin-password") == MARKER
    assert machine.shown("wifi/psk") == "of the whole house"
    assert machine.fleet.start("git", "log", "--grep=generation 2", "--format=%s").text == ""


def test_a_failed_activation_goes_back_and_keeps_its_status(machine: Machine) -> None:
    rebuilt(machine)
    machine.fault("activation")
    ended = machine.rebuild()
    assert ended.status == 6
    assert "nixos-rebuild switch of hq failed with status 2" in ended.stderr
    assert machine.generation == "system-1-link"


def test_it_stays_where_the_user_says_so(machine: Machine) -> None:
    rebuilt(machine)
    machine.fault("value")
    ended = machine.rebuild("--no-rollback")
    assert ended.status == 1
    assert "hq stays at generation 2: --no-rollback was given" in ended.stderr
    assert machine.generation == "system-2-link"


def test_the_first_generation_has_none_before_it(machine: Machine) -> None:
    machine.fault("value")
    ended = machine.rebuild()
    assert ended.status == 1
    assert "hq stays as it is: the generation before is not known" in ended.stderr
    assert machine.generation == "system-1-link"


def test_it_never_goes_back_across_a_change_of_the_recipient(machine: Machine) -> None:
    rebuilt(machine)
    file = machine.fleet.root / "keys/hosts/hq.pub"
    file.write_text(f"# another one\n{file.read_text()}")
    machine.fault("value")
    ended = machine.rebuild("--no-check")
    assert ended.status == 1
    assert "hq stays at generation 2: its recipient has changed since" in ended.stderr
    assert machine.generation == "system-2-link"


def test_it_never_goes_back_across_a_change_of_what_logging_in_needs(machine: Machine) -> None:
    fleet = machine.fleet
    entry = "secrets:\n  hosts:\n    hq:\n      jane/hash: { needed-for-users: true }\n"
    fleet.write("nixsecrets.yaml", fleet.read("nixsecrets.yaml") + entry)
    fleet.done("set", "host/hq:jane/hash", "--yes", stdin=b"$y$one")
    fleet.done("wire", "--yes")
    machine.deliver(("jane/hash", HQ, "0400", "/run/secrets-for-users"))
    rebuilt(machine)
    assert machine.shown("jane/hash", "secrets-for-users") == "$y$one"
    fleet.done("set", "host/hq:jane/hash", "--yes", stdin=b"$y$two")
    machine.fault("value")
    ended = machine.rebuild()
    assert ended.status == 1
    words = "host/hq:jane/hash, which logging in needs, has changed since"
    assert f"hq stays at generation 2: {words}; nixsecrets rebuild hq --to 1\n" in ended.stderr
    assert machine.generation == "system-2-link"


def test_without_an_identity_contents_are_not_compared_and_the_rest_is(machine: Machine) -> None:
    machine.fleet.identity_file.unlink()
    machine.fault("value")
    ended = machine.rebuild()
    assert ended.status == 0, ended.stderr
    closed = "contents not compared, for no identity opens"
    assert f"hq: {closed} {HQ}, shared/secrets.yaml\n" in ended.stderr
    machine.fault("mode")
    assert machine.rebuild().status == 1


def test_a_verification_that_cannot_run_is_no_failed_one(machine: Machine) -> None:
    stat = machine.folder / "bin/stat"
    stat.write_text('#!/bin/sh\n[ "$1" = -L ] && exit 1\nexec /usr/bin/stat "$@"\n')
    stat.chmod(0o755)
    ended = machine.rebuild()
    assert ended.status == 0, ended.stderr
    assert "warning: hq: its secrets are not verified: the script" in ended.stderr
    assert machine.note() == ""


@pytest.mark.parametrize("status", [0, 3])
def test_the_users_own_checks_decide_too(machine: Machine, status: int) -> None:
    rebuilt(machine)
    check = machine.fleet.root / "systems/hq/checks/nextcloud answers"
    check.parent.mkdir()
    check.write_text(f'#!/bin/sh\necho "asked: $*"\nexit {status}\n')
    check.chmod(0o755)
    ended = machine.rebuild()
    assert "asked: hq localhost\n" in ended.stderr
    assert ended.status == (1 if status else 0), ended.stderr
    words = "hq: the check systems/hq/checks/nextcloud answers ended with status 3\n"
    assert (words in ended.stderr) == bool(status)
    assert machine.generation == ("system-1-link" if status else "system-2-link")


def test_the_user_goes_back_and_is_told_which_values_come_with_it(machine: Machine) -> None:
    rebuilt(machine)
    machine.fleet.done("set", "shared:wifi/psk", "--yes", stdin=b"another one")
    rebuilt(machine)
    rebuilt(machine)
    ended = machine.rebuild("--to", "1")
    assert ended.status == 0, ended.stderr
    assert "go back: hq from 3 to 1" in ended.text
    assert "warning: hq: these values go back too: shared:wifi/psk" in ended.text
    assert machine.shown("wifi/psk") == "of the whole house"
    assert machine.rebuild("--to", "7").stderr.endswith("hint: it has 1, 2, 3\n")


def test_back_is_one_generation_from_the_present_one(machine: Machine) -> None:
    rebuilt(machine)
    ended = machine.rebuild("--rollback")
    assert (ended.status, "hq has no generation before 1" in ended.stderr) == (3, True)
    rebuilt(machine)
    assert machine.rebuild("--rollback").status == 0
    assert machine.generation == "system-1-link"


def test_a_host_behind_ssh_is_verified_and_goes_back(fleet: Scene) -> None:
    machine = make_machine(fleet, over_ssh=True)
    ended = machine.rebuild()
    assert ended.status == 0, ended.stderr
    assert "hq: 3 files of secrets verified\n" in ended.stderr
    machine.fault("missing")
    ended = machine.rebuild()
    assert (ended.status, machine.generation) == (1, "system-1-link"), ended.stderr


def test_a_host_that_no_longer_answers_is_left_to_its_console(fleet: Scene) -> None:
    machine = make_machine(fleet, over_ssh=True)
    assert machine.rebuild().status == 0
    machine.fault("lost")
    ended = machine.rebuild()
    assert ended.status == 1
    assert "error: hq does not answer over ssh since it was activated\n" in ended.stderr
    assert "hint: at its console: choose generation 1 in the boot menu" in ended.stderr
    assert machine.generation == "system-2-link"
