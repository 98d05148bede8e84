"""Each generator, made as its declaration says."""

import os
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nixsecrets.errors import ProgramError
from nixsecrets.fleet.generator import (
    X509,
    Age,
    Asked,
    Base64,
    Command,
    Generator,
    HashedPassword,
    HashMethod,
    Hex,
    Htpasswd,
    Passphrase,
    Password,
    Prompt,
    Reference,
    ResticPassword,
    SshEd25519,
    Uuid,
    Wireguard,
    WireguardPreshared,
    references,
)
from nixsecrets.generators.generated import Generated, Hands
from nixsecrets.generators.make import make
from nixsecrets.plaintext import Plaintext
from nixsecrets.system import process
from tests.tools import require_tool

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def run(arguments: Sequence[str], stdin: Plaintext) -> Plaintext:
    return Plaintext(process.output(arguments, stdin=stdin.reveal()))


def ask(asked: Asked) -> Plaintext:
    return Plaintext(asked.value.encode())


HANDS = Hands(run, ask, NOW)


@pytest.mark.parametrize(
    ("generator", "form", "public"),
    [
        (Password(), r"[A-Za-z0-9]{32}", None),
        (Password(4, "ab"), r"[ab]{4}", None),
        (Passphrase(), r"[a-z]+(-[a-z]+){5}", None),
        (Passphrase(2, " "), r"[a-z]+ [a-z]+", None),
        (Hex(4), r"[0-9a-f]{8}", None),
        (Base64(3), r"[A-Za-z0-9+/]{4}", None),
        (Uuid(), r"[0-9a-f-]{36}", None),
        (ResticPassword(), r"[A-Za-z0-9]{32}", None),
        (SshEd25519("me"), r"-----BEGIN OPENSSH PRIVATE KEY-----\n.*", r"ssh-ed25519 .* me\n"),
        (Wireguard(), r"[A-Za-z0-9+/]{43}=", r"[A-Za-z0-9+/]{43}=\n"),
        (WireguardPreshared(), r"[A-Za-z0-9+/]{43}=", None),
        (Age(), r"# public key: age1.*\nAGE-SECRET-KEY-1[A-Z0-9]+\n", r"age1[a-z0-9]+\n"),
        (X509("CA", 1, authority=True), r"-----BEGIN PRIVATE.*", r"-----BEGIN CERTIFICATE.*"),
        (Command(("printf", "%s\\n\\n", "$HOME; x")), r"\$HOME; x\n", None),
        (Command(("echo", "-----BEGIN X-----")), r"-----BEGIN X-----\n", None),
        (Prompt(Asked.LINE), r"line", None),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_a_value_is_of_the_form_asked_for(
    generator: Generator, form: str, public: str | None
) -> None:
    made = make(generator, {}, HANDS)
    assert re.fullmatch(form, made.value.reveal().decode(), re.DOTALL)
    if public is None:
        assert made.public is None
    else:
        assert made.public is not None
        assert re.fullmatch(public, made.public.decode(), re.DOTALL)


def test_a_value_is_made_from_others() -> None:
    word, other = Reference("admins:word"), Reference("other")
    inputs = {
        word: Generated(Plaintext(b"one")),
        other: Generated(Plaintext(b"two")),
    }
    hashed = make(HashedPassword(word, HashMethod.BCRYPT), inputs, HANDS).value.reveal()
    assert hashed.startswith(b"$2b$12$")
    users = make(Htpasswd((("alice", word), ("bob", other))), inputs, HANDS).value.reveal()
    assert [line.split(b":")[0] for line in users.splitlines()] == [b"alice", b"bob"]


def test_a_leaf_is_signed_by_the_authority_it_names() -> None:
    by = Reference("admins:ca")
    ca = make(X509("CA", 9, authority=True), {}, HANDS)
    leaf = X509("hq.lan", 1, ("hq.lan",), by)
    assert references(leaf) == (by,)
    made = make(leaf, {by: ca}, HANDS)
    assert made.public is not None
    assert made.public.count(b"BEGIN CERTIFICATE") == 1


def test_a_program_that_fails_makes_no_value() -> None:
    with pytest.raises(ProgramError, match="false failed with status 1"):
        make(Command(("false",)), {}, HANDS)


def test_restic_opens_its_repository_with_the_password_and_no_other(tmp_path: Path) -> None:
    word = make(ResticPassword(), {}, HANDS).value
    assert restic(tmp_path, word, "init") == 0
    assert restic(tmp_path, word, "cat", "config") == 0
    assert restic(tmp_path, make(ResticPassword(), {}, HANDS).value, "cat", "config") != 0


def restic(folder: Path, word: Plaintext, *arguments: str) -> int:
    file = folder / "password"
    file.touch(0o600)
    file.write_bytes(word.reveal())
    where = ("--repo", folder / "repository", "--password-file", file, "--no-cache")
    return subprocess.run(
        [require_tool("restic"), *where, *arguments],
        capture_output=True,
        check=False,
        env={**os.environ, "HOME": str(folder)},
    ).returncode
