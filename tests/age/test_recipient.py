import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nixsecrets.age import bech32, hybrid
from nixsecrets.age.identity import generate_identity
from nixsecrets.age.recipient import (
    Recipient,
    RecipientKind,
    canonical_text,
    parse_recipient,
    parse_recipients,
)
from nixsecrets.age.sshkey import SshPublicKey, write_strings
from nixsecrets.errors import RepositoryError
from nixsecrets.plaintext import Plaintext
from tests.tools import require_tool

AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
SEED = Plaintext(bytes(32))
POINT = ec.derive_private_key(1, ec.SECP256R1()).public_key()
TAG = bech32.encode("age1tag", POINT.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
TAG_HYBRID = hybrid.HybridSecret(SEED).public[:1184] + POINT.public_bytes(
    Encoding.X962, PublicFormat.UncompressedPoint
)


def public_line(directory: Path, *options: str) -> str:
    file = directory / "made"
    subprocess.run(
        [
            require_tool("ssh-keygen"),
            "-q",
            "-N",
            "",
            "-C",
            "me@there, really",
            *options,
            "-f",
            file,
        ],
        check=True,
    )
    return file.with_name("made.pub").read_text()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (AGE, RecipientKind.X25519),
        (bech32.encode("age1pq", hybrid.HybridSecret(SEED).public), RecipientKind.HYBRID),
        (TAG, RecipientKind.TAG),
        (bech32.encode("age1tagpq", TAG_HYBRID), RecipientKind.TAG_HYBRID),
        (
            "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t",
            RecipientKind.PLUGIN,
        ),
        (bech32.encode("age1a+b-c.d_1e", b""), RecipientKind.PLUGIN),
    ],
    ids=["X25519", "post-quantum", "tag", "post-quantum tag", "plugin", "every sign of a name"],
)
def test_an_age_recipient_is_its_own_spelling(text: str, kind: RecipientKind) -> None:
    assert parse_recipient(f" {text}\n") == Recipient(text, kind)


def test_of_each_kind_is_known_what_a_quantum_computer_does_to_it() -> None:
    assert {kind for kind in RecipientKind if kind.is_post_quantum} == {
        RecipientKind.HYBRID,
        RecipientKind.TAG_HYBRID,
    }
    assert {kind for kind in RecipientKind if kind.is_classical} == {
        RecipientKind.X25519,
        RecipientKind.TAG,
        RecipientKind.SSH_ED25519,
        RecipientKind.SSH_RSA,
    }


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (["-t", "ed25519"], RecipientKind.SSH_ED25519),
        (["-t", "rsa", "-b", "2048"], RecipientKind.SSH_RSA),
    ],
    ids=["ed25519", "rsa"],
)
def test_an_ssh_line_is_a_recipient_with_its_comment_apart(
    options: list[str], kind: RecipientKind, tmp_path: Path
) -> None:
    line = public_line(tmp_path, *options)
    recipient = parse_recipient(line)
    algorithm, blob, _comment = line.split(maxsplit=2)
    assert recipient.text == f"{algorithm} {blob}"
    assert recipient.kind is kind
    assert recipient.comment == "me@there, really"
    assert recipient.label == line.strip()
    assert canonical_text(recipient.label) == recipient.text
    assert recipient == parse_recipient(recipient.text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "a recipient is empty", id="nothing"),
        pytest.param("miscguy", "this is not a recipient", id="a name"),
        pytest.param(AGE.upper(), "AGE1QL3Z7HJY… is not written in lower case", id="upper case"),
        pytest.param(
            "Age1" + AGE[4:], "Age1ql3z7hjy… is not written in lower case", id="mixed case"
        ),
        pytest.param(
            AGE[:-1] + "q",
            "age1ql3z7hjy… is no recipient: "
            "its checksum does not hold (a character is wrong or missing)",
            id="wrong character",
        ),
        pytest.param(
            "age1", "age1 is no recipient: it is too short to hold a checksum", id="prefix alone"
        ),
        pytest.param(
            bech32.encode("age", bytes(range(31))),
            "age1qqqsyqcy… is no recipient: it holds 31 bytes, not 32",
            id="too few bytes",
        ),
        pytest.param(
            bech32.encode("age", bytes(32)),
            "age1qqqqqqqq… is no recipient: "
            "it has small order, so anyone could open what is wrapped to it",
            id="small order",
        ),
        pytest.param(
            f"{AGE},{AGE}",
            "something follows age1ql3z7hjy… where one recipient belongs",
            id="comma list",
        ),
        pytest.param(
            f"{AGE} hq",
            "something follows age1ql3z7hjy… where one recipient belongs",
            id="comment",
        ),
        pytest.param(
            bech32.encode("age1../up", b"x"),
            "age1../up10q… is no recipient: "
            "the name of its plugin holds other characters than a-z 0-9 + - . _",
            id="plugin that is no name",
        ),
        pytest.param(
            bech32.encode("age1", b"x"),
            "age110qzrv2g… is no recipient: the name of its plugin is empty",
            id="plugin without name",
        ),
        pytest.param(
            bech32.encode("age1tag", bytes(33)),
            "age1tag1qqqq… is no recipient: invalid SEC-1 encoding",
            id="tag that is no point",
        ),
        pytest.param(
            bech32.encode("age1tagpq", bytes(33)),
            "age1tagpq1qq… is no recipient: invalid recipient",
            id="post-quantum tag that is too short",
        ),
        pytest.param(
            "age1pq1" + "q" * 1950,
            "age1pq1qqqqq… is no recipient: "
            "its checksum does not hold (a character is wrong or missing)",
            id="post-quantum, wrong character",
        ),
        pytest.param(
            "ssh-ed25519 AAAA",
            "its ssh structure ends too early",
            id="ssh line cut off",
        ),
    ],
)
def test_other_texts_are_refused_by_kind(text: str, problem: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        parse_recipient(text)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            ["-t", "ecdsa", "-b", "384"],
            "age takes no ecdsa-sha2-nistp384 recipient, only ssh-ed25519 and ssh-rsa",
        ),
        (["-t", "rsa", "-b", "1024"], "this ssh-rsa recipient has 1024 bits, not 2048 to 4096"),
    ],
    ids=["ecdsa", "short rsa"],
)
def test_ssh_lines_that_age_cannot_wrap_to_are_refused(
    options: list[str], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(RepositoryError) as caught:
        parse_recipient(public_line(tmp_path, *options))
    assert str(caught.value) == problem


def test_an_rsa_line_that_is_longer_than_rage_takes_is_refused() -> None:
    blob = write_strings(b"ssh-rsa", b"\x01\x00\x01", b"\x00" + b"\xff" * 513)
    with pytest.raises(RepositoryError, match="this ssh-rsa recipient has 4104 bits"):
        parse_recipient(SshPublicKey("ssh-rsa", blob, "").line)


@pytest.mark.parametrize("algorithm", ["ssh-dss", "sk-ssh-ed25519@openssh.com"])
def test_algorithms_without_stanza_are_refused(algorithm: str) -> None:
    line = SshPublicKey(algorithm, write_strings(algorithm.encode(), b"x"), "").line
    with pytest.raises(RepositoryError, match=f"age takes no {algorithm} recipient"):
        parse_recipient(line)


def test_an_ssh_line_with_a_point_of_small_order_is_refused() -> None:
    blob = write_strings(b"ssh-ed25519", b"\x01" + bytes(31))
    with pytest.raises(RepositoryError, match="its point has small order"):
        parse_recipient(f"ssh-ed25519 {b64encode(blob).decode()}")


def test_an_identity_is_named_and_never_quoted() -> None:
    content, _recipient = generate_identity()
    secret = content.reveal().decode().splitlines()[1]
    for text in (secret, secret.lower(), f"age1{secret}", f"ssh-ed25519 {secret}"):
        with pytest.raises(RepositoryError) as caught:
            parse_recipient(text)
        assert str(caught.value) == "this is a private identity where a recipient belongs"
        assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_file_of_recipients_has_one_a_line_between_comments() -> None:
    other = generate_identity()[1]
    text = f"# miscguy\r\n\r\n  {AGE}  \r\n  # the laptop\n{other.text}"
    assert parse_recipients(text) == (parse_recipient(AGE), other)


def test_a_wrong_line_of_a_file_is_numbered() -> None:
    with pytest.raises(RepositoryError) as caught:
        parse_recipients(f"# miscguy\n{AGE}\nage1pq1qq\n")
    assert str(caught.value.within("keys/admins/miscguy.pub")) == (
        "keys/admins/miscguy.pub:3: age1pq1qq is no recipient: it is too short to hold a checksum"
    )


def test_a_file_without_recipients_is_refused() -> None:
    with pytest.raises(RepositoryError, match="there is no recipient in it"):
        parse_recipients("# nobody yet\n")
