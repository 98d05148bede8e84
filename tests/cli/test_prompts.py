"""What is asked at a terminal, and what is never answered by `--yes`."""

import pytest

from tests.cli.scenes import MARKER, Scene

NAME = "host/hq:nextcloud/admin-password"
APPLY = "apply? [y/N] "


def test_a_value_is_typed_twice_and_never_shown(fleet: Scene) -> None:
    turns = ((f"{NAME}: ", "typed-unseen\n"), ("once more: ", "typed-unseen\n"), (APPLY, "y\n"))
    status, screen = fleet.talk(("set", NAME), *turns)
    assert status == 0, screen
    assert "typed-unseen" not in screen
    assert fleet.done("get", NAME) == "typed-unseen"


def test_two_different_values_are_asked_for_again(fleet: Scene) -> None:
    different = ((f"{NAME}: ", "first-typed\n"), ("once more: ", "other-typed\n"))
    same = ((f"{NAME}: ", "third-typed\n"), ("once more: ", "third-typed\n"), (APPLY, "yes\n"))
    status, screen = fleet.talk(("set", NAME), *different, *same)
    assert status == 0, screen
    assert "the two differ, try again" in screen
    assert "typed" not in screen.replace("typed twice", "")
    assert fleet.done("get", NAME) == "third-typed"


def test_values_that_differ_each_time_end_with_2(fleet: Scene) -> None:
    before = fleet.tree()
    turns = ((f"{NAME}: ", "one\n"), ("once more: ", "other\n"))
    status, screen = fleet.talk(("set", NAME, "--yes"), *turns, *turns, *turns)
    assert (status, fleet.tree()) == (2, before)
    assert "the two values differed each time" in screen


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04"], ids=["no", "enter", "end of input"])
def test_a_plan_that_is_declined_changes_nothing(fleet: Scene, answer: str) -> None:
    before = fleet.tree()
    status, screen = fleet.talk(("rotate", "data-keys"), (APPLY, answer))
    assert (status, fleet.tree()) == (130, before)
    assert screen.endswith("nixsecrets: nothing was changed\n")


def test_an_interrupt_at_the_question_changes_nothing(fleet: Scene) -> None:
    before = fleet.tree()
    status, screen = fleet.talk(("rotate", "data-keys"), (APPLY, "\x03"))
    assert (status, fleet.tree()) == (130, before)
    assert screen.endswith("nixsecrets: interrupted\n")


def test_a_plan_is_colored_on_a_terminal_only_and_not_against_the_users_will(fleet: Scene) -> None:
    _, screen = fleet.talk(("rotate", "data-keys", "--dry-run"))
    assert "\x1b[" in screen
    _, plain = fleet.with_variables(NO_COLOR="1").talk(("rotate", "data-keys", "--dry-run"))
    assert "\x1b[" not in plain
    assert "\x1b[" not in fleet.done("rotate", "data-keys", "--dry-run")


def test_a_terminal_gets_a_newline_behind_a_value_and_a_pipe_does_not(fleet: Scene) -> None:
    assert fleet.talk(("get", NAME)) == (0, f"{MARKER}\n")
    assert fleet.run("get", NAME).stdout == MARKER.encode()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ((b"a\n", ()), b"a"),
        ((b"a\r\n", ()), b"a"),
        ((b"a\n\n", ()), b"a\n"),
        ((b" a\tb ", ()), b" a\tb "),
        ((b"a\n", ("--raw",)), b"a\n"),
        ((b"\n", ()), b""),
        (("ä€𝄞\nzwei: [\n".encode(), ("--raw",)), "ä€𝄞\nzwei: [\n".encode()),
        ((b"\xff\xfe\x00", ()), b"\xff\xfe\x00"),
    ],
    ids=["newline", "CRLF", "one of two", "blanks", "--raw", "a newline alone", "lines", "no text"],
)
def test_stdin_is_kept_but_for_one_final_newline(
    fleet: Scene, given: tuple[bytes, tuple[str, ...]], kept: bytes
) -> None:
    value, options = given
    fleet.done("set", NAME, *options, "--yes", stdin=value)
    assert fleet.run("get", NAME).stdout == kept


def test_a_file_is_a_value(fleet: Scene) -> None:
    (fleet.folder / "value").write_bytes(b"of a file\n")
    fleet.done("set", NAME, "--from-file", "../value", "--yes")
    assert fleet.run("get", NAME).stdout == b"of a file"


def test_a_generated_value_is_32_letters_and_digits_and_never_shown(fleet: Scene) -> None:
    ended = fleet.run("set", NAME, "--generate", "--yes")
    value = fleet.run("get", NAME).text
    assert (len(value), value.isalnum(), value.isascii()) == (32, True, True)
    assert value not in ended.text + ended.stderr
