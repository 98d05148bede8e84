import os
import re
import shutil
import subprocess
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixsecrets.age import bech32, hybrid, message
from nixsecrets.age.identity import parse_identities
from nixsecrets.age.keywrap import Stanza, unwrap, wrap
from nixsecrets.age.message import HeaderStanza
from nixsecrets.age.recipient import RecipientKind, parse_recipient
from nixsecrets.errors import NoIdentityError, RepositoryError
from nixsecrets.plaintext import Plaintext
from tests.age import vectors
from tests.age.vectors import Vector
from tests.tools import require_sops

# The pair of C2SP's age.md, "The MLKEM768-X25519 hybrid post-quantum recipient type": known to all.
# test identity
PUBLISHED = "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR"
PUBLISHED_RECIPIENT_SHA256 = "a091dd7e0ee9d62b75173dcc98441a0424baa941e66a8776e570a4ae60ff61ea"

DATA_KEY = Plaintext(bytes(range(32)))


def made() -> tuple[str, str]:
    """Return a new post-quantum identity, and its recipient."""
    text = bech32.encode(hybrid.IDENTITY_PREFIX, os.urandom(32)).upper()
    return text, bech32.encode(hybrid.RECIPIENT_PREFIX, hybrid.parse_identity(text).public)


IDENTITY, RECIPIENT = made()
SECRET = hybrid.parse_identity(IDENTITY)
MESSAGE = hybrid.encrypt(DATA_KEY, SECRET.public)


def require_age_with_hybrid() -> str:
    """Return an age of 1.3 or later, which distributions are slow to have."""
    paths = [os.environ["PATH"]]
    if go := shutil.which("go"):
        home = subprocess.run([go, "env", "GOPATH"], capture_output=True, text=True, check=True)
        paths.append(f"{home.stdout.strip()}/bin")
    for path in paths:
        if age := shutil.which("age", path=path):
            shown = subprocess.run([age, "--version"], capture_output=True, text=True, check=True)
            version = re.match(r"v?(\d+)\.(\d+)", shown.stdout)
            if version and (int(version[1]), int(version[2])) >= (1, 3):
                return age
    return pytest.skip("no age of 1.3 or later is installed")


def sops(*arguments: str, file: Path) -> bytes:
    environment = {**os.environ, "SOPS_AGE_KEY": IDENTITY}
    command = [require_sops(), *arguments, file.name]
    return subprocess.run(
        command, env=environment, cwd=file.parent, check=True, capture_output=True
    ).stdout


@pytest.mark.parametrize("vector", vectors.about("hybrid"))
def test_a_published_vector_comes_out_as_it_says(vector: Vector) -> None:
    secrets = [hybrid.parse_identity(text) for text in vector.identities]
    opened = [found for secret in secrets if (found := secret.decrypt(vector.content))]
    if vector.expect == "success":
        assert {sha256(one.reveal()).hexdigest() for one in opened} == {vector.payload_sha256}
    else:
        assert opened == []


def test_the_published_identity_has_the_published_recipient() -> None:
    (identity,) = parse_identities(Plaintext(PUBLISHED.encode()), "keys.txt").identities
    recipient = identity.recipient
    assert recipient is not None
    assert recipient.kind is RecipientKind.HYBRID
    assert parse_recipient(recipient.text) == recipient
    assert sha256(recipient.text.encode()).hexdigest() == PUBLISHED_RECIPIENT_SHA256


def test_sops_opens_what_is_wrapped_to_a_post_quantum_recipient(tmp_path: Path) -> None:
    file = tmp_path / "document.yaml"
    file.write_text("a: value\n")
    document = sops("encrypt", "--age", RECIPIENT, file=file).decode()
    (enc,) = re.findall(r"enc: \|\n((?: {12}.*\n)+)", document)
    (identity,) = parse_identities(Plaintext(IDENTITY.encode()), "keys.txt").identities
    theirs = Stanza(RECIPIENT, "".join(line.strip() + "\n" for line in enc.splitlines()))
    data_key = unwrap([theirs], [identity])
    assert len(data_key) == 32
    ours = wrap(data_key, parse_recipient(RECIPIENT))
    assert ours.recipient == RECIPIENT
    indented = "".join(" " * 12 + line + "\n" for line in ours.enc.splitlines())
    file.write_text(document.replace(enc, indented))
    assert sops("decrypt", file=file) == b"a: value\n"


def test_age_opens_what_is_wrapped_and_the_other_way_round(tmp_path: Path) -> None:
    age = require_age_with_hybrid()
    (tmp_path / "keys.txt").write_text(f"{IDENTITY}\n")
    stanza = wrap(DATA_KEY, parse_recipient(RECIPIENT))
    opened = subprocess.run(
        [age, "-d", "-i", tmp_path / "keys.txt"],
        input=stanza.enc.encode(),
        check=True,
        capture_output=True,
    ).stdout
    assert Plaintext(opened) == DATA_KEY
    message = subprocess.run(
        [age, "-r", RECIPIENT], input=DATA_KEY.reveal(), check=True, capture_output=True
    ).stdout
    assert SECRET.decrypt(message) == DATA_KEY


def test_an_identity_of_age_keygen_is_read_with_its_recipient() -> None:
    keygen = Path(require_age_with_hybrid()).with_name("age-keygen")
    content = subprocess.run([keygen, "-pq"], check=True, capture_output=True).stdout
    found = parse_identities(Plaintext(content), "keys.txt")
    (identity,) = found.identities
    assert identity.recipient is not None
    assert f"# public key: {identity.recipient.text}\n" in content.decode()
    assert found.refused == ()


@given(st.integers(0, len(MESSAGE) * 8 - 1))
def test_a_message_with_one_bit_changed_does_not_open(bit: int) -> None:
    changed = bytearray(MESSAGE)
    changed[bit // 8] ^= 1 << bit % 8
    assert SECRET.decrypt(bytes(changed)) is None


def test_a_message_cut_off_anywhere_does_not_open() -> None:
    assert [length for length in range(len(MESSAGE)) if SECRET.decrypt(MESSAGE[:length])] == []


@pytest.mark.parametrize(
    ("public", "problem"),
    [
        (SECRET.public[:-1], "it holds 1215 bytes, not 1216"),
        (b"\xff" * 1184 + SECRET.public[1184:], "its ML-KEM half is not in canonical form"),
        (SECRET.public[:1184] + bytes(32), "its X25519 half has small order"),
    ],
    ids=["cut off", "coefficients above the modulus", "small order"],
)
def test_a_recipient_that_nothing_may_be_wrapped_to_is_refused(public: bytes, problem: str) -> None:
    text = bech32.encode(hybrid.RECIPIENT_PREFIX, public)
    with pytest.raises(RepositoryError) as caught:
        parse_recipient(text)
    assert str(caught.value) == f"{text[:12]}… is no recipient: {problem}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (IDENTITY[:-1], ": its checksum does not hold (a character is wrong or missing)"),
        (bech32.encode(hybrid.IDENTITY_PREFIX, bytes(31)).upper(), " (cut off?)"),
    ],
    ids=["cut off", "short seed"],
)
def test_a_malformed_identity_is_refused(text: str, reason: str) -> None:
    with pytest.raises(NoIdentityError) as caught:
        hybrid.parse_identity(text)
    assert str(caught.value) == f"a malformed post-quantum identity{reason}"


def test_a_malformed_stanza_spoils_the_message_for_a_good_one() -> None:
    parsed = message.parse(MESSAGE)
    file_key = SECRET._file_key(parsed.stanzas)
    assert file_key is not None
    short = HeaderStanza(("mlkem768x25519", message.encode(bytes(1119))), bytes(32))
    assert SECRET.decrypt(message.seal(DATA_KEY, file_key, [*parsed.stanzas])) == DATA_KEY
    assert SECRET.decrypt(message.seal(DATA_KEY, file_key, [*parsed.stanzas, short])) is None


def test_a_message_has_no_more_than_the_one_stanza() -> None:
    body = wrap(DATA_KEY, parse_recipient(RECIPIENT)).enc.splitlines()[1:-1]
    header = b64decode("".join(body)).partition(b"---")[0].decode()
    assert re.fullmatch(r"age-encryption.org/v1\n-> mlkem768x25519 \S{1494}\n\S{43}\n", header)
