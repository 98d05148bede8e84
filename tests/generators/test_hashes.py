"""Hashes of passwords, checked by crypt(3) and Apache."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from nixsecrets.errors import NixsecretsError, ProgramError, RepositoryError
from nixsecrets.fleet.generator import HashMethod
from nixsecrets.generators import hashes, libcrypt
from nixsecrets.generators.passwords import password
from nixsecrets.plaintext import Plaintext
from tests.tools import require_tool

# crypt(3) of the C library, with a password and a hash on stdin, one a line.
CRYPT = "chomp(my $word = <STDIN>); chomp(my $hash = <STDIN>); print crypt($word, $hash) eq $hash"
PREFIXES = {HashMethod.YESCRYPT: b"$y$", HashMethod.SHA512: b"$6$", HashMethod.BCRYPT: b"$2b$"}


def refuse(arguments: Sequence[str], stdin: Plaintext) -> Plaintext:
    raise AssertionError((arguments, len(stdin)))


def machine(arguments: Sequence[str], stdin: Plaintext) -> Plaintext:
    program = [require_tool(arguments[0]), *arguments[1:]]
    ended = subprocess.run(program, input=stdin.reveal(), capture_output=True, check=True)
    return Plaintext(ended.stdout)


def matches(word: Plaintext, hashed: Plaintext) -> bool:
    lines = word.reveal() + b"\n" + hashed.reveal() + b"\n"
    said = subprocess.run(
        [require_tool("perl"), "-e", CRYPT], input=lines, capture_output=True, check=True
    )
    return said.stdout == b"1"


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libcrypt, "_NAMES", ("libcrypt-that-is-nowhere.so",))


@pytest.mark.parametrize("method", HashMethod)
@pytest.mark.parametrize("word", ["simple", "späte Grüße 💧", "$y$'\"\\ %n"])
def test_crypt_takes_the_password_and_no_other(method: HashMethod, word: str) -> None:
    hashed = hashes.hashed_password(Plaintext(word.encode()), method, refuse)
    assert hashed.reveal().startswith(PREFIXES[method])
    assert matches(Plaintext(word.encode()), hashed)
    assert not matches(Plaintext(word.encode() + b"x"), hashed)


@pytest.mark.parametrize("method", HashMethod)
def test_each_hash_has_a_salt_of_its_own(method: HashMethod) -> None:
    word = password()
    assert hashes.hashed_password(word, method, refuse) != hashes.hashed_password(
        word, method, refuse
    )


@pytest.mark.parametrize("method", [HashMethod.YESCRYPT, HashMethod.SHA512])
def test_mkpasswd_makes_the_same_hash_of_the_same_salt(method: HashMethod) -> None:
    word = password()
    hashed = hashes.hashed_password(word, method, refuse).reveal()
    setting = hashed.rpartition(b"$")[0].decode()
    name = {"yescrypt": "yescrypt", "sha512-crypt": "sha512crypt"}[method.value]
    salt = ["-S", setting] if method is HashMethod.YESCRYPT else ["-S", setting.split("$")[2]]
    said = machine(["mkpasswd", "-s", "-m", name, *salt], Plaintext(word.reveal() + b"\n"))
    assert said.reveal().strip() == hashed


@pytest.mark.usefixtures("no_library")
@pytest.mark.parametrize("method", [HashMethod.YESCRYPT, HashMethod.SHA512])
def test_mkpasswd_does_it_where_there_is_no_library(method: HashMethod) -> None:
    word = password()
    hashed = hashes.hashed_password(word, method, machine)
    assert hashed.reveal().startswith(PREFIXES[method])
    assert matches(word, hashed)


@pytest.mark.usefixtures("no_library")
def test_without_both_the_error_says_what_helps() -> None:
    def missing(_arguments: Sequence[str], _stdin: Plaintext) -> Plaintext:
        raise ProgramError("mkpasswd cannot be started: No such file or directory")

    with pytest.raises(ProgramError) as caught:
        hashes.hashed_password(password(), HashMethod.YESCRYPT, missing)
    assert caught.value.hint == "install mkpasswd, or say `method: bcrypt`"
    assert caught.value.problem == (
        "no libcrypt for yescrypt was found, and mkpasswd cannot be started: "
        "No such file or directory"
    )


@pytest.mark.usefixtures("no_library")
@pytest.mark.parametrize("said", [b"", b"usage: mkpasswd", b"$1$abc$def"])
def test_another_mkpasswd_is_not_believed(said: bytes) -> None:
    with pytest.raises(ProgramError, match="mkpasswd made no yescrypt hash"):
        hashes.hashed_password(password(), HashMethod.YESCRYPT, lambda _a, _b: Plaintext(said))


def test_a_crypt_that_makes_no_salts_is_not_taken() -> None:
    assert libcrypt._library(("libc.so.6",)) is None


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        (b"", "an empty password is not hashed"),
        (b"two\nlines", "a password with a line break or a NUL is not hashed"),
        (b"nul\0", "a password with a line break or a NUL is not hashed"),
        (b"a" * 512, "a password of 512 bytes is not hashed so, only up to 511"),
    ],
    ids=["empty", "line break", "NUL", "long"],
)
def test_what_no_login_takes_is_not_hashed(word: bytes, problem: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        hashes.hashed_password(Plaintext(word), HashMethod.YESCRYPT, refuse)
    assert caught.value.problem == problem


@pytest.mark.parametrize("method", [HashMethod.YESCRYPT, HashMethod.SHA512])
def test_the_longest_password_is_hashed(method: HashMethod) -> None:
    word = password(511)
    assert matches(word, hashes.hashed_password(word, method, refuse))


def test_bcrypt_hashes_no_password_that_it_would_cut() -> None:
    assert hashes.hashed_password(password(72), HashMethod.BCRYPT, refuse)
    with pytest.raises(NixsecretsError, match="of 73 bytes is not hashed so, only up to 72"):
        hashes.hashed_password(password(73), HashMethod.BCRYPT, refuse)


def test_apache_takes_each_user_with_its_own_password(tmp_path: Path) -> None:
    words = {"alice": password(), "Bob Grün": Plaintext("späte".encode())}
    file = tmp_path / "htpasswd"
    file.write_bytes(hashes.htpasswd(tuple(words.items())).reveal())
    assert [verified(file, user, word) for user, word in words.items()] == [0, 0]
    assert verified(file, "alice", words["Bob Grün"]) == 3  # htpasswd(1): 3 is another password


def verified(file: Path, user: str, word: Plaintext) -> int:
    return subprocess.run(
        [require_tool("htpasswd"), "-v", "-i", file, user],
        input=word.reveal(),
        capture_output=True,
        check=False,
    ).returncode


def test_apache_is_given_its_own_name_of_bcrypt() -> None:
    (line,) = hashes.htpasswd([("alice", password())]).reveal().splitlines()
    assert line.startswith(b"alice:$2y$10$")
