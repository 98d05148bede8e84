import json
import subprocess
from os import urandom
from pathlib import Path

import pytest
from pyrage import x25519

from nixsecrets.age import bech32
from tests.audit.clean_fleet import Place
from tests.tools import require_tool

LABEL = "# test identity"
IDENTITY = str(x25519.Identity.generate())
POST_QUANTUM = bech32.encode("age-secret-key-pq-", urandom(32)).upper()
# What stands for them in a parameter, which shows in the test's name.
MARK, MARK_POST_QUANTUM = "@identity@", "@post-quantum@"


def _ssh_private_key(folder: Path, kind: str = "ed25519", *options: str) -> str:
    file = folder / "-".join((kind, *options)).strip("-")
    program = require_tool("ssh-keygen")
    bits = ("-b", "1024") if kind == "rsa" else ()  # quick to make
    arguments = [program, "-q", "-t", kind, *bits, "-N", "", "-C", "", "-f", str(file), *options]
    subprocess.run(arguments, check=True)
    return file.read_text()


def _filled(content: str) -> str:
    return content.replace(MARK, IDENTITY).replace(MARK_POST_QUANTUM, POST_QUANTUM)


def _severities(place: Place) -> list[str]:
    return [one.severity.value for one in place.check() if one.rule == "plaintext/private-key"]


@pytest.mark.parametrize(
    "content",
    [
        MARK,
        f"# created: now\n# public key: age1\n{MARK}\n",
        f"{LABEL}s of others\n{MARK}\n",
        f"{LABEL}\nanother line\n{MARK}\n",
        f"key = '{MARK}'  {LABEL}\n",
        json.dumps({"identity": MARK}),
        MARK_POST_QUANTUM,
    ],
)
def test_a_tracked_age_identity_is_an_error(place: Place, content: str) -> None:
    place.write("notes/key", _filled(content))
    assert _severities(place) == ["error"]


@pytest.mark.parametrize(
    "content",
    [
        f"{LABEL}\n{MARK}\n",
        f"{LABEL}\r\n{MARK}\r\n",
        f"identities:\n  - |\n    {LABEL}\n    {MARK}\n",
        f'identities = (\n    "{LABEL}\\n"\n    "{MARK}\\n"\n)\n',
        json.dumps({"identity": f"{LABEL}\n{MARK}\n"}),
        json.dumps({"lines": [LABEL, MARK]}, indent=2),
        f"KEY = (\n    {LABEL}\n    '{MARK}'\n)\n",
    ],
)
def test_a_labelled_test_identity_is_a_warning(place: Place, content: str) -> None:
    place.write("tests/key", _filled(content))
    assert _severities(place) == ["warning"]


def test_private_keys_of_other_programs_are_found(place: Place, tmp_path: Path) -> None:
    made = {kind: _ssh_private_key(tmp_path, kind) for kind in ("ed25519", "rsa", "ecdsa")}
    for kind, key in made.items():
        place.write(f"keys/{kind}", key)
    place.write("keys/pem", _ssh_private_key(tmp_path, "rsa", "-m", "PEM"))
    place.write("keys/in.json", json.dumps({"key": made["ed25519"]}))
    armor = "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n" + "lQ" * 32
    place.write("keys/pgp.asc", armor)
    head = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0\n\n"
    place.write("keys/old.pem", head + "QUFB" * 16)
    found = [one.place for one in place.check() if one.rule == "plaintext/private-key"]
    names = ("ecdsa", "ed25519", "in.json", "old.pem", "pem", "pgp.asc", "rsa")
    assert found == [f"keys/{name}:1" for name in names]


def test_a_labelled_ssh_key_is_a_warning(place: Place, tmp_path: Path) -> None:
    key = _ssh_private_key(tmp_path)
    place.write("tests/id", f"{LABEL}\n{key}")
    place.write("tests/vector.json", json.dumps({"key": f"{LABEL}\n{key}"}))
    assert _severities(place) == ["warning", "warning"]


@pytest.mark.parametrize(
    "content",
    [
        "AGE-SECRET-KEY-1…",
        "AGE-SECRET-KEY-1" + "Q" * 58,
        "AGE-SECRET-KEY-1 is how an identity begins",
        'HEAD = "-----BEGIN OPENSSH PRIVATE KEY-----"\nTAIL = "-----END PRIVATE KEY-----"\n',
        "-----BEGIN PRIVATE KEY-----\n...\n",
        "-----BEGIN PUBLIC KEY-----\n" + "QUFB" * 16,
        "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqs",
    ],
)
def test_what_only_speaks_of_keys_is_none(place: Place, content: str) -> None:
    place.write("notes/text", content)
    assert _severities(place) == []


def test_an_untracked_file_is_the_users_own(place: Place) -> None:
    place.write("keys.txt", IDENTITY, track=False)
    assert place.found() == []


def test_the_place_has_the_line_and_the_words_have_no_key(place: Place) -> None:
    place.write("a b", f"\n\n{IDENTITY}\n")
    (found,) = place.check()
    assert found.place == "a b:3"
    assert found.remedy == "git rm --cached 'a b', and replace the key"
    assert "AGE-SECRET" not in str(found)
