"""Missing values, made by one command as they are declared."""

import pytest

from tests.cli.scenes import Scene

DECLARED = """\
secrets:
  admins:
    miscguy/password: { generator: passphrase }
  shared:
    miscguy/hash: { generator: { hashed-password: { of: "admins:miscguy/password" } } }
  each:
    all:
      backup/password: { generator: restic-password }
"""
HASH = "shared:miscguy/hash"


def declare(fleet: Scene, text: str) -> None:
    fleet.write("nixsecrets.yaml", fleet.read("nixsecrets.yaml") + text)


def declare_one(fleet: Scene, generator: str) -> None:
    declare(fleet, f"secrets:\n  shared:\n    made: {{ generator: {generator} }}\n")


def test_all_missing_values_are_made_and_a_second_time_none(fleet: Scene) -> None:
    declare(fleet, DECLARED)
    told = fleet.done("generate", "--yes")
    word = fleet.done("get", "admins:miscguy/password")
    assert word not in told
    assert word.count("-") == 5
    assert fleet.done("get", HASH).startswith("$y$")
    own, other = (fleet.done("get", f"host/{host}:backup/password") for host in ("hq", "t460"))
    assert own != other
    before = fleet.tree()
    fleet.done("generate", "--yes")
    assert fleet.tree() == before


def test_a_name_is_made_on_each_host_and_nothing_else(fleet: Scene) -> None:
    declare(fleet, DECLARED)
    fleet.done("generate", "backup/password", "--yes")
    assert fleet.run("get", "host/t460:backup/password").status == 0
    assert fleet.run("get", HASH).status == 3


def test_a_dry_run_asks_nobody_and_runs_nothing(fleet: Scene) -> None:
    declare_one(fleet, "{ command: [touch, ran] }")
    before = fleet.tree()
    assert "+ shared:made" in fleet.done("generate", "--dry-run")
    assert fleet.tree() == before
    assert not (fleet.root / "ran").exists()


def test_a_program_is_run_when_the_user_agrees(fleet: Scene) -> None:
    declare_one(fleet, "{ command: [echo, from a program] }")
    turns = (("run echo 'from a program'? [y/N] ", "y\n"), ("apply? [y/N] ", "y\n"))
    status, screen = fleet.talk(("generate",), *turns)
    assert status == 0, screen
    assert fleet.done("get", "shared:made") == "from a program"


def test_a_program_that_was_declined_is_not_run(fleet: Scene) -> None:
    declare_one(fleet, "{ command: [touch, ran] }")
    status, screen = fleet.talk(("generate",), ("run touch ran? [y/N] ", "n\n"))
    assert (status, (fleet.root / "ran").exists()) == (2, False)
    assert "shared:made: touch ran was not run" in screen


def test_a_value_is_typed_in_a_line(fleet: Scene) -> None:
    declare_one(fleet, "{ prompt: line }")
    status, screen = fleet.talk(("generate", "--yes"), ("shared:made: ", "typed by me\n"))
    assert status == 0, screen
    assert fleet.done("get", "shared:made") == "typed by me"


def test_a_value_is_typed_unseen(fleet: Scene) -> None:
    declare_one(fleet, "prompt")
    turns = (("shared:made: ", "unseen\n"), ("once more: ", "unseen\n"))
    status, screen = fleet.talk(("generate", "--yes"), *turns)
    assert status == 0, screen
    assert "unseen" not in screen
    assert fleet.done("get", "shared:made") == "unseen"


def test_a_value_is_typed_in_several_lines(fleet: Scene) -> None:
    declare_one(fleet, "{ prompt: multi-line }")
    turns = (("end it with Ctrl-D on a line of its own", "one\ntwo\n\x04"),)
    status, screen = fleet.talk(("generate", "--yes"), *turns)
    assert status == 0, screen
    assert fleet.done("get", "shared:made") == "one\ntwo\n"


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("generate",), 2, "hint: nixsecrets set shared:made"),
        (("generate", "mde"), 3, "hint: did you mean made?"),
        (("generate", "shared:mde"), 3, "shared:mde is not declared"),
        (("set", "made", "--generate", "--yes"), 2, "hint: nixsecrets generate shared:made"),
    ],
    ids=["nobody to ask", "near name", "unknown address", "set"],
)
def test_what_cannot_be_made_changes_nothing(
    fleet: Scene, arguments: tuple[str, ...], status: int, told: str
) -> None:
    declare_one(fleet, "prompt")
    before = fleet.tree()
    ended = fleet.run(*arguments)
    assert (ended.status, fleet.tree()) == (status, before)
    assert told in ended.stderr


def test_a_set_of_every_host_leaves_a_declared_generator_its_work(fleet: Scene) -> None:
    declare(fleet, DECLARED)
    ended = fleet.run("set", "backup/password", "--every", "--generate", "--yes")
    assert ended.status == 2
    assert "hint: nixsecrets generate backup/password" in ended.stderr
