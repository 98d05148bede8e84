import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nixsecrets.age.identity import Identity, parse_identities
from nixsecrets.age.keywrap import Stanza, unwrap, wrap
from nixsecrets.age.plugin import NOBODY, Person
from nixsecrets.age.recipient import parse_recipient
from nixsecrets.errors import NoIdentityError, ProgramError, UsageError
from nixsecrets.plaintext import Plaintext
from tests.age import plugins
from tests.tools import require_sops, require_tool

DATA_KEY = Plaintext(bytes(range(32)))


@pytest.fixture(autouse=True)
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", plugins.install(tmp_path / "bin"))


def parsed(behaviour: str = "", person: Person = NOBODY) -> Identity:
    content = Plaintext(plugins.identity(behaviour).encode())
    (identity,) = parse_identities(content, "keys.txt", person).identities
    return identity


def wrapped() -> Stanza:
    return wrap(DATA_KEY, parse_recipient(plugins.recipient()))


def age(*arguments: str | Path, given: bytes) -> bytes:
    return subprocess.run(
        [require_tool("age"), *arguments], input=given, check=True, capture_output=True
    ).stdout


def test_what_is_wrapped_through_a_plugin_opens_through_it() -> None:
    stanza = wrapped()
    assert stanza.recipient == plugins.recipient()
    assert unwrap([stanza], [parsed()]) == DATA_KEY


def test_age_opens_what_is_wrapped_and_the_other_way_round(tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text(f"{plugins.identity()}\n")
    assert Plaintext(age("-d", "-i", tmp_path / "keys.txt", given=wrapped().enc.encode())) == (
        DATA_KEY
    )
    message = age("-a", "-r", plugins.recipient(), given=DATA_KEY.reveal())
    assert unwrap([Stanza("", message.decode())], [parsed()]) == DATA_KEY


def test_sops_opens_what_is_wrapped_and_the_other_way_round(tmp_path: Path) -> None:
    def sops(*arguments: str) -> str:
        environment = {**os.environ, "SOPS_AGE_KEY": plugins.identity()}
        command = [require_sops(), *arguments, "document.json"]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        ).stdout

    (tmp_path / "document.json").write_text('{"a": "value"}')
    document = sops("encrypt", "--age", plugins.recipient())
    theirs = document.partition('"enc": "')[2].partition('"')[0]
    data_key = unwrap([Stanza("", theirs.replace("\\n", "\n"))], [parsed()])
    assert len(data_key) == 32
    ours = wrap(data_key, parse_recipient(plugins.recipient())).enc.replace("\n", "\\n")
    (tmp_path / "document.json").write_text(document.replace(theirs, ours))
    assert json.loads(sops("decrypt")) == {"a": "value"}


@pytest.mark.parametrize("kind", ["secret", "public"])
def test_what_a_plugin_asks_for_is_asked(kind: str) -> None:
    asked = []

    def ask(prompt: str) -> Plaintext:
        asked.append(prompt)
        return Plaintext(b"1234")

    assert unwrap([wrapped()], [parsed(f"{kind} PIN of\x1b[1m the key", Person(ask))]) == DATA_KEY
    assert asked == ["PIN of[1m the key: "]


@pytest.mark.parametrize(("typed", "opens"), [(b"Y\n", True), (b"no", False)])
def test_what_a_plugin_wants_confirmed_is_asked(typed: bytes, opens: bool) -> None:  # noqa: FBT001  # a row of the table
    def ask(prompt: str) -> Plaintext:
        assert prompt == "plugged in? [y: touched, n: skip]: "
        return Plaintext(typed)

    identity = parsed("confirm plugged in?", Person(ask))
    if opens:
        assert unwrap([wrapped()], [identity]) == DATA_KEY
    else:
        with pytest.raises(NoIdentityError, match="answered ok no"):
            unwrap([wrapped()], [identity])


def test_what_a_plugin_says_is_shown_without_what_a_terminal_would_obey() -> None:
    told: list[str] = []
    identity = parsed("tell touch \x1b[31mit", Person(tell=told.append))
    assert unwrap([wrapped()], [identity]) == DATA_KEY
    assert told == ["touch [31mit"]


@pytest.mark.parametrize("raised", [UsageError("stdin is no terminal"), KeyboardInterrupt()])
def test_what_goes_wrong_while_asking_is_raised_once_the_plugin_is_left(
    raised: BaseException,
) -> None:
    def ask(_prompt: str) -> Plaintext:
        raise raised

    with pytest.raises(type(raised)) as caught:
        unwrap([wrapped()], [parsed("secret PIN", Person(ask))])
    assert caught.value is raised


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("fail the token is not here", "couldn't use an identity: the token is not here"),
        ("die quickly", "unexpectedly died"),
        ("secret PIN", "couldn't use an identity: answered fail"),
    ],
    ids=["an error of its own", "an early end", "nobody to ask"],
)
def test_a_plugin_that_fails_is_named_with_its_words(behaviour: str, words: str) -> None:
    with pytest.raises(NoIdentityError) as caught:
        unwrap([wrapped()], [parsed(behaviour)])
    assert str(caught.value) == (
        f"none of keys.txt opens the data key, wrapped to 1 recipient (age-plugin-test {words})"
    )


def test_a_plugin_that_fails_keeps_no_other_identity_from_opening() -> None:
    assert unwrap([wrapped()], [parsed("fail always"), parsed()]) == DATA_KEY


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("fail the token is full", "the token is full"),
        ("die quickly", "age-plugin-test unexpectedly died"),
    ],
    ids=["an error of its own", "an early end"],
)
def test_a_plugin_that_cannot_wrap_is_named_with_its_words(behaviour: str, words: str) -> None:
    with pytest.raises(ProgramError) as caught:
        wrap(DATA_KEY, parse_recipient(plugins.recipient(behaviour)))
    assert str(caught.value).startswith("age-plugin-test ")
    assert str(caught.value).endswith(words)


def test_a_missing_plugin_is_named_with_what_to_do() -> None:
    with pytest.raises(ProgramError) as caught:
        wrap(DATA_KEY, parse_recipient(plugins.recipient(name="absent")))
    assert str(caught.value) == (
        "age-plugin-absent is not on PATH, and only it wraps to age1absent1a…"
    )
    assert caught.value.hint == "install age-plugin-absent"


def test_a_name_with_a_slash_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    program = tmp_path / "age-plugin-" / "up"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {started}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = parse_identities(Plaintext(plugins.identity(name="/up").encode()), "keys.txt")
    assert found.refused == (
        "line 1: an identity of a plugin without name, or with one that is none",
    )
    assert not started.exists()


def test_an_interrupt_ends_a_plugin_that_hangs_and_then_us(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    program = (
        "import sys\n"
        "from nixsecrets.age.identity import parse_identities\n"
        "from nixsecrets.age.keywrap import Stanza, unwrap\n"
        "from nixsecrets.plaintext import Plaintext\n"
        "found = parse_identities(Plaintext(sys.argv[1].encode()), 'keys.txt')\n"
        "unwrap([Stanza('', sys.argv[2])], found.identities)\n"
    )
    identity = plugins.identity(f"hang {pipe}")
    with subprocess.Popen(
        [sys.executable, "-c", program, identity, wrapped().enc],
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    ) as child:
        assert pipe.read_text() == "hanging\n"
        os.killpg(child.pid, signal.SIGINT)  # as a terminal does
        assert child.wait() == -signal.SIGINT
