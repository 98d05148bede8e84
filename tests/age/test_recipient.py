import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from nixsecrets.age import bech32
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
from tests.tools import require_tool

AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


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


def test_an_age_recipient_is_its_own_spelling() -> None:
    assert parse_recipient(f" {AGE}\n") == Recipient(AGE, RecipientKind.X25519)


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
            "age1qqqqqqqq… has small order: anyone could open what is wrapped to it",
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
            "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t",
            "age1yubikey1… is a recipient of the plugin yubikey, which is not supported yet",
            id="plugin",
        ),
        pytest.param(
            "age1pq1" + "q" * 1950,
            "age1pq1qqqqq… is a post-quantum recipient, which is not supported yet",
            id="post-quantum",
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
        "keys/admins/miscguy.pub:3: "
        "age1pq1qq is a post-quantum recipient, which is not supported yet"
    )


def test_a_file_without_recipients_is_refused() -> None:
    with pytest.raises(RepositoryError, match="there is no recipient in it"):
        parse_recipients("# nobody yet\n")
